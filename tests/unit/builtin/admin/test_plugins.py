"""The pages of plugins, in a browser without scripts."""

import html
import json
from pathlib import Path

from tests.unit.builtin.admin.conftest import Site

from nexus.plugins import PluginState

MAIL = """
from nexus.plugins import BasePlugin


class Mail(BasePlugin):
    async def initialize(self) -> bool:
        return True
"""


async def test_pages_show_plugins_and_let_nothing_of_theirs_run(site: Site) -> None:
    browser = await site.signed_in()
    overview = await browser.see("/admin/")
    assert "All is well" in overview
    listed = await browser.see("/admin/plugins?search=DELIVERS")
    assert "The &lt;shop&gt;" in listed
    assert "Sells &amp; delivers." in listed
    assert "admin 1.0.0" not in listed
    assert "No plugin fits" in await browser.see("/admin/plugins?search=nothing+like+it")
    assert "No plugin fits" in await browser.see("/admin/plugins?state=failed")
    page = await browser.client.get("/admin/plugins/shop")
    assert "shop 1.2.3" in page.text
    assert "<script>alert" not in page.text
    assert 'href="javascript:' not in page.text
    assert "<img" not in page.text.partition('id="readme"')[2]
    assert '<a href="/plugins/shop/hours">' in page.text, "routes as they are, to be tried"
    assert "<code>/plugins/shop/orders/{number}</code>" in page.text
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "style=" not in page.text
    missing = await browser.client.get("/admin/plugins/none")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")


async def test_settings_are_changed_by_a_form(site: Site) -> None:
    browser = await site.signed_in()
    page = "/admin/plugins/shop"
    form = {"setting:courier": "bike", "setting:limit": "5", "setting:open": "false"}
    form |= {"setting:key": "sesame", "setting:tags": '["a", "b"]'}
    stored = await browser.send(f"{page}/configure", page, **form)
    assert "Stored: courier, key, limit, open, tags. A change reloads no plugin" in stored.text
    assert "Stored:" in stored.text.partition('id="configuration"')[2], "beside the form"
    assert stored.text.count("Stored:") == 1
    config = site.app.manager.controller("shop").configuration
    assert config is not None
    keys = ("courier", "limit", "open", "key", "tags")
    assert [config.get(key) for key in keys] == ["bike", 5, False, "sesame", ["a", "b"]]
    assert "sesame" not in await browser.see(page)

    # What is refused stands in the form again, with the reason beside it, and nothing is stored.
    refused = await browser.send(f"{page}/configure", page, **{**form, "setting:limit": "12"})
    assert refused.status_code == 422
    assert "Expected an integer from 1 to 9." in refused.text
    assert 'value="12"' in refused.text
    wrong = {"setting:tags": "[a", "setting:limit": "12", "setting:open": "false"}
    refused = await browser.send(f"{page}/configure", page, **wrong)
    assert "Expected an array, written in JSON, such as [" in refused.text
    assert "Expected an integer from 1 to 9." in refused.text
    assert refused.text.count('<div class="field wrong">') == 2
    same = await browser.send(f"{page}/configure", page, **{**form, "setting:key": ""})
    assert "Nothing has changed." in same.text
    assert config.get("key") == "sesame"

    reset = await browser.send(f"{page}/reset/limit", page)
    assert "limit is as it would be by itself." in reset.text
    assert config.get("limit") == 3


async def test_a_plugin_is_stopped_started_reloaded_and_seen_to_fail(
    site: Site, tmp_path: Path
) -> None:
    browser = await site.signed_in()
    page = "/admin/plugins/shop"
    status = site.app.manager.controller("shop")
    assert "is disabled." in (await browser.send(f"{page}/disable", page)).text
    assert status.status.state is PluginState.DISABLED
    assert "none is served at present" in await browser.see(page)
    assert "is running." in (await browser.send(f"{page}/enable", page)).text

    code = tmp_path / "plugins" / "shop" / "plugin.py"
    good = code.read_text()
    code.write_text("raise RuntimeError('no <i>scales</i>')\n")
    assert "no &lt;i&gt;scales&lt;/i&gt;" in (await browser.send(f"{page}/reload", page)).text
    assert status.status.generation == 2, "the old generation goes on"
    assert "Needs attention" in await browser.see("/admin/")
    code.write_text(good)
    assert "It is reloaded." in (await browser.send(f"{page}/reload", page)).text
    assert "All is well" in await browser.see("/admin/")


async def test_a_plugin_that_has_come_says_what_it_waits_for(site: Site, tmp_path: Path) -> None:
    browser = await site.signed_in()
    mail = tmp_path / "plugins" / "mail"
    mail.mkdir()
    settings = {"port": {"type": "integer", "required": True}}
    manifest = {"name": "mail", "version": "1.0.0", "configuration": settings}
    (mail / "manifest.json").write_text(json.dumps(manifest))
    (mail / "plugin.py").write_text(MAIL)
    found = await browser.send("/admin/plugins/rescan", "/admin/plugins")
    assert "New: mail." in found.text
    assert "Fill in the settings" in await browser.see("/admin/")
    shown = await browser.see("/admin/plugins/mail")
    reason = site.app.manager.controller("mail").status.reason
    assert html.unescape(shown).count(reason) == 1
    given = await browser.send("/admin/plugins/mail/configure", "/admin/", **{"setting:port": "25"})
    assert "Stored: port. The plugin has started with it." in given.text
    assert site.app.manager.controller("mail").status.state is PluginState.RUNNING


async def test_permissions_are_revoked_and_approved_in_the_name_of_the_visitor(site: Site) -> None:
    browser = await site.signed_in()
    page = "/admin/plugins/shop"

    def state() -> PluginState:
        return site.app.manager.controller("shop").status.state

    await browser.send(f"{page}/revoke", page, permission="events.subscribe")
    assert state() is PluginState.BLOCKED
    assert "Review the permissions" in await browser.see("/admin/")
    await browser.send(f"{page}/approve", page, permission="events.subscribe")
    assert state() is PluginState.RUNNING
    rows = (
        await browser.client.get(
            "/api/v1/audit", headers={"Authorization": f"Bearer {site.app.tokens.issue_for_run()}"}
        )
    ).json()["items"]
    done = [(each["action"], each["actor"]) for each in rows if each["plugin"] == "shop"][:2]
    assert done == [
        ("permission.approve", "token:configured"),
        ("permission.revoke", "token:configured"),
    ]
