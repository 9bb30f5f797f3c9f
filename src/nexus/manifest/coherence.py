"""The rules between the keys of one declared setting."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from nexus.manifest.config_field import ConfigField, is_number
from nexus.manifest.problems import JsonPath, json_text
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID

_BOUND: Final = {
    "integer": "an integer",
    "number": "a number",
    "string": "a length, an integer of 0 or more",
    "array": "a length, an integer of 0 or more",
}


def check_setting(read: dict[str, Any], path: JsonPath, report: Report) -> None:
    """Judge the keys of one declared setting against one another.

    Whatever is right is used to judge the rest, so that one wrong key hides no other. On the way
    `enum` becomes a tuple.

    Args:
        read: What each key was read as, holes included.
        path: Where the setting stands.
        report: Gets the problems. A secret's values are not in them.
    """
    kind = read.get("type", INVALID)
    secret = read.get("secret") not in (None, False)  # a misspelled true is masked as well
    bounds = _check_bounds(read, kind, path, report)
    pattern = _check_pattern(read, kind, path, report)
    field = None
    if kind is not INVALID and ("default" in read or "enum" in read):
        field = ConfigField(type=kind, pattern=pattern, secret=secret, **bounds)
    enum = _check_enum(read, field, (*path, "enum"), report, secret=secret)
    if field is None or "default" not in read:
        return
    if enum:
        field = replace(field, enum=enum)
    expected = field.check(read["default"])
    if expected is not None:
        report.mismatch((*path, "default"), read["default"], expected, secret=secret)


def _check_bounds(
    read: Mapping[str, Any], kind: Any, path: JsonPath, report: Report
) -> dict[str, Any]:
    """Give the bounds that can be used."""
    bounds = {}
    for name in ("min", "max"):
        if name not in read:
            continue
        expected = "a number" if kind is INVALID else _BOUND.get(kind)
        if expected is None:
            expected = f'no "{name}" in a setting of type {kind}'
        elif _is_bound(read[name], kind):
            bounds[name] = read[name]
            continue
        report.mismatch((*path, name), read[name], expected)
    if len(bounds) > 1 and bounds["min"] > bounds["max"]:
        report.mismatch((*path, "min"), bounds["min"], f'at most "max", {json_text(bounds["max"])}')
        return {}
    return bounds


def _is_bound(value: Any, kind: Any) -> bool:
    if not is_number(value):
        return False
    if kind in ("number", INVALID):
        return True
    return isinstance(value, int) and (kind == "integer" or value >= 0)


def _check_pattern(
    read: Mapping[str, Any], kind: Any, path: JsonPath, report: Report
) -> str | None:
    """Give the pattern if it can be used."""
    pattern = read.get("pattern", INVALID)
    if pattern is INVALID or kind is INVALID:
        return None
    if kind != "string":
        expected = f'no "pattern" in a setting of type {kind}'
        report.mismatch((*path, "pattern"), pattern, expected)
        return None
    return str(pattern)


def _check_enum(
    read: dict[str, Any],
    field: ConfigField | None,
    path: JsonPath,
    report: Report,
    *,
    secret: bool,
) -> tuple[Any, ...]:
    """Give the allowed values that fit the rest of the setting."""
    if "enum" not in read:
        return ()
    values = read["enum"]
    if not isinstance(values, list) or not values:
        report.mismatch(path, values, "an array of at least one value", secret=secret)
        return ()
    read["enum"] = tuple(values)
    if field is None:
        return ()
    fitting = []
    for index, value in enumerate(values):
        if report.full():
            break
        expected = field.check(value)
        if expected is None:
            fitting.append(value)
        else:
            report.mismatch((*path, index), value, expected, secret=secret)
    return tuple(fitting)
