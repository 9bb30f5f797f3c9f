"""The page of the API in a real browser, with users of the built-in plugin."""

import json
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Locator, Page
from tests.browser import complaints, serving

from nexus import create_nexus_app
from nexus.testing.harness import plugin_in

ACCOUNT = {"username": "ada", "password": "correct horse battery"}
ORDERS = """
from typing import Annotated
from fastapi import APIRouter, Depends
from nexus.plugins import BasePlugin
from nexus.security import User, require_user

class Orders(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/mine")
        async def mine(user: Annotated[User, Depends(require_user)]) -> str:
            return f"orders of {user.username}"

        return [router]
"""


def _application(folder: Path) -> Any:
    (folder / "nexus.yaml").write_text("builtin: [auth]\n")
    orders = folder / "plugins" / "orders"
    orders.mkdir(parents=True)
    (orders / "plugin.py").write_text(ORDERS)
    (orders / "manifest.json").write_text(json.dumps({"name": "orders", "version": "1.0.0"}))
    return create_nexus_app(folder, environ={}, configure_logging=False)


async def _credentials(app: Any, url: str) -> tuple[str, str]:
    """Make a user, and give an access token and an API key of theirs."""
    plugin: Any = plugin_in(app, "auth")
    await plugin.parts.accounts.create(**ACCOUNT)
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        token = (await client.post("/plugins/auth/token", data=ACCOUNT)).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        made = await client.post(
            "/plugins/auth/me/keys", json={"label": "docs", "scopes": []}, headers=headers
        )
        assert made.status_code == 201, made.text
        return token, made.json()["key"]


class DocsPage:
    """What people do on the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def execute(self) -> tuple[str, str]:
        """Try the route, and give the status and the body of its answer."""
        await self.page.get_by_role("button", name="Execute").click()
        answer = self.page.locator(".live-responses-table .response").first
        status = await answer.locator(".response-col_status").inner_text()
        body = await answer.locator(".highlight-code code").first.inner_text()
        await self.page.get_by_role("button", name="Clear").click()
        return status.split()[0], body

    async def open_dialog(self, scheme: str) -> Locator:
        """Open what the Authorize button opens, and give its part for one way to sign in."""
        await self.page.locator(".auth-wrapper .btn.authorize").click()
        title = self.page.get_by_role("heading").filter(has_text=scheme)
        return self.page.locator(".auth-container", has=title)

    async def sign_in(self, scheme: str, **fields: str) -> None:
        form = await self.open_dialog(scheme)
        for field, value in fields.items():
            await form.locator(f"#{field.replace('__', '-')}").fill(value)
        await form.locator(".btn.authorize").click()
        await form.locator("button", has_text="Logout").wait_for()
        await form.locator(".btn-done").click()

    async def sign_out(self, scheme: str) -> None:
        form = await self.open_dialog(scheme)
        await form.locator("button", has_text="Logout").click()
        await form.locator(".btn-done").click()


async def test_the_authorize_button_signs_in_and_out(tmp_path: Path, browser_page: Page) -> None:
    docs = DocsPage(browser_page)
    said = complaints(browser_page)
    async with _application(tmp_path).running() as app, serving(app) as url:
        token, key = await _credentials(app, url)
        await browser_page.goto(f"{url}/docs")
        await browser_page.locator("#operations-orders-orders_mine_mine_get").click()
        assert (await docs.execute())[0] == "401"

        form = await docs.open_dialog("nexus.password")
        await form.locator("#oauth_username").fill(ACCOUNT["username"])
        await form.locator("#oauth_password").fill("not the password")
        await form.locator(".btn.authorize").click()
        await form.locator(".errors").wait_for()
        await form.locator(".btn-done").click()
        assert (await docs.execute())[0] == "401"

        names = {"oauth_username": ACCOUNT["username"], "oauth_password": ACCOUNT["password"]}
        for scheme, fields in (
            ("nexus.password", names),
            ("nexus.token", {"auth__bearer__value": token}),
            ("nexus.apiKey", {"api_key_value": key}),
        ):
            await docs.sign_in(scheme, **fields)
            assert await docs.execute() == ("200", '"orders of ada"'), scheme
            await docs.sign_out(scheme)
            assert (await docs.execute())[0] == "401", scheme
    assert said == [], "the page keeps to its own policy"
