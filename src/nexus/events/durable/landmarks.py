"""What is asked of an engine that may lose its end without the database's losing the cursors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """An event whose place is known.

    Attributes:
        position: Where it is.
        id: The event's id; empty for what is no event.
        stored: When it was stored, by the engine's own clock and in a unit of its own; 0 where
            that is not known.
    """

    position: int
    id: str
    stored: int = 0


class Landmarks(Protocol):
    """Tells whether the events of a journal are still where they were."""

    async def identify(self) -> str:
        """Give what tells the journal that is there now from any other; make it if it is gone.

        Raises:
            EventJournalTaken: It is another application's.
        """
        ...

    async def at(self, position: int) -> Landmark | None:
        """Give what is at a position; None where nothing is."""
        ...

    async def after(self, landmark: Landmark) -> int:
        """Give a position such that all that was stored after a landmark is there or behind it.

        The landmark itself may be lost, and its position another event's.
        """
        ...

    def when_interrupted(self, callback: Callable[[], None]) -> None:
        """Have a function called when the engine may have been restarted.

        From then on nothing is put in before `trust` is called: what is new might else be taken
        for what was lost.
        """
        ...

    def trust(self) -> None:
        """Let events be put in again."""
        ...
