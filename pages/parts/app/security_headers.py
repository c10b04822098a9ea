"""Security headers of every response, and requests that no reader makes."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.i18n.text import LANGUAGES
from pages.parts.app.static_files import STATIC, chart_script

BLOCKED_PATHS = ("/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/agent")
LANGUAGE_SCRIPTS = {lang: f'document.documentElement.lang="{lang}"' for lang in LANGUAGES}
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def security_headers() -> dict[str, str]:
    """Return the headers of every response.

    Scripts run only from our own files, and inline only where their hash is listed.
    """
    document = (STATIC / "index.html").read_text("utf-8")
    inline = [*_INLINE_SCRIPT.findall(document), *LANGUAGE_SCRIPTS.values(), chart_script()]
    policy = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "'wasm-unsafe-eval'", *map(_hash, inline)]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "frame-ancestors": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "object-src": "'none'",
    }
    return {
        "content-security-policy": "; ".join(
            f"{name} {sources}" for name, sources in policy.items()
        ),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


def is_loopback(host: str | None) -> bool:
    """Return whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "0.0.0.0").is_loopback  # noqa: S104 - no address means all of them
    except ValueError:
        return False


class SecurityHeaders:
    """Refuse requests that no reader makes, and set the security headers of every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.headers = security_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        path = scope["path"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.headers)
                if path.startswith("/media/"):
                    headers["cache-control"] = "no-store"
            await send(message)

        if not is_loopback((scope.get("server") or ("127.0.0.1",))[0]):
            return await self._refuse(scope, receive, send_with_headers, 403)
        if any(blocked in path for blocked in BLOCKED_PATHS):
            return await self._refuse(scope, receive, send_with_headers, 404)
        await self.app(scope, receive, send_with_headers)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, status: int) -> None:
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 4000 + status})
        await PlainTextResponse("", status)(scope, receive, send)
