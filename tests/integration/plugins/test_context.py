"""What a plugin may do, and what it is told when it may not."""

import asyncio
import sys
from typing import Any, Protocol

import pytest

from nexus.errors import (
    EventNameInvalid,
    EventNotDeclared,
    EventPatternInvalid,
    NoResponder,
    NotJson,
    PermissionDenied,
    RequestFailed,
    RequestTimeout,
    ServiceAmbiguous,
    ServiceConflict,
    ServiceNotFound,
)

ALL = ("database.read", "database.write", "events.publish", "events.subscribe")


async def _nothing(event: Any) -> None:
    pass


OPERATIONS: dict[str, tuple[str, Any]] = {
    "get_data": ("database.read", lambda plugin: plugin.get_data("k")),
    "set_data": ("database.write", lambda plugin: plugin.set_data("k", 1)),
    "delete_data": ("database.write", lambda plugin: plugin.delete_data("k")),
    "publish_event": ("events.publish", lambda plugin: plugin.publish_event("doer.x")),
    "request": ("events.publish", lambda plugin: plugin.request("doer.x")),
    "subscribe": ("events.subscribe", lambda plugin: plugin.subscribe_to_event("x.*", _nothing)),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_needs_its_permission_and_no_other(
    workshop: Any, operation: str
) -> None:
    permission, call = OPERATIONS[operation]
    body = """
    async def initialize(self):
        await self.subscribe_to_event("doer.x", self.on_x)
        return True

    async def on_x(self, event):
        return "reply"
    """
    workshop.plugin("helper", body.replace("async def initialize", "async def initialize"))
    workshop.plugin("doer", permissions=[permission])
    async with workshop.running() as site:
        await call(site.plugin("doer"))
    workshop.plugin("doer", permissions=[each for each in ALL if each != permission])
    async with workshop.running() as site:
        with pytest.raises(PermissionDenied) as caught:
            await call(site.plugin("doer"))
        assert f'"{permission}"' in str(caught.value)
        assert "'doer'" in str(caught.value)


async def test_own_services_settings_and_tasks_need_no_permission(workshop: Any) -> None:
    workshop.plugin("bare", permissions=[])
    async with workshop.running() as site:
        plugin = site.plugin("bare")
        await plugin.set_config("color", "red")
        assert await plugin.get_config("color") == "red"
        plugin.register_service("bare.api", plugin)
        assert plugin.get_service("bare.api") is plugin
        await plugin.create_task(asyncio.sleep(0))


async def test_a_scoped_permission_covers_its_scope_only(workshop: Any) -> None:
    workshop.plugin("doer", permissions=["events.subscribe:user.*"])
    async with workshop.running() as site:
        plugin = site.plugin("doer")
        await plugin.subscribe_to_event("user.created", _nothing)
        with pytest.raises(PermissionDenied):
            await plugin.subscribe_to_event("order.created", _nothing)


async def test_a_plugin_publishes_under_its_own_name_and_what_it_declares(workshop: Any) -> None:
    workshop.plugin("doer", events={"publishes": ["user.created"]})
    async with workshop.running() as site:
        plugin = site.plugin("doer")
        await plugin.publish_event("doer.done")
        await plugin.publish_event("user.created", {"id": 1})
        with pytest.raises(EventNotDeclared, match=r'Add "user.deleted" to "events.publishes"'):
            await plugin.publish_event("user.deleted")
        for name in ("system.maintenance", "plugin.running"):
            with pytest.raises(EventNotDeclared, match="the platform's"):
                await plugin.publish_event(name)
        for bad in ("doer.", "doer.x y", "doer.*"):
            with pytest.raises(EventNameInvalid):
                await plugin.publish_event(bad)
        with pytest.raises(EventNameInvalid):
            await plugin.publish_event(None)  # what a typo may give
        with pytest.raises(EventPatternInvalid):
            await plugin.subscribe_to_event("a.**.b", _nothing)


async def test_subscriptions_come_and_go_while_the_plugin_runs(workshop: Any) -> None:
    workshop.plugin("doer")
    async with workshop.running() as site:
        plugin, seen = site.plugin("doer"), []

        async def handler(event: Any) -> None:
            seen.append(event.name)

        await plugin.subscribe_to_event("x.*", handler)
        await site.app.bus.publish("x.one", source="nexus")
        assert await plugin.unsubscribe_from_event("x.*", handler)
        await site.app.bus.publish("x.two", source="nexus")
        await site.app.bus.join()
        assert seen == ["x.one"]
        assert not await plugin.unsubscribe_from_event("x.*", handler)
        assert not site.app.bus.figures().subscriptions


async def test_requests_are_answered_refused_and_time_out(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("asker.sum", self.on_sum)
        await self.subscribe_to_event("asker.fail", self.on_fail)
        await self.subscribe_to_event("asker.hang", self.on_hang)
        return True

    async def on_sum(self, event):
        return sum(event.data["of"])

    async def on_fail(self, event):
        raise ValueError("no")

    async def on_hang(self, event):
        await asyncio.Event().wait()
    """
    workshop.plugin("provider", body)
    workshop.plugin("asker")
    async with workshop.running(shutdown={"drain_timeout": 0.1, "timeout": 0.2}) as site:
        plugin = site.plugin("asker")
        assert await plugin.request("asker.sum", {"of": [1, 2, 3]}) == 6
        with pytest.raises(RequestFailed, match="'provider'"):
            await plugin.request("asker.fail")
        with pytest.raises(RequestTimeout):
            await plugin.request("asker.hang", timeout=0.01)
        with pytest.raises(NoResponder):
            await plugin.request("asker.nobody")


class Speaks(Protocol):
    def speak(self) -> str: ...


async def test_services_are_found_by_name_and_by_protocol_and_swapped_with_their_owner(
    workshop: Any,
) -> None:
    body = """
    async def initialize(self):
        self.register_service("dog", self)
        return True

    def speak(self):
        return SAYS
    """
    workshop.plugin("dog", body, says="woof")
    workshop.plugin("owner")
    async with workshop.running() as site:
        owner = site.plugin("owner")
        reference = owner.service_ref("dog")
        assert owner.require_service(Speaks).speak() == "woof"
        assert owner.get_service("dog").speak() == reference.speak() == "woof"
        workshop.plugin("dog", body, says="wuff")
        await site.app.manager.reload("dog")
        assert owner.require_service(Speaks).speak() == reference.speak() == "wuff"
        with pytest.raises(ServiceConflict, match=r"(?s)'dog'.*'owner'|'owner'.*'dog'"):
            owner.register_service("dog", owner)
        second = type("Cat", (), {"speak": lambda self: "miau"})()
        owner.register_service("cat", second)
        with pytest.raises(ServiceAmbiguous):
            owner.get_service(Speaks)
        await site.app.manager.disable("dog")
        assert owner.get_service(Speaks) is second
        assert owner.get_service("dog") is None
        assert not reference
        with pytest.raises(ServiceNotFound, match="dog"):
            owner.require_service("dog")
        for wrong in ("", "  ", 7):
            with pytest.raises(ValueError, match="needs a name"):
                owner.register_service(wrong, owner)
        with pytest.raises(ValueError, match="is None"):
            owner.register_service("nothing", None)


async def test_data_is_private_survives_and_is_json(workshop: Any) -> None:
    workshop.plugin("one")
    workshop.plugin("two")
    async with workshop.running() as site:
        await site.plugin("one").set_data("k", {"a": [1, None]})
        assert await site.plugin("two").get_data("k", "mine") == "mine"
        with pytest.raises(NotJson):
            await site.plugin("one").set_data("k", object())
    async with workshop.running() as site:
        plugin = site.plugin("one")
        assert await plugin.get_data("k") == {"a": [1, None]}
        assert await plugin.delete_data("k")
        assert not await plugin.delete_data("k")


async def test_metrics_and_info_say_what_is_the_case(workshop: Any) -> None:
    body = """
    async def initialize(self):
        sys.staged = self.get_metrics(), self.get_info()
        await self.subscribe_to_event("x.*", self.on_x)
        self.register_service("doer.api", self)
        await self.publish_event("doer.begun")
        return True

    async def on_x(self, event):
        pass
    """
    workshop.plugin("doer", body, title="Doer", author="Me")
    async with workshop.running() as site:
        metrics, info = sys.staged  # type: ignore[attr-defined]
        assert (metrics["uptime"], info["stage"], info["initialized"]) == (0.0, "staged", False)
        plugin = site.plugin("doer")
        first = plugin.get_metrics()
        assert first["events_published"] == 1.0
        await asyncio.sleep(0.01)
        assert plugin.get_metrics()["uptime"] >= first["uptime"] + 0.009
        info = plugin.get_info()
        assert (info["title"], info["author"], info["initialized"]) == ("Doer", "Me", True)
        assert (info["stage"], info["generation"]) == ("live", 1)
        assert (info["services"], info["subscriptions"]) == (["doer.api"], ["x.*"])
        assert dict(await _hosted_info(site)) == info


async def _hosted_info(site: Any) -> Any:
    return site.live("doer").hosted.info()


async def test_a_plugins_code_and_log_know_whose_they_are(workshop: Any) -> None:
    from nexus.plugins.current import current_owner

    body = """
    async def initialize(self):
        from nexus.plugins.current import current_owner
        sys.owners = [current_owner.get().plugin]
        await self.subscribe_to_event("x.*", self.on_x)
        await self.publish_event("doer.x")
        return True

    async def on_x(self, event):
        from nexus.plugins.current import current_owner
        sys.owners.append(current_owner.get().plugin)
    """
    workshop.plugin("doer", body)
    async with workshop.running() as site:
        await site.app.bus.publish("x.y", source="nexus")
        await site.app.bus.join()
        assert sys.owners == ["doer", "doer"]  # type: ignore[attr-defined]
        assert current_owner.get() is None
        assert site.plugin("doer").logger.name == "nexus.plugin.doer"
