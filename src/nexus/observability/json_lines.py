"""One line of JSON for each log record.

The form is that of structlog's JSON renderer. Each request writes a line, and a start thousands:
here one costs half, and structlog, whose import costs as much as a thousand lines, is not needed.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

STANDARD_FIELDS = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
"""What every record has, and what servers add; all other attributes are fields of the line."""

_encode = json.JSONEncoder(ensure_ascii=False, default=repr).encode


class JsonLines(logging.Formatter):
    """Writes the event, its level and logger, its fields, the bound ones, the time and the trace.

    Args:
        bound: Gives the fields that belong to whatever runs; the record's own come first.
    """

    def __init__(self, bound: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__()
        self._bound = bound

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        line = _head(record, record.getMessage())
        line.update(
            (key, value)
            for key, value in record.__dict__.items()
            if key not in STANDARD_FIELDS and not key.startswith("_")
        )
        for key, value in self._bound().items():
            line.setdefault(key, value)
        line["timestamp"] = _timestamp(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return _encode(line)

    def shortened(self, record: logging.LogRecord, limit: int) -> str:
        """Give the line with at most so many characters of its text, and without its fields."""
        text = record.getMessage()
        line = _head(record, text if len(text) <= limit else f"{text[:limit]}...")
        return _encode({**line, "timestamp": _timestamp(record), "shortened": True})


def _head(record: logging.LogRecord, text: str) -> dict[str, Any]:
    return {"event": text, "level": record.levelname.lower(), "logger": record.name}


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"
