"""What all mailboxes of a bus share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nexus.events.dead_letters import DeadLetters
from nexus.events.runs import OpenRun
from nexus.events.settings import BusSettings
from nexus.events.watchdog import Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all mailboxes of a bus share.

    Attributes:
        settings: The bus's settings.
        dead_letters: Where events go that are given up.
        watchdog: Finds handlers that take too long.
        open_run: The series of events that is being published.
        sleep: Waits for seconds.
        random: Gives a number from 0 to 1.
    """

    settings: BusSettings
    dead_letters: DeadLetters
    watchdog: Watchdog
    open_run: OpenRun
    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]
