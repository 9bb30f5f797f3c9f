"""A row of the audit log, and what rows are asked for."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

Result: TypeAlias = Literal["done", "begun", "refused"]
"""`begun` stands before something that cannot be undone, and is followed by one of the others."""

MOST: Final = 1000
"""A page has at most so many rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row.

    Attributes:
        id: Its number; later rows have greater ones.
        time: Seconds since the epoch.
        actor: Who; see `Actor`.
        address: From which network address; empty where there is none.
        worker: In which process, as `host:pid`.
        action: What, such as `plugin.enable`.
        result: What came of it.
        plugin: Which plugin it concerns; empty where none.
        before: What was, as JSON data.
        after: What is now, or why not, as JSON data.
        request_id: The request that it was part of; empty where there was none.
    """

    id: int
    time: float
    actor: str
    address: str
    worker: str
    action: str
    result: str
    plugin: str
    before: Any
    after: Any
    request_id: str

    def dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data, the time in ISO 8601."""
        return {**asdict(self), "time": datetime.fromtimestamp(self.time, UTC).isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which rows are meant; what is None leaves all.

    Attributes:
        plugin: Only those about this plugin.
        actor: Only those of this actor.
        action: Only this action, or with a `*` at the end those that begin so.
        since: Only those from this time on, in seconds since the epoch.
        before: Only those with a smaller number: the next page.
        limit: At most so many.
    """

    plugin: str | None = None
    actor: str | None = None
    action: str | None = None
    since: float | None = None
    before: int | None = None
    limit: int = 100
