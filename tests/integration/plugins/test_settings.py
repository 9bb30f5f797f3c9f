"""Configuration of running plugins: stored, validated, announced, and judged."""

import sys
from typing import Any

import pytest

from nexus.errors import ConfigKeyFixed, ConfigValueRefused
from nexus.events import Event
from nexus.plugins import PluginState

FIELDS = {
    "api_key": {"type": "string", "required": True, "secret": True},
    "retries": {"type": "integer", "default": 3, "min": 1, "max": 10},
}
SECRET = "sesame-open-sesame"


async def test_a_plugin_starts_by_itself_when_its_setting_arrives_and_stops_when_it_goes(
    workshop: Any,
) -> None:
    workshop.plugin("keyed", configuration=FIELDS, says=1)
    async with workshop.running() as site:
        assert site.state("keyed") is PluginState.BLOCKED
        assert "api_key" in site.reason("keyed")
        answer = await site.api("PATCH", "/plugins/keyed/config", json={"api_key": SECRET})
        assert answer.json()["state"] == "running"
        assert SECRET not in answer.text
        assert await site.says("keyed") == 1
        answer = await site.api("PATCH", "/plugins/keyed/config", json={"api_key": None})
        assert answer.json()["state"] == "blocked"
        assert await site.says("keyed") == 503


async def test_a_change_reloads_nothing(workshop: Any) -> None:
    workshop.plugin("keyed", configuration={"retries": FIELDS["retries"]})
    async with workshop.running() as site:
        live = site.live("keyed")
        await site.api("PATCH", "/plugins/keyed/config", json={"retries": 5})
        assert site.live("keyed") is live
        assert await site.plugin("keyed").get_config("retries") == 5


async def test_a_failed_plugin_is_tried_again_when_its_settings_change(workshop: Any) -> None:
    body = """
    async def initialize(self):
        return await self.get_config("retries") == 5
    """
    workshop.plugin("keyed", body, configuration={"retries": FIELDS["retries"]})
    async with workshop.running() as site:
        assert site.state("keyed") is PluginState.FAILED
        await site.api("PATCH", "/plugins/keyed/config", json={"retries": 5})
        assert site.state("keyed") is PluginState.RUNNING


async def test_a_change_is_an_event_without_the_secret(workshop: Any) -> None:
    workshop.plugin("keyed", configuration=FIELDS)
    async with workshop.running() as site:
        seen: list[Event] = []

        async def handler(event: Event) -> None:
            seen.append(event)

        subscription = site.app.bus.subscription("plugin.config_changed", handler, owner="nexus")
        site.app.bus.attach([subscription])
        changes = {"api_key": SECRET, "retries": 4}
        await site.api("PATCH", "/plugins/keyed/config", json=changes)
        await site.plugin("keyed").set_config("retries", 5)
        await site.plugin("keyed").set_config("retries", 5)  # no change, no event
        await workshop.until(lambda: len(seen) == 3)
        assert [(each.data["key"], each.data["new"]) for each in seen] == [
            ("api_key", "********"),
            ("retries", 4),
            ("retries", 5),
        ]
        assert SECRET not in repr([each.dict() for each in seen])


async def test_values_that_do_not_fit_and_fixed_keys_are_refused(workshop: Any) -> None:
    workshop.plugin("keyed", configuration={"retries": FIELDS["retries"]})
    async with workshop.running() as site:
        with pytest.raises(ConfigValueRefused):
            await site.plugin("keyed").set_config("retries", 99)
        answer = await site.api("PATCH", "/plugins/keyed/config", json={"retries": "many"})
        assert (answer.status_code, answer.json()["code"]) == (422, "config-value-refused")
        assert "'retries'" in answer.json()["detail"]
    environ = {"NEXUS_PLUGINS__KEYED__RETRIES": "7"}
    async with workshop.running(environ) as site:
        assert await site.plugin("keyed").get_config("retries") == 7
        with pytest.raises(ConfigKeyFixed):
            await site.plugin("keyed").set_config("retries", 5)
        answer = await site.api("PATCH", "/plugins/keyed/config", json={"retries": 5})
        assert (answer.status_code, answer.json()["code"]) == (409, "config-key-fixed")


async def test_a_plugin_that_removes_its_own_required_setting_is_blocked(workshop: Any) -> None:
    body = """
    def get_api_routes(self):
        router = APIRouter()

        @router.post("/forget")
        async def forget():
            await self.set_config("api_key", None)

        return [router]
    """
    workshop.plugin("keyed", body, configuration=FIELDS)
    async with workshop.running() as site:
        await site.api("PATCH", "/plugins/keyed/config", json={"api_key": SECRET})
        assert (await site.http.post("/plugins/keyed/forget")).status_code == 200
        await site.app.manager.settle()
        assert site.state("keyed") is PluginState.BLOCKED


async def test_no_answer_shows_a_secret_that_a_plugin_repeats(workshop: Any) -> None:
    body = """
    async def initialize(self):
        key = await self.get_config("api_key")
        await self.subscribe_to_event("leaky.spill", self.on_spill, max_attempts=1)
        await self.publish_event("leaky.spill", {"key": key, key: 1})
        return True

    async def on_spill(self, event):
        raise ValueError(event.data["key"])

    async def health_check(self):
        key = await self.get_config("api_key")
        return HealthStatus(healthy=False, message=key, components={"x": {"key": key}})
    """
    workshop.plugin("leaky", body, configuration=FIELDS)
    body = """
    async def initialize(self):
        raise ValueError(await self.get_config("api_key"))
    """
    workshop.plugin("dying", body, configuration=FIELDS)
    plugins = {"leaky": {"api_key": SECRET}, "dying": {"api_key": SECRET}}
    async with workshop.running(plugins=plugins) as site:
        await site.app.bus.join()
        texts = {}
        for path in (
            "/plugins",
            "/plugins/leaky",
            "/plugins/leaky/config",
            "/plugins/leaky/health",
            "/plugins/leaky/metrics",
            "/plugins/dying",
            "/events",
            "/events/dead",
            "/events/subscriptions",
            "/services",
            "/system",
        ):
            answer = await site.api("GET", path)
            assert answer.status_code == 200
            texts[path] = answer.text
        texts["health"] = (await site.http.get("/health", headers=site.admin)).text
        texts["503"] = (await site.http.get("/plugins/dying/")).text
        assert [path for path, text in texts.items() if SECRET in text] == []
        assert "ValueError" in texts["/plugins/dying"]
        assert "********" in texts["/events"]
        recent = site.app.bus.recent.list(pattern="plugin.failed", limit=5)
        assert SECRET not in repr([each.dict() for each in recent])


async def test_initial_data_is_seeded_once_and_gives_configuration_defaults(workshop: Any) -> None:
    body = """
    def get_database_schema(self):
        return {
            "collections": {"items": {}},
            "initial_data": {
                "config": {"color": "red", "retries": 4}, "greeting": {"a": 1}, "items": [{}],
            },
        }
    """
    workshop.plugin("seeds", body, configuration={"retries": FIELDS["retries"]})
    async with workshop.running() as site:
        plugin = site.plugin("seeds")
        assert await plugin.get_config("color") == "red"
        assert await plugin.get_config("retries") == 4
        assert await plugin.get_data("greeting") == {"a": 1}
        assert await plugin.get_data("items") is None
        await plugin.delete_data("greeting")
    async with workshop.running() as site:
        assert await site.plugin("seeds").get_data("greeting") is None
    assert "order" not in dir(sys)


WORDS = ["items", "running", "plain", "state", "name", "stored", "token", "integer"]


@pytest.mark.parametrize("word", WORDS)
async def test_a_secret_that_is_a_word_of_the_api_changes_no_answer(
    workshop: Any, word: str
) -> None:
    fields = {"token": {"type": "string", "secret": True}}
    workshop.plugin("plain", configuration=fields)

    async def answers(site: Any) -> list[Any]:
        return [
            (await site.api("PATCH", "/plugins/plain/config", json={"token": value})).json(),
            *[
                (await site.api("GET", path)).json()
                for path in ("/plugins", "/plugins/plain", "/plugins/plain/config")
            ],
        ]

    async with workshop.running() as site:
        value = "quite-another-secret"
        expected = await answers(site)
        value = word
        assert await answers(site) == expected
        [entry] = expected[0]["items"]
        assert (entry["key"], entry["value"], entry["source"]) == ("token", "********", "stored")
        assert expected[1]["items"][0]["state"] == "running"


async def test_a_secret_number_is_masked_wherever_a_plugin_repeats_it(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.publish_event("pinned.told", {"pin": await self.get_config("pin"), "n": 5})
        return True

    async def health_check(self):
        return HealthStatus(components={"x": {"pin": await self.get_config("pin")}})
    """
    workshop.plugin("pinned", body, configuration={"pin": {"type": "integer", "secret": True}})
    async with workshop.running(plugins={"pinned": {"pin": 8675309}}) as site:
        event = (await site.api("GET", "/events?name=pinned.told")).json()["items"][0]
        assert event["data"] == {"pin": "********", "n": 5}
        for path in ("/api/v1/plugins/pinned/health", "/health"):
            answer = await site.http.get(path, headers=site.admin)
            assert "8675309" not in answer.text
            assert '"pin":"********"' in answer.text


async def test_deep_values_come_back_as_they_are(workshop: Any) -> None:
    deep: Any = "inside"
    for _ in range(99):
        deep = {"a": deep}
    workshop.plugin("deep")
    async with workshop.running() as site:
        answer = await site.api("PATCH", "/plugins/deep/config", json={"deep": deep})
        assert answer.json()["items"][0]["value"] == deep
        answer = await site.api("POST", "/events", json={"name": "deep.told", "data": deep})
        assert answer.json()["data"] == deep


async def test_keys_and_tokens_of_the_application_are_masked(workshop: Any) -> None:
    secrets = {"secret_key": "key-of-the-operator", "admin_token": "token-of-the-operator"}
    async with workshop.running(security=secrets) as site:
        text = " ".join([*secrets.values(), site.token])
        answer = await site.api("POST", "/events", json={"name": "a.told", "data": {"t": text}})
        assert answer.json()["data"] == {"t": "******** ******** ********"}


async def test_the_first_token_is_masked(workshop: Any) -> None:
    async with workshop.running() as site:
        data = {"t": site.app.first_token}
        answer = await site.api("POST", "/events", json={"name": "a.told", "data": data})
        assert answer.json()["data"] == {"t": "********"}


async def test_settings_for_a_plugin_that_is_not_there_are_warned_of(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.plugin("keyed")
    async with workshop.running(plugins={"kyed": {"a": 1}, "keyed": {"a": 1}}):
        found = [each for each in caplog.messages if "not there" in each]
        assert len(found) == 1
        assert "plugins.kyed" in found[0]
        assert "Did you mean keyed?" in found[0]
