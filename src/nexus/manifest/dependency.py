"""What a plugin needs: other plugins, each with a version range."""

import re
from dataclasses import dataclass
from typing import Any, Final

from nexus.manifest.names import PLUGIN_NAME
from nexus.manifest.problems import JsonPath
from nexus.manifest.report import Report
from nexus.manifest.shapes import INVALID, Refusal, TableOf, Text
from nexus.manifest.versions import VERSION_RANGE, refuse_range, satisfies

_AFTER_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Another plugin that must be running first.

    Attributes:
        name: The plugin's name.
        specifier: The PEP 440 range of versions that will do; empty for any.
    """

    name: str
    specifier: str = ""

    def accepts(self, version: str) -> bool:
        """Say whether this version of the plugin will do."""
        return satisfies(version, self.specifier)

    @property
    def text(self) -> str:
        """The dependency as it is written in the list form."""
        return f"{self.name}{self.specifier}"


def split_dependency(text: str) -> tuple[str, str]:
    """Split `"billing>=2,<3"` or `"billing (>=2,<3)"` into name and range, unchecked."""
    text = text.strip()
    end = _AFTER_NAME.search(text)
    at = len(text) if end is None else end.start()
    name, specifier = text[:at], text[at:].strip()
    if specifier.startswith("(") and specifier.endswith(")"):
        specifier = specifier[1:-1].strip()
    return name, specifier


def _refuse(text: str) -> Refusal | None:
    name, specifier = split_dependency(text)
    bad_name = PLUGIN_NAME.refuse(name)
    bad_range = refuse_range(specifier)
    if bad_name is None and bad_range is None:
        return None
    near_name = name if bad_name is None else bad_name.nearest
    near_range = specifier if bad_range is None else bad_range.nearest
    known = near_name is not None and near_range is not None
    return Refusal(expected=ENTRY.expected, nearest=f"{near_name}{near_range}" if known else None)


ENTRY: Final = Text(
    expected='a plugin\'s name with a PEP 440 range or none, such as "billing>=2,<3"',
    longest=300,
    rule=_refuse,
)

_TABLE: Final = TableOf(
    key=PLUGIN_NAME, value=VERSION_RANGE, expected="an object of ranges by plugin name"
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Dependencies:
    """The two spellings of `dependencies`: a list of texts, or an object of ranges by name."""

    expected: str = "an array of plugin names with ranges, or an object of ranges by plugin name"

    def read(self, value: Any, path: JsonPath, report: Report) -> Any:
        """Give a tuple of dependencies, or report what is wrong and give `INVALID`."""
        before = report.errors
        if isinstance(value, list):
            read = self._read_list(value, path, report)
        elif isinstance(value, dict):
            table = _TABLE.read(value, path, report)
            read = [Dependency(name=name, specifier=table[name]) for name in table]
        else:
            report.mismatch(path, value, self.expected)
            return INVALID
        return tuple(read) if report.errors == before else INVALID

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of both spellings."""
        return {
            "anyOf": [
                {"type": "array", "items": ENTRY.schema()},
                _TABLE.schema(),
            ]
        }

    def _read_list(self, value: list[Any], path: JsonPath, report: Report) -> list[Dependency]:
        read: dict[str, Dependency] = {}
        for index, entry in enumerate(value):
            if report.full():
                break
            text = ENTRY.read(entry, (*path, index), report)
            if text is INVALID:
                continue
            name, specifier = split_dependency(text)
            if name in read:
                report.mismatch((*path, index), entry, "each plugin once, with one range")
            read[name] = Dependency(name=name, specifier=specifier)
        return list(read.values())
