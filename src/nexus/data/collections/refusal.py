"""Finds what is wrong with a document, once it is known that something is."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NoReturn, overload

from nexus.data.collections.tagged import TAG
from nexus.data.json_text import MAX_DEPTH, describe, objection
from nexus.errors import InvalidDocument
from nexus.manifest.problems import JsonPath, render_path

_HINTS: Final[dict[type, str]] = {
    Decimal: "Store str(value), or a whole number of the smallest unit, cents for one.",
    timedelta: "Store value.total_seconds().",
}
_LONGEST_PATH: Final = 20


@overload
def refuse(document: Any) -> NoReturn: ...
@overload
def refuse(document: Any, *, unless_fine: Literal[True]) -> None: ...
def refuse(document: Any, *, unless_fine: bool = False) -> None:
    """Raise `InvalidDocument` for the first part that cannot be stored.

    Args:
        document: What was refused.
        unless_fine: Whether there may be no such part.
    """
    if type(document) is not dict:
        raise InvalidDocument(
            path="$", found=describe(document), hint="A document is a dict with str keys."
        )
    for path, part in _walk(document):
        problem = problem_of(part, len(path))
        if problem is not None:
            raise InvalidDocument(path=_shown(path), found=problem[0], hint=problem[1])
    if not unless_fine:
        raise InvalidDocument(
            path="$", found="a document that changed meanwhile", hint="Store a copy of it."
        )


def _shown(path: JsonPath) -> str:
    return render_path(path[:_LONGEST_PATH]) + ("…" if len(path) > _LONGEST_PATH else "")


def _walk(document: Any) -> Iterator[tuple[JsonPath, Any]]:
    """Give all parts, each before its own: what contains itself twice is found to be too deep."""
    waiting: list[tuple[JsonPath, Any]] = [((), document)]
    while waiting:
        path, part = waiting.pop()
        yield path, part
        if type(part) is dict:
            waiting.extend(((*path, key), part[key]) for key in reversed(part))
        elif type(part) is list:
            waiting.extend(((*path, index), part[index]) for index in reversed(range(len(part))))


def problem_of(part: Any, depth: int = 0) -> tuple[str, str] | None:
    """Say what a part is that cannot be stored, its own parts aside, and what to do about it."""
    kind = type(part)
    if depth <= MAX_DEPTH:
        if kind is str:
            return _problem_of_text(part)
        if kind is int:
            fits = -(2**63) <= part < 2**63
            return None if fits else ("an integer beyond 64 bits", "Store it as a string.")
        if kind in TAG:
            return _problem_of_moment(part)
    hint = _HINTS.get(kind) or objection(part, depth)
    if hint is not None:
        return describe(part), hint
    return _problem_of_keys(part) if kind is dict else None


def _problem_of_text(text: str) -> tuple[str, str] | None:
    if "\0" in text:
        return "a string with a NUL character", "Databases keep none in text; leave it out."
    try:
        text.encode()
    except UnicodeEncodeError:
        hint = "Half a character is no text; store bytes as base64.b64encode(value).decode()."
        return "a string with a lone surrogate", hint
    return None


def _problem_of_moment(value: Any) -> tuple[str, str] | None:
    try:
        TAG[type(value)](value)
    except OverflowError:
        hint = "Times with a zone are stored in UTC, where this one is outside of years 1 to 9999."
        return f"the datetime {value}", hint
    return None


def _problem_of_keys(part: dict[str, Any]) -> tuple[str, str] | None:
    for key in part:
        wrong = _problem_of_text(key)
        if wrong is not None:
            return f"an object with {wrong[0].replace('string', 'key')}", wrong[1]
        if key[:1] == "$":
            hint = "Keys that start with $ are for filters; choose another name."
            return f"an object with the key {key[:40]!a}", hint
    return None
