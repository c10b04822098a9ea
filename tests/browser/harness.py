"""A real server and a real Chromium: start the app on a free port, look at pages, and note what should never happen."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

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
    """The path of the browser, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def server(home: Path, log: Path) -> Iterator[str]:
    """The app over `home` on a free loopback port; gives its address, and ends the server afterwards."""
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
    """Until the address answers. Raises RuntimeError when the server ended or stays silent."""
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
    """One browser window with an empty cache; `faults` collects console errors, page errors and foreign requests."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address, self.faults = page, address, []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._asked)

    def open(self, path: str = "/") -> Reader:
        """Go to an address of the app and wait until the page stands."""
        self.page.goto(self.address + path)
        return self.settle()

    def settle(self) -> Reader:
        """Wait until the script has run and nothing is being drawn."""
        self.page.wait_for_selector(READY, timeout=30_000)
        self.page.wait_for_selector(
            "[data-testid=stSkeleton], [data-stale=true]", state="detached", timeout=30_000
        )
        return self

    def until(self, holds: Callable[[], bool], seconds: float = 15) -> Reader:
        """Wait until something holds. Raises AssertionError when it never does."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"waited {seconds} seconds in vain at {self.page.url}"
            self.page.wait_for_timeout(50)
        return self

    def text(self) -> str:
        """What the page says."""
        return self.page.inner_text("[data-testid=stApp]")

    def _heard(self, message) -> None:
        # A deep link lets Streamlit probe for its own base path once; the two 404s of that are no fault of the page.
        probing = "_stcore/" in (message.location or {}).get("url", "") and "404" in message.text
        if message.type == "error" and not probing:
            self.faults.append(f"console: {message.text}")

    def _asked(self, request) -> None:
        if not request.url.startswith(
            (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        ):
            self.faults.append(f"foreign request: {request.url}")


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield chrome
        finally:
            chrome.close()


@contextmanager
def reader(
    chrome: Browser, address: str, *, width: int = 1280, height: int = 1100, dark: bool = False
) -> Iterator[Reader]:
    """A fresh reader of the app: empty cache, no history."""
    size, scheme = {"width": width, "height": height}, "dark" if dark else "light"
    context = chrome.new_context(viewport=size, color_scheme=scheme, locale="zh-CN")
    try:
        yield Reader(context.new_page(), address)
    finally:
        context.close()
