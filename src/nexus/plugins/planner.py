"""Keeps the judgment of all plugins, and judges anew whom a change concerns and nobody else."""

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nexus.plugins.blocking import Everybody, blocked_among

if TYPE_CHECKING:
    from nexus.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One plugin, as far as it matters to who can start.

    Attributes:
        name: Its name.
        manifest: Its manifest; None when that is invalid.
        enabled: Whether it should run.
    """

    name: str
    manifest: "Manifest | None"
    enabled: bool


@dataclass(frozen=True, slots=True)
class Judgment:
    """What is said of one plugin.

    Attributes:
        blocked: Why it cannot start; empty when it can.
        needs: The plugins that must be running first, where it can start.
    """

    blocked: str = ""
    needs: tuple[str, ...] = ()


class Planner:
    """Says of each plugin what `make_plan` would say of all together.

    What a change costs grows with those who depend on the plugin, and not with those that there
    are; and with nobody where the change makes no difference to others.

    Args:
        unready: Says what a plugin lacks beside what its manifest needs; empty for nothing.
        held: Gives the place of its own where a plugin serves now; empty for none.
        occupied: Gives the places where the application has routes of its own.
    """

    def __init__(
        self,
        unready: "Callable[[Manifest], str]",
        held: Callable[[str], str],
        occupied: Callable[[], Collection[str]],
    ) -> None:
        self._manifests: dict[str, Manifest] = {}
        self._disabled: set[str] = set()
        self._invalid: set[str] = set()
        self._blocked: dict[str, str] = {}
        self._dependants: dict[str, set[str]] = {}
        self._claims: dict[str, set[str]] = {}
        self._everybody = Everybody(
            manifests=self._manifests,
            invalid=self._invalid,
            disabled=self._disabled,
            unready=unready,
            held=held,
            occupied=occupied,
        )

    def judgment(self, name: str) -> Judgment:
        """Give what is said of a plugin now."""
        if reason := self._blocked.get(name, ""):
            return Judgment(reason)
        manifest = None if name in self._disabled else self._manifests.get(name)
        return Judgment() if manifest is None else _free(manifest)

    def dependants(self, name: str) -> Collection[str]:
        """Give the plugins whose manifest needs this one, be they blocked or disabled."""
        return self._dependants.get(name, ())

    @property
    def blocked(self) -> Collection[str]:
        """Give the names of all that cannot start."""
        return self._blocked.keys()

    def mounted(self) -> "Iterable[Manifest]":
        """Give the manifests that ask for a place of their own."""
        for names in self._claims.values():
            yield from (self._manifests[name] for name in sorted(names))

    def begin(self, candidates: Iterable[Candidate]) -> set[str]:
        """Judge all plugins together, and no others; give those of whom something else is said."""
        before = {name: self.judgment(name) for name in (*self._manifests, *self._invalid)}
        for known in (
            self._manifests,
            self._invalid,
            self._disabled,
            self._dependants,
            self._claims,
        ):
            known.clear()
        for each in candidates:
            self._take(each)
        self._blocked = blocked_among(self._manifests, self._everybody)
        after = {name: self.judgment(name) for name in (*self._manifests, *self._invalid)}
        return {
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        }

    def change(self, candidate: Candidate) -> set[str]:
        """Judge one plugin by what is the case with it now; give as `begin` does."""
        name, manifest = candidate.name, candidate.manifest
        old = self._manifests.get(name)
        if old is None or manifest is None:
            # Others may be told of it by its name, or no longer.
            return self.begin([*(each for each in self._all() if each.name != name), candidate])
        if self._is_alike_to_others(candidate):
            self._manifests[name] = manifest
            return set()
        concerned = self._concerned(candidate)
        before = {each: self.judgment(each) for each in concerned}
        for need in old.dependencies:
            self._dependants[need.name].discard(name)
        if old.mount:
            self._claims[old.mount].discard(name)
        self._disabled.discard(name)
        self._take(candidate)
        blocked = blocked_among(sorted(concerned), self._everybody, self._is_blocked_but(concerned))
        for each in concerned:
            self._blocked.pop(each, None)
        self._blocked.update(blocked)
        return {each for each in concerned if before[each] != self.judgment(each)}

    def trial(self, candidate: Candidate) -> Judgment:
        """Give what would be said of a plugin; changes nothing."""
        name, manifest = candidate.name, candidate.manifest
        if manifest is None or not candidate.enabled:
            return Judgment()
        if self._is_alike_to_others(candidate):
            return _free(manifest)
        concerned = self._concerned(candidate)
        everybody = replace(
            self._everybody,
            manifests=ChainMap({name: manifest}, self._manifests),
            invalid=self._invalid - {name} if name in self._invalid else self._invalid,
            disabled=self._disabled - {name} if name in self._disabled else self._disabled,
        )
        blocked = blocked_among(sorted(concerned), everybody, self._is_blocked_but(concerned))
        reason = blocked.get(name, "")
        return Judgment(reason) if reason else _free(manifest)

    def _concerned(self, candidate: Candidate) -> set[str]:
        """Give who has to be judged anew: those that depend on the plugin, however far away.

        A circle that it is part of, or would be, consists of such plugins alone. Who asks for the
        same place as one of them is concerned, too.
        """
        name, manifest = candidate.name, candidate.manifest
        found, waiting = {name}, [name]
        if manifest is not None:
            waiting += self._claims.get(manifest.mount, ())
        while waiting:
            each = waiting.pop()
            found.add(each)
            known = self._manifests.get(each)
            place = "" if known is None else known.mount
            new = self._dependants.get(each, set()) | self._claims.get(place, set())
            waiting += new - found
        return found

    def _is_alike_to_others(self, candidate: Candidate) -> bool:
        """Tell whether it can start as before, and is to others what it was."""
        name, manifest = candidate.name, candidate.manifest
        old = self._manifests.get(name)
        if old is None or manifest is None or name in self._blocked:
            return False
        return (
            (old.version, old.dependencies, old.mount)
            == (manifest.version, manifest.dependencies, manifest.mount)
            and candidate.enabled is (name not in self._disabled)
            and not self._would_be_blocked(candidate)
        )

    def _would_be_blocked(self, candidate: Candidate) -> bool:
        name, manifest = candidate.name, candidate.manifest
        if manifest is None:
            return True
        everybody = replace(self._everybody, manifests=ChainMap({name: manifest}, self._manifests))
        return bool(blocked_among((name,), everybody, self._is_blocked_but({name})))

    def _is_blocked_but(self, judged: Collection[str]) -> Callable[[str], bool]:
        return lambda name: name not in judged and name in self._blocked

    def _all(self) -> Iterable[Candidate]:
        for name in (*self._manifests, *self._invalid):
            yield Candidate(
                name=name, manifest=self._manifests.get(name), enabled=name not in self._disabled
            )

    def _take(self, candidate: Candidate) -> None:
        name, manifest = candidate.name, candidate.manifest
        if not candidate.enabled:
            self._disabled.add(name)
        if manifest is None:
            self._invalid.add(name)
            return
        self._manifests[name] = manifest
        for need in manifest.dependencies:
            self._dependants.setdefault(need.name, set()).add(name)
        if manifest.mount:
            self._claims.setdefault(manifest.mount, set()).add(name)


def _free(manifest: "Manifest") -> Judgment:
    return Judgment(needs=tuple(need.name for need in manifest.dependencies))
