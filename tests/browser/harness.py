"""A real server and a real Chromium: start the app on a free port, open pages, collect faults."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    FloatRect,
    Locator,
    Page,
    Request,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
READY = "[data-testid=stApp][data-test-script-state=notRunning]"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Return the path of the browser, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def server(home: Path, log: Path) -> Generator[str]:
    """Run the app over `home` on a free loopback port; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with log.open("w") as out:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"LOAN_PANORAMA_HOME": str(home)},
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/_stcore/health", running)
            yield address
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(20)


def wait_for(address: str, running: subprocess.Popen, seconds: float = 30) -> None:
    """Wait until the address answers. Raises RuntimeError when the server ended or is silent."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if running.poll() is not None:
            raise RuntimeError(f"the server ended with {running.returncode}")
        try:
            urllib.request.urlopen(address, timeout=1).read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not answer")


class Reader:
    """One browser window with an empty cache.

    Attributes
    ----------
    faults
        Console errors, errors of the page, and requests to other hosts, in order.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._on_request)

    def open(self, path: str = "/") -> Reader:
        """Go to an address of the app and wait until the page is complete."""
        self.page.goto(self.address + path)
        return self.settle()

    def settle(self) -> Reader:
        """Wait until the script has run and nothing is being drawn."""
        self.page.wait_for_selector(READY, timeout=30_000)
        self.page.wait_for_selector(
            "[data-testid=stSkeleton], [data-stale=true]", state="detached", timeout=30_000
        )
        return self

    def until(self, condition: Callable[[], bool], seconds: float = 15) -> Reader:
        """Wait until a condition is true. Raises AssertionError after `seconds`."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"still false after {seconds} seconds at {self.page.url}"
            self.page.wait_for_timeout(50)
        return self

    def text(self) -> str:
        """Return the text of the page."""
        return self.page.inner_text("[data-testid=stApp]")

    def _on_console(self, message: ConsoleMessage) -> None:
        # On a deep link Streamlit probes once for its base path; the two 404s of that are no fault.
        is_probe = "_stcore/" in message.location.get("url", "") and "404" in message.text
        if message.type == "error" and not is_probe:
            self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        own = (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.faults.append(f"foreign request: {request.url}")


def box_of(locator: Locator) -> FloatRect:
    """Return the rectangle of a visible element in pixels. Raises AssertionError without one."""
    box = locator.bounding_box()
    assert box is not None, "the element is not visible"
    return box


@contextmanager
def browser() -> Generator[Browser]:
    """Run a Chromium without a window."""
    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield chrome
        finally:
            chrome.close()


@contextmanager
def reader(
    chrome: Browser, address: str, *, width: int = 1280, height: int = 1100, dark: bool = False
) -> Generator[Reader]:
    """Open the app for one new reader: empty cache, no history."""
    context = chrome.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        locale="zh-CN",
    )
    try:
        yield Reader(context.new_page(), address)
    finally:
        context.close()
