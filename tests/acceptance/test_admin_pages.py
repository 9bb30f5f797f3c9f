"""The admin pages in a real browser: what operators do, and whether everybody can."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect
from tests.browser import PATIENCE, complaints, serving

from nexus import create_nexus_app
from nexus.app import NexusApp
from nexus.testing.harness import plugin_in

expect.set_options(timeout=PATIENCE)

TOKEN: Final = "a management token of the operator's own"
PASSWORD: Final = "canary correct horse"
AXE: Final = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
PICTURES: Final = os.environ.get("NEXUS_PICTURES")
"""Where to put the pictures that the documents show; none are kept without it."""

PAGES: Final = (
    "", "plugins", "plugins/orders", "plugins/payments", "graph", "events", "events/lag",
    "events/dead", "audit", "system",
)  # fmt: skip
ORDERS: Final = """
from fastapi import APIRouter
from nexus.plugins import BasePlugin

class Orders(BasePlugin):
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/orders")
        async def place():
            await self.publish_event("order.placed", {"order": 1017, "total": 59.9})

        @router.post("/remind")
        async def remind():
            self.logger.warning("3 orders are not paid")

        return [router]
"""
PAYMENTS: Final = """
from nexus.plugins import BasePlugin

class Payments(BasePlugin):
    async def initialize(self):
        await self.subscribe_to_event("order.placed", self.charge, max_attempts=1)
        return True

    async def charge(self, event):
        if await self.get_config("bank") == "closed":
            raise ConnectionError("The bank does not answer.")
"""
PLAIN: Final = """
from nexus.plugins import BasePlugin

class Plain(BasePlugin):
    async def initialize(self):
        return True
"""


def _install(folder: Path, code: str, **manifest: Any) -> None:
    plugin = folder / "plugins" / manifest["name"]
    plugin.mkdir(parents=True)
    (plugin / "plugin.py").write_text(code)
    (plugin / "manifest.json").write_text(json.dumps({"version": "1.0.0", **manifest}))


@asynccontextmanager
async def _shop(folder: Path) -> AsyncIterator[tuple[NexusApp, str]]:
    (folder / "nexus.yaml").write_text("name: Corner Shop\nbuiltin: [admin]\n")
    _install(
        folder, ORDERS, name="orders", title="Orders", author="Ada",
        description="Takes orders, and keeps them until they are paid.",
        permissions=["events.publish"], events={"publishes": ["order.placed"]},
        api_endpoints=[{"method": "POST", "path": "/orders", "description": "Place an order"}],
        configuration={
            "limit": {"type": "integer", "default": 20, "min": 1, "max": 99,
                      "description": "So many items may be in one order."},
            "currency": {"type": "string", "default": "EUR", "enum": ["EUR", "USD", "CHF"],
                         "description": "What prices are in."},
            "receipt_key": {"type": "string", "secret": True,
                            "description": "Signs the receipts."},
        },
    )  # fmt: skip
    (folder / "plugins" / "orders" / "README.md").write_text("# Orders\n\nEverything *sold*.\n")
    _install(
        folder, PAYMENTS, name="payments", title="Payments", dependencies=["orders"],
        description="Charges what was ordered.", permissions=["events.subscribe"],
        events={"subscribes": ["order.placed"]},
        configuration={"bank": {"type": "string", "default": "closed", "enum": ["closed", "open"]}},
    )  # fmt: skip
    _install(
        folder, PLAIN, name="mail", title="Mail", description="Writes to customers.",
        dependencies=["orders"],
        configuration={"server": {"type": "string", "required": True,
                                  "description": "Where mail goes out."}},
    )  # fmt: skip
    _install(folder, PLAIN, name="stock", title="Stock", description="Counts what is there.")
    made = create_nexus_app(folder, environ={"NEXUS_ADMIN_TOKEN": TOKEN}, configure_logging=False)
    async with made.running() as app, serving(app) as url:
        yield app, f"{url}/admin"


async def _sign_in(page: Page, url: str) -> None:
    await page.goto(f"{url}/")
    await page.get_by_label("Management token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


async def _findings(page: Page) -> list[str]:
    """Give what keeps people out of the page, as far as axe can tell."""
    await page.evaluate(AXE)
    found = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


async def _picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.evaluate("scrollTo(0, 0)")
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


class Operator:
    """Somebody who runs the shop, at their browser."""

    def __init__(self, page: Page, url: str, folder: Path) -> None:
        self.page = page
        self.url = url
        self.folder = folder
        self.status = page.get_by_role("status")
        self.title = page.locator("h1")

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name).click()

    async def follow(self, name: str) -> None:
        await self.page.get_by_role("link", name=name, exact=True).click()

    async def see_what_needs_attention(self) -> None:
        await _order(self.page, self.url)
        to_do = self.page.locator(".todo")  # which renews itself
        await expect(to_do).to_contain_text("1 dead letter")
        await expect(to_do).to_contain_text("Mail is blocked")
        await _picture(self.page, "admin-overview")

    async def give_a_setting_that_is_missing(self) -> None:
        await self.follow("Fill in the settings")
        await self.page.get_by_label(re.compile("^Server")).fill("mail.example.com")
        await self.press("Store settings")
        await expect(self.status).to_contain_text("Stored: server.")
        await expect(self.title).to_contain_text("running")

    async def change_settings(self) -> None:
        page = self.page
        await page.goto(f"{self.url}/plugins/orders")
        await page.get_by_label("Limit").fill("500")
        await self.press("Store settings")
        await expect(page.locator(".field.wrong")).to_contain_text("Expected an integer from 1 to")
        await page.get_by_label("Limit").fill("30")
        await page.get_by_label("Currency").select_option("CHF")
        await self.press("Store settings")
        await expect(self.status).to_contain_text("Stored: currency, limit.")
        await self.press("Reset Limit")
        await expect(page.get_by_label("Limit")).to_have_value("20")

    async def read_the_log_as_it_is_written(self) -> None:
        await expect(self.page.locator(".live.on")).to_be_visible()
        await _post(self.page, self.url, "remind")
        await expect(self.page.locator(".log")).to_contain_text("3 orders are not paid")
        await _picture(self.page, "admin-plugin")

    async def see_a_plugin_fail_and_recover(self) -> None:
        code = self.folder / "plugins" / "stock" / "plugin.py"
        good = code.read_text()
        code.write_text("raise RuntimeError('the scales are broken')\n")
        await self.page.goto(f"{self.url}/plugins/stock")
        await self.press("Reload")
        await expect(self.status).to_contain_text("the scales are broken")
        await self.page.goto(f"{self.url}/")
        await expect(self.page.locator(".todo")).to_contain_text("the scales are broken")
        await self.page.goto(f"{self.url}/plugins/stock")
        done = self.folder / "done"
        waiting = f"        while not pathlib.Path({str(done)!r}).exists():\n"
        waiting += "            await asyncio.sleep(0.05)\n"
        slow = good.replace("        return True", waiting + "        return True")
        code.write_text("import asyncio\nimport pathlib\n" + slow)
        seen = await self.watch_the_button("Reload")
        await self.page.get_by_role("button", name="Reload").click(no_wait_after=True)
        async with asyncio.timeout(PATIENCE / 1000):
            while not re.fullmatch(r"Reloading… \d+ s", await seen.get()):
                pass
        done.touch()
        await expect(self.status).to_contain_text("It is reloaded.")

    async def watch_the_button(self, name: str) -> asyncio.Queue[str]:
        """Give what comes to stand on a button, even while the browser waits for the next page."""
        texts: asyncio.Queue[str] = asyncio.Queue()
        await self.page.expose_function("buttonSays", texts.put_nowait)
        await self.page.get_by_role("button", name=name).evaluate(
            "button => new MutationObserver(() => buttonSays(button.textContent))"
            ".observe(button, {childList: true})"
        )
        return texts

    async def approve_a_permission(self) -> None:
        await self.page.goto(f"{self.url}/plugins/payments")
        await self.press("Revoke events.subscribe")
        await expect(self.title).to_contain_text("blocked")
        await self.page.goto(f"{self.url}/")
        await self.follow("Review the permissions")
        await self.press("Approve events.subscribe")
        await expect(self.title).to_contain_text("running")

    async def retry_a_dead_letter(self) -> None:
        await self.page.goto(f"{self.url}/plugins/payments")
        await self.page.get_by_label("Bank").select_option("open")
        await self.press("Store settings")
        await expect(self.status).to_contain_text("Stored: bank.")
        await self.follow("Events")
        await self.see_events_come()
        await self.follow("Dead letters")
        await self.follow("order.placed")
        await expect(self.page.locator("pre").first).to_contain_text("ConnectionError")
        await self.press("Retry")
        await expect(self.status).to_contain_text("handed to the handler again")
        await self.page.goto(f"{self.url}/events/dead")
        await expect(self.page.get_by_text("There are none.")).to_be_visible()

    async def see_events_come(self) -> None:
        rows = self.page.locator("#rows tr", has_text="order.placed")
        await expect(rows).to_have_count(1)
        await expect(self.page.locator(".live.on")).to_be_visible()
        async with asyncio.timeout(PATIENCE / 1000):
            while await rows.count() == 1:  # the server may begin to watch a moment later
                await _order(self.page, self.url)
                await asyncio.sleep(0.1)

    async def look_around(self) -> None:
        await self.page.goto(f"{self.url}/graph")
        await _picture(self.page, "admin-graph")
        await self.follow("Payments, running")
        await expect(self.title).to_contain_text("Payments")
        await self.page.goto(f"{self.url}/plugins")
        await self.page.get_by_role("searchbox").fill("customers")
        await expect(self.page.locator(".cards li")).to_have_count(1)


@pytest.mark.timeout(300)
async def test_operators_see_and_steer_an_application(tmp_path: Path, browser_page: Page) -> None:
    page = browser_page
    said = complaints(page)
    await page.set_viewport_size({"width": 1200, "height": 800})
    async with _shop(tmp_path) as (_, url):
        operator = Operator(page, url, tmp_path)
        await _sign_in(page, url)
        await operator.see_what_needs_attention()
        await operator.give_a_setting_that_is_missing()
        await operator.change_settings()
        await operator.read_the_log_as_it_is_written()
        await operator.see_a_plugin_fail_and_recover()
        await operator.approve_a_permission()
        await operator.retry_a_dead_letter()
        await operator.look_around()
        await operator.press("Sign out")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert said == [], "the pages keep to their own policy"


async def _order(page: Page, url: str) -> None:
    await _post(page, url, "orders")


async def _post(page: Page, url: str, path: str) -> None:
    answer = await page.request.post(url.replace("/admin", f"/plugins/orders/{path}"))
    assert answer.ok


@pytest.mark.timeout(300)
async def test_everybody_can_use_the_pages(tmp_path: Path, browser: Browser) -> None:
    async with _shop(tmp_path) as (_, url):
        for options in (
            {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
            {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
        ):
            context = await browser.new_context(**options)  # type: ignore[arg-type] # as given
            context.set_default_timeout(PATIENCE)
            page = await context.new_page()
            await page.goto(f"{url}/sign-in")
            assert await _findings(page) == []
            await _sign_in(page, url)
            await _order(page, url)
            for path in PAGES:
                await page.goto(f"{url}/{path}")
                assert await _findings(page) == [], path
                too_wide = "document.documentElement.scrollWidth - window.innerWidth"
                assert await page.evaluate(too_wide) <= 0, path
            await context.close()

        # Without scripts, and with nothing but the keyboard.
        context = await browser.new_context(java_script_enabled=False)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        await page.goto(f"{url}/")
        await expect(page.get_by_label("Management token")).to_be_focused()
        await page.keyboard.type(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        for _ in range(3):
            await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Plugins", exact=True)).to_be_focused()
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name=re.compile("^Stock")).press("Enter")
        await page.get_by_role("button", name="Disable").press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("It is disabled.")
        await context.close()


@pytest.mark.timeout(300)
async def test_everybody_can_manage_users(tmp_path: Path, browser: Browser) -> None:
    pytest.importorskip("pwdlib")
    (tmp_path / "nexus.yaml").write_text("builtin: [admin, auth]\n")
    made = create_nexus_app(tmp_path, environ={"NEXUS_ADMIN_TOKEN": TOKEN}, configure_logging=False)
    async with made.running() as app, serving(app) as url:
        context = await browser.new_context(viewport={"width": 390, "height": 844})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        await page.goto(f"{url}/admin/sign-in")
        await expect(page.get_by_text("There is no account yet.")).to_be_visible()
        assert await _findings(page) == []
        auth: Any = plugin_in(app, "auth")
        await auth.parts.accounts.create("ada", PASSWORD, roles=["admin"])
        await page.get_by_label("Name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        for path in ("users", "roles", "keys", "plugins/auth", "nothing"):
            await page.goto(f"{url}/admin/{path}")
            for each in await page.locator("summary").all():
                await each.click()
            assert await _findings(page) == [], path
            too_wide = "document.documentElement.scrollWidth - window.innerWidth"
            assert await page.evaluate(too_wide) <= 0, path
        await context.close()
