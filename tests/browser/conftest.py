"""Which browser and which engine does a test get?"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.harness import KEY, REMEDY, SHOWN_WITHIN_MS, Server, Watch, find_chromium

expect.set_options(timeout=SHOWN_WITHIN_MS)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where the browser is; without one, tests skip, or fail where a browser is required."""
    path = find_chromium()
    if path is None and os.environ.get("HEADWATER_REQUIRE_BROWSER") == "1":
        pytest.fail(REMEDY)
    if path is None:
        pytest.skip(REMEDY)
    return path


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """One browser a module; stopped with it, as playwright's loop would be in the way of asyncio tests."""
    with sync_playwright() as playwright:
        # Without a sandbox, as containers run as root; every page is this engine's own.
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def running(data_dir: Path, **variables: str) -> Iterator[Server]:
    server = Server(data_dir, **variables)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Server]:
    """One engine for most tests, each of which uses customers of its own."""
    with running(tmp_path_factory.mktemp("engine") / "data") as server:
        yield server


@pytest.fixture
def fresh_server(tmp_path: Path, chromium_path: str) -> Iterator[Server]:
    """An engine with an empty log, for one test."""
    with running(tmp_path / "data") as server:
        yield server


@pytest.fixture(scope="module")
def keyed_server(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Server]:
    """An engine that asks for a key, for the tests of one module."""
    with running(tmp_path_factory.mktemp("keyed") / "data", HEADWATER_API_KEY=KEY) as server:
        yield server


@pytest.fixture
def fresh_keyed_server(tmp_path: Path, chromium_path: str) -> Iterator[Server]:
    """An engine that asks for a key, with an empty log, for one test."""
    with running(tmp_path / "data", HEADWATER_API_KEY=KEY) as server:
        yield server


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def context(chromium: Browser, watch: Watch) -> Iterator[BrowserContext]:
    """A clean profile; whatever a page does in it, it asks nobody else and reports no error."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    watch.attach(context)
    yield context
    context.close()
    assert watch.faults == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
