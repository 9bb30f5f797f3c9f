"""Whether the durable log can be worked with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCondition:
    """What an operator has to know of the log.

    Attributes:
        trouble: Why it cannot be worked with at the moment, in words; empty when it can.
        size: How many bytes it takes.
        limit: How many it may take.
        is_nearly_full: Whether it comes close to that.
        is_full: Whether nothing more can be put in.
        engine: The engine that has the events, as `events.engine` names it.
        location: Where it is, for people.
        risk: What it may lose that it has acknowledged, in words; empty when nothing.
        lost: What it has lost lately, in words; empty when nothing.
    """

    trouble: str
    size: int
    limit: int
    is_nearly_full: bool
    is_full: bool
    engine: str = "sql"
    location: str = ""
    risk: str = ""
    lost: str = ""
