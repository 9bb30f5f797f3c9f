"""The plugin by itself: no application, everything in memory."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable

import pytest

from nexus.events import Event
from nexus.testing import published
from plugins.my_awesome_plugin.external_service import ExternalService
from plugins.my_awesome_plugin.plugin import MyAwesomePlugin
from plugins.my_awesome_plugin.rate_limit import RateLimit

# A key of the tests' own: one that ships with the plugin would be no secret.
KEY = "test-key-123"

MakePlugin = Callable[..., Awaitable[MyAwesomePlugin]]


class Unreachable(ExternalService):
    """Fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        super().__init__(KEY)
        self.failures = failures
        self.calls = 0

    async def sign(self, message: str) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError("nobody there")
        return await super().sign(message)


@pytest.fixture
async def plugin(make_plugin: MakePlugin) -> MyAwesomePlugin:
    plugin = await make_plugin(MyAwesomePlugin, config={"api_key": KEY})
    assert await plugin.initialize() is True
    return plugin


async def test_it_does_not_start_without_a_key(make_plugin: MakePlugin) -> None:
    plugin = await make_plugin(MyAwesomePlugin)
    assert await plugin.initialize() is False


async def test_starting_is_told(plugin: MyAwesomePlugin) -> None:
    assert [event.name for event in published(plugin)] == ["my_awesome_plugin.initialized"]


async def test_an_action_is_performed_counted_and_told(plugin: MyAwesomePlugin) -> None:
    assert await plugin.execute_action("echo", {"message": "Hi"}) == {"echo": "Hi"}
    assert await plugin.execute_action("count", {}) == {"current_count": 1}
    events = [event for event in published(plugin) if event.name.endswith("action_completed")]
    assert [event.data["action"] for event in events] == ["echo", "count"]
    assert events[0].data["result"] == {"echo": "Hi"}


async def test_ping_answers_with_a_time_that_names_its_zone(plugin: MyAwesomePlugin) -> None:
    answer = await plugin.execute_action("ping", {})
    assert answer["message"] == "pong"
    assert answer["timestamp"].endswith("+00:00")


async def test_an_unknown_action_is_refused_and_not_counted(plugin: MyAwesomePlugin) -> None:
    with pytest.raises(ValueError, match="Unknown action: dance"):
        await plugin.execute_action("dance", {})
    assert await plugin.execute_action("count", {}) == {"current_count": 0}


async def test_the_secret_key_signs(plugin: MyAwesomePlugin) -> None:
    expected = hmac.new(KEY.encode(), b"text", hashlib.sha256).hexdigest()
    answer = await plugin.execute_action("sign", {"message": "text"})
    assert answer["signature"] == expected


async def test_a_call_that_fails_is_tried_again(plugin: MyAwesomePlugin) -> None:
    plugin.service = Unreachable(failures=2)
    assert await plugin.execute_action("sign", {"message": "text"})
    assert plugin.service.calls == 3


async def test_calls_end_after_the_last_try(plugin: MyAwesomePlugin) -> None:
    await plugin.set_config("max_retries", 2)
    plugin.service = Unreachable(failures=9)
    with pytest.raises(ConnectionError):
        await plugin.execute_action("sign", {"message": "text"})
    assert plugin.service.calls == 2


async def test_a_new_user_is_welcomed(plugin: MyAwesomePlugin) -> None:
    await plugin._handle_user_created(Event("user.created", {"username": "ada"}))  # noqa: SLF001
    assert await plugin.get_data("users_welcomed") == 1


async def test_maintenance_shows_in_the_health(plugin: MyAwesomePlugin) -> None:
    await plugin._handle_maintenance(Event("system.maintenance", {"active": True}))  # noqa: SLF001
    assert (await plugin.health_check()).message == "The application is in maintenance."
    await plugin._handle_maintenance(Event("system.maintenance", {"active": False}))  # noqa: SLF001
    assert (await plugin.health_check()).message == ""


async def test_shutting_down_is_told_and_closes_the_connection(plugin: MyAwesomePlugin) -> None:
    await plugin.execute_action("ping", {})
    await plugin.shutdown()
    assert published(plugin)[-1].name == "my_awesome_plugin.shutdown"
    assert published(plugin)[-1].data == {"action_count": 1}
    assert plugin.service is not None
    with pytest.raises(ConnectionError):
        await plugin.service.sign("text")


def test_a_minute_has_as_many_actions_as_the_limit_says() -> None:
    now = 100.0
    limit = RateLimit(clock=lambda: now)
    assert [limit.take(2), limit.take(2)] == [0.0, 0.0]
    now = 130.0
    assert limit.take(2) == 30.0
    now = 160.0
    assert limit.take(2) == 0.0
