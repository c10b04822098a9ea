"""The ASGI shell around every page: who may ask, security headers, compressed bundles, the language, the warm-up.

Streamlit sends no security header, does not compress its bundles (11 MB a first page) and fixes <html lang="en">.
All of it is pure ASGI, so that nothing is buffered but the seven-kilobyte document.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import ipaddress
import logging
import mimetypes
import re
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import anyio
import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.pages_manager import PagesManager

from analytics.i18n.text import LANGUAGES, say
from pages.parts.state import navigation, selection

STATIC = Path(st.__file__).parent / "static"
CLOSED = ("/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/agent")
LANGUAGE_SCRIPTS = {lang: f'document.documentElement.lang="{lang}"' for lang in LANGUAGES}
_LOG = logging.getLogger("loan_panorama")
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)
_FORMS = frozenset((".js", ".css", ".svg", ".json"))
# Bundles that every page draws with: named in the document with all that they import, they are fetched beside the
# frame, not one round after the other.
_EARLY = ("Html", "PageLink", "Button", "ButtonGroup", "Selectbox", "DataFrame")
_CHART = "PlotlyChart"
_IMPORTED = re.compile(r"""(?:from|import)\s*["']\./([\w.~-]+\.js)["']""")
_FAULTS = count(1)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def bundle(name: str) -> str:
    """The file of one of Streamlit's bundles by its name; empty where this version has none."""
    return next((file.name for file in (STATIC / "static" / "js").glob(f"{name}.*.js")), "")


def imported(files: Iterable[str]) -> list[str]:
    """The bundles with all that they import, themselves first."""
    found: dict[str, None] = {}
    wanted = [file for file in files if file]
    while wanted:
        file = wanted.pop(0)
        if file not in found:
            found[file] = None
            wanted += _IMPORTED.findall((STATIC / "static" / "js" / file).read_text("utf-8"))
    return list(found)


def chart_script() -> str:
    """Loads the chart engine when the first page stands: its start takes a second of the browser's only thread, and
    the first page draws no chart. A page that does has loaded it by then."""
    file = bundle(_CHART)
    start = f'setTimeout(()=>requestIdleCallback(()=>import("./static/js/{file}")),4000)'
    return f'addEventListener("load",()=>{start})' if file else ""


def security_headers() -> dict[str, str]:
    """The headers of every answer. Scripts run only from our own files, plus the inline ones known by their hash."""
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
        "content-security-policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


def is_loopback(host: str | None) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "0.0.0.0").is_loopback  # noqa: S104 - no address means all of them
    except ValueError:
        return False


class Guard:
    """Refuses what is not for readers, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.headers = app, security_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        path = scope["path"]

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.headers)
                if path.startswith("/media/"):
                    headers["cache-control"] = "no-store"
            await send(message)

        if not is_loopback((scope.get("server") or ("127.0.0.1",))[0]):
            return await self._refuse(scope, receive, dressed, 403)
        if any(closed in path for closed in CLOSED):
            return await self._refuse(scope, receive, dressed, 404)
        await self.app(scope, receive, dressed)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, status: int) -> None:
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 4000 + status})
        await PlainTextResponse("", status)(scope, receive, send)


class Bundles:
    """Streamlit's hashed, immutable bundles, each compressed once and kept. Only names listed at start are served."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.files = {
            f"/{file.relative_to(STATIC).as_posix()}": file
            for file in STATIC.rglob("*")
            if file.suffix in _FORMS and file.parent != STATIC
        }
        self.kept: dict[str, bytes] = {}
        self.making = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and self.files.get(scope["path"])
        if not wanted or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            return await self.app(scope, receive, send)
        body = self.kept.get(scope["path"])
        if body is None:
            body = await anyio.to_thread.run_sync(self.compressed, scope["path"])
        headers = {
            "content-encoding": "gzip",
            "cache-control": "public, immutable, max-age=31536000",
            "vary": "accept-encoding",
        }
        kind = mimetypes.guess_type(wanted.name)[0] or "application/octet-stream"
        await Response(body, headers=headers, media_type=kind)(scope, receive, send)

    def compressed(self, path: str) -> bytes:
        """The gzip form of one bundle. 0.1 s for the largest (4.7 MB)."""
        with self.making:
            if path not in self.kept:
                self.kept[path] = gzip.compress(self.files[path].read_bytes(), 5, mtime=0)
            return self.kept[path]


class Document:
    """The HTML document in the reader's language: lang, title, description; and the bundles to fetch early."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        named = (STATIC / "index.html").read_text("utf-8")
        links = [f"./static/js/{file}" for file in imported(map(bundle, _EARLY)) if file not in named]
        self.links = "".join(f'<link rel="modulepreload" crossorigin href="{link}">' for link in links)
        self.links += f"<script>{chart_script()}</script>"
        self.pages = {page for pages in navigation.present().values() for page in pages}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"].startswith(("/static/", "/_stcore/", "/media/"))
        ):
            return await self.app(scope, receive, send)
        asked = scope["path"].strip("/")
        if (
            asked
            and asked not in self.pages - {navigation.FIRST}
            and "text/html" in Headers(scope=scope).get("accept", "")
        ):
            return await RedirectResponse(self._nearest(asked, scope))(scope, receive, send)
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                if not Headers(scope=message).get("content-type", "").startswith("text/html"):
                    await send(message)
            elif not Headers(scope=start).get("content-type", "").startswith("text/html"):
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await self._send(scope, start, body, send)

        # A changed document must not be answered by a 304 of the unchanged one, nor arrive compressed.
        hidden = (b"if-none-match", b"if-modified-since", b"accept-encoding")
        headers = [(name, value) for name, value in scope["headers"] if name not in hidden]
        await self.app({**scope, "headers": headers}, receive, collect)

    def _nearest(self, asked: str, scope: Scope) -> str:
        """The address shown instead of a page that is not there: the first page, told in `lost` what was asked for.
        Streamlit would lay a window in English over it."""
        query = scope["query_string"].decode("latin-1")
        lost = "" if asked == navigation.FIRST else urlencode({selection.LOST: asked[:40]})
        return "/?" + "&".join(part for part in (query, lost) if part)

    async def _send(self, scope: Scope, start: Message, body: bytes, send: Send) -> None:
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("lang", [""])[0]
        lang = asked if asked in LANGUAGES else LANGUAGES[0]
        page = body.decode("utf-8").replace('<html lang="en">', f'<html lang="{lang}">', 1)
        page = page.replace("<title>Streamlit</title>", f"<title>{say('app.name', lang)}</title>", 1)
        page = page.replace("</head>", f"{self.links}</head>", 1)
        headers = MutableHeaders(scope=start)
        for name in ("etag", "last-modified", "content-length"):
            del headers[name]
        sent = page.encode()
        headers["content-length"] = str(len(sent))
        headers["cache-control"] = "no-cache"
        await send(start)
        await send({"type": "http.response.body", "body": sent})


def middleware() -> list[Middleware]:
    """The shell, outermost first. Ends the program with a sentence when it would listen beyond this machine."""
    address = st.get_option("server.address")
    if not is_loopback(address):
        sys.exit(
            f"Loan Panorama has no sign-in of its own and will not listen on {address or 'all addresses'}. "
            "Keep server.address at 127.0.0.1 and put an authenticating reverse proxy on this machine in front of it."
        )
    # A folder named pages/ starts Streamlit in its legacy mode until st.navigation has run once: the first deep link
    # after a start would meet "Page not found".
    PagesManager.uses_pages_directory = False
    # Streamlit would log the same trace once more, with its values.
    logging.getLogger("streamlit.error_util").addFilter(lambda record: record.msg != "Uncaught app execution")
    hosts = [*(st.get_option("server.allowedHosts") or ()), "127.0.0.1", "localhost"]
    return [
        Middleware(Guard),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(Bundles),
        Middleware(Document),
    ]


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Open the bank and ask what the first page asks, in a thread, so that the first reader does not wait for it."""
    from pages.parts.app import warmup

    threading.Thread(target=warmup.up, daemon=True, name="warm-up").start()
    yield


def masked(trace: str) -> str:
    """A trace without long runs of digits: an error's text may quote a value, and a value may be somebody's number."""
    return re.sub(r"\d{5,}[\dXx]?", "******", trace)


def on_script_error(error: Exception) -> bool:
    """Log the fault under a number and show the reader that number, never the trace or its values."""
    number = next(_FAULTS)
    _LOG.error("fault %d\n%s", number, masked("".join(traceback.format_exception(error))))
    lang = st.session_state.get("lang", LANGUAGES[0])
    st.error(say("app.error", lang, number=number))
    return True
