"""Who has changed what, over the management API."""

import sqlite3
from typing import Any

import pytest
from typing_extensions import override

from nexus.errors import AuditRowRefused, PermissionDenied
from nexus.plugins import BasePlugin

SETTINGS = {
    "word": {"type": "string", "default": "none"},
    "key": {"type": "string", "secret": True},
}
CANARY = "canary-5e1f0c"


async def rows(site: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await site.api("GET", "/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_changes_are_on_record_with_who_before_and_after_and_no_secret(
    workshop: Any,
) -> None:
    workshop.plugin("foo", configuration=SETTINGS)
    async with workshop.running() as site:
        site.http.headers["X-Request-ID"] = "request-7"
        site.http.headers["X-Nexus-Cli-User"] = "ann\nroot"[:3]
        for values in ({"word": "one", "key": CANARY}, {"word": "two", "key": CANARY + "2"}):
            assert (await site.api("PATCH", "/plugins/foo/config", json=values)).is_success
        assert (await site.api("POST", "/plugins/foo/reload")).is_success
        assert (await site.api("POST", "/plugins/foo/disable")).is_success
        assert (await site.api("DELETE", "/plugins/foo/data")).is_success
        assert (await site.api("PUT", "/system/maintenance", json={"on": True})).is_success
        await site.api("POST", "/events", json={"name": "a.b", "data": {"secret": CANARY}})
        *found, granted = await rows(site)
        assert (granted["action"], granted["actor"]) == ("permission.grant", "system")
        actions = [(row["action"], row["result"]) for row in found]
        assert actions == [
            ("event.publish", "done"),
            ("system.maintenance", "done"),
            ("data.purge", "done"),
            ("data.purge", "begun"),
            ("plugin.disable", "done"),
            ("plugin.reload", "done"),
            ("plugin.configure", "done"),
            ("plugin.configure", "done"),
        ]
        assert {row["actor"] for row in found} == {"cli:ann"}
        assert {row["request_id"] for row in found} == {"request-7"}
        assert {row["address"] for row in found} == {"127.0.0.1"}
        configured = found[6]
        assert configured["before"] == {"word": "one", "key": "********"}
        assert configured["after"] == {"word": "two", "key": "********"}
        stored = await site.app.database.fetch_all("SELECT * FROM nexus_audit")
        assert CANARY not in repr([tuple(row) for row in stored])


async def test_a_change_that_fails_is_on_record_and_pages_follow_each_other(workshop: Any) -> None:
    workshop.plugin("foo", says=1)
    async with workshop.running() as site:
        workshop.plugin("foo", top="raise RuntimeError('no')")
        assert (await site.api("POST", "/plugins/foo/reload")).status_code == 409
        [row] = await rows(site, action="plugin.*")
        assert (row["action"], row["result"]) == ("plugin.reload", "refused")
        assert row["after"]["code"] == "reload-failed"
        await site.api("POST", "/plugins/foo/disable")
        page = (await site.api("GET", "/audit?limit=1")).json()
        rest = (await site.api("GET", f"/audit?limit=1&before={page['next']}")).json()
        assert [each["action"] for each in page["items"] + rest["items"]] == [
            "plugin.disable",
            "plugin.reload",
        ]
        last = (await site.api("GET", f"/audit?limit=1&before={rest['next']}")).json()
        assert last["next"] is None
        assert (await site.api("GET", "/audit?since=never")).status_code == 422
        assert (await site.api("DELETE", "/audit")).status_code == 405


async def test_a_change_that_cannot_be_recorded_does_not_happen(workshop: Any) -> None:
    workshop.plugin("foo", configuration=SETTINGS, says=1)
    async with workshop.running() as site:
        await site.app.database.execute("DROP TABLE nexus_audit")
        assert (await site.api("POST", "/plugins/foo/disable")).status_code >= 500
        assert (
            await site.api("PATCH", "/plugins/foo/config", json={"word": "x"})
        ).status_code >= 500
        assert site.state("foo") == "running"
        entries = {each.key: each.value for each in site.app.desk.entries("foo")}
        assert entries["word"] == "none"
        await site.app.parts.audit.open()


WRITES = """
    async def initialize(self):
        return True

    async def cancel(self, order, **row):
        async with self.db.transaction():
            await self.write_audit("order.cancel", before={"order": order}, **row)
            if order < 0:
                raise ValueError(order)
"""
MAY = ["audit.write", "database.read", "database.write"]


async def test_a_plugin_writes_rows_that_carry_its_name(workshop: Any) -> None:
    workshop.plugin("shop", WRITES, permissions=MAY)
    async with workshop.running() as site:
        shop = site.plugin("shop")
        await shop.cancel(7, user="ann", address="10.0.0.1", after={1: object, "k": CANARY})
        await shop.cancel(8, refused=True)
        with pytest.raises(ValueError, match="-1"):
            await shop.cancel(-1)
        second, first = await rows(site, action="shop:*")
        assert first["actor"] == "user:ann", "as the plugin says, and the action says who says so"
        assert (first["action"], first["plugin"]) == ("shop:order.cancel", "shop")
        assert (first["address"], first["result"]) == ("10.0.0.1", "done")
        assert first["after"] == {"1": "<class 'object'>", "k": CANARY}
        assert (second["actor"], second["address"]) == ("plugin:shop", "")
        assert (second["result"], second["before"]) == ("refused", {"order": 8})


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"action": "plugin.enable:x"}, "the action 'plugin.enable:x'"),
        ({"action": ""}, "the action ''"),
        ({"action": "a" * 101}, "at most 100 characters"),
        ({"action": "a", "after": "x" * 70_000}, "70,010 bytes of before and after"),
    ],
)
async def test_what_cannot_be_a_row_is_refused(
    workshop: Any, row: dict[str, Any], problem: str
) -> None:
    workshop.plugin("shop", WRITES, permissions=MAY)
    async with workshop.running() as site:
        with pytest.raises(AuditRowRefused, match=problem):
            await site.plugin("shop").write_audit(**row)
        assert await rows(site, action="shop:*") == []


async def test_a_plugin_that_may_not_writes_nothing(workshop: Any) -> None:
    workshop.plugin("shop", WRITES, permissions=["database.write"])
    async with workshop.running() as site:
        with pytest.raises(PermissionDenied, match=r'Add "audit\.write" to "permissions"'):
            await site.plugin("shop").cancel(1)


async def test_what_a_plugin_itself_sets_is_on_record(workshop: Any) -> None:
    workshop.plugin("foo", configuration=SETTINGS)
    async with workshop.running() as site:
        plugin = site.plugin("foo")
        await plugin.set_config("word", "one")
        await plugin.set_config("word", "one")
        await plugin.set_config("key", CANARY)
        secret, word = await rows(site, action="plugin.configure")
        assert (word["actor"], word["plugin"]) == ("plugin:foo", "foo")
        assert (word["before"], word["after"]) == ({"word": "none"}, {"word": "one"})
        assert secret["after"] == {"key": "********"}
        await site.app.database.execute("DROP TABLE nexus_audit")
        with pytest.raises(sqlite3.OperationalError):
            await plugin.set_config("word", "unrecorded")
        assert await plugin.get_config("word") == "one"
        await site.app.parts.audit.open()


async def test_a_detached_plugin_has_an_audit_log_in_memory() -> None:
    class Shop(BasePlugin):
        @override
        async def initialize(self) -> bool:
            return True

    shop = Shop()
    await shop.write_audit("order.cancel", after={"order": 1})
    with pytest.raises(AuditRowRefused):
        await shop.write_audit("no such action")
