"""Passwords, sessions and what they may do, as ASVS 5.0 asks of them."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from tests.unit.builtin.auth.conftest import PASSWORD, SETUP, Site

from nexus.builtin.auth import password_rules

LONG = (
    "ä phrase with spaces, and more than seventy-two bytes of it, since some hashes stop there. Ω"
)
COOKIE = "__Host-nexus_session"


async def _root(site: Site) -> str:
    return str((await site.tokens())["access_token"])


async def _make(site: Site, password: str, name: str = "ann") -> Any:
    body = {"username": name, "password": password}
    return await site.call("POST", "/users", await _root(site), json=body)


async def _fits(site: Site, password: str, name: str = "ann") -> bool:
    body = {"username": name, "password": password}
    return (await site.call("POST", "/login", json=body)).status_code == 200


@pytest.mark.parametrize(
    "password",
    [
        "aaaa bbbb cccc",
        "904811273655",
        LONG,
        "x" * 256,
        "密码密码密码密码密码密码",
        " padded words ",
    ],
)
async def test_a_password_of_any_composition_is_taken_and_compared_as_it_is(
    site: Site, password: str
) -> None:
    assert (await _make(site, password)).status_code == 201
    assert await _fits(site, password)
    others = {password[:-1], password.swapcase(), password.strip(), f"{password[:255]}!"}
    for other in others - {password}:
        assert not await _fits(site, other)


@pytest.mark.parametrize(
    ("password", "status"), [("short", 422), ("x" * 11, 422), ("x" * 257, 422)]
)
async def test_a_password_that_is_too_short_or_absurd_is_refused(
    site: Site, password: str, status: int
) -> None:
    assert (await _make(site, password)).status_code == status


async def test_a_common_password_is_refused_wherever_one_is_set(site: Site) -> None:
    common = "Password1234"
    made = await _make(site, common)
    assert made.status_code == 422
    assert "most common" in made.text
    assert common not in made.text
    token = await site.user("ann")
    change = {"current": PASSWORD, "new": common}
    assert (await site.call("POST", "/me/password", token, json=change)).status_code == 422
    reset = {"token": "void", "password": common}
    assert (await site.call("POST", "/password/reset", json=reset)).status_code == 422


def test_each_length_has_its_three_thousand_commonest() -> None:
    packed = Path(password_rules.__file__).with_name("common_passwords.txt.gz").read_bytes()
    common = gzip.decompress(packed).decode().splitlines()
    assert len(set(common)) == len(common)
    for shortest in range(8, 17):
        assert sum(len(each) >= shortest for each in common) >= 3000


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("Wilhelmina-2026", 422),
        ("Nexus.Application", 422),
        ("nexus wilhelmina 26", 422),
        ("w.mayfield 1234", 422),
        ("ACME-Anvils-1", 422),
        ("wilhelmina eats lemons", 201),
        ("2026 lemons for me", 201),
    ],
)
async def test_a_password_is_more_than_names_that_others_know(
    site: Site, password: str, status: int
) -> None:
    words = {"password_words": ["Acme", "anvils"]}
    path = "/api/v1/plugins/auth/config"
    async with site.client() as client:
        answer = await client.patch(path, json=words, headers=site.management)
        assert answer.status_code == 200, answer.text
    user = {"username": "Wilhelmina", "email": "w.mayfield@example.com", "password": password}
    made = await site.call("POST", "/users", await _root(site), json=user)
    assert made.status_code == status, made.text


async def test_a_password_is_changed_with_the_current_one_alone_and_ends_what_it_began(
    site: Site,
) -> None:
    token = await site.user("ann")
    new = "another long password"
    wrong = {"current": "not the current one", "new": new}
    assert (await site.call("POST", "/me/password", token, json=wrong)).status_code == 401
    assert await _fits(site, PASSWORD)
    async with site.client() as other:
        await other.post("/plugins/auth/login", json={"username": "ann", "password": PASSWORD})
        session = other.cookies[COOKIE]
    right = {"current": PASSWORD, "new": new}
    assert (await site.call("POST", "/me/password", token, json=right)).status_code == 200
    assert not await _fits(site, PASSWORD)
    assert await _fits(site, new)
    cookie = {"Cookie": f"{COOKIE}={session}"}
    assert (await site.call("GET", "/me", headers=cookie)).status_code == 401
    assert (await site.call("GET", "/me", token)).status_code == 401


async def test_no_account_is_there_from_the_beginning(site: Site) -> None:
    listed = (await site.call("GET", "/users", await _root(site))).json()["items"]
    assert [user["username"] for user in listed] == ["root"]  # whom the test has made
    for name in ("admin", "administrator", "nexus", "test"):
        for password in (name, "password", PASSWORD):
            assert not await _fits(site, password, name)


async def test_an_address_is_changed_with_the_current_password_alone(site: Site) -> None:
    token = await site.user("ann")
    wanted = {"email": "ann@example.com"}
    for proof, status in (({}, 422), ({"current": "not the current one"}, 401)):
        answer = await site.call("PATCH", "/me", token, json={**wanted, **proof})
        assert answer.status_code == status
        assert (await site.call("GET", "/me", token)).json()["email"] is None
    answer = await site.call("PATCH", "/me", token, json={**wanted, "current": PASSWORD})
    assert answer.json()["email"] == "ann@example.com"


async def test_a_session_is_long_random_and_another_each_time(site: Site) -> None:
    seen = set()
    for _ in range(20):
        async with site.client() as browser:
            body = {"username": "root", "password": PASSWORD}
            await browser.post("/plugins/auth/login", json=body)
            seen.add(browser.cookies[COOKIE])
    assert len(seen) == 20
    assert min(len(secret) for secret in seen) >= 43  # 256 bits in base 64
    for at in range(4):
        assert len({secret[at] for secret in seen}) > 3, "a part of it is always the same"


async def test_a_session_ends_when_its_time_is_over(site: Site) -> None:
    async with site.client() as browser:
        await browser.post("/plugins/auth/login", json={"username": "root", "password": PASSWORD})
        assert (await browser.get("/plugins/auth/me")).status_code == 200
        sessions = site.plugin.db.collection("sessions")
        for each in await sessions.find({}):
            await sessions.update(each["_id"], {"expires": 1.0})
        assert (await browser.get("/plugins/auth/me")).status_code == 401


async def test_a_session_that_is_not_used_ends_before_its_time(site: Site) -> None:
    sessions = site.plugin.db.collection("sessions")
    async with site.client() as browser:
        await browser.post("/plugins/auth/login", json={"username": "root", "password": PASSWORD})
        [session] = await sessions.find({})
        long_ago = session["used"] - 3000
        await sessions.update(session["_id"], {"used": long_ago})
        assert (await browser.get("/plugins/auth/me")).status_code == 200
        [session] = await sessions.find({})
        assert session["used"] > long_ago + 2000  # the request counts as use
        await sessions.update(session["_id"], {"used": session["used"] - 3600})
        assert (await browser.get("/plugins/auth/me")).status_code == 401
        assert session["expires"] > session["used"] + 3600


async def test_one_session_more_than_the_limit_ends_the_one_longest_out_of_use(
    site: Site,
) -> None:
    await site.plugin.set_config("session_limit", 2)
    await site.user("bob")  # somebody else's do not count
    cookies, tokens = [], []
    for _ in range(3):
        tokens.append((await site.tokens())["access_token"])
        async with site.client() as browser:
            login = {"username": "root", "password": PASSWORD}
            await browser.post("/plugins/auth/login", json=login)
            cookies.append({"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"})
    by_session = [await site.call("GET", "/me", headers=each) for each in cookies]
    by_token = [await site.call("GET", "/me", each) for each in tokens]
    for answers in (by_session, by_token):
        assert [each.status_code for each in answers] == [401, 200, 200]
    async with site.client() as browser:
        renewed = await browser.get("/plugins/auth/session", headers=cookies[2])
        assert renewed.status_code == 200
    assert (await site.call("GET", "/me", headers=cookies[1])).status_code == 200


async def test_users_see_their_open_sign_ins_and_end_them_with_the_password(site: Site) -> None:
    bob = await site.user("bob")
    first = await site.user("ann")
    second, third = [(await site.tokens("ann"))["access_token"] for _ in range(2)]
    async with site.client() as browser:
        await browser.post("/plugins/auth/login", json={"username": "ann", "password": PASSWORD})
        cookie = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    seen = (await site.call("GET", "/me/sessions", headers=cookie)).json()["items"]
    assert [(each["kind"], each["current"]) for each in seen].count(("session", True)) == 1
    assert [each["kind"] for each in seen].count("token") == 3
    assert [each["current"] for each in seen].count(True) == 1
    assert all(each["begun"] <= each["used"] < each["expires"] for each in seen)
    ids = {
        each: next(
            item["id"]
            for item in (await site.call("GET", "/me/sessions", each)).json()["items"]
            if item["current"]
        )
        for each in (first, second, third)
    }
    path, proof = f"/me/sessions/{ids[second]}/end", {"current": PASSWORD}
    wrong = {"current": "not the current one"}
    assert (await site.call("POST", path, first, json=wrong)).status_code == 401
    assert (await site.call("POST", path, bob, json=proof)).status_code == 404
    assert (await site.call("GET", "/me", second)).status_code == 200
    assert (await site.call("POST", path, first, json=proof)).status_code == 204
    assert (await site.call("GET", "/me", second)).status_code == 401
    assert (await site.call("POST", path, first, json=proof)).status_code == 404
    assert (await site.call("POST", "/me/sessions/end", first, json=wrong)).status_code == 401
    assert (await site.call("GET", "/me", third)).status_code == 200
    assert (await site.call("POST", "/me/sessions/end", first, json=proof)).status_code == 204
    assert (await site.call("GET", "/me", third)).status_code == 401
    assert (await site.call("GET", "/me", headers=cookie)).status_code == 401
    [left] = (await site.call("GET", "/me/sessions", first)).json()["items"]
    assert left["current"]
    assert (await site.call("GET", "/me", bob)).status_code == 200


async def test_shutting_a_user_out_ends_their_sessions_at_once(site: Site) -> None:
    await site.user("ann")
    body = {"username": "ann", "password": PASSWORD}
    async with site.client() as browser:
        await browser.post("/plugins/auth/login", json=body)
        user = (await browser.get("/plugins/auth/me")).json()["id"]
        root = await _root(site)
        answer = await site.call("PATCH", f"/users/{user}", root, json={"active": False})
        assert answer.status_code == 200
        assert (await browser.get("/plugins/auth/me")).status_code == 401
        await site.call("PATCH", f"/users/{user}", root, json={"active": True})
        assert (await browser.get("/plugins/auth/me")).status_code == 401


async def test_a_role_that_is_taken_away_is_gone_from_tokens_that_are_out(site: Site) -> None:
    token = await site.user("ann", "admin")
    assert (await site.call("GET", "/users", token)).status_code == 200
    user = (await site.call("GET", "/me", token)).json()["id"]
    await site.call("PATCH", f"/users/{user}", await _root(site), json={"roles": []})
    assert (await site.call("GET", "/users", token)).status_code == 403


async def test_an_api_key_opens_no_session_and_makes_no_further_key(site: Site) -> None:
    body = {"label": "robot", "scopes": [], "days": 1}
    made = await site.call("POST", "/me/keys", await _root(site), json=body)
    key = {"X-API-Key": made.json()["key"]}
    assert (await site.call("GET", "/session", headers=key)).status_code == 404
    assert (await site.call("POST", "/me/keys", headers=key, json=body)).status_code == 403
    change = {"current": PASSWORD, "new": "another long password"}
    assert (await site.call("POST", "/me/password", headers=key, json=change)).status_code == 403


async def test_the_one_time_token_works_once_and_not_beside_an_administrator(site: Site) -> None:
    body = {"token": SETUP, "username": "second", "password": PASSWORD}
    assert (await site.call("POST", "/setup", json=body)).status_code == 409
    wrong = {**body, "token": SETUP[:-1]}
    assert (await site.call("POST", "/setup", json=wrong)).status_code == 401


async def test_a_refresh_token_is_no_access_token_and_an_access_token_no_refresh_token(
    site: Site,
) -> None:
    tokens = await site.tokens()
    assert (await site.call("GET", "/me", tokens["refresh_token"])).status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": tokens["access_token"]}
    assert (await site.call("POST", "/token", data=form)).status_code == 401
    async with site.client() as client:
        for token in tokens["refresh_token"], tokens["access_token"] + "x":
            headers = {"Authorization": f"Bearer {token}"}
            assert (await client.get("/api/v1/plugins", headers=headers)).status_code == 401
