"""The server of the app: its middleware, what happens at start, and how errors are logged.

Streamlit sends no security header, does not compress its bundles (11 MB for a first page) and
fixes <html lang="en">. The middleware is pure ASGI, so that only the document (7 kB) is buffered.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.runtime.pages_manager import PagesManager

from analytics.i18n.text import LANGUAGES, say
from pages.parts.app.document import LocalisedDocument
from pages.parts.app.security_headers import SecurityHeaders, is_loopback
from pages.parts.app.static_files import CompressedStatic

_LOG = logging.getLogger("loan_panorama")
_FAULT_NUMBERS = count(1)


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
