"""Holds what is published against what manifests promise."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nexus.errors import EventContractViolated
from nexus.events.payload import freeze
from nexus.manifest import EventDeclarations, Manifest, PublishedEvent
from nexus.manifest.data_schema import DataSchema

_TOLD: Final = 5
"""How many problems of an event's data an error tells."""


class EventContract:
    """What one plugin's manifest promises of one event.

    Args:
        plugin: The plugin's name.
        event: What its manifest says.

    Attributes:
        version: The version of the event's data; None when none is declared.
    """

    __slots__ = ("_name", "_plugin", "_schema", "version")

    def __init__(self, plugin: str, event: PublishedEvent) -> None:
        self._plugin = plugin
        self._name = event.name
        self._schema = None if event.schema is None else DataSchema(event.schema)
        self.version = event.version

    def check(self, data: Mapping[str, Any] | None) -> int | None:
        """Give the version of data that fits.

        Raises:
            EventContractViolated: The data does not fit the schema.
            EventDataInvalid: It is not a mapping of JSON data.
        """
        if self._schema is not None and not _fits(self._schema, {} if data is None else data):
            self._refuse(self._schema, freeze(data))
        return self.version

    def _refuse(self, schema: DataSchema, data: Mapping[str, Any]) -> None:
        try:
            if schema.fits(data):  # a mapping or sequence of another type
                return
            problems = [
                {"path": each.path, "found": each.found, "expected": each.expected}
                for each in schema.problems(data, _TOLD)
            ]
        except ValueError as error:  # half of a surrogate pair
            problems = [
                {
                    "path": "$",
                    "found": f"what cannot be checked ({error})",
                    "expected": "text that UTF-8 can carry",
                }
            ]
        raise EventContractViolated(
            plugin=self._plugin, event=self._name, version=self.version, problems=problems
        )


def contracts_of(plugin: str, events: EventDeclarations) -> dict[str, EventContract]:
    """Give what a plugin promises of the events that it publishes, by their names."""
    return {name: EventContract(plugin, event) for name, event in events.contracts.items()}


def check_as_a_publisher(
    name: str, data: Mapping[str, Any] | None, manifests: Iterable[Manifest]
) -> int | None:
    """Hold what an operator publishes against what the plugins promise of such an event.

    It has to be what one of those that promise something of the event could publish.

    Args:
        name: The event's name.
        data: Its data.
        manifests: Those of the plugins. The one that the event is under the name of is asked first.

    Returns:
        The version that the first one whose contract it fits declares.

    Raises:
        EventContractViolated: It fits none; the error is about the first.
        EventDataInvalid: It is not a mapping of JSON data.
    """
    refusal: EventContractViolated | None = None
    for manifest in sorted(manifests, key=lambda each: not name.startswith(f"{each.name}.")):
        event = manifest.events.contracts.get(name)
        if event is None:
            continue
        try:
            return EventContract(manifest.name, event).check(data)
        except EventContractViolated as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return None


def _fits(schema: DataSchema, data: Mapping[str, Any]) -> bool:
    try:
        return schema.fits(data)
    except ValueError:  # it has what JSON does not have, or has it in a type of its own
        return False
