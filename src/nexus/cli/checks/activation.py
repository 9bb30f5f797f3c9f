"""Holds what starts a plugin at its first use against what its code does then."""

from collections.abc import Iterator

from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.scoped import calls_of, schedules_of
from nexus.cli.checks.source import Source
from nexus.manifest import Manifest
from nexus.manifest.activation import ON_EVENT, ON_SERVICE
from nexus.manifest.event_patterns import overlap


def check_activation(source: Source, manifest: Manifest) -> Iterator[Finding]:
    """Find uses that start the plugin in vain, and say what becomes of its schedule."""
    place = next(schedules_of(source), None)
    if place is not None and manifest.activation:
        yield _of_schedule(place, manifest)
    if source.complete:
        yield from _in_vain(source, manifest)


def _of_schedule(place: str, manifest: Manifest) -> Finding:
    told = "it has a method on a schedule, so it starts with the application in spite of"
    if manifest.idle_stop is None:
        message = (
            f'{told} "activation", which then means nothing. Remove "activation", or add'
            ' "idle_stop": the plugin is started again when a run is due.'
        )
        return Finding(level=Level.WARNING, place=place, message=message)
    message = f'{told} "activation". Once "idle_stop" has stopped it, a run that is due starts it.'
    return Finding(level=Level.NOTE, place=place, message=message)


def _in_vain(source: Source, manifest: Manifest) -> Iterator[Finding]:
    subscribed = _names(source, "subscribe_to_event")
    registered = _names(source, "register_service")
    for index, use in enumerate(manifest.activation):
        place = f"manifest.json $.activation[{index}]"
        pattern, service = use.removeprefix(ON_EVENT), use.removeprefix(ON_SERVICE)
        if pattern != use and None not in subscribed:
            if not any(each is not None and overlap(pattern, each) for each in subscribed):
                message = f"events {pattern!r} start the plugin, and no handler subscribes to any."
                yield Finding(level=Level.WARNING, place=place, message=message)
        elif service != use and not {None, service} & registered:
            message = (
                f"a use of the service {service!r} starts the plugin, which does not register it:"
                f" found no register_service({service!r}, ...)."
            )
            yield Finding(level=Level.WARNING, place=place, message=message)


def _names(source: Source, method: str) -> set[str | None]:
    """Give the names that a method is called with; None stands for those that are computed."""
    return {name for _, called, name in calls_of(source) if called == method}
