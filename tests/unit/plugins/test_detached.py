import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from typing_extensions import override

from nexus.errors import (
    ConfigValueRefused,
    EventContractViolated,
    EventNotDeclared,
    NoResponder,
    NotJson,
    PermissionDenied,
    ServiceNotFound,
)
from nexus.plugins import BasePlugin

CODE = """
from nexus.plugins import BasePlugin


class Tool(BasePlugin):
    def __init__(self):
        super().__init__()
        self.seen = []

    async def initialize(self):
        self.logger.info("hello")
        await self.subscribe_to_event("user.*", self.on_user, priority=1)
        self.register_service("tool.api", self)
        return True

    async def on_user(self, event):
        self.seen.append(event.data)
        return "reply"

    def on_plain(self, event):
        self.seen.append("plain")
"""

MANIFEST = {
    "name": "tool",
    "version": "2.1.0",
    "title": "The Tool",
    "permissions": ["database.read", "events.publish", "events.subscribe"],
    "configuration": {"retries": {"type": "integer", "default": 3, "max": 5}},
    "events": {
        "publishes": [
            "user.created",
            {"name": "tool.used", "version": 3, "schema": {"required": ["by"]}},
        ],
        "subscribes": [{"pattern": "user.created", "priority": 5}],
    },
}


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Any]:
    """The class of a plugin that lies in a folder with a manifest and configuration."""
    folder = tmp_path / "tool"
    (folder / "config").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "config" / "development.yaml").write_text("color: red\n")
    (folder / "plugin.py").write_text(CODE)
    spec = importlib.util.spec_from_file_location("a_detached_tool", folder / "plugin.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["a_detached_tool"] = module
    spec.loader.exec_module(module)
    yield module.Tool
    del sys.modules["a_detached_tool"]


async def test_it_knows_its_manifest_and_its_configuration(tool: Any) -> None:
    plugin = tool()
    assert (plugin.name, plugin.version, plugin.title) == ("tool", "2.1.0", "The Tool")
    assert await plugin.get_config("retries") == 3
    assert await plugin.get_config("color") == "red"
    assert await plugin.get_config("none", "default") == "default"
    await plugin.set_config("retries", 5)
    assert await plugin.get_config("retries") == 5
    with pytest.raises(ConfigValueRefused):
        await plugin.set_config("retries", 6)


async def test_it_is_held_against_its_manifest(tool: Any) -> None:
    plugin = tool()
    assert await plugin.get_data("k", "default") == "default"
    with pytest.raises(PermissionDenied, match=r"database\.write"):
        await plugin.set_data("k", 1)
    with pytest.raises(EventNotDeclared):
        await plugin.publish_event("order.placed")


async def test_what_it_publishes_is_held_against_its_schemas(tool: Any) -> None:
    plugin = tool()
    event = await plugin.publish_event("tool.used", {"by": "me"})
    assert event.version == 3
    assert (await plugin.publish_event("user.created", {"any": "data"})).version is None
    with pytest.raises(EventContractViolated, match=r"\$\.by: found nothing"):
        await plugin.publish_event("tool.used", {"to": "you"})
    await plugin.subscribe_to_event("tool.used", plugin.on_user)
    assert await plugin.request("tool.used", {"by": "me"}) == "reply"
    with pytest.raises(EventContractViolated):
        await plugin.request("tool.used", {})
    assert plugin.seen == [{"by": "me"}]


async def test_the_manifests_priority_holds_where_the_code_gives_none(tool: Any) -> None:
    plugin = tool()
    await plugin.initialize()  # which subscribes to user.* with the priority 1
    await plugin.subscribe_to_event("user.created", plugin.on_plain)
    await plugin.publish_event("user.created", {"id": 1})
    assert plugin.seen == ["plain", {"id": 1}]
    await plugin.unsubscribe_from_event("user.created", plugin.on_plain)
    await plugin.subscribe_to_event("user.created", plugin.on_plain, priority=0)
    await plugin.publish_event("user.created", {"id": 2})
    assert plugin.seen[2:] == [{"id": 2}, "plain"]


async def test_handlers_run_inside_the_call_that_publishes_higher_priorities_first(
    tool: Any,
) -> None:
    plugin = tool()
    await plugin.subscribe_to_event("user.created", plugin.on_plain, priority=0)
    assert await plugin.initialize() is True
    await plugin.publish_event("user.created", {"id": 1})
    assert plugin.seen == [{"id": 1}, "plain"]
    assert await plugin.request("user.created", {"id": 2}) == "reply"
    assert await plugin.unsubscribe_from_event("user.*", plugin.on_user)
    assert not await plugin.unsubscribe_from_event("user.*", plugin.on_user)
    await plugin.publish_event("user.created", {"id": 3})
    assert plugin.seen == [{"id": 1}, "plain", {"id": 2}, "plain"]
    with pytest.raises(NoResponder):
        await plugin.request("tool.nothing")
    assert plugin.get_service("tool.api") is plugin
    with pytest.raises(ServiceNotFound):
        plugin.require_service("nobody.api")


async def test_a_handlers_error_reaches_the_test(tool: Any) -> None:
    plugin = tool()

    async def fail(event: Any) -> None:
        raise ValueError("seen")

    await plugin.subscribe_to_event("tool.x", fail)
    with pytest.raises(ValueError, match="seen"):
        await plugin.publish_event("tool.x")


async def test_it_owns_no_task_between_calls(tool: Any) -> None:
    before = asyncio.all_tasks()
    plugin = tool()
    await plugin.initialize()
    await plugin.publish_event("tool.x")
    await plugin.get_data("k")
    await plugin.set_config("retries", 4)
    await plugin.shutdown()
    assert asyncio.all_tasks() == before
    task = plugin.create_task(asyncio.sleep(0), name="own")
    assert task.get_name() == "tool.own"
    await task


async def test_attributes_may_be_replaced_by_mocks(tool: Any) -> None:
    plugin = tool()
    plugin.logger = MagicMock()
    plugin.get_config = AsyncMock(return_value="mocked")
    plugin.publish_event = AsyncMock()
    plugin.name = "another"
    assert await plugin.initialize() is True
    plugin.logger.info.assert_called_with("hello")
    assert await plugin.get_config("x") == "mocked"
    await plugin.publish_event("anything at all")


async def test_health_metrics_and_info_say_what_is_the_case(tool: Any) -> None:
    plugin = tool()
    health = await plugin.health_check()
    assert health.components["lifecycle"]["initialized"] is False
    plugin.initialized = True
    health = await plugin.health_check()
    assert health.healthy
    assert health.components["lifecycle"] == {"status": "healthy", "initialized": True}
    assert plugin.get_metrics()["uptime"] >= 0
    info = plugin.get_info()
    assert (info["stage"], info["name"], info["initialized"]) == ("detached", "tool", True)


async def test_without_a_manifest_everything_is_allowed() -> None:
    class Loose(BasePlugin):
        @override
        async def initialize(self) -> bool:
            return True

    plugin = Loose()
    assert plugin.name == "loose"
    await plugin.set_data("k", {"a": 1})
    assert await plugin.get_data("k") == {"a": 1}
    assert await plugin.delete_data("k")
    await plugin.publish_event("loose.x")
    with pytest.raises(NotJson):
        await plugin.set_data("k", object())
    assert plugin.get_api_routes() == []
    assert plugin.get_database_schema() == {}


async def test_two_plugins_share_nothing(tool: Any) -> None:
    one, two = tool(), tool()
    await one.initialize()
    await one.set_config("retries", 5)
    assert two.get_service("tool.api") is None
    assert await two.get_config("retries") == 3
    await two.publish_event("user.created")
    assert one.seen == []


async def test_an_invalid_manifest_is_told(tool: Any, tmp_path: Path) -> None:
    (tmp_path / "tool" / "manifest.json").write_text('{"name": "tool"}')
    with pytest.warns(UserWarning, match=r"invalid.*\$.version"):
        tool()
