"""The audit log on every engine."""

import time
from typing import Any

import pytest

from nexus.audit import Actor, AuditKeeper, AuditLog, AuditQuery, Denials, acting
from nexus.errors import NexusError, PluginNotFound
from nexus.observability.request_id import current_request_id


def hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: hidden(each) for name, each in value.items()}
    return "********" if value == "canary" else value


@pytest.fixture
async def log(database: Any) -> AuditLog:
    log = AuditLog(database, hidden)
    await log.open()
    await log.open()
    return log


async def test_a_row_says_who_what_from_where_before_and_after(log: AuditLog) -> None:
    token = current_request_id.set("request-1")
    began = time.time()
    with acting(Actor(name="token:stored", address="192.0.2.1")):
        await log.write("plugin.configure", plugin="foo", before={"a": "canary"}, after={"a": "ä"})
    current_request_id.reset(token)
    [row] = await log.read(AuditQuery())
    assert (row.actor, row.address, row.action) == ("token:stored", "192.0.2.1", "plugin.configure")
    assert (row.before, row.after, row.result) == ({"a": "********"}, {"a": "ä"}, "done")
    assert (row.plugin, row.request_id) == ("foo", "request-1")
    assert began <= row.time <= time.time()
    assert ":" in row.worker
    await log.write("system.backup")
    assert (await log.read(AuditQuery(action="system.backup")))[0].actor == "system"


async def test_a_row_is_there_if_and_only_if_the_transaction_is(
    log: AuditLog, database: Any
) -> None:
    async def fail() -> None:
        async with database.transaction():
            await log.write("plugin.enable", plugin="foo")
            raise PluginNotFound(name="foo")

    with pytest.raises(PluginNotFound):
        await fail()
    assert await log.read(AuditQuery()) == []


async def test_what_cannot_be_undone_is_on_record_before_it_is_tried(log: AuditLog) -> None:
    async def fail() -> None:
        async with log.change("data.purge", plugin="foo", irreversible=True):
            [begun] = await log.read(AuditQuery())
            assert begun.result == "begun"
            raise PluginNotFound(name="foo")

    with pytest.raises(NexusError):
        await fail()
    refused = (await log.read(AuditQuery()))[0]
    assert refused.result == "refused"
    assert refused.after["code"] == "plugin-not-found"


async def test_rows_are_found_by_what_they_are_about_and_page_by_page(log: AuditLog) -> None:
    for number in range(5):
        with acting(Actor(name=f"user:{number % 2}")):
            await log.write("plugin.enable", plugin="foo", after=number)
            await log.write("plugin_like", plugin="bar", after=number)
    first = await log.read(AuditQuery(plugin="foo", limit=3))
    assert [row.after for row in first] == [4, 3, 2]
    rest = await log.read(AuditQuery(plugin="foo", limit=3, before=first[-1].id))
    assert [row.after for row in rest] == [1, 0]
    assert {row.plugin for row in await log.read(AuditQuery(action="plugin.*"))} == {"foo"}
    assert len(await log.read(AuditQuery(actor="user:1"))) == 4
    assert await log.read(AuditQuery(since=time.time() + 60)) == []


async def test_old_rows_go_and_refusals_are_written_at_the_end(log: AuditLog) -> None:
    await log.write("plugin.enable")
    assert await log.forget(time.time() + 1) == 1
    denials = Denials()
    keeper = AuditKeeper(log, denials, retention=3600)
    denials.note("foo", "database.read", "read")
    await keeper.start()
    denials.note("foo", "database.read", "read")
    await keeper.stop()
    rows = await log.read(AuditQuery(action="permission.deny"))
    assert sum(row.after["count"] for row in rows) == 2
    assert {row.actor for row in rows} == {"plugin:foo"}
