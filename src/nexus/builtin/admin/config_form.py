"""The form of a plugin's settings, made from its manifest; and what comes back from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus.manifest.config_field import ConfigField

_WORDS: Final = {True: "true", False: "false"}

_HOW_WRITTEN: Final = {
    "array": ', written in JSON, such as ["red", "blue"]',
    "object": ', written in JSON, such as {"color": "red", "size": 3}',
    "any": ', such as "red", 3, true or ["red", "blue"]',
}
_SOURCES: Final = {"stored": "what was set here", "manifest.json": "the manifest"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting as it stands in the form.

    Attributes:
        key: Its name.
        kind: How it is shown: `choice`, `boolean`, `number`, `text`, `json` or `secret`.
        label: What it is called.
        text: What stands in it.
        options: Texts to choose from.
        description: What it is for.
        expected: What a value must be.
        source: Where the value comes from.
        default: The default as text; None when there is none.
        step: By how much a number goes up and down.
        low: The least number, or length.
        high: The greatest number, or length.
        required: Whether it must have a value.
        fixed: Whether it cannot be changed here.
        stored: Whether a value is stored, that can be reset.
        declared: Whether the manifest declares it.
        has_value: Whether it has any value.
        problem: What is wrong with it.
    """

    key: str
    kind: str
    label: str
    text: str
    options: tuple[str, ...]
    description: str
    expected: str
    source: str
    default: str | None
    step: str
    low: float | None
    high: float | None
    required: bool
    fixed: bool
    stored: bool
    declared: bool
    has_value: bool
    problem: str


def fields_of(
    entries: Sequence[Mapping[str, Any]],
    sent: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> list[Field]:
    """Give the fields of a form.

    Args:
        entries: The settings as the management API tells of them.
        sent: What was typed and refused, by setting; it stands in the form once more.
        problems: What is wrong with it, by setting.
    """
    return [_field(each, sent or {}, problems or {}) for each in entries]


def _field(entry: Mapping[str, Any], sent: Mapping[str, str], problems: Mapping[str, str]) -> Field:
    key, declared = entry["key"], entry["declaration"]
    said = declared or {
        "type": "any", "description": "", "expected": "a value in JSON", "default": None,
        "enum": [], "min": None, "max": None,
    }  # fmt: skip
    is_secret = entry["secret"]
    kind = "secret" if is_secret else _kind(said)
    value = entry["value"]
    text = "" if is_secret or value is None else text_of(value, kind)
    default = said["default"]
    return Field(
        key=key,
        kind=kind,
        label=key.replace("_", " ").capitalize(),
        text=sent.get(key, text) if not is_secret else "",
        options=tuple(text_of(each, "choice") for each in said["enum"]),
        description=said["description"],
        expected=said["expected"],
        source=_SOURCES.get(entry["source"], entry["source"] or ""),
        default=None if default is None else text_of(default, kind),
        step="1" if said["type"] == "integer" else "any",
        low=said["min"],
        high=said["max"],
        required=entry["required"],
        fixed=entry["fixed"],
        stored=entry["source"] == "stored",
        declared=declared is not None,
        has_value=value is not None,
        problem=problems.get(key) or _problem_now(entry),
    )


def _problem_now(entry: Mapping[str, Any]) -> str:
    """Say what is wrong with a setting as it is; the top of the page says it at length."""
    is_missing = entry["problem"] and entry["required"] and entry["value"] is None
    return "It needs a value." if is_missing else entry["problem"] or ""


def _kind(said: Mapping[str, Any]) -> str:
    if said["enum"]:
        return "choice"
    return {"boolean": "boolean", "integer": "number", "number": "number", "string": "text"}.get(
        said["type"], "json"
    )


def text_of(value: Any, kind: str) -> str:
    """Give a value as the text that stands for it in a form."""
    if isinstance(value, str) and kind != "json":
        return value
    if isinstance(value, bool):
        return _WORDS[value]
    return json.dumps(value, ensure_ascii=False, indent=2 if kind == "json" else None)


def changes_of(
    entries: Sequence[Mapping[str, Any]], sent: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a form that came back.

    Args:
        entries: The settings as they are.
        sent: The texts by setting; a setting that is not among them stays.

    Returns:
        The values that are others now, and what is wrong with texts that stand for none.
    """
    changes: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for entry in entries:
        key = entry["key"]
        text = sent.get(key)
        if text is None or entry["fixed"] or (entry["secret"] and not text):
            continue
        try:
            value = _value_of(entry, text)
        except ValueError as error:
            problems[key] = str(error)
            continue
        if entry["secret"] or value != entry["value"] or type(value) is not type(entry["value"]):
            changes[key] = value
            if problem := _problem_of(entry["declaration"], value):
                problems[key] = problem
    return changes, problems


def _value_of(entry: Mapping[str, Any], text: str) -> Any:
    declared = entry["declaration"]
    kind = declared["type"] if declared else "any"
    if declared and declared["enum"]:
        by_text = {text_of(each, "choice"): each for each in declared["enum"]}
        return by_text.get(text)
    if not text.strip() and kind != "string":
        return None
    if kind == "string":
        return _string_of(entry, text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        expected = declared["expected"] if declared else "a value in JSON"
        message = f"Expected {expected}{_HOW_WRITTEN.get(kind, '')}."
        raise ValueError(message) from error


def _problem_of(declared: Mapping[str, Any] | None, value: Any) -> str:
    """Say what is wrong with a value, so that all are told at once; the application judges too."""
    if declared is None or value is None:
        return ""
    field = ConfigField(
        type=declared["type"],
        min=declared["min"],
        max=declared["max"],
        pattern=declared["pattern"],
        enum=tuple(declared["enum"]),
    )
    if field.check(value) is None:
        return ""
    return f"Expected {declared['expected']}{_HOW_WRITTEN.get(declared['type'], '')}."


def _string_of(entry: Mapping[str, Any], text: str) -> str | None:
    # A browser sends line breaks as two characters. An empty field of one without a value says
    # nothing, and of one that must have a value takes it away.
    value = text.replace("\r\n", "\n")
    return None if not value and (entry["value"] is None or entry["required"]) else value
