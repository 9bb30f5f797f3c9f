import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.manifest import Manifest
from nexus.manifest.reader import parse_manifest
from nexus.plugins.plan import Plan, make_plan


def manifest(name: str, **more: Any) -> Manifest:
    raw = json.dumps({"name": name, "version": "1.0.0", **more}).encode()
    read = parse_manifest(raw, name)
    assert read.manifest is not None, read.problems
    return read.manifest


def plan(*manifests: Manifest, **more: Any) -> Plan:
    return make_plan({each.name: each for each in manifests}, **more)


def test_dependencies_come_before_their_dependants_in_waves() -> None:
    found = plan(
        manifest("top", dependencies=["left", "right"]),
        manifest("left", dependencies=["base"]),
        manifest("right", dependencies=["base"]),
        manifest("base"),
        manifest("alone"),
    )
    assert found.waves() == (("alone", "base"), ("left", "right"), ("top",))
    assert found.needs["top"] == ("left", "right")
    assert found.blocked == {}


def test_an_empty_plan_has_no_waves() -> None:
    assert plan().waves() == ()


@pytest.mark.parametrize(
    ("need", "reason"),
    [
        ("base>=2", "It needs base>=2, and version 1.0.0 is there."),
        ("base<1", "It needs base<1, and version 1.0.0 is there."),
        ("bass", "Did you mean 'base'?"),
        ("something_else", "which is not there. Install it."),
        ("off", "Enable it with 'nexus plugin enable off'."),
        ("wrong", "whose manifest is invalid."),
    ],
)
def test_what_a_plugin_needs_in_vain_is_its_reason(need: str, reason: str) -> None:
    found = plan(
        manifest("user", dependencies=[need]),
        manifest("base"),
        manifest("off"),
        disabled=["off"],
        invalid=["wrong"],
    )
    assert reason in found.blocked["user"]
    assert "user" not in found.order


def test_versions_of_the_platform_and_of_python_are_held_against_the_manifest() -> None:
    user = manifest("user", nexus_version=">=2", python_version="<3.11")
    found = plan(user, nexus_version="1.9.0", python_version="3.11.4")
    assert "It needs Nexus >=2, and this is 1.9.0." in found.blocked["user"]
    assert "It needs Python <3.11, and this is 3.11.4." in found.blocked["user"]
    assert plan(user, nexus_version="2.0.0.dev3", python_version="3.10.1").order == ("user",)


def test_all_reasons_are_told_at_once() -> None:
    found = plan(
        manifest("user", dependencies=["nobody", "base>=3"]),
        manifest("base"),
        unready={"user": "It lacks a key."},
    )
    assert "nobody" in found.blocked["user"]
    assert "base>=3" in found.blocked["user"]
    assert "It lacks a key." in found.blocked["user"]


def test_a_circle_is_named_in_the_direction_of_needing() -> None:
    found = plan(
        manifest("a", dependencies=["b"]),
        manifest("b", dependencies=["c"]),
        manifest("c", dependencies=["a"]),
        manifest("d", dependencies=["a"]),
        manifest("e"),
    )
    circle = found.blocked["b"]
    assert any(
        path in circle for path in ("a needs b needs c needs a", "b needs c needs a needs b")
    )
    assert found.blocked["d"] == "It needs the plugin 'a', which is blocked."
    assert found.order == ("e",)


def test_two_circles_are_both_named() -> None:
    pairs = [("a", "b"), ("b", "a"), ("x", "y"), ("y", "x")]
    found = plan(*(manifest(name, dependencies=[need]) for name, need in pairs))
    assert found.blocked.keys() == {"a", "b", "x", "y"}
    assert "x" not in found.blocked["a"].split("circle:")[1]


def test_a_disabled_plugin_is_neither_started_nor_blocked() -> None:
    found = plan(manifest("off", dependencies=["nobody"]), disabled=["off"])
    assert (found.order, found.blocked) == ((), {})


def test_what_needs_a_blocked_plugin_is_blocked_however_far_away() -> None:
    chain = [manifest("p0", dependencies=["nobody"])]
    chain += [manifest(f"p{n}", dependencies=[f"p{n - 1}"]) for n in range(1, 6)]
    found = plan(*reversed(chain))
    assert found.blocked.keys() == {each.name for each in chain}
    assert found.blocked["p5"] == "It needs the plugin 'p4', which is blocked."


NAMES = [f"n{number}" for number in range(8)]
graphs = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from([*NAMES, "nobody"])))


@given(graph=graphs, disabled=st.sets(st.sampled_from(NAMES)))
def test_the_order_is_topological_and_splits_the_wanted_from_the_blocked(
    graph: dict[str, set[str]], disabled: set[str]
) -> None:
    graph = {name: needs - {name} for name, needs in graph.items()}
    found = plan(
        *(manifest(name, dependencies=sorted(needs)) for name, needs in graph.items()),
        disabled=disabled,
    )
    wanted = graph.keys() - disabled
    assert set(found.order) | found.blocked.keys() == wanted
    assert not set(found.order) & found.blocked.keys()
    for index, name in enumerate(found.order):
        assert graph[name] <= set(found.order[:index])
    for name in found.blocked:
        assert not _startable(name, graph, wanted)
    assert [name for wave in found.waves() for name in wave] == sorted(
        found.order, key=lambda name: (_depth(name, graph), found.order.index(name))
    )


def _startable(name: str, graph: dict[str, set[str]], wanted: set[str]) -> bool:
    started: set[str] = set()
    while True:
        more = {each for each in wanted - started if graph[each] <= started}
        if not more:
            return name in started
        started |= more


def _depth(name: str, graph: dict[str, set[str]]) -> int:
    return 1 + max((_depth(need, graph) for need in graph[name]), default=-1)
