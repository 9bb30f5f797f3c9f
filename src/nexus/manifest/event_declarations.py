"""The events that a plugin has to do with, as its manifest declares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nexus.manifest.event_contract import PUBLISHED, SUBSCRIBED, PublishedEvent, SubscribedEvents
from nexus.manifest.problems import JsonPath
from nexus.manifest.record import Record, key
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID, ListOf


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDeclarations:
    """The events that a plugin has to do with.

    Attributes:
        publishes: Names of events that it publishes, those under its own name or not.
        subscribes: Patterns of the events that it listens to.
        contracts: What is said of events that it publishes beside their names, by name.
        subscriptions: What is said of events that it listens to beside their patterns, by pattern.
    """

    publishes: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(entry=PUBLISHED, expected="an array of event names or objects", unique=True),
            "Published events",
            "Events that the plugin publishes: names outside its own have to be here, those that"
            " start with its own may be. An object adds a version and a schema of the data.",
            ["my_plugin.action_completed"],
            [{"name": "order.placed", "version": 2, "schema": {"required": ["id"]}}],
        ),
    )
    subscribes: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(entry=SUBSCRIBED, expected="an array of event patterns or objects", unique=True),
            "Subscribed events",
            "Patterns of the events that the plugin listens to: * stands for one segment, a final"
            " ** for the rest. An object adds what the handler needs, and the subscription's"
            " options.",
            ["user.created", "order.*"],
            [{"pattern": "order.*", "version": ">=2,<4", "concurrency": 4, "max_attempts": 5}],
        ),
    )
    contracts: Mapping[str, PublishedEvent] = field(default_factory=dict)
    subscriptions: Mapping[str, SubscribedEvents] = field(default_factory=dict)


def keep_names_and_contracts(read: dict[str, Any], path: JsonPath, report: Report) -> None:
    """Put the names by themselves, and beside them what else is said of them.

    Args:
        read: What each key was read as, holes included; gets `contracts` and `subscriptions`.
        path: Where the declarations stand.
        report: Gets the names that stand there twice, with different things said of them.
    """
    for name, told, identity in (
        ("publishes", "contracts", "name"),
        ("subscribes", "subscriptions", "pattern"),
    ):
        entries = read.get(name, INVALID)
        if entries is INVALID:
            continue
        known: dict[str, Any] = {}
        for index, entry in enumerate(entries):
            if entry is INVALID:
                continue
            first = known.setdefault(getattr(entry, identity), entry)
            if first != entry and not report.full():
                found = f"{getattr(entry, identity)!r} for a second time, and not as before"
                report.add((*path, name, index), found=found, expected=f"each {identity} once")
        read[name] = tuple(
            entry if entry is INVALID else getattr(entry, identity) for entry in entries
        )
        says_more = {
            called: entry
            for called, entry in known.items()
            if entry != type(entry)(**{identity: called})
        }
        if says_more:
            read[told] = says_more


EVENTS: Final = Record(
    model=EventDeclarations,
    expected="an object with publishes and subscribes",
    rule=keep_names_and_contracts,
)
