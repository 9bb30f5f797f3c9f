"""What a manifest says of events beside their names."""

import json
from dataclasses import fields
from typing import Any

import pytest

from nexus.events import SubscriptionOptions
from nexus.manifest import PublishedEvent, ReadResult, SubscribedEvents, parse_manifest

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}


def read(**events: Any) -> ReadResult:
    document = {"name": "shop", "version": "1", "events": events}
    return parse_manifest(json.dumps(document).encode(), "shop")


def events_of(result: ReadResult) -> Any:
    assert result.problems == ()
    assert result.manifest is not None
    return result.manifest.events


def test_names_and_objects_stand_side_by_side_and_the_names_stay_a_tuple_of_texts() -> None:
    events = events_of(
        read(
            publishes=["order.seen", {"name": "order.placed", "version": 2, "schema": SCHEMA}],
            subscribes=[{"pattern": "user.*", "concurrency": 4, "timeout": 1.5}, "plugin.**"],
        )
    )

    assert events.publishes == ("order.seen", "order.placed")
    assert events.subscribes == ("user.*", "plugin.**")
    assert events.contracts == {
        "order.placed": PublishedEvent(name="order.placed", version=2, schema=SCHEMA)
    }
    assert events.subscriptions["user.*"].options == {"concurrency": 4, "timeout": 1.5}
    assert set(events.subscriptions) == {"user.*"}


def test_an_object_that_says_no_more_than_the_name_is_the_name() -> None:
    told = events_of(read(publishes=[{"name": "a.b"}], subscribes=[{"pattern": "c.*"}]))

    assert told == events_of(read(publishes=["a.b"], subscribes=["c.*"]))


def test_a_name_under_the_plugins_own_may_have_a_contract() -> None:
    events = events_of(read(publishes=[{"name": "shop.sold", "version": 1}]))

    assert events.contracts["shop.sold"].version == 1


def test_what_was_read_is_written_again() -> None:
    declared = {
        "publishes": ["a.b", {"name": "shop.sold", "version": 1, "schema": SCHEMA}],
        "subscribes": [{"pattern": "c.*", "version": ">=2,<4", "max_attempts": 5}, "d.e"],
    }
    manifest = read(**declared).manifest

    assert manifest is not None
    assert manifest.to_dict()["events"] == declared
    again = parse_manifest(json.dumps(manifest.to_dict()).encode(), "shop").manifest
    assert again == manifest


def test_the_options_of_a_subscription_are_those_of_the_code() -> None:
    known = {each.name for each in fields(SubscribedEvents)} - {"pattern", "version", "schema"}

    # A scope is for what is not declared: that is once in the cluster.
    assert known == {each.name for each in fields(SubscriptionOptions)} - {"scope"}


@pytest.mark.parametrize(
    ("events", "path"),
    [
        ({"publishes": [5]}, "$.events.publishes[0]"),
        ({"publishes": [{"version": 2}]}, "$.events.publishes[0].name"),
        ({"publishes": [{"name": "a.*"}]}, "$.events.publishes[0].name"),
        ({"publishes": [{"name": "a.b", "version": 0}]}, "$.events.publishes[0].version"),
        ({"publishes": [{"name": "a.b", "version": True}]}, "$.events.publishes[0].version"),
        ({"publishes": [{"name": "a.b", "version": "2"}]}, "$.events.publishes[0].version"),
        ({"publishes": [{"name": "a.b", "schema": []}]}, "$.events.publishes[0].schema"),
        (
            {"publishes": ["a.b", {"name": "a.b", "version": 1}]},
            "$.events.publishes[1]",
        ),
        ({"subscribes": [{"pattern": "a.**.b"}]}, "$.events.subscribes[0].pattern"),
        ({"subscribes": [{"pattern": "a", "version": "^2"}]}, "$.events.subscribes[0].version"),
        ({"subscribes": [{"pattern": "a", "version": 0}]}, "$.events.subscribes[0].version"),
        (
            {"subscribes": [{"pattern": "a", "concurrency": 0}]},
            "$.events.subscribes[0].concurrency",
        ),
        (
            {"subscribes": [{"pattern": "a", "max_attempts": 1.5}]},
            "$.events.subscribes[0].max_attempts",
        ),
        ({"subscribes": [{"pattern": "a", "timeout": 0}]}, "$.events.subscribes[0].timeout"),
        ({"subscribes": [{"pattern": "a", "timeout": "1"}]}, "$.events.subscribes[0].timeout"),
        ({"subscribes": [{"pattern": "a", "priority": 0.5}]}, "$.events.subscribes[0].priority"),
    ],
)
def test_what_is_wrong_is_refused_at_its_path(events: dict[str, Any], path: str) -> None:
    result = read(**events)

    assert [each.path for each in result.errors] == [path]
    assert result.manifest is None


@pytest.mark.parametrize(
    ("schema", "below", "expected"),
    [
        ({"type": "objct"}, ".type", "one of array, boolean"),
        ({"properties": {"a": {"type": "text"}}}, ".properties.a.type", "one of array, boolean"),
        ({"properties": {"a": {"minimum": "1"}}}, ".properties.a.minimum", "a number"),
        ({"required": "id"}, ".required", "an array"),
        (
            {"properties": {"a": {"pattern": "(?=a)b"}}},
            ".properties.a.pattern",
            "linear time",
        ),
        ({"$ref": "#/$defs/none"}, "", "references within the schema"),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, "", "references within the schema"),
        ({"type": "string"}, ".type", "since the data of an event is one"),
        ({"type": ["string", "null"]}, ".type", "since the data of an event is one"),
    ],
)
@pytest.mark.parametrize(("key", "name"), [("publishes", "name"), ("subscribes", "pattern")])
def test_a_bad_schema_is_a_problem_at_its_own_path(
    schema: dict[str, Any], below: str, expected: str, key: str, name: str
) -> None:
    [problem] = read(**{key: [{name: "a.b", "schema": schema}]}).errors

    assert problem.path == f"$.events.{key}[0].schema{below}"
    assert expected in problem.expected


def test_an_unknown_key_is_a_warning_with_the_nearest_spelling() -> None:
    result = read(subscribes=[{"pattern": "a.b", "concurency": 4}])

    [problem] = result.problems
    assert (problem.path, problem.severity) == ("$.events.subscribes[0].concurency", "warning")
    assert problem.nearest == "concurrency"
    assert result.manifest is not None


def test_a_repeated_entry_is_a_warning_as_a_repeated_name_is() -> None:
    entry = {"name": "a.b", "schema": SCHEMA}
    result = read(publishes=[entry, entry])

    [problem] = result.problems
    assert (problem.path, problem.severity) == ("$.events.publishes[1]", "warning")


@pytest.mark.parametrize(
    ("wanted", "taken", "refused"),
    [(None, [None, 1, 7], []), (2, [2], [None, 1, 3]), (">=2,<4", [2, 3], [None, 1, 4])],
)
def test_a_subscription_takes_the_versions_that_it_names(
    wanted: Any, taken: list[Any], refused: list[Any]
) -> None:
    subscribed = SubscribedEvents(pattern="a", version=wanted)

    assert all(subscribed.accepts(each) for each in taken)
    assert not any(subscribed.accepts(each) for each in refused)
