"""What manifests promise of events is held against what is published."""

import pickle
from types import MappingProxyType
from typing import Any

import pytest

from nexus.errors import EventContractViolated, EventDataInvalid
from nexus.events.payload import freeze
from nexus.manifest import EventDeclarations, Manifest, PublishedEvent
from nexus.plugins.event_contracts import EventContract, check_as_a_publisher

SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}, "tags": {"items": {"type": "string"}}},
}
CONTRACT = EventContract("shop", PublishedEvent(name="order.placed", version=2, schema=SCHEMA))


def manifest(name: str, **contract: Any) -> Manifest:
    event = PublishedEvent(name="order.placed", **contract)
    events = EventDeclarations(publishes=("order.placed",), contracts={"order.placed": event})
    return Manifest(name=name, version="1", events=events)


@pytest.mark.parametrize(
    "data",
    [
        {"id": 1},
        MappingProxyType({"id": 1}),
        freeze({"id": 1, "tags": ["a"]}),
        {"id": 1, "tags": MappingProxyType({})},
        {"id": 1, "tags": ("a", "b")},
    ],
)
def test_data_that_fits_has_the_version_of_the_contract(data: Any) -> None:
    assert CONTRACT.check(data) == 2


def test_data_that_does_not_fit_is_refused_with_everything_that_helps() -> None:
    with pytest.raises(EventContractViolated) as caught:
        CONTRACT.check({"id": "1", "tags": ["a", 5]})

    error = caught.value
    assert (error.plugin, error.event, error.version) == ("shop", "order.placed", 2)
    assert (error.path, error.found, error.expected) == ("$.id", '"1" (string)', "an integer")
    assert [each["path"] for each in error.problems] == ["$.id", "$.tags[1]"]
    assert "'order.placed' (version 2)" in str(error)
    assert "$.tags[1]: found 5 (integer); expected a string" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


def test_the_first_few_problems_are_told() -> None:
    with pytest.raises(EventContractViolated) as caught:
        CONTRACT.check({"id": 1, "tags": list(range(50))})

    assert len(caught.value.problems) == 5


def test_no_data_is_an_empty_object() -> None:
    with pytest.raises(EventContractViolated, match=r"\$\.id: found nothing"):
        CONTRACT.check(None)


@pytest.mark.parametrize("value", [object(), float("nan"), {1: 2}, MappingProxyType({"a": {1}})])
def test_data_that_is_not_json_is_told_as_such(value: Any) -> None:
    with pytest.raises(EventDataInvalid):
        CONTRACT.check({"id": value, "tags": [value]})


def test_text_that_cannot_be_checked_is_refused() -> None:
    with pytest.raises(EventContractViolated, match="text that UTF-8 can carry"):
        CONTRACT.check({"id": 1, "\ud800": 2})


def test_a_contract_without_schema_takes_any_data() -> None:
    contract = EventContract("shop", PublishedEvent(name="order.placed", version=7))

    assert contract.check({"anything": object()}) == 7


def test_an_operator_publishes_what_one_of_the_plugins_could() -> None:
    strict = manifest("shop", version=2, schema=SCHEMA)
    loose = manifest("market", version=1, schema={"required": ["sku"]})

    assert check_as_a_publisher("order.placed", {"id": 1}, [strict, loose]) == 2
    assert check_as_a_publisher("order.placed", {"sku": "a"}, [strict, loose]) == 1
    assert check_as_a_publisher("order.other", {}, [strict, loose]) is None
    with pytest.raises(EventContractViolated) as caught:
        check_as_a_publisher("order.placed", {}, [strict, loose])
    assert caught.value.plugin == "shop"


def test_the_plugin_that_an_event_is_named_after_is_asked_first() -> None:
    others, own = manifest("audit", version=1), manifest("order", version=3)

    assert check_as_a_publisher("order.placed", {}, [others, own]) == 3
