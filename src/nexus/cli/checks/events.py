"""Holds what plugins publish against what plugins subscribe to, across an application."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from nexus.cli.checks.code import EventsOfCode
from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.schema_fit import mismatches
from nexus.errors import nearest
from nexus.events.pattern import matches
from nexus.manifest import Manifest, PublishedEvent, SubscribedEvents
from nexus.manifest.names import PLATFORM_EVENTS

_WILDCARD: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A plugin that has to do with events.

    Attributes:
        manifest: Its manifest.
        code: What its code publishes.
    """

    manifest: Manifest
    code: EventsOfCode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """An event that a plugin publishes."""

    plugin: str
    event: PublishedEvent
    place: str

    @property
    def text(self) -> str:
        version = self.event.version
        called = "without a version" if version is None else f"as version {version}"
        return f"plugin {self.plugin!r} publishes {self.event.name!r} {called}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """Events that a plugin subscribes to."""

    plugin: str
    events: SubscribedEvents
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Between:
    """A finding that is about two plugins: where it stands in the one and in the other."""

    level: Level
    places: tuple[tuple[str, str], ...]
    message: str


def check_events(
    parties: Sequence[Party], checked: Collection[str], *, is_whole: bool
) -> Mapping[str, list[Finding]]:
    """Find events that publishers and subscribers do not agree on.

    Args:
        parties: The plugins of the application.
        checked: The names of the plugins to tell of. What is about two plugins is told of the one
            that is in them, the subscriber if both are.
        is_whole: Whether the parties are all of the application, so that it can be said that
            nobody publishes something.

    Returns:
        Findings by the plugin that they are told of.
    """
    offers = [offer for party in parties for offer in _offers(party)]
    wishes = [wish for party in parties for wish in _wishes(party)]
    between = [*_rivals(offers)]
    for wish in wishes:
        offered = [each for each in offers if matches(wish.events.pattern, each.event.name)]
        if offered:
            between += _versions(wish, offered)
            between += _schemas(wish, offered)
        elif is_whole:
            between += _unheard(wish, parties, offers)
    found: dict[str, list[Finding]] = defaultdict(list)
    for each in between:
        told = next(((plugin, at) for plugin, at in each.places if plugin in checked), None)
        if told is not None:
            plugin, place = told
            found[plugin].append(Finding(level=each.level, place=place, message=each.message))
    return found


def _offers(party: Party) -> Iterator[_Offer]:
    events = party.manifest.events
    for index, name in enumerate(events.publishes):
        if name not in events.publishes[:index]:
            yield _Offer(
                plugin=party.manifest.name,
                event=events.contracts.get(name, PublishedEvent(name=name)),
                place=f"manifest.json $.events.publishes[{index}]",
            )
    for name in sorted(party.code.published):
        if name.startswith(f"{party.manifest.name}.") and name not in events.publishes:
            event = PublishedEvent(name=name)
            yield _Offer(plugin=party.manifest.name, event=event, place="plugin.py")


def _wishes(party: Party) -> Iterator[_Wish]:
    events = party.manifest.events
    for index, pattern in enumerate(events.subscribes):
        yield _Wish(
            plugin=party.manifest.name,
            events=events.subscriptions.get(pattern, SubscribedEvents(pattern=pattern)),
            place=f"manifest.json $.events.subscribes[{index}]",
        )


def _versions(wish: _Wish, offered: Sequence[_Offer]) -> Iterator[_Between]:
    refused = [each for each in offered if not wish.events.accepts(each.event.version)]
    level = Level.ERROR if len(refused) == len(offered) else Level.WARNING
    for offer in refused:
        yield _Between(
            level=level,
            places=((wish.plugin, f"{wish.place}.version"), (offer.plugin, offer.place)),
            message=f"plugin {wish.plugin!r} takes version {wish.events.version} of"
            f" {wish.events.pattern!r}, and {offer.text} ({offer.place})."
            f" {_nobody(level)}Bring the handler to the publisher's version and say so in"
            ' "version", or publish the version that it takes.',
        )


def _nobody(level: Level) -> str:
    return "No plugin offers that version. " if level is Level.ERROR else ""


def _schemas(wish: _Wish, offered: Sequence[_Offer]) -> Iterator[_Between]:
    needed = wish.events.schema
    if needed is None:
        return
    for offer in offered:
        if not wish.events.accepts(offer.event.version):
            continue
        places = (wish.plugin, f"{wish.place}.schema"), (offer.plugin, offer.place)
        if offer.event.schema is None:
            yield _Between(
                level=Level.WARNING,
                places=places,
                message=f"plugin {wish.plugin!r} needs data that fits a schema, and {offer.text}"
                f" and without a schema ({offer.place}): nothing holds it to that. Give it a"
                ' "schema" there.',
            )
            continue
        for each in mismatches(needed, offer.event.schema):
            yield _Between(
                level=Level.ERROR,
                places=places,
                message=f"{each.path} of {offer.event.name!r} is {each.promised} by the schema of"
                f" plugin {offer.plugin!r} ({offer.place}.schema), and {each.needed} by that of"
                f" plugin {wish.plugin!r}. Have the handler do with less, or {each.remedy}.",
            )


def _unheard(wish: _Wish, parties: Sequence[Party], offers: Sequence[_Offer]) -> Iterator[_Between]:
    pattern = wish.events.pattern
    first = pattern.partition(".")[0]
    if pattern.startswith(PLATFORM_EVENTS) or first.startswith(_WILDCARD):
        return
    if any(party.code.computes and party.manifest.name == first for party in parties):
        return
    if any(matches(pattern, name) for party in parties for name in party.code.requested):
        return
    close = nearest(pattern, sorted({each.event.name for each in offers}))
    hint = f" Did you mean {close!r}?" if close else ""
    yield _Between(
        level=Level.NOTE,
        places=((wish.plugin, wish.place),),
        message=f"no plugin of the application publishes {pattern!r} as far as manifests and code"
        f' tell.{hint} If one does, declare it in its "events.publishes".',
    )


def _rivals(offers: Sequence[_Offer]) -> Iterator[_Between]:
    """Find plugins that publish the same event with different contracts."""
    by_name: dict[str, list[_Offer]] = defaultdict(list)
    for offer in offers:
        by_name[offer.event.name].append(offer)
    for name, rivals in by_name.items():
        # The plugin that the event is named after has the say.
        rivals.sort(key=lambda each: (not name.startswith(f"{each.plugin}."), each.plugin))
        for one, other in combinations(rivals, 2):
            if one.event == other.event:
                continue
            bare = PublishedEvent(name=name)
            level = Level.WARNING if bare in (one.event, other.event) else Level.ERROR
            yield _Between(
                level=level,
                places=((other.plugin, other.place), (one.plugin, one.place)),
                message=f"{one.text} ({one.place}), and plugin {other.plugin!r} publishes it"
                f" {_difference(one.event, other.event)} ({other.place}). Give both the same"
                ' "version" and "schema", or publish under another name.',
            )


def _difference(one: PublishedEvent, other: PublishedEvent) -> str:
    if other == PublishedEvent(name=other.name):
        return "without a version and a schema"
    if one.version != other.version:
        return "without a version" if other.version is None else f"as version {other.version}"
    return "without a schema" if other.schema is None else "with another schema"
