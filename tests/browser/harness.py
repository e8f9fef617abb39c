"""What does a browser test stand on: an engine of its own, and an eye on what the pages do?"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect

from tests.headwater import ROOT, environment

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
REMEDY = (
    "no Chromium found: install one (on Debian: apt install chromium) or set HEADWATER_CHROMIUM to its path"
)
KEY = "correct-horse-battery"
READY_WITHIN_S = 60
STOPPED_WITHIN_S = 20
SHOWN_WITHIN_MS = 15_000

# The browser's own remark on a failed fetch; whether the failure was expected, the test knows.
FETCH_FAILED = "Failed to load resource"
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI}`))
"""


def find_chromium() -> str | None:
    return os.environ.get("HEADWATER_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


class Server:
    """`headwater serve` as a subprocess, on a loopback port that stays the same over restarts."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self._data_dir = data_dir
        self._variables = variables
        key = variables.get("HEADWATER_API_KEY")
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._output = data_dir.with_suffix(".log")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "cli.main", "serve"]
        command += ["--data-dir", str(self._data_dir), "--port", str(self._port)]
        with self._output.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment(**self._variables), stdout=output, stderr=output
            )
        self._process = process
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._is_ready():
            told = self._output.read_text("utf-8", "replace")[-4000:]
            assert process.poll() is None, f"headwater serve ended with {process.returncode}: {told}"
            assert time.monotonic() < deadline, f"headwater serve is not ready: {told}"
            time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.address}/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOPPED_WITHIN_S)

    def kill(self) -> None:
        """As kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOPPED_WITHIN_S)

    def post(self, *events: dict[str, object]) -> None:
        """Append events; they are durable when this returns, and on a page when they get there."""
        answer = httpx2.post(f"{self.address}/events", json=list(events), headers=self._headers, timeout=10)
        assert answer.status_code == 202, answer.text

    def get(self, path: str) -> dict[str, object]:
        answer = httpx2.get(f"{self.address}{path}", headers=self._headers, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class Watch:
    """Where pages went, and what they did that no page of ours may do."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.navigations: list[str] = []

    def attach(self, context: BrowserContext) -> None:
        context.set_default_timeout(SHOWN_WITHIN_MS)
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", self._request)
        context.on("page", self._page)

    def _page(self, page: Page) -> None:
        page.on("framenavigated", lambda frame: self.navigations.append(frame.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(FETCH_FAILED):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https") and url.hostname != "127.0.0.1":
            self.faults.append(f"asked another host: {request.url}")


def open_live(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#connection")).to_have_text("Live")
