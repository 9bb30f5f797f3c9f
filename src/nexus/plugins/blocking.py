"""Why plugins cannot start: what each asks for, and what the others offer."""

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
class Everybody:
    """All plugins that there are, as far as it matters to who can start.

    Attributes:
        manifests: Every readable manifest by plugin name.
        invalid: Names of plugins whose manifest is wrong.
        disabled: Names of plugins that an operator has disabled.
        unready: Says what else a plugin lacks, such as an approval; empty for nothing.
        held: Gives the place of its own where a plugin serves now; empty for none.
        occupied: Gives the places where the application has routes of its own.
        nexus_version: The version that `nexus_version` ranges are held against.
        python_version: The version that `python_version` ranges are held against.
    """

    manifests: "Mapping[str, Manifest]"
    invalid: Collection[str]
    disabled: Collection[str]
    unready: "Callable[[Manifest], str]"
    held: Callable[[str], str]
    occupied: Callable[[], Collection[str]]
    nexus_version: str = __version__
    python_version: str = PYTHON_VERSION


def nobody(_name: str) -> bool:
    """Say that there is nobody else who is blocked."""
    return False


def blocked_among(
    names: Iterable[str], everybody: Everybody, is_blocked: Callable[[str], bool] = nobody
) -> dict[str, str]:
    """Give which of some plugins cannot start, and for each the reason as a sentence.

    Args:
        names: Those to judge. Whoever depends on one of them has to be among them, and whoever
            asks for the same place.
        everybody: All that there are.
        is_blocked: Tells of a plugin that is not to be judged whether it is blocked.
    """
    wanted = {
        name: everybody.manifests[name]
        for name in names
        if name in everybody.manifests and name not in everybody.disabled
    }
    blocked: dict[str, str] = {}
    for name, manifest in wanted.items():
        reasons = " ".join(_reasons(manifest, everybody))
        if reasons:
            blocked[name] = reasons
    blocked.update({name: reason for name, reason in _cycles(wanted) if name not in blocked})
    _block_dependants(wanted, blocked, is_blocked)
    blocked.update(_contested(wanted, blocked, everybody))
    _block_dependants(wanted, blocked, is_blocked)
    return blocked


def _reasons(manifest: "Manifest", everybody: Everybody) -> Iterator[str]:
    if not manifest.accepts_nexus(everybody.nexus_version):
        yield (
            f"It needs Nexus {manifest.nexus_version}, and this is {everybody.nexus_version}."
            " Install a version of the plugin that fits, or another version of Nexus."
        )
    if not manifest.accepts_python(everybody.python_version):
        yield (
            f"It needs Python {manifest.python_version}, and this is {everybody.python_version}."
            " Run the application with a Python that fits."
        )
    yield from _dependency_reasons(manifest, everybody)
    if lacking := everybody.unready(manifest):
        yield lacking


def _dependency_reasons(manifest: "Manifest", everybody: Everybody) -> Iterator[str]:
    for need in manifest.dependencies:
        provider = everybody.manifests.get(need.name)
        if need.name in everybody.invalid:
            yield f"It needs the plugin {need.name!r}, whose manifest is invalid."
        elif provider is None:
            close = nearest(need.name, tuple(everybody.manifests))
            hint = f" Did you mean {close!r}?" if close else " Install it."
            yield f"It needs the plugin {need.name!r}, which is not there.{hint}"
        elif not need.accepts(provider.version):
            yield f"It needs {need.name}{need.specifier}, and version {provider.version} is there."
        elif need.name in everybody.disabled:
            yield (
                f"It needs the plugin {need.name!r}, which is disabled."
                f" Enable it with 'nexus plugin enable {need.name}'."
            )


def _cycles(manifests: "Mapping[str, Manifest]") -> Iterator[tuple[str, str]]:
    graph = {
        name: {need.name for need in manifest.dependencies if need.name in manifests}
        for name, manifest in sorted(manifests.items())
    }
    while any(graph.values()):
        sorter = TopologicalSorter(graph)
        try:
            sorter.prepare()
        except CycleError as error:
            # graphlib gives the cycle against the direction of "needs", and begins anywhere.
            cycle = list(reversed(error.args[1]))[1:]
            first = cycle.index(min(cycle))
            cycle = [*cycle[first:], *cycle[:first]]
            circle = " needs ".join([*cycle, cycle[0]])
            for name in cycle:
                yield name, f"Its dependencies run in a circle: {circle}. Remove one of them."
                graph.pop(name, None)
        else:
            return


def _contested(
    wanted: "Mapping[str, Manifest]", blocked: Collection[str], everybody: Everybody
) -> Mapping[str, str]:
    """Give who cannot have the place that it asks for, of those that could start otherwise."""
    mounted = {
        name: manifest
        for name, manifest in wanted.items()
        if manifest.mount and name not in blocked
    }
    if not mounted:
        return {}
    held = {name: everybody.held(name) for name in mounted}
    return dict(contested(mounted, held, everybody.occupied()))


def _block_dependants(
    manifests: "Mapping[str, Manifest]", blocked: dict[str, str], is_blocked: Callable[[str], bool]
) -> None:
    """Add whoever depends on a blocked plugin, however far away."""
    users: dict[str, list[str]] = {}
    for name, manifest in manifests.items():
        for need in manifest.dependencies:
            users.setdefault(need.name, []).append(name)
    culprits = {need for need in users if need in blocked or is_blocked(need)}
    waiting, late = deque(culprits), []
    while waiting:
        for name in users.get(waiting.popleft(), ()):
            if name not in blocked and name not in culprits:
                culprits.add(name)
                waiting.append(name)
                late.append(name)
    for name in late:
        culprit = next(need for need in manifests[name].dependencies if need.name in culprits)
        blocked[name] = f"It needs the plugin {culprit.name!r}, which is blocked."
