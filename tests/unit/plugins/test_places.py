import json
from typing import Any

from nexus.manifest import Manifest
from nexus.manifest.reader import parse_manifest
from nexus.plugins.places import Places
from nexus.plugins.plan import Plan, make_plan

BOTH = (
    "It cannot be served at /shop, which the plugins 'one' and 'two' ask for."
    ' Give one of them another "mount", or disable one.'
)


def at_shop(name: str, **more: Any) -> Manifest:
    document = {"name": name, "version": "1", "mount": "/shop", "permissions": ["http.mount"]}
    read = parse_manifest(json.dumps({**document, **more}).encode(), name)
    assert read.manifest is not None, read.problems
    return read.manifest


def plan(*manifests: Manifest, **more: Any) -> Plan:
    return make_plan({each.name: each for each in manifests}, **more)


def test_two_that_ask_for_one_place_are_blocked_and_told_of_each_other() -> None:
    assert plan(at_shop("one"), at_shop("two")).blocked == {"one": BOTH, "two": BOTH}


def test_who_serves_there_already_keeps_the_place() -> None:
    found = plan(at_shop("one"), at_shop("two"), held={"two": "/shop"})
    assert found.blocked == {"one": BOTH}
    assert found.order == ("two",)


def test_who_cannot_run_anyhow_takes_no_place_from_another() -> None:
    three = at_shop("three", dependencies=["absent"])
    unready = {"four": "It waits for approval of http.mount."}
    found = plan(
        at_shop("one"),
        at_shop("two"),
        three,
        at_shop("four"),
        disabled=["two"],
        unready=unready,
    )
    assert found.order == ("one",)
    assert sorted(found.blocked) == ["four", "three"]


def test_the_applications_own_routes_come_first() -> None:
    found = plan(at_shop("one"), held={"one": "/shop"}, occupied={"/shop"})
    assert "where the application has routes of its own" in found.blocked["one"]


def test_dependants_of_who_has_no_place_are_blocked() -> None:
    user = at_shop("user", mount="/user", dependencies=["one"])
    found = plan(at_shop("one"), at_shop("two"), user)
    assert found.blocked["user"] == "It needs the plugin 'one', which is blocked."


def test_a_place_is_known_while_nobody_serves_there() -> None:
    places = Places()
    places.learn([at_shop("two"), at_shop("one"), None], blocked=["two"])
    assert places.plugin_at("/shop") == "one"
    assert (places.place_of("two"), places.place_of("three")) == ("/shop", None)
    places.learn([], blocked=[])
    assert places.plugin_at("/shop") is None
