from pathlib import Path
from typing import Any

import pytest
from tests.unit.builtin.auth.conftest import PASSWORD, SETUP, Site

from nexus.testing import app_for


async def test_the_first_administrator_is_made_once_by_the_one_time_token(
    application: Path,
) -> None:
    async with app_for(application, plugins=["auth"]) as app:
        from nexus.testing import EventRecorder

        async with EventRecorder(app, "user.created") as events:
            site = Site(app=app, events=events)
            body = {"token": SETUP, "username": "root", "password": PASSWORD}
            assert (await site.call("POST", "/setup", json=body)).status_code == 401
            async with site.client(**site.management) as operator:
                path = "/api/v1/plugins/auth/config"
                answer = await operator.patch(path, json={"setup_token": SETUP})
                assert SETUP not in answer.text
            for wrong in ({"token": "wrong"}, {"token": SETUP, "password": "short"}):
                answer = await site.call("POST", "/setup", json={**body, **wrong})
                assert answer.status_code in {401, 422}
            assert (await site.call("POST", "/setup", json=body)).status_code == 201
            data = await site.event("user.created")
            assert data["username"] == "root"
            assert set(data) == {"user_id", "username", "email"}
            again = await site.call("POST", "/setup", json={**body, "username": "two"})
            assert again.status_code == 401
            token = (await site.tokens())["access_token"]
            assert (await site.call("GET", "/users", token)).status_code == 200


async def test_nobody_can_sign_in_before_there_is_anybody(application: Path) -> None:
    async with app_for(application, plugins=["auth"]) as app:
        plugin: Any = app.manager.controller("auth").live
        assert await plugin.hosted.plugin.parts.accounts.all.count() == 0


async def test_a_name_that_nobody_has_costs_the_work_of_one_that_somebody_has(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = site.plugin.parts.passwords
    verify, held = passwords._hashing.verify_and_update, []

    def note(password: str, stored: str) -> Any:
        held.append(stored.split("$")[:4])
        return verify(password, stored)

    monkeypatch.setattr(passwords._hashing, "verify_and_update", note)
    answers = [
        await site.call("POST", "/login", json={"username": name, "password": "wrong"})
        for name in ("root", "nobody")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]
    assert held[0] == held[1]
    assert held[0][1] == "argon2id"


async def test_the_dummy_hash_lets_nobody_in(site: Site) -> None:
    fits, _ = await site.plugin.parts.passwords.verify("nobody has this password", None)
    assert not fits


async def test_a_name_is_locked_after_failures_whether_somebody_has_it_or_not(
    site: Site,
) -> None:
    await site.plugin.set_config("lockout_failures", 3)
    for name in ("root", "nobody"):
        for _ in range(3):
            body = {"username": name, "password": "wrong"}
            assert (await site.call("POST", "/login", json=body)).status_code == 401
        answer = await site.call("POST", "/login", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
    assert await site.event("user.locked")
    assert "nobody" not in str(await site.event("user.login_failed"))


async def test_an_address_has_so_many_attempts_a_minute(site: Site) -> None:
    await site.plugin.set_config("address_attempts", 2)
    answers = [
        await site.call("POST", "/login", json={"username": f"user{number}", "password": "wrong"})
        for number in range(3)
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 429]


async def test_a_success_counts_the_failures_anew(site: Site) -> None:
    await site.plugin.set_config("lockout_failures", 2)
    for password in ("wrong", PASSWORD, "wrong", PASSWORD):
        body = {"username": "ROOT", "password": password}
        answer = await site.call("POST", "/login", json=body)
        assert answer.status_code == (200 if password == PASSWORD else 401)
    assert (await site.event("user.login"))["username"] == "root"


async def test_a_forgotten_password_is_set_anew_by_what_another_plugin_delivers(
    site: Site,
) -> None:
    parts = site.plugin.parts
    await parts.accounts.create("ada", PASSWORD, email="ada@example.com")
    for name in ("ada", "nobody", "root"):
        answer = await site.call("POST", "/password/forgot", json={"username": name})
        assert answer.status_code == 202
    asked = await site.event("user.password_reset_requested")
    assert asked["email"] == "ada@example.com"
    void = await site.app.services.require("auth.deliveries").token(asked["delivery_id"])
    token = await site.app.services.require("auth.deliveries").token(asked["delivery_id"])
    assert token not in str([dict(event.data) for event in site.events.events])
    body = {"token": void, "password": "another long password"}
    assert (await site.call("POST", "/password/reset", json=body)).status_code == 401
    body["token"] = token
    assert (await site.call("POST", "/password/reset", json=body)).status_code == 204
    assert (await site.call("POST", "/password/reset", json=body)).status_code == 401
    assert await site.tokens("ada", "another long password")


async def test_an_address_is_confirmed_by_what_is_delivered_to_it(site: Site) -> None:
    token = await site.user("ada")
    assert (await site.call("POST", "/me/email/verification", token)).status_code == 409
    await site.call("PATCH", "/me", token, json={"email": "ada@example.com", "current": PASSWORD})
    assert (await site.call("POST", "/me/email/verification", token)).status_code == 202
    asked = await site.event("user.email_verification_requested")
    proof = await site.app.services.require("auth.deliveries").token(asked["delivery_id"])
    body = {"token": proof, "password": "another long password"}
    assert (await site.call("POST", "/password/reset", json=body)).status_code == 401
    assert (await site.call("POST", "/email/verify", json={"token": proof})).status_code == 204
    assert (await site.call("GET", "/me", token)).json()["email_verified"] is True


async def test_the_time_of_an_answer_does_not_tell_whether_a_forgotten_name_is_somebodys(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = site.plugin.parts
    await parts.accounts.create("ada", PASSWORD, email="ada@example.com")
    happened: list[str] = []

    async def ask(*_: Any) -> None:
        happened.append("asked")

    async def answered(message: Any) -> None:
        happened.append(message["type"])

    async def body() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"username": "ada"}', "more_body": False}

    monkeypatch.setattr(type(parts.deliveries), "ask", ask)
    headers = [(b"content-type", b"application/json"), (b"host", b"nexus.test")]
    path = "/plugins/auth/password/forgot"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    await site.app(scope, body, answered)
    assert happened == ["http.response.start", "http.response.body", "asked"]
