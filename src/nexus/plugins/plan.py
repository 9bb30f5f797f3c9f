"""Judges the whole set of plugins before any of their code is imported."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from nexus._version import __version__
from nexus.plugins.blocking import PYTHON_VERSION, Everybody, blocked_among

if TYPE_CHECKING:
    from nexus.manifest import Manifest


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
    lacks, holds = unready or {}, held or {}
    everybody = Everybody(
        manifests=manifests,
        invalid=set(invalid),
        disabled=set(disabled),
        unready=lambda manifest: lacks.get(manifest.name, ""),
        held=lambda name: holds.get(name, ""),
        occupied=lambda: occupied,
        nexus_version=nexus_version,
        python_version=python_version,
    )
    blocked = blocked_among(manifests, everybody)
    needs = {
        name: tuple(need.name for need in manifest.dependencies)
        for name, manifest in manifests.items()
        if name not in everybody.disabled and name not in blocked
    }
    order = tuple(TopologicalSorter(dict(sorted(needs.items()))).static_order())
    return Plan(order=order, needs=needs, blocked=blocked)
