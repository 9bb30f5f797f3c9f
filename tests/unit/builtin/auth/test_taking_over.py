"""Ways to take an account over that must lead nowhere."""

import asyncio

import pytest
from tests.unit.builtin.auth.conftest import PASSWORD, Site

NEW = "a wholly different secret 9"
THIEVES = "thief's own password 7"


async def sent_to(site: Site) -> str:
    """Have a new password offered to ann, and give the token that was sent to her."""
    answer = await site.call("POST", "/password/forgot", json={"username": "ann"})
    assert answer.status_code == 202
    asked = await site.event("user.password_reset_requested")
    token: str = await site.plugin.parts.deliveries.token(asked["delivery_id"])
    return token


@pytest.mark.parametrize("what", ["password", "e-mail"])
async def test_what_was_sent_to_an_old_address_or_for_an_old_password_is_void(
    site: Site, what: str
) -> None:
    await site.plugin.parts.accounts.create("ann", PASSWORD, email="ann@old.test")
    token = await sent_to(site)
    access = (await site.tokens("ann"))["access_token"]
    if what == "password":
        body = {"current": PASSWORD, "new": NEW}
        changed = await site.call("POST", "/me/password", access, json=body)
    else:
        body = {"current": PASSWORD, "email": "ann@new.test"}
        changed = await site.call("PATCH", "/me", access, json=body)
    assert changed.status_code == 200
    answer = await site.call("POST", "/password/reset", json={"token": token, "password": THIEVES})
    assert answer.status_code == 401


async def test_ones_own_address_is_not_changed_without_the_password(site: Site) -> None:
    root = (await site.tokens())["access_token"]
    me = (await site.call("GET", "/me", root)).json()
    body = {"email": "thief@evil.test"}
    assert (await site.call("PATCH", f"/users/{me['id']}", root, json=body)).status_code == 403
    assert (await site.call("GET", "/me", root)).json()["email"] == me["email"]


async def test_nobody_has_their_mailbox_filled(site: Site) -> None:
    await site.plugin.parts.accounts.create("ann", PASSWORD, email="ann@old.test")
    requests: list[str] = []
    ask = site.plugin.parts.deliveries.ask

    async def count(kind: str, *rest: object) -> None:
        requests.append(kind)
        await ask(kind, *rest)

    site.plugin.parts.deliveries.ask = count
    for name in ("ann", "Ann", "nobody") * 4:
        answer = await site.call("POST", "/password/forgot", json={"username": name})
        assert answer.status_code == 202
    assert len(requests) == 3


async def test_the_limit_of_sessions_holds_for_those_that_begin_at_once(site: Site) -> None:
    user = await site.plugin.parts.accounts.create("ann", PASSWORD)
    await site.plugin.set_config("session_limit", 1)
    sessions = site.plugin.parts.sessions
    await asyncio.gather(*(sessions.begin(user["_id"]) for _ in range(8)))
    assert len(await sessions.open(user["_id"])) <= 1
