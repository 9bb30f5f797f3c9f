"""What a manifest says of one event: its data, its version, and how it is to be delivered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from nexus.manifest.data_schema import JsonSchema
from nexus.manifest.names import EVENT_NAME, EVENT_PATTERN
from nexus.manifest.problems import JsonPath
from nexus.manifest.record import Record, key
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID, Number
from nexus.manifest.versions import VERSION_RANGE, satisfies

_SCHEMA: Final = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
_COUNT: Final = Number(expected="an integer of at least 1", form={"type": "integer", "minimum": 1})


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _WantedVersion:
    """A version number, or a range of them."""

    expected: str = 'an integer of at least 1, or a range such as ">=2,<4"'

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the number or the range, or report what is wrong and give `INVALID`."""
        if isinstance(value, str):
            return VERSION_RANGE.read(value, path, report)
        if not _COUNT.accepts(value):
            report.mismatch(path, value, self.expected)
            return INVALID
        return value

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value."""
        return {"anyOf": [_COUNT.schema(), VERSION_RANGE.schema()]}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """An event that a plugin publishes.

    Attributes:
        name: Its name.
        version: The version of its data, which every event carries; None for none.
        schema: The JSON Schema that its data fits; None for any data.
    """

    name: str = field(
        metadata=key(
            EVENT_NAME,
            "Name",
            "The name of the event: one outside the plugin's own name, or one under it.",
            "order.placed",
        )
    )
    version: int | None = field(
        default=None,
        metadata=key(
            _COUNT,
            "Version",
            "The version of the data, which each event carries. Raise it when the data changes so"
            " that handlers have to.",
            2,
        ),
    )
    schema: Mapping[str, Any] | None = field(
        default=None,
        hash=False,
        metadata=key(
            JsonSchema(),
            "Schema",
            "The JSON Schema of the data. Publishing what does not fit is an error.",
            _SCHEMA,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribedEvents:
    """Events that a plugin listens to.

    Attributes:
        pattern: The pattern of their names.
        version: The version of the data that the handler takes, or a range; None for any.
        schema: The JSON Schema of what the handler needs; None when nothing is said.
        concurrency: How many events may be handled at once.
        priority: Higher ones are handed an event first.
        timeout: Seconds for one attempt.
        max_attempts: How often an event is tried, the first time included.
        mailbox_size: How many events may wait.
    """

    pattern: str = field(
        metadata=key(EVENT_PATTERN, "Pattern", "The pattern of the events' names.", "order.*")
    )
    version: int | str | None = field(
        default=None,
        metadata=key(
            _WantedVersion(),
            "Version",
            "The version of the data that the handler takes, or a range of versions.",
            2,
            ">=2,<4",
        ),
    )
    schema: Mapping[str, Any] | None = field(
        default=None,
        hash=False,
        metadata=key(
            JsonSchema(),
            "Schema",
            "The JSON Schema of what the handler needs; nexus plugin check holds it against the"
            " publishers' schemas.",
            _SCHEMA,
        ),
    )
    concurrency: int | None = field(
        default=None,
        metadata=key(
            _COUNT,
            "Concurrency",
            "How many events may be handled at once; more than one gives up their order.",
            4,
        ),
    )
    priority: int | None = field(
        default=None,
        metadata=key(
            Number(expected="an integer", form={"type": "integer"}),
            "Priority",
            "Subscriptions with a higher one are handed an event first.",
            10,
        ),
    )
    timeout: float | None = field(
        default=None,
        metadata=key(
            Number(
                expected="a number of seconds greater than 0",
                form={"type": "number", "exclusiveMinimum": 0},
            ),
            "Timeout",
            "Seconds for one attempt.",
            30,
        ),
    )
    max_attempts: int | None = field(
        default=None,
        metadata=key(
            _COUNT, "Attempts", "How often an event is tried, the first time included.", 5
        ),
    )
    mailbox_size: int | None = field(
        default=None, metadata=key(_COUNT, "Mailbox size", "How many events may wait.", 10_000)
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options of `subscribe_to_event` that are given."""
        return {
            each.name: value
            for each in fields(self)
            if each.name not in {"pattern", "version", "schema"}
            and (value := getattr(self, each.name)) is not None
        }

    def accepts(self, version: int | None) -> bool:
        """Say whether the handler takes events of this version; None is that of one without."""
        if self.version is None:
            return True
        if version is None:
            return False
        if isinstance(self.version, int):
            return version == self.version
        return satisfies(str(version), self.version)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Named:
    """A name by itself, or an object that has it and says more.

    Attributes:
        record: The object's shape.
        key: Where the name is in it.
        expected: What the value should be, in words.
    """

    record: Record
    key: str
    expected: str

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the model's instance, or report what is wrong and give `INVALID`."""
        if isinstance(value, dict):
            return self.record.read(value, path, report)
        if not isinstance(value, str):
            report.mismatch(path, value, self.expected)
            return INVALID
        name = self.record.keys[self.key].shape.read(value, path, report)
        return INVALID if name is INVALID else self.record.model(**{self.key: name})

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of both forms."""
        return {
            "anyOf": [self.record.keys[self.key].shape.schema(), self.record.schema()],
        }


PUBLISHED: Final = Named(
    record=Record(model=PublishedEvent, expected="an object with name, version and schema"),
    key="name",
    expected='an event name, or an object such as {"name": "order.placed", "version": 2}',
)
SUBSCRIBED: Final = Named(
    record=Record(model=SubscribedEvents, expected="an object with a pattern and options"),
    key="pattern",
    expected='an event pattern, or an object such as {"pattern": "order.*", "version": 2}',
)
