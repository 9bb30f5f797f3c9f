"""The main ways through the plugin auth, on each engine, and what of them is on record."""

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import NewDatabase
from tests.unit.builtin.auth.conftest import PASSWORD, SETUP, Site, application  # noqa: F401

from nexus.testing import EventRecorder, app_for

NEW_PASSWORD = "another long password"
READER = {"permissions": ["reports.read"], "groups": []}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def database(request: Any, new_database: NewDatabase) -> Any:
    if request.param == "sqlite":
        yield {}
        return
    async with new_database(request.param) as url:
        yield {"url": url}


async def test_the_main_ways_work_and_are_on_record(
    database: dict[str, str],
    application: Path,  # noqa: F811
) -> None:
    config = {"auth": {"setup_token": SETUP, "lockout_failures": 3}}
    async with (
        app_for(
            application, plugins=["auth"], config=config, settings={"database": database}
        ) as app,
        EventRecorder(app, "user.*") as events,
    ):
        site = Site(app=app, events=events)
        root = await _first_administrator(site)
        await _administrate(site, root)
        await _sign_in_and_out(site)
        await _tokens_and_keys(site)
        await _passwords(site)
        await _lock_out(site)
        await site.call("DELETE", f"/users/{await _id(site, 'ada')}", root)
        await site.plugin.tidy()
        await _check_record(site)


async def _id(site: Site, name: str) -> str:
    document = await site.plugin.parts.accounts.named(name)
    return str(document["_id"])


async def _first_administrator(site: Site) -> str:
    body = {"token": SETUP, "username": "root", "password": PASSWORD}
    assert (await site.call("POST", "/setup", json=body)).status_code == 201
    assert (await site.call("POST", "/setup", json=body)).status_code == 409, "there is one"
    return str((await site.tokens())["access_token"])


async def _administrate(site: Site, root: str) -> None:
    group = {"permissions": ["reports.write"]}
    assert (await site.call("PUT", "/groups/writers", root, json=group)).status_code == 204
    for role in (READER, {**READER, "groups": ["writers"]}):
        assert (await site.call("PUT", "/roles/reader", root, json=role)).status_code == 204
    ada = {"username": "Ada", "password": PASSWORD, "email": "ada@example.com"}
    made = await site.call("POST", "/users", root, json=ada)
    assert made.status_code == 201, made.text
    assert (await site.call("POST", "/users", root, json=ada)).status_code == 409
    path = f"/users/{made.json()['id']}"
    assert (await site.call("PATCH", path, root, json={"roles": ["reader"]})).is_success
    users = (await site.call("GET", "/users", root)).json()["items"]
    assert {each["username"] for each in users} == {"root", "Ada"}
    assert (await site.call("DELETE", "/groups/writers", root)).status_code == 204
    assert (await site.call("POST", "/signing-keys/rotate", root)).is_success
    assert (await site.call("GET", "/me", root)).is_success, "what the old key has signed"


async def _sign_in_and_out(site: Site) -> None:
    async with site.client() as browser:
        login = {"username": "ADA", "password": PASSWORD}
        csrf = (await browser.post("/plugins/auth/login", json=login)).json()["csrf_token"]
        me = (await browser.get("/plugins/auth/me")).json()
        assert (me["username"], me["permissions"]) == ("Ada", ["reports.read"])
        headers = {"X-CSRF-Token": csrf}
        assert (await browser.post("/plugins/auth/logout", headers=headers)).status_code == 204
        assert (await browser.get("/plugins/auth/me")).status_code == 401


async def _tokens_and_keys(site: Site) -> None:
    pair = await site.tokens("ada")
    form = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    renewed = (await site.call("POST", "/token", data=form)).json()
    wanted = {"label": "ci", "scopes": ["reports.read"]}
    key = (await site.call("POST", "/me/keys", renewed["access_token"], json=wanted)).json()
    headers = {"X-API-Key": key["key"]}
    assert (await site.call("GET", "/me", headers=headers)).is_success
    path = f"/me/keys/{key['id']}"
    assert (await site.call("DELETE", path, renewed["access_token"])).status_code == 204
    assert (await site.call("GET", "/me", headers=headers)).status_code == 401
    assert (await site.call("POST", "/token", data=form)).status_code == 401, "used before"
    assert (await site.call("GET", "/me", renewed["access_token"])).status_code == 401


async def _passwords(site: Site) -> None:
    forgotten = {"username": "ada"}
    assert (await site.call("POST", "/password/forgot", json=forgotten)).status_code == 202
    asked = await site.event("user.password_reset_requested")
    deliveries = site.app.services.require("auth.deliveries")
    body = {"token": await deliveries.token(asked["delivery_id"]), "password": NEW_PASSWORD}
    assert (await site.call("POST", "/password/reset", json=body)).status_code == 204
    ada = (await site.tokens("ada", NEW_PASSWORD))["access_token"]
    assert (await site.call("POST", "/me/email/verification", ada)).status_code == 202
    asked = await site.event("user.email_verification_requested")
    proof = {"token": await deliveries.token(asked["delivery_id"])}
    assert (await site.call("POST", "/email/verify", json=proof)).status_code == 204
    change = {"current": NEW_PASSWORD, "new": PASSWORD}
    assert (await site.call("POST", "/me/password", ada, json=change)).is_success


async def _lock_out(site: Site) -> None:
    wrong = {"username": "ada", "password": "wrong"}
    statuses = [(await site.call("POST", "/login", json=wrong)).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    nobody = {"username": "a password in the wrong field", "password": "wrong"}
    assert (await site.call("POST", "/login", json=nobody)).status_code == 401


async def _check_record(site: Site) -> None:
    rows: list[dict[str, Any]] = []
    async with site.client(**site.management) as client:
        answer = await client.get("/api/v1/audit", params={"action": "auth:*", "limit": 200})
        rows = list(reversed(answer.json()["items"]))
    root, ada, nobody = "user:root", "user:Ada", "plugin:auth"
    told = [(row["actor"], row["action"].removeprefix("auth:"), row["result"]) for row in rows]
    assert told == [
        (nobody, "user.create", "done"),
        (root, "login", "done"),
        (root, "group.put", "done"),
        (root, "role.put", "done"),
        (root, "role.put", "done"),
        (root, "user.create", "done"),
        (root, "user.update", "done"),
        (root, "group.delete", "done"),
        (root, "signing_key.rotate", "done"),
        (ada, "login", "done"),
        (ada, "logout", "done"),
        (ada, "login", "done"),
        (ada, "api_key.create", "done"),
        (ada, "api_key.delete", "done"),
        (nobody, "token.reuse", "refused"),
        (nobody, "user.password_reset_request", "done"),
        (nobody, "user.password_reset", "done"),
        (ada, "login", "done"),
        (ada, "user.email_verification_request", "done"),
        (nobody, "user.update", "done"),
        (ada, "login", "done"),
        (ada, "user.password", "done"),
        (nobody, "login", "refused"),
        (nobody, "login", "refused"),
        (nobody, "login", "refused"),
        (nobody, "lock", "done"),
        (nobody, "login", "refused"),
        (root, "user.delete", "done"),
    ]
    assert {row["plugin"] for row in rows} == {"auth"}
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert (rows[4]["before"], rows[4]["after"]) == (
        {"name": "reader", **READER},
        {"name": "reader", **READER, "groups": ["writers"]},
    )
    assert rows[6]["before"]["roles"] == []
    assert rows[6]["after"]["roles"] == ["reader"]
    whole = str(rows)
    for secret in (PASSWORD, NEW_PASSWORD, SETUP, "wrong field", "$argon2"):
        assert secret not in whole
