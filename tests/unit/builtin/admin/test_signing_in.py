"""Who comes to the pages, and what they may do there."""

import re

import pytest
from tests.unit.builtin.admin.conftest import PASSWORD, TOKEN, Site


async def test_the_management_token_opens_the_pages_and_forms_prove_to_be_theirs(
    site: Site,
) -> None:
    browser = site.browser()
    first = await browser.client.get("/admin/plugins/shop", follow_redirects=False)
    assert first.status_code == 303
    assert first.headers["location"] == "/admin/sign-in?next=/admin/plugins/shop"
    part = await browser.client.get("/admin/parts/overview", headers={"HX-Request": "true"})
    assert part.headers["hx-redirect"].startswith("/admin/sign-in")
    wrong = await browser.send("/admin/sign-in", token="not it")
    assert wrong.status_code == 401
    assert "not a valid management token" in wrong.text
    foreign = await browser.client.post(
        "/admin/sign-in", data={"token": TOKEN}, headers={"Origin": "https://evil.test"}
    )
    assert foreign.status_code == 403

    answer = await browser.client.post(
        "/admin/sign-in", data={"token": TOKEN, "next": "/admin/plugins"}, follow_redirects=False
    )
    assert answer.headers["location"] == "/admin/plugins"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/admin" in cookie
    forged = await browser.client.post("/admin/plugins/shop/disable", data={"csrf": "guessed"})
    assert forged.status_code == 403
    assert site.app.manager.controller("shop").live is not None

    await browser.send("/admin/sign-out", "/admin/")
    assert "Sign in" in await browser.see("/admin/")


async def test_what_is_no_page_is_answered_by_one(site: Site) -> None:
    browser = site.browser()
    assert "makes a new one while the application is stopped" in await browser.see("/admin/sign-in")
    for path in ("/admin/nothing", "/admin/static/nothing.css", "/admin/plugins/shop/a/b/c"):
        answer = await browser.client.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"].startswith("text/html")
    answer = await browser.client.delete("/admin/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.headers["content-type"].startswith("text/html")
    answer = await browser.client.get("/admin/plugins/?state=failed", follow_redirects=False)
    assert answer.headers["location"] == "/admin/plugins?state=failed"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.test/", "//evil.test/", "/\\evil.test", "/docs", "javascript:x"]
)
async def test_signing_in_leads_to_the_pages_and_nowhere_else(site: Site, elsewhere: str) -> None:
    browser = site.browser("https://nexus.test")
    answer = await browser.client.post(
        "/admin/sign-in", data={"token": TOKEN, "next": elsewhere}, follow_redirects=False
    )
    assert answer.headers["location"] == "/admin/"
    assert "__Secure-nexus_admin" in answer.headers["set-cookie"]


async def test_users_do_what_their_roles_allow(site_with_users: Site) -> None:
    site = site_with_users
    strange = await site.browser().see("/admin/sign-in")
    assert "There is no account yet." in strange
    assert "nexus auth setup" in strange
    by_token = await site.signed_in()
    assert "There is no administrator yet" in await by_token.see("/admin/")
    await site.user("ada", "admin")
    assert "no account yet" not in await site.browser().see("/admin/sign-in")
    assert "no administrator yet" not in await by_token.see("/admin/")
    page = await by_token.see("/admin/users", status=403)
    assert "Sign in with a user&#39;s name" in page

    wrong = await site.browser().send("/admin/sign-in", username="eve", password="no")
    assert "The name or the password is wrong." in wrong.text

    viewer = await site.user("vera", "viewer")
    page = await viewer.see("/admin/plugins/shop")
    assert "vera" in page
    assert "Store settings" not in page
    assert ">Disable<" not in page
    assert "Looking at the log needs the permission nexus.operate." in page
    await viewer.see("/admin/parts/plugins/shop/logs", status=403)
    refused = await viewer.send("/admin/plugins/shop/disable", "/admin/")
    assert "nexus.operate" in refused.text
    assert site.app.manager.controller("shop").live is not None

    operator = await site.user("otto", "operator")
    page = await operator.see("/admin/plugins/shop")
    assert ">Disable<" in page
    assert 'sse-connect="/admin/parts/plugins/shop/logs"' in page
    assert "Looking at the log needs" not in page
    await operator.send("/admin/plugins/shop/disable", "/admin/")
    assert site.app.manager.controller("shop").live is None
    assert "Changing settings needs" in await operator.see("/admin/plugins/shop")

    nobody = await site.user("nora", status=403)
    page = await nobody.see("/admin/", status=403)
    assert "You are signed in as user:nora" in page
    assert "Go to the overview" not in page
    hidden = re.search(r'name="csrf" value="([^"]+)"', page)
    assert hidden
    left = await nobody.send("/admin/sign-out", csrf=hidden[1])
    assert left.status_code == 200
    assert "Password" in await nobody.see("/admin/")


async def test_a_session_that_was_begun_elsewhere_is_taken_up(site_with_users: Site) -> None:
    site = site_with_users
    admin = await site.user("ada", "admin")
    elsewhere = site.browser()
    login = {"username": "ada", "password": PASSWORD}
    assert (await elsewhere.client.post("/plugins/auth/login", json=login)).is_success
    assert "ada" in await elsewhere.see("/admin/plugins/shop")
    done = await elsewhere.send("/admin/plugins/shop/disable", "/admin/plugins/shop")
    assert "is disabled." in done.text
    await admin.send("/admin/sign-out", "/admin/")
    assert "Password" in await admin.see("/admin/")
    assert "is disabled" not in await elsewhere.see("/admin/")
