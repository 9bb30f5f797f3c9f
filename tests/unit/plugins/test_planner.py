"""The planner says what a plan of all plugins says, and judges no more of them than it must."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.manifest import Manifest
from nexus.manifest.reader import parse_manifest
from nexus.plugins.plan import Plan, make_plan
from nexus.plugins.planner import Candidate, Judgment, Planner

NAMES = tuple("abcdef")
HELD = {"a": "/shop"}
OCCUPIED = ("/taken",)
NEEDS = st.lists(st.sampled_from([*NAMES, "g", "a>=2", "b<2"]), max_size=3, unique=True)


def candidate(name: str, *needs: str, enabled: bool = True, **more: Any) -> Candidate:
    raw = {"name": name, "version": "1.0.0", "dependencies": list(needs), **more}
    return Candidate(
        name=name,
        manifest=parse_manifest(json.dumps(raw).encode(), name).manifest,
        enabled=enabled,
    )


def unready(manifest: Manifest) -> str:
    return "It waits." if "events.publish" in manifest.permissions else ""


def new_planner() -> Planner:
    return Planner(unready, lambda name: HELD.get(name, ""), lambda: OCCUPIED)


def plan_of(everybody: Mapping[str, Candidate]) -> Plan:
    manifests = {name: each.manifest for name, each in everybody.items() if each.manifest}
    return make_plan(
        manifests,
        invalid=[name for name, each in everybody.items() if each.manifest is None],
        disabled=[name for name, each in everybody.items() if not each.enabled],
        unready={name: unready(each) for name, each in manifests.items()},
        held=HELD,
        occupied=OCCUPIED,
    )


def said(plan: Plan, name: str) -> Judgment:
    return Judgment(plan.blocked.get(name, ""), plan.needs.get(name, ()))


def alike(one: Judgment, two: Judgment) -> bool:
    """Compare; of circles that are tangled, either may be named."""
    tangled = ("run in a circle", "which is blocked")
    return one == two or all(any(words in each.blocked for words in tangled) for each in (one, two))


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    name = draw(st.sampled_from(NAMES))
    needs = [each for each in draw(NEEDS) if each[0] != name]
    version = draw(st.sampled_from(["1.0.0", "2.0.0", "not one"]))
    permissions = draw(st.sampled_from([[], ["events.publish"]]))
    enabled = draw(st.sampled_from([True, True, False]))
    mount = draw(st.sampled_from(["", "", "/shop", "/store", "/taken"]))
    more = {"mount": mount, "permissions": ["http.mount", *permissions]} if mount else {}
    return candidate(
        name,
        *needs,
        enabled=enabled,
        **{"version": version, "permissions": permissions, **more},
    )


@given(first=st.lists(candidates()), changes=st.lists(candidates(), max_size=12))
def test_it_says_what_a_plan_of_all_says_after_each_change(
    first: Sequence[Candidate], changes: Sequence[Candidate]
) -> None:
    everybody = {each.name: each for each in first}
    planner = new_planner()
    planner.begin(everybody.values())
    for each in changes:
        before = {name: planner.judgment(name) for name in NAMES}
        after = {**everybody, each.name: each}
        plan = plan_of(after)
        if each.manifest is not None and each.enabled:
            assert alike(planner.trial(each), said(plan, each.name))
        assert before == {name: planner.judgment(name) for name in NAMES}  # a trial is no change
        told = planner.change(each)
        everybody = after
        for name in NAMES:
            now = planner.judgment(name)
            assert alike(now, said(plan, name))
            assert name in told or now == before[name]
            needing = {
                other.name
                for other in everybody.values()
                if other.manifest and name in [need.name for need in other.manifest.dependencies]
            }
            assert set(planner.dependants(name)) == needing


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the names of the plugins that are judged, in order."""
    names: list[str] = []
    accepts = Manifest.accepts_nexus

    def counted(self: Manifest, version: str) -> bool:
        names.append(self.name)
        return accepts(self, version)

    monkeypatch.setattr(Manifest, "accepts_nexus", counted)
    return names


def test_a_change_has_nobody_judged_whom_it_does_not_concern(judged: list[str]) -> None:
    planner = new_planner()
    crowd = [candidate(f"other_{number}") for number in range(300)]
    planner.begin([candidate("base"), candidate("user", "base"), candidate("far", "user"), *crowd])
    judged.clear()
    # To others it is what it was.
    again = candidate("base", description="another text")
    assert planner.trial(again) == Judgment()
    assert planner.change(again) == set()
    assert set(judged) == {"base"}
    judged.clear()
    # What depends on it, however far away, may be concerned by its version.
    assert planner.change(candidate("base", version="2.0.0")) == set()
    assert set(judged) == {"base", "user", "far"}
    judged.clear()
    assert planner.change(candidate("base", enabled=False)) == {"user", "far"}
    assert set(judged) == {"user", "far"}
    judged.clear()
    # What it needs itself is not judged for it.
    assert planner.change(candidate("far", "other_7")) == {"far"}
    assert set(judged) == {"far"}
