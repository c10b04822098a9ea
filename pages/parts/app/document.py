"""The HTML document in the reader's language, with the bundles to fetch early."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.i18n.text import LANGUAGES, say
from pages.parts.app.static_files import STATIC, bundle_file, chart_script, with_imports
from pages.parts.state import navigation
from pages.parts.state.selection import UNKNOWN_PAGE

# Bundles that every page needs. Named in the document with everything that they import, they are
# fetched in parallel with the frame instead of one round trip after the other.
_PRELOADED_BUNDLES = ("Html", "PageLink", "Button", "ButtonGroup", "Selectbox", "DataFrame")


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
