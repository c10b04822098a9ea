"""The server: access, headers of every answer, compression, language of the document."""

import asyncio
import base64
import gzip
import hashlib
import re

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message

from pages.parts.app.document import LocalisedDocument
from pages.parts.app.security_headers import SecurityHeaders, is_loopback, security_headers
from pages.parts.app.server import mask_numbers
from pages.parts.app.static_files import (
    STATIC,
    CompressedStatic,
    bundle_file,
    chart_script,
    with_imports,
)


def ask(
    app: ASGIApp,
    path: str,
    headers: dict[str, str] | None = None,
    method: str = "GET",
    server: str = "127.0.0.1",
    query: str = "",
) -> tuple[int, dict[str, str], bytes]:
    """Send one request through an ASGI app; return status, headers and body."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "server": (server, 8501),
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }

    async def call() -> None:
        await app(scope, receive, send)

    asyncio.run(call())
    head = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return (
        messages[0]["status"],
        head,
        b"".join(message.get("body", b"") for message in messages[1:]),
    )


HELLO = PlainTextResponse("hello")
PAGE = HTMLResponse(
    '<html lang="en"><head><title>Streamlit</title></head></html>', headers={"etag": "x"}
)


def test_every_answer_carries_the_security_headers() -> None:
    _, headers, body = ask(SecurityHeaders(HELLO), "/")
    assert body == b"hello"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_scripts_run_only_from_our_files_or_by_hash() -> None:
    policy = dict(
        part.split(" ", 1) for part in security_headers()["content-security-policy"].split("; ")
    )
    assert "unsafe-inline" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert "://" not in security_headers()["content-security-policy"]


def test_a_download_is_not_stored_on_the_way() -> None:
    assert ask(SecurityHeaders(HELLO), "/media/abc.csv")[1]["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/agent/interact",
        "/deep/_stcore/agent/mcp",
        "/_stcore/script-health-check",
    ],
)
def test_internal_paths_are_not_found(path: str) -> None:
    assert ask(SecurityHeaders(HELLO), path)[0] == 404


def test_a_request_to_a_public_address_is_refused() -> None:
    assert ask(SecurityHeaders(HELLO), "/", server="192.168.1.5")[0] == 403
    assert ask(SecurityHeaders(HELLO), "/", server="::1")[0] == 200


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("", False),
        (None, False),
        ("bank.example", False),
    ],
)
def test_only_loopback_addresses_are_listened_on(address: str | None, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.fixture(scope="module")
def bundles() -> CompressedStatic:
    return CompressedStatic(HELLO)


@pytest.fixture(scope="module")
def script(bundles: CompressedStatic) -> str:
    return next(path for path in bundles.files if "/PlotlyChart." in path)


def test_a_bundle_is_compressed_once_and_kept_for_good(
    bundles: CompressedStatic, script: str
) -> None:
    status, headers, body = ask(bundles, script, {"accept-encoding": "gzip, br"})
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    assert "immutable" in headers["cache-control"]
    assert gzip.decompress(body) == bundles.files[script].read_bytes()
    assert bundles.cache[script] is bundles.compressed(script)


def test_a_browser_without_gzip_gets_the_plain_file(bundles: CompressedStatic, script: str) -> None:
    assert ask(bundles, script)[2] == b"hello"


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/js/none.js", "/index.html", "/static/js/../../index.html"],
)
def test_only_bundles_listed_at_start_are_served(bundles: CompressedStatic, path: str) -> None:
    assert ask(bundles, path, {"accept-encoding": "gzip"})[2] == b"hello"


@pytest.mark.parametrize(
    ("query", "lang", "title"),
    [
        ("lang=en", "en", "Loan Panorama"),
        ("", "zh-CN", "信贷全景"),
        ("lang=xx", "zh-CN", "信贷全景"),
    ],
)
def test_the_document_is_in_the_language_of_its_reader(query: str, lang: str, title: str) -> None:
    _, headers, body = ask(LocalisedDocument(PAGE), "/overdue", query=query)
    assert f'<html lang="{lang}">' in body.decode()
    assert f"<title>{title}</title>" in body.decode()
    assert int(headers["content-length"]) == len(body)
    assert "etag" not in headers


def test_the_document_is_rewritten_though_the_server_would_compress_it() -> None:
    page = GZipMiddleware(HTMLResponse('<html lang="en">' + " " * 2000 + "</html>"))
    assert (
        b'lang="zh-CN"' in ask(LocalisedDocument(page), "/overdue", {"accept-encoding": "gzip"})[2]
    )


@pytest.mark.parametrize(
    ("path", "query", "there"),
    [
        ("/nope", "lang=en", "/?lang=en&lost=nope"),
        ("/overdue/more", "", "/?lost=overdue%2Fmore"),
        ("/overview", "vs=yoy", "/?vs=yoy"),
    ],
)
def test_an_unknown_page_redirects_to_the_first_page_with_its_name(
    path: str, query: str, there: str
) -> None:
    status, headers, _ = ask(
        LocalisedDocument(PAGE), path, {"accept": "text/html,*/*"}, query=query
    )
    assert (status, headers["location"]) == (307, there)


@pytest.mark.parametrize("path", ["/", "/overdue", "/favicon.png"])
def test_an_existing_page_or_file_is_not_redirected(path: str) -> None:
    accept = "image/*" if path.endswith(".png") else "text/html"
    assert ask(LocalisedDocument(PAGE), path, {"accept": accept})[0] == 200


def test_the_chart_engine_is_not_among_the_bundles_of_a_first_page() -> None:
    links = ask(LocalisedDocument(HTMLResponse('<html lang="en"><head></head></html>')), "/")[
        2
    ].decode()
    assert "DataFrame." in links
    assert not re.search(r'href="[^"]*PlotlyChart', links)
    assert f"<script>{chart_script()}</script>" in links
    digest = base64.b64encode(hashlib.sha256(chart_script().encode()).digest()).decode()
    assert f"'sha256-{digest}'" in security_headers()["content-security-policy"]


def test_every_bundle_named_early_exists_with_what_it_imports() -> None:
    files = with_imports(map(bundle_file, ["Html", "DataFrame"]))
    assert {bundle_file("Html"), bundle_file("DataFrame")} <= set(files)
    assert len(files) > 20
    assert all((STATIC / "static" / "js" / file).is_file() for file in files)


def test_what_is_not_a_document_passes_untouched() -> None:
    assert ask(LocalisedDocument(HELLO), "/overdue")[2] == b"hello"


def test_a_trace_in_the_log_shows_no_number_of_a_person() -> None:
    assert (
        mask_numbers("ValueError: 11010119900101123X at line 12") == "ValueError: ****** at line 12"
    )
