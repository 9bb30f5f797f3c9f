"""A real browser for the tests of pages, and a server for it in the test's own process.

The browser is Debian's `chromium`, or another one of its kind that is installed; the variable
`NEXUS_TEST_BROWSER` names one. Where there is none, the tests that need it are skipped by name.
Everything is asynchronous, so that the application, its server and the browser's driver share the
test's event loop:

    async def test_a_page(workshop, browser_page):
        async with workshop.app().running() as app, serving(app) as url:
            await browser_page.goto(f"{url}/docs")
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn
from typing_extensions import override

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page

PATIENCE: Final = 60_000.0
"""Milliseconds that the browser waits for what a test expects; the machine may be busy."""

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class _ReadyServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @override
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serve an application that runs already on a port of its own, and give its address."""
    config = uvicorn.Config(
        app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5
    )
    server = _ReadyServer(config)
    running = asyncio.create_task(server._serve(), name="uvicorn")
    await server.ready.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def browser() -> AsyncIterator["Browser"]:
    """Give a browser without windows."""
    found = filter(None, map(shutil.which, _BROWSERS))
    program = os.environ.get("NEXUS_TEST_BROWSER") or next(found, None)
    if program is None:
        pytest.skip("skipped: no browser; install Debian's chromium, or set NEXUS_TEST_BROWSER")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, timeout=PATIENCE)
        yield started
        await started.close()


@pytest.fixture
async def browser_page(browser: "Browser") -> AsyncIterator["Page"]:
    """Give an empty page of a browser that nobody has used before."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE)
    yield await context.new_page()
    await context.close()


def complaints(page: "Page") -> list[str]:
    """Collect what the browser has to say against a page from now on.

    That is errors of its scripts, and what its policy forbids; not the status of an answer.
    """
    found: list[str] = []

    def heard(message: "ConsoleMessage") -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            found.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
