import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus import create_nexus_app
from nexus.app import NexusApp
from nexus.testing.harness import plugin_in

TOKEN = "a management token of the operator's own"
PASSWORD = "correct horse battery"

SHOP = """
from fastapi import APIRouter

from nexus.plugins import BasePlugin


class Shop(BasePlugin):
    async def initialize(self) -> bool:
        await self.subscribe_to_event("order.placed", self.deliver, max_attempts=1)
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/hours")
        def hours() -> str:
            return "9 to 5"

        @router.post("/orders/{number}")
        def order(number: int) -> None:
            return None

        return [router]

    async def deliver(self, event) -> None:
        if await self.get_config("courier") == "none":
            raise ValueError("There is no courier <b>today</b>.")
"""
MANIFEST: dict[str, Any] = {
    "name": "shop",
    "version": "1.2.3",
    "title": "The <shop>",
    "description": "Sells & delivers.",
    "permissions": ["events.subscribe"],
    "events": {"subscribes": ["order.placed"]},
    "configuration": {
        "courier": {"type": "string", "default": "none", "enum": ["none", "bike"]},
        "limit": {"type": "integer", "default": 3, "min": 1, "max": 9},
        "open": {"type": "boolean", "default": True},
        "key": {"type": "string", "secret": True},
        "tags": {"type": "array", "default": ["new"]},
    },
}
README = (
    "# Shop\n\n<script>alert(1)</script> [bad](javascript:alert(1)) ![x](http://evil.test/x.png)\n"
)


@dataclass(slots=True, kw_only=True)
class Site:
    """An application with admin pages, and browsers without scripts."""

    app: NexusApp

    def browser(self, base: str = "http://nexus.test", **headers: str) -> "Browser":
        """Give a browser of its own, with an empty jar of cookies."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return Browser(
            httpx.AsyncClient(
                transport=transport, base_url=base, headers=headers, follow_redirects=True
            )
        )

    async def signed_in(self) -> "Browser":
        """Give a browser of the holder of the management token."""
        browser = self.browser()
        answer = await browser.send("/admin/sign-in", token=TOKEN)
        assert answer.status_code == 200, answer.text
        return browser

    async def user(self, name: str, *roles: str, status: int = 200) -> "Browser":
        """Give the browser of a new user, who has signed in on the page."""
        auth: Any = plugin_in(self.app, "auth")
        await auth.parts.accounts.create(name, PASSWORD, roles=roles)
        browser = self.browser()
        answer = await browser.send("/admin/sign-in", username=name, password=PASSWORD)
        assert answer.status_code == status, answer.text
        return browser


@dataclass(slots=True)
class Browser:
    """Follows links and sends forms, as a browser does without scripts."""

    client: httpx.AsyncClient

    async def see(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, path: str, page: str = "", **fields: str) -> httpx.Response:
        """Send a form, with what hides on the page that it stands on."""
        hidden = {}
        if page:
            found = re.search(r'name="csrf" value="([^"]+)"', await self.see(page))
            assert found
            hidden = {"csrf": found[1]}
        return await self.client.post(path, data={**hidden, **fields})


def install(folder: Path, builtin: str) -> None:
    (folder / "nexus.yaml").write_text(f"name: Corner Shop\nbuiltin: [{builtin}]\n")
    shop = folder / "plugins" / "shop"
    shop.mkdir(parents=True)
    (shop / "plugin.py").write_text(SHOP)
    (shop / "manifest.json").write_text(json.dumps(MANIFEST))
    (shop / "README.md").write_text(README)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Give an application without users."""
    install(tmp_path, "admin")
    app = create_nexus_app(tmp_path, environ={"NEXUS_ADMIN_TOKEN": TOKEN}, configure_logging=False)
    async with app.running():
        yield Site(app=app)


@pytest.fixture
async def site_with_users(tmp_path: Path) -> AsyncIterator[Site]:
    """Give an application that knows users."""
    pytest.importorskip("pwdlib")
    install(tmp_path, "admin, auth")
    app = create_nexus_app(tmp_path, environ={"NEXUS_ADMIN_TOKEN": TOKEN}, configure_logging=False)
    async with app.running():
        yield Site(app=app)
