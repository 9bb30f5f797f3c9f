"""Pages that plugins contribute."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.unit.builtin.admin.conftest import TOKEN, Site

from nexus.plugins import AdminPage

PEEK = """
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from nexus.plugins import AdminPage, BasePlugin

class Peek(BasePlugin):
    async def initialize(self):
        return True

    def get_admin_pages(self):
        return [AdminPage(title="Peek", path="/page")]

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/page", response_class=HTMLResponse)
        async def page(request: Request):
            return f"<p>{dict(request.headers)}</p>"

        return [router]
"""
SALES = """
from typing import Annotated
from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from nexus.plugins import AdminPage, BasePlugin
from nexus.security import User, require_permission

class Sales(BasePlugin):
    async def initialize(self):
        return True

    def get_admin_pages(self):
        return [
            AdminPage(title="Sales", path="/report", permission="sales.read"),
            AdminPage(title="Hours & days", path="/hours"),
            AdminPage(title="Gone", path="/gone"),
        ]

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/report", response_class=HTMLResponse)
        async def report(user: Annotated[User, Depends(require_permission("sales.read"))]):
            return f"<p>sold by {user.username}</p><script>alert(1)</script>"

        @router.get("/hours")
        async def hours():
            return {"open": "always"}

        return [router]
"""
WRONG = """
from nexus.plugins import BasePlugin

class Wrong(BasePlugin):
    async def initialize(self):
        return True

    def get_admin_pages(self):
        raise RuntimeError("no pages today")
"""


def install(folder: Path, name: str, code: str) -> None:
    plugin = folder / "plugins" / name
    plugin.mkdir()
    (plugin / "manifest.json").write_text(json.dumps({"name": name, "version": "1.0.0"}))
    (plugin / "plugin.py").write_text(code)


async def test_a_page_is_shown_with_the_rights_of_the_visitor_and_none_of_its_own(
    site_with_users: Site, tmp_path: Path
) -> None:
    site = site_with_users
    install(tmp_path, "sales", SALES)
    install(tmp_path, "wrong", WRONG)
    admin = await site.user("ada", "admin")
    await admin.send("/admin/plugins/rescan", "/admin/plugins")
    async with asyncio.timeout(60):
        while 'href="/admin/of/sales/report"' not in (overview := await admin.see("/admin/")):
            await asyncio.sleep(0.05)  # it is still starting
    assert "Hours &amp; days" in overview
    assert 'sandbox=""' in await admin.see("/admin/of/sales/report")
    frame = await admin.client.get("/admin/frames/sales/report")
    assert "sold by ada" in frame.text
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"
    assert "and not HTML" in await admin.see("/admin/frames/sales/hours", status=502)
    assert "Not Found" in await admin.see("/admin/frames/sales/gone", status=502)
    await admin.see("/admin/of/sales/other", status=404)
    await admin.see("/admin/of/wrong/report", status=404)

    viewer = await site.user("vera", "viewer")
    overview = await viewer.see("/admin/")
    assert ">Sales<" not in overview
    assert "Hours &amp; days" in overview
    await viewer.see("/admin/frames/sales/report", status=404)
    refused = await viewer.client.get("/plugins/sales/report")
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("title", "path"), [("", "/x"), ("x" * 41, "/x"), ("a\nb", "/x"), ("x", "x"), ("x", "/x?y=1")]
)
def test_a_page_needs_a_title_and_a_path(title: str, path: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        AdminPage(title=title, path=path)


async def test_a_plugins_page_is_not_told_the_management_token(site: Site, tmp_path: Path) -> None:
    install(tmp_path, "peek", PEEK)
    browser = await site.signed_in()
    await browser.send("/admin/plugins/rescan", "/admin/plugins")
    async with asyncio.timeout(60):
        while (await browser.client.get("/admin/frames/peek/page")).status_code == 404:
            await asyncio.sleep(0.05)  # it is still starting
    shown = await browser.see("/admin/frames/peek/page")
    assert "host" in shown
    assert TOKEN not in shown
