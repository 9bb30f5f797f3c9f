"""One declared setting of a plugin: what it takes, and how to say so."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from nexus.manifest.json_reader import read_json
from nexus.manifest.problems import json_text
from nexus.manifest.record import key
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID, Choice, Flag, Json, Refusal, Text, prose


def is_number(value: Any) -> bool:
    """Say whether a value is a finite number; a boolean is none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_ALIASES: Final = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "map": "object",
}
_NOUNS: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
}
_UNITS: Final = {"string": " characters", "array": " entries"}
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_SHOWN: Final = 10


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> Callable[[str], bool]:
    # pydantic's engine is Rust's, which takes linear time: no pattern of a plugin can hang us.
    from pydantic_core import SchemaValidator, core_schema

    schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python


def _refuse_pattern(pattern: str) -> Refusal | None:
    from pydantic_core import SchemaError

    try:
        _matcher(pattern)
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("error: ").strip().rstrip(".")
        return Refusal(expected=f"a regular expression that compiles ({reason})")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigField:
    """One setting that a manifest declares under `configuration`.

    Attributes:
        type: `"string"`, `"integer"`, `"number"`, `"boolean"`, `"array"` or `"object"`.
        default: The value where no layer gives one; None when there is no default.
        min: The least value of a number, the least length of a string or an array.
        max: The greatest value of a number, the greatest length of a string or an array.
        enum: The values that are allowed; empty when any is.
        pattern: A regular expression that must match somewhere in a string.
        required: Whether the plugin waits until the setting has a value.
        secret: Whether the value is encrypted at rest and masked wherever it is shown.
        description: What the setting is for.
    """

    type: str = field(
        metadata=key(
            Choice(words=tuple(TYPES), aliases=_ALIASES),
            "Type",
            "The JSON type of the value. true and false are no integers.",
        )
    )
    default: Any = field(
        default=None,
        metadata=key(Json(), "Default", "The value where none is given. It must be valid itself."),
    )
    min: int | float | None = field(
        default=None,
        metadata=key(
            Json(form={"type": "number"}),
            "Minimum",
            "The least value of a number, or the least length of a string or an array.",
            1,
        ),
    )
    max: int | float | None = field(
        default=None,
        metadata=key(
            Json(form={"type": "number"}),
            "Maximum",
            "The greatest value of a number, or the greatest length of a string or an array.",
            10,
        ),
    )
    enum: tuple[Any, ...] = field(
        default=(),
        metadata=key(
            Json(form={"type": "array", "minItems": 1}),
            "Allowed values",
            "The only values that are allowed.",
            ["low", "high"],
        ),
    )
    pattern: str | None = field(
        default=None,
        metadata=key(
            Text(expected="a regular expression", longest=1000, rule=_refuse_pattern),
            "Pattern",
            "A regular expression that must match somewhere in the string; anchor it with ^ and $"
            " to match it all. It runs in linear time: no look-around, no back-references.",
            "^[a-z]{2}$",
        ),
    )
    required: bool = field(
        default=False,
        metadata=key(
            Flag(), "Required", "Whether the plugin waits (blocked) until there is a value."
        ),
    )
    secret: bool = field(
        default=False,
        metadata=key(
            Flag(), "Secret", "Whether the value is encrypted at rest and masked when shown."
        ),
    )
    description: str = field(
        default="",
        metadata=key(prose("a text"), "Description", "What the setting is for."),
    )

    @property
    def has_default(self) -> bool:
        """Whether the manifest gives a default; JSON's null is none."""
        return self.default is not None

    @property
    def expected(self) -> str:
        """What a value must be, in words, such as `an integer from 1 to 10`."""
        if self.enum:
            if self.secret:
                return f"{_NOUNS[self.type]} out of the declared values"
            shown = ", ".join(json_text(value) for value in self.enum[:_SHOWN])
            return f"one of {shown}{', …' if len(self.enum) > _SHOWN else ''}"
        pattern = "" if self.pattern is None else f" that matches {json_text(self.pattern)}"
        return f"{_NOUNS[self.type]}{self._bounds()}{pattern}"

    def check(self, value: Any) -> str | None:
        """Judge a value.

        Args:
            value: A JSON value.

        Returns:
            None when the value is fine, else what is expected, in words. The value itself is never
            in the answer.
        """
        return None if self._accepts(value) else self.expected

    def parse_text(self, text: str) -> Any:
        """Turn the text of an environment variable into a value of the declared type.

        Bounds, enum and pattern are not looked at; `check` does that.

        Args:
            text: A string as it is; a number in digits; true, false, yes, no, on, off, 1 or 0; an
                array or an object in JSON.

        Raises:
            ValueError: The text has another form; the message names the expected one, and never
                the text.
        """
        match self.type:
            case "string":
                return text
            case "integer":
                return _parse_integer(text)
            case "number":
                return _parse_number(text)
            case "boolean":
                return _parse_boolean(text)
            case _:
                return self._parse_json(text)

    def _bounds(self) -> str:
        unit = _UNITS.get(self.type, "")
        low = None if self.min is None else json_text(self.min)
        high = None if self.max is None else json_text(self.max)
        if low is not None and high is not None:
            return f" of {low} to {high}{unit}" if unit else f" from {low} to {high}"
        if low is not None:
            return f" of at least {low}{unit}"
        return "" if high is None else f" of at most {high}{unit}"

    def _accepts(self, value: Any) -> bool:
        if not TYPES[self.type](value):
            return False
        if self.enum and not any(value == one and type(value) is type(one) for one in self.enum):
            return self.type == "number" and value in self.enum  # 1 and 1.0 are one number
        size = len(value) if self.type in _UNITS else value
        if self.min is not None and size < self.min:
            return False
        if self.max is not None and size > self.max:
            return False
        return self.pattern is None or _matcher(self.pattern)(value)

    def _parse_json(self, text: str) -> Any:
        report = Report()
        value = read_json(text, report)
        if report.errors or value is INVALID or not TYPES[self.type](value):
            example = '["a", "b"]' if self.type == "array" else '{"key": "value"}'
            raise ValueError(f"expected a JSON {self.type} such as {example}")
        return value


def _parse_integer(text: str) -> int:
    digits = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,1000}", digits):
        raise ValueError("expected an integer such as 42")
    return int(digits)


def _parse_number(text: str) -> int | float:
    digits = text.strip()
    if re.fullmatch(r"[+-]?[0-9]{1,1000}", digits):
        return int(digits)
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", digits):
        number = float(digits)
        if math.isfinite(number):
            return number
    raise ValueError("expected a number such as 0.5")


def _parse_boolean(text: str) -> bool:
    value = _WORDS.get(text.strip().lower())
    if value is None:
        raise ValueError("expected true or false")
    return value
