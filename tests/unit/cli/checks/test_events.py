"""Publishers and subscribers of one application are compared."""

import json
from typing import Any

import pytest

from nexus.cli.checks import EventsOfCode, Finding, Party, check_events
from nexus.manifest import parse_manifest

NEEDS_ID = {"required": ["id"], "properties": {"id": {"type": "integer"}}}


def party(name: str, code: EventsOfCode | None = None, **events: Any) -> Party:
    document = {"name": name, "version": "1", "events": events}
    manifest = parse_manifest(json.dumps(document).encode()).manifest
    assert manifest is not None
    return Party(manifest=manifest, code=code or EventsOfCode())


def shop(**contract: Any) -> Party:
    return party("shop", publishes=[{"name": "order.placed", **contract}])


def billing(**wish: Any) -> Party:
    return party("billing", subscribes=["x.y", {"pattern": "order.*", **wish}])


def check(*parties: Party, of: str | None = None, is_whole: bool = False) -> list[Any]:
    names = [each.manifest.name for each in parties] if of is None else [of]
    found = check_events(parties, names, is_whole=is_whole)
    return [(plugin, finding) for plugin in found for finding in found[plugin]]


def only(found: list[Any]) -> tuple[str, Finding]:
    [(plugin, finding)] = found
    return plugin, finding


@pytest.mark.parametrize("published", [1, None])
def test_a_version_that_no_publisher_offers_is_an_error(published: int | None) -> None:
    contract = {} if published is None else {"version": published}

    plugin, finding = only(check(shop(**contract), billing(version=">=2,<4")))

    assert (plugin, finding.level) == ("billing", "error")
    assert finding.place == "manifest.json $.events.subscribes[1].version"
    assert "plugin 'billing' takes version >=2,<4 of 'order.*'" in finding.message
    assert "plugin 'shop' publishes 'order.placed'" in finding.message
    assert "manifest.json $.events.publishes[0]" in finding.message
    assert "No plugin offers that version" in finding.message


def test_a_version_that_one_of_several_publishers_offers_is_a_warning_about_the_others() -> None:
    other = party("market", publishes=[{"name": "order.sent", "version": 1}])

    _, finding = only(check(shop(version=2), other, billing(version=2)))

    assert finding.level == "warning"
    assert "'market' publishes 'order.sent' as version 1" in finding.message


def test_versions_that_fit_are_left_alone() -> None:
    assert check(shop(version=3), billing(version=">=2,<4")) == []
    assert check(shop(version=3), billing()) == []


def test_what_a_schema_does_not_guarantee_is_an_error_that_names_both() -> None:
    promise = {"properties": {"id": {"type": "string"}}}

    found = [each for _, each in check(shop(schema=promise), billing(schema=NEEDS_ID))]

    assert [each.level for each in found] == ["error", "error"]
    assert {each.place for each in found} == {"manifest.json $.events.subscribes[1].schema"}
    assert found[0].message == (
        "$.id of 'order.placed' is not required by the schema of plugin 'shop' (manifest.json"
        " $.events.publishes[0].schema), and required by that of plugin 'billing'. Have the"
        ' handler do with less, or add "id" to "required" in the publisher\'s schema.'
    )
    assert "$.id of 'order.placed' is string by the schema" in found[1].message


def test_a_needed_schema_that_a_publisher_does_not_have_is_a_warning() -> None:
    _, finding = only(check(shop(version=1), billing(schema=NEEDS_ID)))

    assert finding.level == "warning"
    assert "without a schema" in finding.message


def test_a_publisher_of_a_version_that_is_refused_is_not_compared_further() -> None:
    found = check(shop(version=1, schema={}), billing(version=2, schema=NEEDS_ID))

    assert [each.place for _, each in found] == ["manifest.json $.events.subscribes[1].version"]


def test_the_publisher_is_told_when_it_alone_is_checked() -> None:
    plugin, finding = only(check(shop(version=1), billing(version=2), of="shop"))

    assert (plugin, finding.place) == ("shop", "manifest.json $.events.publishes[0]")
    assert check(shop(version=1), billing(version=2), party("other"), of="other") == []


def test_a_subscription_that_nobody_publishes_is_a_note() -> None:
    lonely = party("lonely", subscribes=["order.place"])

    plugin, finding = only(check(shop(), lonely, is_whole=True))

    assert (plugin, finding.level) == ("lonely", "note")
    assert finding.place == "manifest.json $.events.subscribes[0]"
    assert "Did you mean 'order.placed'?" in finding.message
    assert check(shop(), lonely, is_whole=False) == []


@pytest.mark.parametrize("pattern", ["system.ready", "plugin.*", "**", "*.running", "shop.sold"])
def test_what_the_platform_or_anybody_may_publish_is_no_lonely_subscription(pattern: str) -> None:
    code = EventsOfCode(published=frozenset({"shop.sold"}))

    assert check(party("shop", code), party("a", subscribes=[pattern]), is_whole=True) == []


@pytest.mark.parametrize(
    "code", [EventsOfCode(computes=True), EventsOfCode(requested=frozenset({"shop.price"}))]
)
def test_names_made_at_run_time_and_requests_are_not_missed(code: EventsOfCode) -> None:
    listener = party("listener", subscribes=["shop.price"])

    assert check(party("shop", code), listener, is_whole=True) == []
    assert len(check(party("shop"), listener, is_whole=True)) == 1


@pytest.mark.parametrize(
    ("one", "other", "level", "said"),
    [
        ({"version": 1}, {"version": 2}, "error", "as version 2"),
        ({"schema": {}}, {"schema": NEEDS_ID}, "error", "with another schema"),
        ({"version": 1, "schema": {}}, {"version": 1}, "error", "without a schema"),
        ({"version": 1}, {}, "warning", "without a version and a schema"),
    ],
)
def test_publishers_of_one_event_have_one_contract(
    one: dict[str, Any], other: dict[str, Any], level: str, said: str
) -> None:
    second = party("web_shop", publishes=[{"name": "order.placed", **other}])

    plugin, finding = only(check(shop(**one), second))

    assert (plugin, finding.level) == ("web_shop", level)
    assert "plugin 'shop' publishes 'order.placed'" in finding.message
    assert f"plugin 'web_shop' publishes it {said}" in finding.message


def test_the_plugin_that_an_event_is_named_after_has_the_say() -> None:
    owner = party("order", publishes=[{"name": "order.placed", "version": 2}])
    guest = party("a_guest", publishes=[{"name": "order.placed", "version": 1}])

    assert only(check(guest, owner))[0] == "a_guest"


def test_publishers_that_agree_are_left_alone() -> None:
    second = party("web_shop", publishes=[{"name": "order.placed", "version": 1}])

    assert check(shop(version=1), second) == []
