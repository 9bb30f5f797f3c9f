"""What operators allow, and what becomes of a plugin that may not."""

import asyncio
from typing import Any

import pytest

from nexus.errors import PermissionDenied, PermissionNotAsked
from nexus.plugins import PluginState

ASK = {"permissions": {"grant": "ask"}}
OFFERS = """
    async def initialize(self):
        self.register_service("bank.api", self)
        return True
"""


async def grants(site: Any, name: str) -> dict[str, bool]:
    shown = (await site.api("GET", f"/plugins/{name}")).json()["grants"]
    return {each["permission"]: each["granted"] for each in shown}


async def actions(site: Any) -> list[tuple[str, str, Any]]:
    items = (await site.api("GET", "/audit?action=permission.*")).json()["items"]
    return [(each["action"], each["actor"], each["after"]) for each in items]


async def test_a_plugin_waits_for_approval_and_keeps_it(workshop: Any) -> None:
    workshop.plugin("foo", says=1, permissions=["database.read", "events.publish", "unknown.one"])
    workshop.plugin("free", says=2, permissions=[])
    async with workshop.running(**ASK) as site:
        assert site.state("free") is PluginState.RUNNING
        assert site.state("foo") is PluginState.BLOCKED
        assert site.reason("foo") == (
            "It waits for approval of database.read, events.publish."
            " Approve with 'nexus plugin approve foo'."
        )
        some = {"permissions": ["database.read"]}
        answer = await site.api("POST", "/plugins/foo/approve", json=some)
        assert answer.json()["state"] == "blocked"
        assert "approval of events.publish." in answer.json()["reason"]
        wrong = await site.api("POST", "/plugins/foo/approve", json={"permissions": ["jobs.x"]})
        assert (wrong.status_code, wrong.json()["code"]) == (422, PermissionNotAsked.code)
        answer = await site.api("POST", "/plugins/foo/approve")
        assert answer.json()["state"] == "running"
        assert await actions(site) == [
            ("permission.approve", "cli", {"events.publish": True}),
            ("permission.approve", "cli", {"database.read": True}),
        ]
    async with workshop.running(**ASK) as site:
        assert await site.says("foo") == 1


async def test_an_upgrade_that_asks_for_more_waits_while_the_old_version_serves(
    workshop: Any,
) -> None:
    workshop.plugin("foo", says="old", permissions=["database.read"])
    async with workshop.running(**ASK) as site:
        await site.api("POST", "/plugins/foo/approve")
        workshop.plugin(
            "foo", says="new", version="2.0.0", permissions=["database.read", "events.publish"]
        )
        answer = await site.api("POST", "/plugins/foo/reload")
        assert answer.status_code == 409
        assert "It waits for approval of events.publish." in answer.json()["detail"]
        assert await site.says("foo") == "old"
        assert await grants(site, "foo") == {"database.read": True, "events.publish": False}
        answer = await site.api("POST", "/plugins/foo/approve")
        assert (answer.json()["state"], answer.json()["version"]) == ("running", "2.0.0")
        assert await site.says("foo") == "new"
        workshop.plugin("foo", says="less", permissions=["events.publish:foo.*"])
        assert (await site.api("POST", "/plugins/foo/reload")).is_success, "less needs no answer"
        assert await site.says("foo") == "less"


async def test_what_is_revoked_is_refused_at_once_and_stays_so(workshop: Any) -> None:
    workshop.plugin("foo", says=1, permissions=["database.read", "database.write"])
    async with workshop.running() as site:
        assert [each[:2] for each in await actions(site)] == [("permission.grant", "system")]
        plugin = site.plugin("foo")
        await plugin.set_data("a", 1)
        granting = site.app.parts.granting
        async with site.app.database.transaction():
            await granting.decide("foo", ["database.write"], granted=False)
        await granting.grants.read("foo")
        with pytest.raises(PermissionDenied) as caught:
            await plugin.set_data("a", 2)
        assert "nexus plugin approve foo" in str(caught.value)
        assert await plugin.get_data("a") == 1
        some = {"permissions": ["database.write"]}
        answer = (await site.api("POST", "/plugins/foo/revoke", json=some)).json()
        assert (answer["state"], answer["enabled"]) == ("blocked", True)
        assert "approval of database.write." in answer["reason"]
    async with workshop.running() as site:
        assert site.state("foo") is PluginState.BLOCKED, "although grants are automatic"
        await site.api("POST", "/plugins/foo/approve")
        assert await site.says("foo") == 1


async def test_production_asks_and_development_does_not(workshop: Any) -> None:
    workshop.plugin("foo", permissions=["database.read"])
    async with workshop.running(environment="production") as site:
        assert site.state("foo") is PluginState.BLOCKED
    async with workshop.running(environment="production", permissions={"grant": "auto"}) as site:
        assert site.state("foo") is PluginState.RUNNING
    async with workshop.running(environment="production") as site:
        assert site.state("foo") is PluginState.RUNNING, "what was granted is remembered"


@pytest.mark.parametrize(
    ("manifest", "allowed"),
    [
        ({"permissions": []}, False),
        ({"permissions": ["services.use:other"]}, False),
        ({"permissions": ["services.use"]}, True),
        ({"permissions": ["services.use:bank"]}, True),
        ({"permissions": ["services.use:bank.api"]}, True),
        ({"permissions": [], "dependencies": ["bank"]}, True),
    ],
)
async def test_services_of_others_need_a_dependency_or_a_permission(
    workshop: Any, manifest: Any, *, allowed: bool
) -> None:
    workshop.plugin("bank", OFFERS)
    workshop.plugin("shop", **manifest)
    async with workshop.running() as site:
        shop, bank = site.plugin("shop"), site.plugin("bank")
        assert bank.get_service("bank.api") is bank, "its own needs none"
        reference = shop.service_ref("bank.api")
        if allowed:
            assert shop.get_service("bank.api") is bank
            assert reference.version == "1.0.0"
            return
        for take in (shop.get_service, shop.require_service):
            with pytest.raises(PermissionDenied) as caught:
                take("bank.api")
            assert '"services.use:bank.api"' in str(caught.value)
        with pytest.raises(PermissionDenied):
            _ = reference.version
        assert shop.get_service("nobody.offers") is None


async def test_a_schedule_needs_a_permission(workshop: Any) -> None:
    top = "from nexus.plugins import every"
    body = "    @every('1h')\n    async def tidy(self): ...\n"
    workshop.plugin("foo", body, top=top, permissions=[])
    async with workshop.running() as site:
        assert site.state("foo") is PluginState.FAILED
        assert '"jobs.schedule"' in site.reason("foo")
        workshop.plugin("foo", body, top=top, permissions=["jobs.schedule"])
        assert (await site.api("POST", "/plugins/foo/reload")).json()["state"] == "running"


async def test_refusals_of_a_hot_loop_are_one_row(workshop: Any) -> None:
    workshop.plugin("foo", permissions=["database.read"])
    async with workshop.running() as site:
        plugin = site.plugin("foo")
        for number in range(300):
            with pytest.raises(PermissionDenied):
                await plugin.set_data(f"key {number}", "canary")
        await site.app.parts.audit_keeper.flush(everything=True)
        rows = [each for each in await actions(site) if each[0] == "permission.deny"]
        assert len(rows) <= 2
        assert sum(each[2]["count"] for each in rows) == 300
        assert rows[0][1] == "plugin:foo"
        assert "canary" not in repr(rows)


async def test_two_that_approve_at_once_and_one_that_is_called_off(workshop: Any) -> None:
    workshop.plugin("foo", says=1, permissions=["database.read", "database.write"])
    async with workshop.running(**ASK) as site:
        operator = site.app.operator
        off = asyncio.ensure_future(operator.grant("foo", (), granted=True))
        await asyncio.sleep(0)
        off.cancel()
        await asyncio.gather(
            operator.grant("foo", ["database.read"], granted=True),
            operator.grant("foo", ["database.write"], granted=True),
        )
        assert site.state("foo") is PluginState.RUNNING
