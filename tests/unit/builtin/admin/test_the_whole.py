"""The pages of the application as a whole, of the audit log, of users and of API keys."""

import json
import re

from tests.unit.builtin.admin.conftest import PASSWORD, TOKEN, Site


async def test_system_shows_settings_with_sources_and_gives_a_file_without_secrets(
    site: Site,
) -> None:
    browser = await site.signed_in()
    await browser.send("/admin/plugins/shop/configure", "/admin/", **{"setting:key": "sesame"})
    page = await browser.see("/admin/system")
    assert "Corner Shop" in page
    assert re.search(
        r"<code>name</code></td><td><code>&#34;Corner Shop&#34;</code>.*?nexus.yaml", page
    )
    answer = await browser.client.get("/admin/system/diagnostics.json")
    assert answer.headers["content-disposition"].startswith("attachment;")
    found = json.loads(answer.text)
    assert [each["name"] for each in found["plugins"]["items"]] == ["admin", "shop"]
    assert found["system"]["name"] == "Corner Shop"
    assert TOKEN not in answer.text
    assert "sesame" not in answer.text


async def test_the_audit_log_is_read_by_page_and_by_plugin(site: Site) -> None:
    browser = await site.signed_in()
    for _ in range(30):
        await browser.send("/admin/plugins/shop/revoke", "/admin/", permission="events.subscribe")
        await browser.send("/admin/plugins/shop/approve", "/admin/", permission="events.subscribe")
    page = await browser.see("/admin/audit?plugin=shop")
    assert "token:configured" in page
    assert "permission.revoke" in page
    older = re.search(r'href="(/admin/audit[^"]+before=[^"]+)"', page)
    assert older
    assert "permission.revoke" in await browser.see(older[1].replace("&amp;", "&"))
    assert "Nothing fits." in await browser.see("/admin/audit?actor=nobody")


async def test_users_are_made_and_shut_out_and_keys_shown_once(site_with_users: Site) -> None:
    site = site_with_users
    admin = await site.user("ada", "admin")
    made = await admin.send(
        "/admin/users", "/admin/users", username="vera", password=PASSWORD, role="viewer"
    )
    assert "vera is there now." in made.text
    short = await admin.send("/admin/users", "/admin/users", username="eve", password="short")
    assert "at least 12 characters" in short.text
    assert 'name="username" value="eve"' in short.text
    assert "short" not in re.sub("short(er|est)", "", short.text.partition('id="new"')[2])
    viewer = site.browser()
    await viewer.send("/admin/sign-in", username="vera", password=PASSWORD)
    assert "/admin/users" not in await viewer.see("/admin/")
    await viewer.see("/admin/users", status=403)
    await viewer.see("/admin/audit", status=403)
    await viewer.see("/admin/events", status=403)

    form = {"label": "backup", "scopes": "nexus.view", "days": "30"}
    answer = await viewer.send("/admin/keys", "/admin/keys", **form)
    assert answer.history[0].status_code == 303
    page = answer.text
    key = re.search(r"nxk\.[\w.-]+", page)
    assert key
    plugins = await site.browser().client.get("/api/v1/plugins", headers={"X-API-Key": key[0]})
    assert plugins.status_code == 200
    page = await viewer.see("/admin/keys")
    assert key[0] not in page
    assert page.count("/delete") == 1, "no page that is loaded again makes another"
    delete = re.search(r'action="(/admin/keys/[^"]+/delete)"', page)
    assert delete
    await viewer.send(delete[1], "/admin/keys")
    plugins = await site.browser().client.get("/api/v1/plugins", headers={"X-API-Key": key[0]})
    assert plugins.status_code == 401

    page = await admin.see("/admin/users")
    change = re.search(r'action="(/admin/users/[^"]+)"', page.partition(">vera<")[2])
    assert change
    await admin.send(change[1], "/admin/users", role="viewer")
    assert "Sign in" in await viewer.see("/admin/")
    assert "user.update" in await admin.see("/admin/audit?actor=user:ada")


async def test_roles_and_groups_are_made_and_changed_by_who_may_do_what_they_allow(
    site_with_users: Site,
) -> None:
    site = site_with_users
    admin = await site.user("ada", "admin")
    form = {"name": "sales", "permissions": "shop.read shop.write"}
    assert (
        "sales is stored." in (await admin.send("/admin/roles/groups", "/admin/roles", **form)).text
    )
    form = {"name": "clerk", "permissions": "nexus.view auth.roles", "group": "sales"}
    page = (await admin.send("/admin/roles/roles", "/admin/roles", **form)).text
    assert "nexus.view, auth.roles · sales" in page
    clerk = await site.user("carl", "clerk")
    assert re.search(r'href="/admin/roles">Roles</a>', await clerk.see("/admin/"))
    page = await clerk.see("/admin/roles")
    assert "<h1>Roles and groups</h1>" in page
    assert re.search(r'href="/admin/roles" aria-current="page">Roles</a>', page)
    assert ">Roles</a>" not in await admin.see("/admin/"), "the page of users leads there"

    more = {"name": "boss", "permissions": "nexus.admin", "group": "sales"}
    refused = await clerk.send("/admin/roles/roles", "/admin/roles", **more)
    assert refused.status_code == 403
    assert "You may not yourself: nexus.admin." in refused.text
    assert 'name="name" required maxlength="100" autocomplete="off" value="boss"' in refused.text
    assert ">nexus.admin</textarea>" in refused.text
    bad = await admin.send("/admin/roles/roles", "/admin/roles", name="No name")
    assert bad.status_code == 422

    less = {"name": "clerk", "permissions": "nexus.view"}
    await admin.send("/admin/roles/roles", "/admin/roles", **less)
    await clerk.see("/admin/roles", status=403)
    kept = await admin.send("/admin/roles/groups/sales/delete", "/admin/roles")
    assert "Tick the box beside it to remove sales." in kept.text
    gone = await admin.send("/admin/roles/groups/sales/delete", "/admin/roles", sure="true")
    assert "sales is gone." in gone.text
    assert (await admin.client.post("/admin/roles/others")).status_code in {403, 422}
