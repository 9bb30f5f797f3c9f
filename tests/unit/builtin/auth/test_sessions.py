from tests.unit.builtin.auth.conftest import PASSWORD, Site

LOGIN = {"username": "root", "password": PASSWORD}


async def test_a_browser_gets_a_cookie_that_scripts_and_other_sites_cannot_use(site: Site) -> None:
    async with site.client() as browser:
        answer = await browser.post("/plugins/auth/login", json=LOGIN)
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-nexus_session=")
    for part in ("httponly", "samesite=lax", "secure", "path=/"):
        assert part in cookie
    assert answer.headers["cache-control"] == "no-store"


async def test_a_change_by_session_needs_the_token_of_that_session(site: Site) -> None:
    async with site.client() as browser, site.client() as other:
        csrf = (await browser.post("/plugins/auth/login", json=LOGIN)).json()["csrf_token"]
        foreign = (await other.post("/plugins/auth/login", json=LOGIN)).json()["csrf_token"]
        assert (await browser.get("/plugins/auth/me")).status_code == 200
        change = {"email": "root@example.com", "current": PASSWORD}
        for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": foreign}):
            answer = await browser.patch("/plugins/auth/me", json=change, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["code"] == "cross-site-refused"
        headers = {"X-CSRF-Token": csrf}
        answer = await browser.patch("/plugins/auth/me", json=change, headers=headers)
        assert answer.json()["email"] == "root@example.com"


async def test_a_planted_session_is_not_the_one_that_a_sign_in_begins(site: Site) -> None:
    async with site.client() as browser:
        browser.cookies.set("__Host-nexus_session", "planted", domain="nexus.test", path="/")
        await browser.post("/plugins/auth/login", json=LOGIN)
        first = browser.cookies["__Host-nexus_session"]
        assert first != "planted"
        await browser.post("/plugins/auth/login", json=LOGIN)
        assert browser.cookies["__Host-nexus_session"] != first
    for cookie in ("planted", first):
        headers = {"Cookie": f"__Host-nexus_session={cookie}"}
        assert (await site.call("GET", "/me", headers=headers)).status_code == 401


async def test_a_session_is_renewed_and_ends_with_the_sign_out(site: Site) -> None:
    async with site.client() as browser:
        await browser.post("/plugins/auth/login", json=LOGIN)
        first = browser.cookies["__Host-nexus_session"]
        csrf = (await browser.get("/plugins/auth/session")).json()["csrf_token"]
        second = browser.cookies["__Host-nexus_session"]
        assert second != first
        assert (await browser.post("/plugins/auth/logout")).status_code == 403
        headers = {"X-CSRF-Token": csrf}
        assert (await browser.post("/plugins/auth/logout", headers=headers)).status_code == 204
    for cookie in (first, second):
        headers = {"Cookie": f"__Host-nexus_session={cookie}"}
        assert (await site.call("GET", "/me", headers=headers)).status_code == 401
    assert await site.event("user.logout")
