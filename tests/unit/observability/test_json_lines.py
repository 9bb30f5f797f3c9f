import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from nexus.config import SecretMask
from nexus.observability.json_lines import JsonLines
from nexus.observability.logging import configure_logging


def record(message: str = "Plugin is %s", *args: Any, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("nexus.some", logging.WARNING, "some.py", 1, message, args, None)
    made.__dict__.update(fields)
    return made


def test_a_line_has_the_event_the_level_the_logger_and_the_fields() -> None:
    formatter = JsonLines(lambda: {"plugin": "bound", "request_id": "r1"})
    made = record("Plugin is %s", "running", plugin="tasks", generation=2, _private=1, taskName="t")
    made.created = 1_700_000_000.5
    assert json.loads(formatter.format(made)) == {
        "event": "Plugin is running",
        "level": "warning",
        "logger": "nexus.some",
        "plugin": "tasks",
        "generation": 2,
        "request_id": "r1",
        "timestamp": "2023-11-14T22:13:20.500000Z",
    }


def test_a_line_is_one_line_whatever_is_logged() -> None:
    formatter = JsonLines(dict)
    line = formatter.format(record("first\nsecond", what=object(), text="Grüße"))
    assert "\n" not in line
    assert "Grüße" in line
    assert json.loads(line)["what"].startswith("<object object")


def test_a_trace_stands_in_its_line() -> None:
    made = record("It failed")
    try:
        int("because")
    except ValueError:
        made.exc_info = sys.exc_info()
    made.stack_info = "Stack (most recent call last):"
    line = json.loads(JsonLines(dict).format(made))
    assert line["exception"].endswith("with base 10: 'because'")
    assert line["stack"] == "Stack (most recent call last):"


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    switched = [logging.getLogger(name) for name in ("nexus.access", "uvicorn.access")]
    disabled = [each.disabled for each in switched]
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    for each, was in zip(switched, disabled, strict=True):
        each.disabled = was


@pytest.mark.parametrize("form", ["json", "console"])
def test_both_forms_carry_fields_and_hide_secrets(form: Any, root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logging(
        level="INFO",
        format=form,
        access=True,
        mask=lambda line: line.replace("hunter2", "********"),
        bound=lambda: {"generation": 7},
        stream=stream,
    )
    logging.getLogger("nexus.some").info("Key is %s", "hunter2", extra={"plugin": "tasks"})
    text = stream.getvalue()
    assert "hunter2" not in text
    for part in ("Key is ********", "tasks", "generation", "7", "info"):
        assert part in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_hides_a_secret_that_is_quoted_in_it(
    form: Any, root_logger: logging.Logger
) -> None:
    mask = SecretMask()
    secret = "pa\"ss'wo\\rd-" + "long-" * 30
    mask.add(secret)
    stream = io.StringIO()
    configure_logging(
        level="INFO", format=form, access=True, mask=mask.apply, bound=dict, stream=stream
    )

    def fail(key: str) -> None:
        raise KeyError({"key": key})

    try:
        fail(secret)
    except KeyError as error:
        extra = {"what": [secret], "reason": repr(error)}
        logging.getLogger("nexus.some").exception("Failed: %r", [secret], extra=extra)
    text = stream.getvalue()
    assert "KeyError" in text
    assert "long-" not in text
    assert "wo\\" not in text
    assert text.count("********") >= 4
