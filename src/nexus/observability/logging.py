"""Log lines: to stderr, for people or as JSON, with secrets masked."""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

from typing_extensions import override

from nexus.observability.json_lines import STANDARD_FIELDS, JsonLines

Format = Literal["auto", "console", "json"]


def configure_logging(
    *,
    level: str,
    format: Format,  # noqa: A002 - the setting's name
    access: bool,
    mask: Callable[[str], str],
    bound: Callable[[], Mapping[str, Any]],
    stream: TextIO | None = None,
) -> None:
    """Have every log line of the process written in one form.

    Args:
        level: The lowest level that is written.
        format: `json`, `console`, or `auto`: console on a terminal, JSON otherwise.
        access: Whether each request gets a line.
        mask: Replaces secret values in the finished line.
        bound: Gives the fields that belong to whatever runs: plugin, generation, request id.
        stream: Where to write; stderr when left out.
    """
    target = sys.stderr if stream is None else stream
    as_json = format == "json" or (format == "auto" and not target.isatty())
    inner = JsonLines(bound) if as_json else _console(bound, colors=target.isatty())
    handler = logging.StreamHandler(target)
    handler.setFormatter(_MaskingFormatter(inner, mask))
    handler.set_name("nexus")
    root = logging.getLogger()
    for old in [each for each in root.handlers if each.get_name() == "nexus"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("nexus.access").disabled = not access
    # The server's own lines take the same way; its access line would repeat ours.
    for name in ("uvicorn", "uvicorn.error"):
        server = logging.getLogger(name)
        server.handlers.clear()
        server.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("alembic").setLevel(logging.WARNING)  # what it tells is ours to tell


def _console(bound: Callable[[], Mapping[str, Any]], *, colors: bool) -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _fields,
            _Bound(bound),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Its own choice, where rich is installed, shows local variables, cut and wrapped: a
            # part of a secret is no secret that the mask knows.
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )


class _Bound:
    def __init__(self, bound: Callable[[], Mapping[str, Any]]) -> None:
        self._bound = bound

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for key, value in self._bound().items():
            event.setdefault(key, value)
        return event


def _fields(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    record: logging.LogRecord = event["_record"]
    for key, value in record.__dict__.items():
        if key not in STANDARD_FIELDS and not key.startswith("_"):
            event[key] = value
    return event


class _MaskingFormatter(logging.Formatter):
    """Masks after everything else, so that messages, fields and tracebacks are all covered."""

    def __init__(self, inner: logging.Formatter, mask: Callable[[str], str]) -> None:
        super().__init__()
        self._inner = inner
        self._mask = mask

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Give the finished line."""
        return self._mask(self._inner.format(record))
