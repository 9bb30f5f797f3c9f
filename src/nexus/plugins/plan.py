"""Judges the whole set of plugins before any of their code is imported."""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from nexus._version import __version__
from nexus.errors import nearest
from nexus.plugins.places import contested

if TYPE_CHECKING:
    from nexus.manifest import Manifest

PYTHON_VERSION = ".".join(str(part) for part in sys.version_info[:3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who can start, after whom, and who cannot, and why.

    Attributes:
        order: The names that can start; dependencies come before their dependants.
        needs: For each of them, the plugins that must be running first.
        blocked: For each of the others, the reason as a sentence.
    """

    order: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    blocked: Mapping[str, str]

    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Group the order into sets that can start side by side."""
        depth: dict[str, int] = {}
        for name in self.order:
            depth[name] = 1 + max((depth[need] for need in self.needs[name]), default=-1)
        height = max(depth.values(), default=-1) + 1
        return tuple(
            tuple(name for name in self.order if depth[name] == level) for level in range(height)
        )


def make_plan(
    manifests: "Mapping[str, Manifest]",
    *,
    invalid: Collection[str] = (),
    disabled: Collection[str] = (),
    unready: Mapping[str, str] | None = None,
    held: Mapping[str, str] | None = None,
    occupied: Collection[str] = (),
    nexus_version: str = __version__,
    python_version: str = PYTHON_VERSION,
) -> Plan:
    """Decide who can start.

    Args:
        manifests: Every readable manifest by plugin name.
        invalid: Names of plugins whose manifest is wrong.
        disabled: Names of plugins that an operator has disabled.
        unready: Plugins that lack something else, such as a required setting, and what.
        held: Plugins that serve at a place of their own now, and where.
        occupied: The places where the application has routes of its own.
        nexus_version: The version that `nexus_version` ranges are held against.
        python_version: The version that `python_version` ranges are held against.
    """
    blocked: dict[str, str] = {}
    disabled = set(disabled)
    for name, manifest in manifests.items():
        if name in disabled:
            continue
        reasons = [
            *_platform_reasons(manifest, nexus_version, python_version),
            *_dependency_reasons(manifest, manifests, set(invalid), disabled),
        ]
        if unready and name in unready:
            reasons.append(unready[name])
        if reasons:
            blocked[name] = " ".join(reasons)
    wanted = {name: manifests[name] for name in manifests if name not in disabled}
    blocked.update({name: reason for name, reason in _cycles(wanted) if name not in blocked})
    _block_dependants(wanted, blocked)
    free = {name: wanted[name] for name in wanted if name not in blocked}
    blocked.update(contested(free, held or {}, occupied))
    _block_dependants(wanted, blocked)
    needs = {
        name: tuple(need.name for need in manifest.dependencies)
        for name, manifest in wanted.items()
        if name not in blocked
    }
    order = tuple(TopologicalSorter(dict(sorted(needs.items()))).static_order())
    return Plan(order=order, needs=needs, blocked=blocked)


def _platform_reasons(manifest: "Manifest", nexus_version: str, python_version: str) -> list[str]:
    reasons = []
    if not manifest.accepts_nexus(nexus_version):
        reasons.append(
            f"It needs Nexus {manifest.nexus_version}, and this is {nexus_version}."
            " Install a version of the plugin that fits, or another version of Nexus."
        )
    if not manifest.accepts_python(python_version):
        reasons.append(
            f"It needs Python {manifest.python_version}, and this is {python_version}."
            " Run the application with a Python that fits."
        )
    return reasons


def _dependency_reasons(
    manifest: "Manifest",
    manifests: "Mapping[str, Manifest]",
    invalid: Collection[str],
    disabled: Collection[str],
) -> list[str]:
    reasons = []
    for need in manifest.dependencies:
        provider = manifests.get(need.name)
        if need.name in invalid:
            reasons.append(f"It needs the plugin {need.name!r}, whose manifest is invalid.")
        elif provider is None:
            close = nearest(need.name, tuple(manifests))
            hint = f" Did you mean {close!r}?" if close else " Install it."
            reasons.append(f"It needs the plugin {need.name!r}, which is not there.{hint}")
        elif not need.accepts(provider.version):
            reasons.append(
                f"It needs {need.name}{need.specifier}, and version {provider.version} is there."
            )
        elif need.name in disabled:
            reasons.append(
                f"It needs the plugin {need.name!r}, which is disabled."
                f" Enable it with 'nexus plugin enable {need.name}'."
            )
    return reasons


def _cycles(manifests: "Mapping[str, Manifest]") -> Iterable[tuple[str, str]]:
    graph = {
        name: {need.name for need in manifest.dependencies if need.name in manifests}
        for name, manifest in sorted(manifests.items())
    }
    while True:
        sorter = TopologicalSorter(graph)
        try:
            sorter.prepare()
        except CycleError as error:
            # graphlib gives the cycle against the direction of "needs".
            cycle = list(reversed(error.args[1]))
            circle = " needs ".join(cycle)
            for name in cycle[:-1]:
                yield name, f"Its dependencies run in a circle: {circle}. Remove one of them."
                graph.pop(name, None)
        else:
            return


def _block_dependants(manifests: "Mapping[str, Manifest]", blocked: dict[str, str]) -> None:
    changed = True
    while changed:
        changed = False
        for name, manifest in manifests.items():
            if name in blocked:
                continue
            for need in manifest.dependencies:
                if need.name in blocked:
                    blocked[name] = f"It needs the plugin {need.name!r}, which is blocked."
                    changed = True
                    break
