"""The shapes that a manifest's values have, read by hand so that every problem is told.

A shape does two things from one statement: `read` checks a value and gives the model's form of it,
and `schema` gives its JSON Schema. pydantic would stop at the first wrong key of a field, name both
branches of a union, and skip the rules between keys as soon as one key is wrong.

Shapes are compared by identity: generating equality for each would only cost import time.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report, closest

_MULTILINE: Final = r"[^\x00-\x08\x0b-\x1f\x7f]*"
_SHORT: Final = 80
_REMEMBERED: Final = 256
"""So many texts of at most so many characters each shape remembers."""
ONE_LINE: Final = r"[^\x00-\x1f\x7f]*"
"""Text without control characters, which would reach the terminals that show it."""


class _Invalid:
    """The type of `INVALID`."""

    __slots__ = ()


INVALID: Final = _Invalid()
"""Stands where a value was refused, so that the entries after it keep their index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a rule refuses a text: what it expects, and the closest spelling that it accepts."""

    expected: str
    nearest: str | None = None


class Shape(Protocol):
    """What one kind of value looks like."""

    @property
    def expected(self) -> str:
        """Say in words what the value should be."""

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the model's form of a value, or report what is wrong and give `INVALID`."""

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Text:
    """A string.

    Attributes:
        expected: What the string should be, in words.
        pattern: What the whole string matches, in the part of the regular expression syntax that
            Python and ECMAScript share.
        longest: The greatest length, in characters.
        rule: Judges what a pattern cannot say.
        suggest: Gives the valid spelling closest to a refused one.
        convert: Gives the model's form of an accepted string.
    """

    expected: str
    pattern: str = ONE_LINE
    longest: int | None = None
    rule: Callable[[str], Refusal | None] | None = None
    suggest: Callable[[str], str | None] | None = None
    convert: Callable[[str], str] | None = None

    @cached_property
    def _accepted(self) -> dict[str, str]:
        """What was accepted before: the manifests of many plugins have many texts in common."""
        return {}

    @cached_property
    def _matches(self) -> Callable[[str], object]:
        return re.compile(self.pattern).fullmatch

    def refuse(self, value: str) -> Refusal | None:
        """Say why a string is not accepted; None when it is."""
        if self.longest is not None and len(value) > self.longest:
            return Refusal(expected=f"{self.expected}; at most {self.longest} characters")
        if not self._matches(value):
            return Refusal(expected=self.expected, nearest=self._nearest(value))
        return self.rule(value) if self.rule else None

    def _nearest(self, value: str) -> str | None:
        near = self.suggest(value) if self.suggest else None
        if near is None or not self._matches(near) or (self.rule and self.rule(near)):
            return None
        return near

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the string, or report what is wrong and give `INVALID`."""
        if not isinstance(value, str):
            report.mismatch(path, value, self.expected)
            return INVALID
        accepted = self._accepted.get(value)
        if accepted is not None:
            return accepted
        refusal = self.refuse(value)
        if refusal is not None:
            report.mismatch(path, value, refusal.expected, nearest=refusal.nearest)
            return INVALID
        accepted = self.convert(value) if self.convert else value
        if len(value) <= _SHORT and len(self._accepted) < _REMEMBERED:
            self._accepted[value] = accepted
        return accepted

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the string."""
        schema: dict[str, Any] = {"type": "string"}
        if self.pattern != _MULTILINE:
            schema["pattern"] = f"^(?:{self.pattern})$"
        if self.longest is not None:
            schema["maxLength"] = self.longest
        return schema


def prose(expected: str) -> Text:
    """Give the shape of a text that may have several lines."""
    return Text(expected=expected, pattern=_MULTILINE)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Choice:
    """One of a few words.

    Attributes:
        words: The words, as they are spelled.
        aliases: Other spellings people try, with the word each one means; they are refused.
        convert: Applied before the word is looked up.
    """

    words: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[str], str] = str

    @cached_property
    def expected(self) -> str:
        """Say in words what the value should be."""
        return f"one of {', '.join(self.words)}"

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the word, or report what is wrong and give `INVALID`."""
        if not isinstance(value, str):
            report.mismatch(path, value, self.expected)
            return INVALID
        word = self.convert(value)
        if word not in self.words:
            near = self.aliases.get(value.lower()) or closest(word, self.words)
            report.mismatch(path, value, self.expected, nearest=near or closest(value, self.words))
            return INVALID
        return word

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the word."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Flag:
    """True or false."""

    expected: str = "true or false"

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the value, or report what is wrong and give `INVALID`."""
        if isinstance(value, bool):
            return value
        report.mismatch(path, value, self.expected)
        return INVALID

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value."""
        return {"type": "boolean"}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Number:
    """A number; a boolean is none.

    Attributes:
        expected: What the number should be, in words.
        form: Its JSON Schema: `type` (`integer` or `number`), `minimum`, `exclusiveMinimum`.
    """

    expected: str
    form: Mapping[str, Any]

    def accepts(self, value: Any) -> bool:
        """Say whether a value is such a number."""
        kinds = (int,) if self.form["type"] == "integer" else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return False
        least, above = self.form.get("minimum"), self.form.get("exclusiveMinimum")
        return (least is None or value >= least) and (above is None or value > above)

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give the number, or report what is wrong and give `INVALID`."""
        if self.accepts(value):
            return value
        report.mismatch(path, value, self.expected)
        return INVALID

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the number."""
        return dict(self.form)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Json:
    """Any JSON value here; the rules of the object it stands in judge it."""

    expected: str = "a JSON value"
    form: Mapping[str, Any] = field(default_factory=dict)

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:  # noqa: ARG002 - a Shape
        """Give the value."""
        return value

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value."""
        return dict(self.form)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ListOf:
    """An array whose entries have one shape; it reads as a tuple.

    Attributes:
        entry: The shape of an entry.
        expected: What the array should be, in words.
        unique: Whether a repeated entry is worth a warning.
    """

    entry: Shape
    expected: str
    unique: bool = False

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give a tuple, with `INVALID` in the place of each refused entry, or `INVALID`."""
        if not isinstance(value, list):
            report.mismatch(path, value, self.expected)
            return INVALID
        entries: list[Any] = []
        seen: set[Any] = set()
        for index, entry in enumerate(value):
            if report.full():
                break
            read = self.entry.read(entry, (*path, index), report)
            if self.unique and read is not INVALID and not report.full("warning"):
                if read in seen:
                    expected = "each entry once"
                    report.mismatch((*path, index), entry, expected, severity="warning")
                seen.add(read)
            entries.append(read)
        return tuple(entries)

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the array."""
        schema = {"type": "array", "items": self.entry.schema()}
        return {**schema, "uniqueItems": True} if self.unique else schema


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TableOf:
    """An object whose keys the author chooses and whose values have one shape.

    Attributes:
        key: The shape of a key.
        value: The shape of a value.
        expected: What the object should be, in words.
    """

    key: Text
    value: Shape
    expected: str

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give a dict of the accepted entries, or report what is wrong and give `INVALID`."""
        if not isinstance(value, dict):
            report.mismatch(path, value, self.expected)
            return INVALID
        table: dict[str, Any] = {}
        for key, entry in value.items():
            if report.full():
                break
            refusal = self.key.refuse(key)
            if refusal is not None:
                report.add(
                    (*path, key),
                    found="this key",
                    expected=refusal.expected,
                    nearest=refusal.nearest,
                )
            read = self.value.read(entry, (*path, key), report)
            if read is not INVALID and refusal is None:
                table[key] = read
        return table

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the object."""
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.value.schema(),
        }
