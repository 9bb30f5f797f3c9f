import json
from typing import Any

import pytest

from nexus.manifest import ReadResult, json_schema, parse_manifest


def read(**keys: Any) -> ReadResult:
    document = {"name": "shop", "version": "1.0.0", **keys}
    return parse_manifest(json.dumps(document).encode(), "shop")


def test_every_kind_of_use_is_read():
    uses = ["on_request", "on_event:order.*", "on_event:user.created", "on_service:bill me"]

    result = read(activation=uses, idle_stop="1h30m")

    assert result.problems == ()
    assert result.manifest is not None
    assert result.manifest.activation == tuple(uses)
    assert result.manifest.idle_stop == 5400.0
    assert result.manifest.to_dict()["activation"] == uses


def test_without_the_key_a_plugin_starts_with_the_application():
    manifest = read().manifest

    assert manifest is not None
    assert manifest.activation == ()
    assert manifest.idle_stop is None


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("onRequest", "on_request"),
        ("request", "on_request"),
        ("on_requst", "on_request"),
        ("on_event: order.*", "on_event:order.*"),
        ("onEvent:order.*", "on_event:order.*"),
        ("event:order.**", "on_event:order.**"),
        ("on_servce:billing", "on_service:billing"),
        ("on_service:", None),
        ("on_event:", None),
        ("on_event:order..*", None),
        ("sometimes", None),
    ],
)
def test_what_is_no_use_is_refused_with_the_nearest_spelling(written: str, near: str | None):
    [problem] = read(activation=["on_request", written]).errors

    assert problem.path == "$.activation[1]"
    assert '"on_request"' in problem.expected
    assert problem.nearest == near


@pytest.mark.parametrize("pattern", ["**", "*.created", "plugin.*", "system.started"])
def test_what_the_platform_says_of_a_plugin_does_not_start_it(pattern: str):
    [problem] = read(activation=[f"on_event:{pattern}"]).errors

    assert problem.path == "$.activation[0]"
    assert "first segment is a name" in problem.expected


def test_a_durable_subscription_starts_it_by_all_of_its_events_or_by_none():
    events = {"subscribes": ["order.*", "user.created"]}

    [problem] = read(activation=["on_request", "on_event:order.placed"], events=events).errors
    assert problem.path == "$.activation[1]"
    assert 'all events of "order.*"' in problem.expected
    assert problem.nearest == "on_event:order.*"
    assert read(activation=["on_event:order.**", "on_event:item.sold"], events=events).manifest


@pytest.mark.parametrize("span", [0, -1, "soon", "10 minutes", True, [], "0s"])
def test_what_is_no_span_of_time_is_refused(span: Any):
    [problem] = read(activation=["on_request"], idle_stop=span).errors

    assert problem.path == "$.idle_stop"
    assert '"10m"' in problem.expected


def test_a_plugin_that_nothing_would_start_again_must_not_stop():
    [problem] = read(idle_stop=60).errors

    assert problem.path == "$.idle_stop"
    assert '"activation" beside it' in problem.expected


def test_the_schema_for_editors_has_both_keys():
    properties = json_schema()["properties"]

    assert "on_request" in properties["activation"]["items"]["pattern"]
    assert {"type": "number", "exclusiveMinimum": 0} in properties["idle_stop"]["anyOf"]
