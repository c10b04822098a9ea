"""ASGI middleware: access, security headers, compressed bundles, document language, warm-up.

Streamlit sends no security header, does not compress its bundles (11 MB for a first page) and
fixes <html lang="en">. The middleware is pure ASGI, so that only the document (7 kB) is buffered.
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
from collections.abc import AsyncGenerator, Iterable
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
from pages.parts.state import navigation
from pages.parts.state.selection import UNKNOWN_PAGE

STATIC = Path(st.__file__).parent / "static"
BLOCKED_PATHS = ("/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/agent")
LANGUAGE_SCRIPTS = {lang: f'document.documentElement.lang="{lang}"' for lang in LANGUAGES}
_LOG = logging.getLogger("loan_panorama")
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)
_COMPRESSED_TYPES = frozenset((".js", ".css", ".svg", ".json"))
# Bundles that every page needs. Named in the document with everything that they import, they are
# fetched in parallel with the frame instead of one round trip after the other.
_PRELOADED_BUNDLES = ("Html", "PageLink", "Button", "ButtonGroup", "Selectbox", "DataFrame")
_CHART_BUNDLE = "PlotlyChart"
_IMPORT_STATEMENT = re.compile(r"""(?:from|import)\s*["']\./([\w.~-]+\.js)["']""")
_FAULT_NUMBERS = count(1)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def bundle_file(name: str) -> str:
    """Return the file name of one of Streamlit's bundles; empty where this version has none."""
    return next((file.name for file in (STATIC / "static" / "js").glob(f"{name}.*.js")), "")


def with_imports(files: Iterable[str]) -> list[str]:
    """Return the bundles and everything that they import, the bundles first."""
    files_in_order: dict[str, None] = {}
    queue = [file for file in files if file]
    while queue:
        file = queue.pop(0)
        if file not in files_in_order:
            files_in_order[file] = None
            source = (STATIC / "static" / "js" / file).read_text("utf-8")
            queue += _IMPORT_STATEMENT.findall(source)
    return list(files_in_order)


def chart_script() -> str:
    """Return the script that loads the chart engine once the first page is complete.

    The engine takes a second of the browser's only thread to start, and the first page draws no
    chart; by the time a page does, it is loaded.
    """
    file = bundle_file(_CHART_BUNDLE)
    start = f'setTimeout(()=>requestIdleCallback(()=>import("./static/js/{file}")),4000)'
    return f'addEventListener("load",()=>{start})' if file else ""


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


class CompressedStatic:
    """Serve Streamlit's hashed, immutable bundles, each compressed once and cached in memory.

    Only files found at start are served. Starlette's GZipMiddleware sends as many bytes (1.1 MB for
    the first page) but compresses them again for every reader: 0.16 s of processor time instead of
    0.03 s, and 1.9 s instead of 1.7 s until the first page is complete in Chromium.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.files = {
            f"/{file.relative_to(STATIC).as_posix()}": file
            for file in STATIC.rglob("*")
            if file.suffix in _COMPRESSED_TYPES and file.parent != STATIC
        }
        self.cache: dict[str, bytes] = {}
        self.lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        file = self.files.get(scope["path"]) if is_read else None
        if file is None or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            return await self.app(scope, receive, send)
        path = scope["path"]
        body = self.cache.get(path)
        if body is None:
            body = await anyio.to_thread.run_sync(self.compressed, path)
        headers = {
            "content-encoding": "gzip",
            "cache-control": "public, immutable, max-age=31536000",
            "vary": "accept-encoding",
        }
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        await Response(body, headers=headers, media_type=kind)(scope, receive, send)

    def compressed(self, path: str) -> bytes:
        """Return the gzip form of one bundle; 0.1 s for the largest (4.7 MB)."""
        with self.lock:
            if path not in self.cache:
                self.cache[path] = gzip.compress(self.files[path].read_bytes(), 5, mtime=0)
            return self.cache[path]


class LocalisedDocument:
    """Serve the HTML document in the reader's language, with the bundles to fetch early."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        document = (STATIC / "index.html").read_text("utf-8")
        links = [
            f"./static/js/{file}"
            for file in with_imports(map(bundle_file, _PRELOADED_BUNDLES))
            if file not in document
        ]
        self.links = "".join(
            f'<link rel="modulepreload" crossorigin href="{link}">' for link in links
        )
        self.links += f"<script>{chart_script()}</script>"
        self.pages = navigation.page_names()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"].startswith(("/static/", "/_stcore/", "/media/"))
        ):
            return await self.app(scope, receive, send)
        page = scope["path"].strip("/")
        accepts_html = "text/html" in Headers(scope=scope).get("accept", "")
        if page and page not in self.pages - {navigation.HOME_PAGE} and accepts_html:
            return await RedirectResponse(self._home_address(page, scope))(scope, receive, send)
        start: Message = {}
        body = b""

        def is_document(message: Message) -> bool:
            return Headers(scope=message).get("content-type", "").startswith("text/html")

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                if not is_document(message):
                    await send(message)
            elif not is_document(start):
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await self._send(scope, start, body, send)

        # Changed here, the document must be read whole: not a 304 response, not compressed.
        hidden = (b"if-none-match", b"if-modified-since", b"accept-encoding")
        headers = [(name, value) for name, value in scope["headers"] if name not in hidden]
        await self.app({**scope, "headers": headers}, receive, collect)

    @staticmethod
    def _home_address(page: str, scope: Scope) -> str:
        """Return the address of the home page with the name of the page that does not exist.

        Streamlit itself would show a dialog in English.
        """
        parts = [scope["query_string"].decode("latin-1")]
        if page != navigation.HOME_PAGE:
            parts.append(urlencode({UNKNOWN_PAGE: page[:40]}))
        return "/?" + "&".join(part for part in parts if part)

    async def _send(self, scope: Scope, start: Message, body: bytes, send: Send) -> None:
        requested = parse_qs(scope["query_string"].decode("latin-1")).get("lang", [""])[0]
        lang = requested if requested in LANGUAGES else LANGUAGES[0]
        page = body.decode("utf-8").replace('<html lang="en">', f'<html lang="{lang}">', 1)
        page = page.replace(
            "<title>Streamlit</title>", f"<title>{say('app.name', lang)}</title>", 1
        )
        page = page.replace("</head>", f"{self.links}</head>", 1)
        headers = MutableHeaders(scope=start)
        for name in ("etag", "last-modified", "content-length"):
            del headers[name]
        content = page.encode()
        headers["content-length"] = str(len(content))
        headers["cache-control"] = "no-cache"
        await send(start)
        await send({"type": "http.response.body", "body": content})


def middleware() -> list[Middleware]:
    """Return the middleware, outermost first.

    Ends the program when the server would listen beyond this machine.
    """
    address = st.get_option("server.address")
    if not is_loopback(address):
        sys.exit(
            "Loan Panorama has no sign-in of its own and will not listen on "
            f"{address or 'all addresses'}. Keep server.address at 127.0.0.1 and put an "
            "authenticating reverse proxy on this machine in front of it."
        )
    # A folder named pages/ starts Streamlit in its legacy mode until st.navigation has run once:
    # the first deep link after a start would meet "Page not found".
    PagesManager.uses_pages_directory = False
    # Streamlit would log the same trace once more, with its values.
    logging.getLogger("streamlit.error_util").addFilter(
        lambda record: record.msg != "Uncaught app execution"
    )
    hosts = [*(st.get_option("server.allowedHosts") or ()), "127.0.0.1", "localhost"]
    return [
        Middleware(SecurityHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(CompressedStatic),
        Middleware(LocalisedDocument),
    ]


@asynccontextmanager
async def lifespan(_app: object) -> AsyncGenerator[None]:
    """Warm the caches in a thread, so that the first reader does not wait for them."""
    # Imports every section (0.8 s), which the middleware itself does not need.
    from pages.parts.app import warmup

    threading.Thread(target=warmup.warm_caches, daemon=True, name="warm-up").start()
    yield


def mask_numbers(trace: str) -> str:
    """Mask long runs of digits: a trace may quote a value, and a value may identify a person."""
    return re.sub(r"\d{5,}[\dXx]?", "******", trace)


def on_script_error(error: Exception) -> bool:
    """Log the error under a number and show the reader that number, never the trace."""
    number = next(_FAULT_NUMBERS)
    _LOG.error("fault %d\n%s", number, mask_numbers("".join(traceback.format_exception(error))))
    lang = st.session_state.get("lang", LANGUAGES[0])
    st.error(say("app.error", lang, number=number))
    return True
