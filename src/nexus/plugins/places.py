"""Who is served where, of the plugins that ask for an address of their own."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nexus.manifest import Manifest


class Places:
    """Knows the addresses of plugins that serve elsewhere than below `/plugins`, running or not."""

    def __init__(self) -> None:
        self._plugins: dict[str, str] = {}
        self._places: dict[str, str] = {}

    def learn(self, manifests: "Iterable[Manifest | None]", blocked: Collection[str]) -> None:
        """Go by these manifests; of two that ask for one place, one that may run counts."""
        mounted = [each for each in manifests if each is not None and each.mount]
        mounted.sort(key=lambda each: each.name not in blocked)
        self._plugins = {each.mount: each.name for each in mounted}
        self._places = {each.name: each.mount for each in mounted}

    def plugin_at(self, place: str) -> str | None:
        """Give the plugin that asks for a place such as `/shop`."""
        return self._plugins.get(place)

    def place_of(self, plugin: str) -> str | None:
        """Give the place that a plugin asks for; None where it serves below `/plugins`."""
        return self._places.get(plugin)


def contested(
    wanted: "Mapping[str, Manifest]",
    held: Mapping[str, str],
    occupied: Collection[str],
) -> Iterator[tuple[str, str]]:
    """Give who cannot have the place that it asks for, and why as a sentence.

    A plugin that serves at a place keeps it. Where none does yet, none of those that ask for the
    place gets it: which one it should be is for an operator to say.

    Args:
        wanted: The manifests of the plugins that could run otherwise, by name.
        held: The plugins that serve at a place already, with the place.
        occupied: The places where the application has routes of its own.
    """
    claims: dict[str, list[str]] = {}
    for name, manifest in sorted(wanted.items()):
        if manifest.mount:
            claims.setdefault(manifest.mount, []).append(name)
    for place, names in claims.items():
        holders = [name for name in names if held.get(name) == place]
        if place in occupied:
            reason = 'where the application has routes of its own. Give it another "mount".'
            holders = []
        elif len(names) > 1:
            both = " and ".join(map(repr, names))
            reason = (
                f"which the plugins {both} ask for."
                ' Give one of them another "mount", or disable one.'
            )
        else:
            continue
        for name in names:
            if holders != [name]:
                yield name, f"It cannot be served at {place}, {reason}"
