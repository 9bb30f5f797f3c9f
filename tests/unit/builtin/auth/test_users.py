from typing import Any

import pytest
from tests.unit.builtin.auth.conftest import PASSWORD, Site


@pytest.fixture
async def root(site: Site) -> str:
    return str((await site.tokens())["access_token"])


async def test_users_are_made_changed_and_removed_and_the_events_tell(
    site: Site, root: str
) -> None:
    body = {"username": "Ada", "password": PASSWORD, "roles": ["viewer"]}
    made = (await site.call("POST", "/users", root, json=body)).json()
    assert await site.event("user.created") == {
        "user_id": made["id"],
        "username": "Ada",
        "email": None,
    }
    twin = await site.call("POST", "/users", root, json={**body, "username": "aDA"})
    assert twin.status_code == 409
    changed = await site.call("PATCH", f"/users/{made['id']}", root, json={"roles": ["operator"]})
    assert changed.json()["roles"] == ["operator"]
    assert (await site.event("user.updated"))["changed"] == ["roles"]
    assert (await site.call("DELETE", f"/users/{made['id']}", root)).status_code == 204
    assert (await site.event("user.deleted"))["username"] == "Ada"
    assert (await site.call("GET", f"/users/{made['id']}", root)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/me", {"email": None, "current": PASSWORD, "roles": ["admin"]}),
        ("PATCH", "/me", {"email": None, "current": PASSWORD, "email_verified": True}),
        ("POST", "/me/keys", {"label": "x", "scopes": [], "user": "other"}),
        ("POST", "/users", {"username": "x", "password": PASSWORD, "active": True}),
        ("POST", "/users", {"username": "x", "password": PASSWORD, "_id": "x"}),
        ("POST", "/login", {"username": "root", "password": PASSWORD, "roles": ["admin"]}),
    ],
)
async def test_a_field_that_is_not_the_callers_to_set_is_refused(
    site: Site, root: str, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await site.call(method, path, root, json=body)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text


async def test_what_is_somebody_elses_is_not_there(site: Site, root: str) -> None:
    ada, bob = await site.user("ada"), await site.user("bob")
    key = (await site.call("POST", "/me/keys", ada, json={"label": "k", "scopes": []})).json()
    for token in (bob, root):
        assert (await site.call("DELETE", f"/me/keys/{key['id']}", token)).status_code == 404
        assert (await site.call("GET", "/me/keys", token)).json() == {"items": []}
    assert (await site.call("DELETE", f"/me/keys/{key['id']}", ada)).status_code == 204


async def test_only_who_may_sees_and_changes_users(site: Site) -> None:
    ada = await site.user("ada", "operator")
    for method, path in (("GET", "/users"), ("GET", "/users/1"), ("DELETE", "/users/1")):
        assert (await site.call(method, path, ada)).status_code == 403
        assert (await site.call(method, path)).status_code == 401


async def test_nobody_gives_away_more_than_they_have(site: Site, root: str) -> None:
    group = {"permissions": ["auth.users", "shop.*"]}
    assert (await site.call("PUT", "/groups/clerks", root, json=group)).status_code == 204
    role = {"permissions": [], "groups": ["clerks"]}
    assert (await site.call("PUT", "/roles/clerk", root, json=role)).status_code == 204
    clerk = await site.user("ada", "clerk")
    assert "shop.*" in (await site.call("GET", "/me", clerk)).json()["permissions"]
    body = {"username": "bob", "password": PASSWORD, "roles": ["admin"]}
    assert (await site.call("POST", "/users", clerk, json=body)).status_code == 403
    chief = (await site.call("GET", "/me", root)).json()["id"]
    patch = {"active": False}
    assert (await site.call("PATCH", f"/users/{chief}", clerk, json=patch)).status_code == 403
    assert (await site.call("DELETE", f"/users/{chief}", clerk)).status_code == 403
    assert (
        await site.call("POST", "/users", clerk, json={**body, "roles": ["clerk"]})
    ).status_code == 201


async def test_an_api_key_is_scoped_hashed_expiring_and_knows_its_last_use(
    site: Site, root: str
) -> None:
    scopes = {"label": "ci", "scopes": ["auth.users"], "days": 1}
    made = (await site.call("POST", "/me/keys", root, json=scopes)).json()
    headers = {"X-API-Key": made["key"]}
    assert (await site.call("GET", "/users", headers=headers)).status_code == 200
    assert (await site.call("GET", "/roles", headers=headers)).status_code == 403
    answer = await site.call("POST", "/me/keys", headers=headers, json=scopes)
    assert answer.status_code == 403
    [shown] = (await site.call("GET", "/me/keys", root)).json()["items"]
    assert shown["last_used"] > 0
    assert "hash" not in shown
    stored = await site.plugin.parts.api_keys.all.get(made["id"])
    assert made["key"].rpartition(".")[2] not in str(stored)
    for wrong in (made["key"] + "x", "nxk..", "x", "", f"nxk.{'a' * 600}.x"):
        answer = await site.call("GET", "/me", headers={"X-API-Key": wrong})
        assert answer.status_code == 401
    await site.plugin.parts.api_keys.all.update(made["id"], {"expires": 1.0})
    assert (await site.call("GET", "/users", headers=headers)).status_code == 401


async def test_a_key_can_do_no_more_than_its_user(site: Site) -> None:
    ada = await site.user("ada", "viewer")
    body = {"label": "x", "scopes": ["*"]}
    assert (await site.call("POST", "/me/keys", ada, json=body)).status_code == 403


async def test_nothing_secret_comes_out_in_events_answers_or_logs(
    site: Site, root: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    canary = "canary-password-7421"
    body = {"username": "ada", "password": canary}
    await site.call("POST", "/users", root, json=body)
    tokens = await site.tokens("ada", canary)
    await site.call("POST", "/login", json={"username": "ada", "password": canary + "x"})
    key = await site.call(
        "POST", "/me/keys", tokens["access_token"], json={"label": "k", "scopes": []}
    )
    secrets = [canary, tokens["access_token"], tokens["refresh_token"], key.json()["key"]]
    secrets += [
        each.private.private_bytes_raw().hex() for each in await site.plugin.parts.keys.all()
    ]
    secrets += [await site.plugin.get_config("signing_keys")]
    async with site.client(**site.management) as operator:
        paths = ("events", "plugins/auth/config", "plugins/auth", "system", "services")
        told = [(await operator.get(f"/api/v1/{path}")).text for path in paths]
    told += [caplog.text, repr(site.events.events), repr(site.plugin.parts)]
    for secret in secrets:
        for text in told:
            assert secret not in text
