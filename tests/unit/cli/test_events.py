"""What the commands of `nexus events` print, of an application that a double answers for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nexus.cli.errors import ApplicationRefused
from nexus.cli.server_events import ServerEvent

ID = "01a21214-8ed0-739a-a986-58f26645a75"


def event(number: int, name: str = "order.placed", **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC) - timedelta(minutes=5) + timedelta(milliseconds=number)
    return {
        "id": f"{ID}{number}",
        "name": name,
        "data": {"n": number},
        "source": "shop",
        "timestamp": now.isoformat(),
        "correlation_id": f"{ID}0",
        "causation_id": None,
        "ordering_key": None,
        "position": number,
        **more,
    }


def letter(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{ID}{number}",
        "event": event(number),
        "subscription": "mailer:order.*",
        "owner": "mailer",
        "pattern": "order.*",
        "reason": "failed",
        "error": "ValueError: no mail server\nand more",
        "traceback": "Traceback:\n  in send",
        "attempts": 3,
        "time": event(number)["timestamp"],
        "state": "dead",
        "durable": True,
        **more,
    }


class Application:
    """Answers in the place of the management API, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.stream: list[Any] = []
        self.asked: list[Any] = []

    def get(self, path: str, **query: Any) -> Any:
        self.asked.append((path, query))
        return self._answer(path)

    def post(self, path: str, document: Any = None) -> Any:
        self.asked.append((path, document))
        return self._answer(path)

    def listen(self, path: str, **query: Any) -> Iterator[ServerEvent]:
        self.asked.append((path, query))
        for each in self.stream:
            if isinstance(each, BaseException):
                raise each
            yield each

    def _answer(self, path: str) -> Any:
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Application:
    double = Application()

    @contextmanager
    def connected(_where: Any) -> Iterator[Any]:
        yield double

    monkeypatch.setattr("nexus.cli.connection.connected", connected)
    return double


def listed(*items: Any) -> dict[str, Any]:
    return {"items": list(items)}


# tail


def test_the_last_events_are_shown_with_the_newest_at_the_bottom(nexus, running) -> None:
    running.answers = {
        "/events": listed(event(3), event(2)),
        "/events/log": listed(event(2), event(1)),
    }
    said = nexus("events", "tail", "-n", "3", "--name", "order.*")
    lines = said.out.splitlines()
    assert [line.split()[-1] for line in lines[::2]] == [f"{ID}{n}" for n in (1, 2, 3)]
    assert [line.strip() for line in lines[1::2]] == [f'{{"n": {n}}}' for n in (1, 2, 3)]
    assert max(map(len, lines)) <= 80
    assert running.asked[0] == ("/events", {"name": "order.*", "limit": 3})
    shown = nexus("events", "tail", "-n", "2", "--json").json["items"]
    assert [each["id"] for each in shown] == [f"{ID}2", f"{ID}3"]


def test_a_log_that_cannot_be_read_does_not_hide_recent_events(nexus, running) -> None:
    away = ApplicationRefused(status=503, problem="database-unavailable", detail="It is away.")
    running.answers = {"/events": listed(event(1)), "/events/log": away}
    said = nexus("events", "tail")
    assert (said.code, said.out.count("order.placed")) == (0, 1)
    assert "It is away." in said.err


def test_where_nothing_was_published_a_first_step_is_named(nexus, running) -> None:
    running.answers = {"/events": listed(), "/events/log": listed()}
    assert "nexus events publish" in nexus("events", "tail").out
    assert nexus("events", "tail", "--json").json == {"items": []}


def message(shown: dict[str, Any]) -> ServerEvent:
    return ServerEvent(kind="message", data=json.dumps(shown))


def test_following_shows_the_last_events_and_each_new_one_once(nexus, running) -> None:
    running.answers = {"/events": listed(event(1)), "/events/log": listed()}
    running.stream = [
        ServerEvent(kind="remark"),
        message(event(1)),
        message(event(2)),
        ServerEvent(kind="remark"),
        ServerEvent(kind="dropped", data='{"dropped": 7}'),
        ServerEvent(kind="end", data="{}"),
    ]
    said = nexus("events", "tail", "--follow")
    assert said.code == 0
    assert [line.split()[-1][-1] for line in said.out.splitlines()[::2]] == ["1", "2"]
    assert "7 events came too fast" in said.err
    assert "The application stops." in said.err
    lines = nexus("events", "tail", "-f", "--json").out.splitlines()
    assert [f'"id": "{ID}{n}"' in line for n, line in zip((1, 2), lines, strict=True)] == [True] * 2


def test_ctrl_c_ends_following_quietly(nexus, running) -> None:
    running.answers = {"/events": listed(), "/events/log": listed()}
    running.stream = [ServerEvent(kind="remark"), KeyboardInterrupt()]
    said = nexus("events", "tail", "--follow")
    assert (said.code, said.out, said.err) == (0, "", "")


# show, trace


def test_an_event_is_shown_whole(nexus, running) -> None:
    shown = event(1, causation_id=f"{ID}0", ordering_key="customer-7")
    running.answers = {f"/events/{ID}1": shown}
    said = nexus("events", "show", f"{ID}1")
    for words in ("order.placed", "shop", f"{ID}0", "customer-7", "position 1", '"n": 1'):
        assert words in said.out, words
    assert nexus("events", "show", f"{ID}1", "--json").json == shown
    running.answers = {f"/events/{ID}1": event(1, position=None)}
    assert "not in it" in nexus("events", "show", f"{ID}1").out


def test_an_id_is_no_way_to_another_address(nexus, running) -> None:
    refused = ApplicationRefused(status=404, problem="event-not-found", detail="There is none.")
    running.answers = {"/events/..%2Fsystem%3Fa": refused}
    said = nexus("events", "show", "../system?a")
    assert (said.code, "There is none." in said.err) == (1, True)


def node(number: int, *caused: Any) -> dict[str, Any]:
    return {"event": event(number, f"n{number}"), "caused": list(caused)}


def test_a_trace_is_drawn_as_a_tree(nexus, running) -> None:
    found = {
        "correlation_id": f"{ID}0",
        "events": 5,
        "is_complete": True,
        "items": [node(0, node(1, node(2)), node(3)), node(4)],
    }
    running.answers = {f"/events/{ID}2/trace": found}
    said = nexus("events", "trace", f"{ID}2")
    assert [line[38:].rstrip() for line in said.out.splitlines()] == [
        "n0  shop",
        "├─ n1  shop  +1 ms",
        "│  └─ n2  shop  +2 ms",
        "└─ n3  shop  +3 ms",
        "n4  shop  +4 ms",
    ]
    assert [line[:36] for line in said.out.splitlines()] == [f"{ID}{n}" for n in range(5)]
    assert nexus("events", "trace", f"{ID}2", "--json").json == found
    running.answers = {f"/events/{ID}2/trace": {**found, "is_complete": False}}
    assert "more of them" in nexus("events", "trace", f"{ID}2").err


# publish


def test_an_event_is_published_with_data_from_the_command_or_from_standard_input(
    nexus, running
) -> None:
    running.answers = {"/events": event(7)}
    said = nexus("events", "publish", "order.placed", "--data", '{"n": 7}', "--key", "k")
    assert "position 7" in said.out
    document = {"name": "order.placed", "data": {"n": 7}}
    assert running.asked == [("/events", {**document, "ordering_key": "k"})]
    assert nexus("events", "publish", "order.placed", "--data", "-", given='{"n": 7}').code == 0
    assert running.asked[-1] == ("/events", document)
    running.answers = {"/events": event(7, position=None)}
    assert "not in the event log" in nexus("events", "publish", "order.placed").out
    assert running.asked[-1] == ("/events", {"name": "order.placed", "data": {}})


@pytest.mark.parametrize("data", ["{", "[1]", "7", "{'n': 7}"])
def test_data_that_is_no_json_object_is_wrong_usage(nexus, running, data: str) -> None:
    said = nexus("events", "publish", "order.placed", "--data", data, "--json")
    assert said.code == 2
    assert said.error["code"] == "bad-argument"
    assert running.asked == []


# lag, replay


def lagging(**more: Any) -> dict[str, Any]:
    return {
        "subscription": "mailer:order.*",
        "plugin": "mailer",
        "pattern": "order.*",
        "waiting": 12345,
        "oldest": 754.0,
        "dead": 3,
        "worker": "9aeca874-0000-4000-8000-000000000000",
        "enabled": True,
        "size": 5_000_000,
        **more,
    }


LOG = {"events": 12345, "size": 5_000_000, "limit": 1024**3, "trouble": ""}


def test_who_is_behind_is_a_table_that_fits_a_terminal(nexus, running) -> None:
    durable = [lagging(), lagging(subscription="off:x.**", enabled=False, worker="")]
    running.answers = {"/events/subscriptions": {"items": [], "durable": durable, "log": LOG}}
    said = nexus("events", "lag")
    head, first, second, last = said.out.splitlines()
    assert head.split() == ["Subscription", "Waiting", "Oldest", "Dead", "Size", "Worker"]
    assert first.split() == ["mailer:order.*", "12,345", "13", "min", "3", "4.8", "MiB", "9aeca874"]
    assert second.split()[-1] == "disabled"
    assert last.startswith("The event log has 12345 events: 4.8 MiB of 1.0 GiB")
    assert max(map(len, said.out.splitlines())) <= 80
    assert nexus("events", "lag", "--json").json == {"items": durable, "log": LOG}


def test_where_nothing_is_durable_the_key_of_the_manifest_is_named(nexus, running) -> None:
    log = {**LOG, "trouble": "No server."}
    running.answers = {"/events/subscriptions": {"items": [], "durable": [], "log": log}}
    said = nexus("events", "lag")
    assert "events.subscribes" in said.out
    assert "cannot be worked with: No server." in said.out


def test_a_replay_tells_how_many_events_it_is(nexus, running) -> None:
    done = {"subscription": "mailer:order.*", "since": "2026-11-25T08:41:34.33Z", "events": 2}
    running.answers = {"/events/replay": done}
    words = ("events", "replay", "-s", "mailer:order.*", "--since", "2h")
    assert "2 events since 2026-11-25 08:41:34 UTC" in nexus(*words).out
    assert running.asked == [("/events/replay", {"subscription": "mailer:order.*", "since": "2h"})]
    assert nexus(*words, "--json").json == done
    running.answers = {"/events/replay": {**done, "events": 0}}
    assert "no event" in nexus(*words).out


# dead letters


def test_dead_letters_are_listed_with_what_and_why(nexus, running) -> None:
    running.answers = {
        "/events/dead": listed(letter(2, durable=False, attempts=0), letter(1, state="retrying"))
    }
    said = nexus("events", "dead", "list", "--plugin", "mailer")
    assert running.asked == [
        ("/events/dead", {"plugin": "mailer", "subscription": None, "limit": 100})
    ]
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[::3]] == [f"{ID}2", f"{ID}1"]
    assert lines[0].endswith("5 min ago   failed")
    assert lines[1].strip() == "order.placed for mailer:order.* (in memory)"
    assert lines[2].strip() == "ValueError: no mail server"
    assert lines[3].endswith("failed, 3 attempts  retrying")
    assert max(map(len, lines)) <= 80
    said = nexus("events", "dead", "list", "-n", "2")
    assert "newest 2" in said.err


def test_no_dead_letters_is_good_news(nexus, running) -> None:
    running.answers = {"/events/dead": listed()}
    assert nexus("events", "dead", "list").out == "There are no dead letters.\n"
    assert nexus("events", "dead", "list", "--json").json == {"items": []}


def test_a_dead_letter_is_shown_with_its_traceback_and_its_event(nexus, running) -> None:
    running.answers = {f"/events/dead/{ID}1": letter(1)}
    said = nexus("events", "dead", "show", f"{ID}1")
    for words in ("mailer:order.*", "and more", "in send", "failed, 3 attempts", '"n": 1'):
        assert words in said.out, words


@pytest.mark.parametrize(("verb", "path"), [("retry", "replay"), ("drop", "drop")])
def test_dead_letters_are_dealt_with_by_their_ids(nexus, running, verb: str, path: str) -> None:
    running.answers = {f"/events/dead/{path}": {"done": 2, "refused": []}}
    said = nexus("events", "dead", verb, "a", "b")
    assert (said.code, said.out[:15]) == (0, "2 dead letters ")
    assert running.asked == [(f"/events/dead/{path}", {"ids": ["a", "b"]})]
    refused = {"id": "b", "code": "dead-letter-not-found", "detail": "There is no b."}
    running.answers = {f"/events/dead/{path}": {"done": 1, "refused": [refused]}}
    said = nexus("events", "dead", verb, "a", "b")
    assert (said.code, said.out[:14]) == (1, "1 dead letter ")
    assert "There is no b." in said.err
    assert nexus("events", "dead", verb, "a", "b", "--json").json["refused"] == [refused]


def test_all_of_a_subscription_are_retried_or_with_yes_dropped(nexus, running) -> None:
    running.answers = {
        "/events/dead/replay": {"done": 2, "refused": []},
        "/events/dead/drop": {"done": 0, "refused": []},
    }
    choice = {"subscription": "mailer:order.*"}
    assert nexus("events", "dead", "retry", "-s", "mailer:order.*").code == 0
    assert running.asked == [("/events/dead/replay", choice)]
    said = nexus("events", "dead", "drop", "-s", "mailer:order.*", "--yes")
    assert said.out == "mailer:order.* has no dead letters.\n"
    assert running.asked[1:] == [("/events/dead/drop", choice)]


def test_where_nobody_can_be_asked_nothing_is_dropped_without_yes(nexus, running) -> None:
    for more in ((), ("--json",)):
        said = nexus("events", "dead", "drop", "-s", "mailer:order.*", *more)
        assert said.code == 2
        assert "--yes" in said.err
    assert running.asked == []


@pytest.mark.parametrize("verb", ["retry", "drop"])
@pytest.mark.parametrize("words", [(), ("a", "-s", "mailer:order.*")])
def test_which_dead_letters_are_meant_has_to_be_clear(nexus, running, verb, words) -> None:
    assert nexus("events", "dead", verb, *words).code == 2
    assert running.asked == []


def test_health_tells_of_a_log_that_is_not_well(nexus, running) -> None:
    report = {
        "status": "degraded",
        "database": {"status": "healthy", "seconds": 0.001},
        "events": {"status": "degraded", "message": "The event log is nearly full."},
        "plugins": {},
    }
    running.health = lambda: report
    running.answers = {"/system/maintenance": {"on": False, "message": None}}
    said = nexus("health")
    assert said.code == 1
    assert "The event log is degraded. The event log is nearly full." in said.out
