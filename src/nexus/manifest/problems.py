"""One thing that is wrong with a manifest, and how it is told.

A problem says where (a JSON path), what was found there, what was expected, and, where one is
close, the valid spelling.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

Severity = Literal["error", "warning"]
JsonPath = tuple[str | int, ...]
"""The keys and indexes that lead to a value, from the top of the document."""

FOUND_LIMIT: Final = 60
"""How many characters of a value a problem shows."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_NAMES: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding about a manifest.

    Attributes:
        path: The JSON path of the value, such as `$.configuration.max_retries.min`.
        found: What stands there, shortened; a secret's value is masked.
        expected: What should stand there.
        nearest: The closest valid spelling, None when nothing is close.
        severity: An `"error"` makes the manifest invalid, a `"warning"` does not.
    """

    path: str
    found: str
    expected: str
    nearest: str | None = None
    severity: Severity = "error"

    def render(self) -> str:
        """Tell the problem in one line."""
        hint = "" if self.nearest is None else f" Did you mean {json_text(self.nearest)}?"
        end = "." if hint else ""
        return f"{self.path}: found {self.found}; expected {self.expected}{end}{hint}"

    __str__ = render


def type_name(value: Any) -> str:
    """Give JSON's name for the type of a value."""
    return _NAMES.get(type(value), "null")


def json_text(value: Any) -> str:
    """Write a value as JSON that any terminal can show, shortened to `FOUND_LIMIT` characters."""
    text = ""
    for chunk in _ENCODER.iterencode(value):  # in pieces, since a value may be very long
        text += chunk
        if len(text) > FOUND_LIMIT:
            text = f"{text[: FOUND_LIMIT - 1]}…"
            break
    printable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return printable[: FOUND_LIMIT - 1] + "…" if len(printable) > FOUND_LIMIT else printable


def describe(value: Any, *, secret: bool = False) -> str:
    """Say what a value is, such as `"1" (string)`; a secret one is named by its type alone."""
    kind = type_name(value)
    if secret:
        return f"******** ({kind})"
    return "null" if value is None else f"{json_text(value)} ({kind})"


def render_path(path: JsonPath) -> str:
    """Write a path as `$.a.b[2]`; a key that is no plain word stands in brackets and quotes."""
    parts = ["$"]
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif part.isascii() and part.isidentifier() and len(part) <= FOUND_LIMIT:
            parts.append(f".{part}")
        else:
            parts.append(f"[{json_text(part)}]")
    return "".join(parts)
