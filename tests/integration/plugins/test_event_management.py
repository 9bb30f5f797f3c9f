"""What operators do with events over the management API."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SECRET = "a-secret-of-the-mailer"

MAILER = """
    async def initialize(self):
        await self.subscribe_to_event("order.*", self.on_order, max_attempts=1)
        await self.subscribe_to_event("note.*", self.on_note, max_attempts=1)
        return True

    async def on_order(self, event):
        if not sys.desk.works:
            raise ValueError(f"no mail server, {event.data}")
        await self.publish_event("mailer.sent", {"order": event.data.get("n")})
        sys.desk.handled.append(event.id)

    async def on_note(self, event):
        if not sys.desk.works:
            raise ValueError("no pencil")
        sys.desk.handled.append(event.id)
"""


@pytest.fixture
def desk() -> Iterator[SimpleNamespace]:
    sys.desk = SimpleNamespace(works=True, handled=[])  # type: ignore[attr-defined]
    yield sys.desk  # type: ignore[attr-defined]
    del sys.desk  # type: ignore[attr-defined]


@pytest.fixture
def mailer(workshop: Any) -> Path:
    """Write a plugin that listens durably to orders, and from memory to notes."""
    folder: Path = workshop.plugin("mailer", MAILER, events={"subscribes": ["order.*"]})
    return folder


async def publish(site: Any, name: str, **data: Any) -> Any:
    answer = await site.api("POST", "/events", json={"name": name, "data": data})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def items(site: Any, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = await site.api("GET", path, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def letters(site: Any, number: int, **query: Any) -> list[dict[str, Any]]:
    """Wait until there are so many dead letters."""
    while len(found := await items(site, "/events/dead", **query)) != number:
        await asyncio.sleep(0.005)
    return found


async def test_an_event_tells_whether_and_where_it_is_in_the_log(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        transient = await publish(site, "note.a")
        durable = await publish(site, "order.a")
        assert transient["position"] is None
        assert durable["position"] >= 1
        for event in (transient, durable):
            assert (await site.api("GET", f"/events/{event['id']}")).json() == event
        recent = {each["id"]: each for each in await items(site, "/events")}
        assert recent[durable["id"]]["position"] == durable["position"]


async def test_the_log_is_read_page_by_page_and_from_its_end(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        ids = [(await publish(site, f"order.n{n}"))["id"] for n in range(5)]
        await publish(site, "note.a")
        first = (await site.api("GET", "/events/log", params={"limit": 3})).json()
        assert [each["id"] for each in first["items"]] == ids[:3]
        after = first["after"]
        second = (await site.api("GET", "/events/log", params={"after": after})).json()
        assert [each["id"] for each in second["items"]] == ids[3:]
        end = await site.api("GET", "/events/log", params={"after": second["after"]})
        assert end.json() == {"items": [], "after": second["after"]}
        [last] = await items(site, "/events/log", newest=True, limit=1)
        assert last["id"] == ids[-1]
        [named] = await items(site, "/events/log", name="order.n2")
        assert named["id"] == ids[2]


async def test_an_event_of_the_log_outlives_the_process(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        event = await publish(site, "order.a", n=1)
        await workshop.until(lambda: desk.handled)
    async with workshop.running() as site:
        found = (await site.api("GET", f"/events/{event['id']}")).json()
        assert found == {**event, "worker": None}, "that has gone with the process"
        tree = (await site.api("GET", f"/events/{event['id']}/trace")).json()
        assert [each["event"]["id"] for each in tree["items"]] == [event["id"]]


async def test_a_trace_shows_what_came_of_what_in_memory_and_in_the_log(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        event = await publish(site, "order.a", n=7)
        other = await publish(site, "note.a")
        sent = await workshop.until(lambda: site.app.bus.recent.list(pattern="mailer.sent"))
        for start in (event["id"], sent[0].id):
            tree = (await site.api("GET", f"/events/{start}/trace")).json()
            assert (tree["correlation_id"], tree["events"]) == (event["id"], 2)
            assert tree["is_complete"] is True
            [top] = tree["items"]
            assert top["event"]["id"] == event["id"]
            [caused] = top["caused"]
            assert (caused["event"]["name"], caused["caused"]) == ("mailer.sent", [])
            assert caused["event"]["causation_id"] == event["id"]
            assert other["id"] not in json.dumps(tree)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/events/nothing", "event-not-found"),
        ("GET", "/events/nothing/trace", "event-not-found"),
        ("GET", "/events/dead/nothing", "dead-letter-not-found"),
        ("DELETE", "/events/dead/nothing", "dead-letter-not-found"),
        ("POST", "/events/dead/nothing/replay", "dead-letter-not-found"),
    ],
)
async def test_what_is_not_there_is_404(
    workshop: Any, mailer: Path, desk: Any, method: str, path: str, code: str
) -> None:
    async with workshop.running() as site:
        answer = await site.api(method, path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code


async def test_dead_letters_of_the_log_and_of_memory_are_one_list(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    desk.works = False
    async with workshop.running() as site:
        for number, name in enumerate(("order.a", "note.a", "order.b"), 1):
            await publish(site, name)
            await letters(site, number)
        newest, *found = await letters(site, 3)
        assert newest["event"]["name"] == "order.b"
        await site.api("DELETE", f"/events/dead/{newest['id']}")
        assert [(each["subscription"], each["durable"]) for each in found] == [
            ("mailer:note.*", False),
            ("mailer:order.*", True),
        ]
        assert [each["event"]["name"] for each in found] == ["note.a", "order.a"]
        assert {each["state"] for each in found} == {"dead"}
        for each in found:
            shown = (await site.api("GET", f"/events/dead/{each['id']}")).json()
            assert shown == each
            assert "ValueError" in shown["traceback"]
        assert await items(site, "/events/dead", limit=1) == found[:1]
        assert await items(site, "/events/dead", plugin="mailer") == found
        assert await items(site, "/events/dead", plugin="other") == []
        for subscription, wanted in (("mailer:note.*", found[:1]), ("mailer:order.*", found[1:])):
            assert await items(site, "/events/dead", subscription=subscription) == wanted
            query = {"subscription": subscription, "plugin": "other"}
            assert await items(site, "/events/dead", **query) == []


async def test_one_dead_letter_is_replayed_or_dropped_wherever_it_is(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    desk.works = False
    async with workshop.running() as site:
        for name in ("order.a", "note.a", "order.b", "note.b"):
            await publish(site, name)
        found = {each["event"]["name"]: each for each in await letters(site, 4)}
        for name in ("order.b", "note.b"):
            path = f"/events/dead/{found[name]['id']}"
            assert (await site.api("DELETE", path)).status_code == 204
            assert (await site.api("GET", path)).status_code == 404
        desk.works = True
        for name in ("order.a", "note.a"):
            letter = found[name]
            answer = await site.api("POST", f"/events/dead/{letter['id']}/replay")
            assert answer.status_code == 202
            assert answer.json()["id"] == letter["event"]["id"]
            await workshop.until(lambda wanted=letter["event"]["id"]: wanted in desk.handled)
        await letters(site, 0)


@pytest.mark.parametrize("subscription", ["mailer:order.*", "mailer:note.*"])
async def test_all_dead_letters_of_a_subscription_are_replayed(
    workshop: Any, mailer: Path, desk: Any, subscription: str
) -> None:
    desk.works = False
    async with workshop.running() as site:
        ids = {}
        for name in ("order.a", "order.b", "note.a", "note.b"):
            ids[name] = (await publish(site, name))["id"]
        await letters(site, 4)
        desk.works = True
        choice = {"subscription": subscription}
        answer = await site.api("POST", "/events/dead/replay", json=choice)
        assert (answer.status_code, answer.json()) == (202, {"done": 2, "refused": []})
        kind = subscription.removeprefix("mailer:").removesuffix("*")
        await workshop.until(lambda: len(desk.handled) == 2)
        assert desk.handled == [ids[f"{kind}a"], ids[f"{kind}b"]]
        [left, _] = await letters(site, 2)
        assert left["subscription"] != subscription


async def test_several_are_dropped_and_those_that_are_not_there_are_named(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    desk.works = False
    async with workshop.running() as site:
        for name in ("order.a", "note.a"):
            await publish(site, name)
        ids = [each["id"] for each in await letters(site, 2)]
        choice = {"ids": [*ids, "nothing"]}
        done = (await site.api("POST", "/events/dead/drop", json=choice)).json()
        assert done["done"] == 2
        [refused] = done["refused"]
        assert (refused["id"], refused["code"]) == ("nothing", "dead-letter-not-found")
        await letters(site, 0)
        every = {"subscription": "mailer:order.*"}
        done = (await site.api("POST", "/events/dead/drop", json=every)).json()
        assert done == {"done": 0, "refused": []}


async def test_a_letter_in_memory_waits_for_no_plugin_and_one_in_the_log_does(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    desk.works = False
    async with workshop.running() as site:
        order = await publish(site, "order.a")
        await publish(site, "note.a")
        found = await letters(site, 2)
        note_letter, order_letter = sorted(found, key=lambda each: each["durable"])
        await site.api("POST", "/plugins/mailer/disable")
        choice = {"ids": [note_letter["id"], order_letter["id"]]}
        done = (await site.api("POST", "/events/dead/replay", json=choice)).json()
        assert done["done"] == 1
        [refused] = done["refused"]
        assert (refused["id"], refused["code"]) == (note_letter["id"], "replay-refused")
        shown = (await site.api("GET", f"/events/dead/{order_letter['id']}")).json()
        assert shown["state"] == "retrying"
        desk.works = True
        await site.api("POST", "/plugins/mailer/enable")
        await workshop.until(lambda: order["id"] in desk.handled)


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"ids": []},
        {"ids": ["a"], "subscription": "mailer:order.*"},
        {"subscription": "mailer"},
        {"all": True},
    ],
)
async def test_an_unclear_choice_of_dead_letters_changes_nothing(
    workshop: Any, mailer: Path, desk: Any, choice: dict[str, Any]
) -> None:
    desk.works = False
    async with workshop.running() as site:
        await publish(site, "order.a")
        await letters(site, 1)
        for verb in ("replay", "drop"):
            answer = await site.api("POST", f"/events/dead/{verb}", json=choice)
            assert answer.status_code == 422
        [letter] = await items(site, "/events/dead")
        assert letter["state"] == "dead"


async def test_who_is_behind_is_shown_for_plugins_that_do_not_run_too(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        await publish(site, "order.a")
        await workshop.until(lambda: desk.handled)
        answer = (await site.api("GET", "/events/subscriptions")).json()
        [lag] = answer["durable"]
        assert (lag["subscription"], lag["plugin"], lag["pattern"]) == (
            "mailer:order.*",
            "mailer",
            "order.*",
        )
        assert (lag["waiting"], lag["oldest"], lag["dead"]) == (0, 0, 0)
        assert lag["enabled"]
        assert lag["worker"]
        assert {each["pattern"] for each in answer["items"]} == {"order.*", "note.*"}

        await site.api("POST", "/plugins/mailer/disable")
        for _ in range(3):
            await publish(site, "order.b")
        answer = (await site.api("GET", "/events/subscriptions")).json()
        [lag] = answer["durable"]
        assert (lag["waiting"], lag["enabled"], lag["worker"]) == (3, False, "")
        assert lag["oldest"] > 0
        assert 0 < lag["size"] <= answer["log"]["size"]
        assert answer["log"]["events"] == 4
        assert answer["log"]["limit"] == 1024**3
        assert answer["log"]["trouble"] == ""


async def test_a_subscription_gets_once_more_what_it_has_had_since_a_moment(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        ids = [(await publish(site, f"order.n{n}"))["id"] for n in range(3)]
        await workshop.until(lambda: len(desk.handled) == 3)
        wish = {"subscription": "mailer:order.*", "since": "1h"}
        answer = await site.api("POST", "/events/replay", json=wish)
        assert (answer.status_code, answer.json()["events"]) == (202, 3)
        await workshop.until(lambda: len(desk.handled) == 6)
        assert desk.handled == [*ids, *ids]
        wish["since"] = "2999-01-01"
        assert (await site.api("POST", "/events/replay", json=wish)).json()["events"] == 0


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"subscription": "mailer:ordr.*", "since": "1h"}, 404, "Did you mean 'mailer:order.*'"),
        ({"subscription": "mailer", "since": "1h"}, 422, "PLUGIN:PATTERN"),
        ({"subscription": "mailer:order.*", "since": "soon"}, 422, "Expected a duration"),
        ({"subscription": "mailer:order.*"}, 422, "since"),
    ],
)
async def test_a_replay_that_cannot_be_meant_is_refused_in_words(
    workshop: Any, mailer: Path, desk: Any, wish: Any, status: int, words: str
) -> None:
    async with workshop.running() as site:
        answer = await site.api("POST", "/events/replay", json=wish)
        assert answer.status_code == status
        assert words in answer.json()["detail"]


async def test_secrets_are_masked_wherever_events_are_shown(workshop: Any, desk: Any) -> None:
    desk.works = False
    fields = {"password": {"type": "string", "secret": True}}
    workshop.plugin("mailer", MAILER, events={"subscribes": ["order.*"]}, configuration=fields)
    async with workshop.running(plugins={"mailer": {"password": SECRET}}) as site:
        event = await publish(site, "order.a", password=SECRET, nested=[{SECRET: 1}])
        await publish(site, "note.a", password=SECRET)
        for letter in await letters(site, 2):
            shown = await site.api("GET", f"/events/dead/{letter['id']}")
            assert SECRET not in shown.text
        for path in ("", "/log", "/dead", f"/{event['id']}", f"/{event['id']}/trace"):
            answer = await site.api("GET", f"/events{path}")
            assert "order.a" in answer.text
            assert "********" in answer.text
            assert SECRET not in answer.text, path


async def test_the_lag_is_in_the_metrics(workshop: Any, mailer: Path, desk: Any) -> None:
    desk.works = False
    async with workshop.running() as site:
        await site.api("POST", "/plugins/mailer/disable")
        await publish(site, "order.a")
        scrape = (await site.http.get("/metrics")).text
        labels = 'plugin="mailer",subscription="order.*"'
        assert f"nexus_event_subscription_waiting{{{labels}}} 1.0" in scrape
        oldest = re.search(r"nexus_event_subscription_oldest_seconds\{.*\} (\S+)", scrape)
        assert oldest is not None
        assert float(oldest[1]) > 0
        assert "nexus_event_log_events 1.0" in scrape
        assert "nexus_event_log_appended_total 1.0" in scrape
        assert "nexus_event_log_up 1.0" in scrape


async def test_a_scrape_does_not_measure_the_lag_each_time(
    workshop: Any, mailer: Path, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workshop.running() as site:
        log = site.app.bus.durable.log
        asked = []
        measure = type(log).lag

        async def lag(self: Any) -> Any:
            asked.append(1)
            return await measure(self)

        monkeypatch.setattr(type(log), "lag", lag)
        for _ in range(5):
            assert (await site.http.get("/metrics")).status_code == 200
        assert len(asked) <= 1


async def test_a_log_that_is_nearly_full_of_what_waits_degrades_the_application(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running(events={"log_limit": 1024**2}) as site:
        await site.app.bus.publish("order.a", {"text": "x" * 100}, source="nexus")
        await workshop.until(lambda: desk.handled)
        assert (await site.http.get("/health")).json()["status"] == "healthy"
        await site.api("POST", "/plugins/mailer/disable")
        for _ in range(9):
            await site.app.bus.publish("order.a", {"text": "x" * 100_000}, source="nexus")
        answer = (await site.http.get("/health", headers=site.admin)).json()
        assert answer["status"] == "degraded"
        assert "events.log_limit" in answer["events"]["message"]
        with_more = {"name": "order.a", "data": {"text": "x" * 200_000}}
        codes = {(await site.api("POST", "/events", json=with_more)).status_code for _ in range(3)}
        assert codes == {202, 503}
        refused = await site.api("POST", "/events", json=with_more)
        assert refused.json()["code"] == "event-log-full"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb"])
async def test_what_no_database_can_hold_is_not_there(
    workshop: Any, mailer: Path, desk: Any, engine: str, new_database: Any
) -> None:
    async with AsyncExitStack() as stack:
        settings = {}
        if engine != "sqlite":
            settings["database"] = {"url": await stack.enter_async_context(new_database(engine))}
        site = await stack.enter_async_context(workshop.running(**settings))
        for odd in ("%00", "%F0%9F%98%80", "a%0Ab"):
            for path in (odd, f"{odd}/trace", f"dead/{odd}"):
                assert (await site.api("GET", f"/events/{path}")).status_code == 404, path
            assert (await site.api("GET", f"/events/dead?plugin={odd}")).json() == {"items": []}
            answer = await site.api("GET", f"/events/dead?subscription={odd}:a")
            assert answer.status_code == 422
        choice = {"ids": ["\0", "\U0001f600"]}
        done = (await site.api("POST", "/events/dead/drop", json=choice)).json()
        assert done["done"] == 0


async def test_while_the_log_is_away_that_is_said_and_recent_events_are_shown(
    workshop: Any, mailer: Path, desk: Any
) -> None:
    async with workshop.running() as site:
        event = await publish(site, "order.a")
        await workshop.until(lambda: desk.handled)
        await site.app.database.close()
        try:
            wish = {"subscription": "mailer:order.*", "since": "1h"}
            for method, path, body in (
                ("GET", "/events/log", None),
                ("GET", "/events/subscriptions", None),
                ("GET", "/events/dead", None),
                ("GET", "/events/dead/x", None),
                ("GET", "/events/x", None),
                ("GET", f"/events/{event['id']}/trace", None),
                ("POST", "/events/replay", wish),
                ("POST", "/events/dead/drop", {"ids": ["x"]}),
                ("POST", "/events", {"name": "order.b"}),
            ):
                answer = await site.api(method, path, json=body)
                assert answer.status_code == 503, (path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["retry-after"]
            assert (await site.api("GET", f"/events/{event['id']}")).status_code == 200
            assert (await items(site, "/events", name="order.*"))[0]["id"] == event["id"]
            assert "nexus_event_subscription_waiting{" not in (await site.http.get("/metrics")).text
        finally:
            await site.app.database.open()
