"""Errors about what manifests promise of events."""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from nexus.errors.base import NexusError


class EventContractViolated(NexusError):
    """The data of an event does not fit the schema that a manifest gives for it."""

    code = "event-contract-violated"

    def __init__(
        self,
        *,
        plugin: str,
        event: str,
        version: int | None,
        problems: Sequence[Mapping[str, str]],
    ) -> None:
        super().__init__(
            plugin=plugin, event=event, version=version, problems=list(problems), **problems[0]
        )

    @override
    def render(self) -> str:
        version = self.data["version"]
        called = "" if version is None else f" (version {version})"
        problems = "; ".join(
            f"{each['path']}: found {each['found']}; expected {each['expected']}"
            for each in self.data["problems"]
        )
        return (
            f"The event {self.data['event']!r}{called} was not published: its data does not fit"
            f" the schema in the manifest of plugin {self.data['plugin']!r}. {problems}. Put the"
            ' data right, or change the schema under "events.publishes" and raise its version.'
        )
