"""What a manifest says of a plugin that starts at its first use."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from nexus.manifest import Manifest

_ON_EVENT = "on_event:"
_ON_SERVICE = "on_service:"
_SCHEDULE = "jobs.schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstUse:
    """The uses that start a plugin.

    Attributes:
        request: Whether a request below its prefix does.
        events: Patterns of the events that do.
        services: Names of the services of which a look-up does.
        jobs: Whether a scheduled job that is due does. Its jobs are known when its code has run, so
            it then starts with the application all the same, and sleeps after `idle_stop` only.
        idle_stop: Seconds without a use after which it is stopped again; None for never.
    """

    request: bool = False
    events: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    jobs: bool = False
    idle_stop: float | None = None

    @classmethod
    def of(cls, manifest: "Manifest | None") -> Self | None:
        """Give what a manifest says; None for a plugin that starts with the application."""
        if manifest is None or not manifest.activation:
            return None
        uses = manifest.activation
        return cls(
            request="on_request" in uses,
            events=tuple(each.removeprefix(_ON_EVENT) for each in uses if _ON_EVENT in each),
            services=tuple(each.removeprefix(_ON_SERVICE) for each in uses if _ON_SERVICE in each),
            jobs=_SCHEDULE in manifest.permissions,
            idle_stop=manifest.idle_stop,
        )

    @property
    def sentence(self) -> str:
        """Say in words what starts the plugin."""
        uses = ["a request"] if self.request else []
        uses += [f"an event {pattern}" for pattern in self.events]
        uses += [f"a look-up of the service {name!r}" for name in self.services]
        uses += ["a scheduled job that is due"] if self.jobs else []
        last = uses.pop()
        listed = f"{', '.join(uses)} or {last}" if uses else last
        return f"It starts at its first use: {listed}."
