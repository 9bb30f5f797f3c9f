"""Versions and version ranges (PEP 440).

`packaging` is imported when the first range is read, since its specifiers are slow to import.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from nexus.manifest.shapes import Refusal, Text

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_LONGEST: Final = 200
_RANGE: Final = 'a PEP 440 range such as ">=2,<3"'
_NPM_RANGE: Final = re.compile(r"(\^|~|=>|=<|=|)\s*(\d{1,9}(?:\.\d{1,9})*)")


def satisfies(version: str, specifier: str) -> bool:
    """Say whether a version lies in a range, by the order of PEP 440.

    This is the rule for dependencies between plugins. A pre-release counts like any version, since
    there is just the one that is installed: 2.1.0rc1 satisfies `>=2` and not `>=2.1`.

    Args:
        version: A PEP 440 version.
        specifier: A range; the empty one takes every version.

    Raises:
        ValueError: One of the two cannot be read.
    """
    return _parsed(specifier).contains(version, prereleases=True)


def satisfies_release(version: str, specifier: str) -> bool:
    """Say whether the release that a version belongs to lies in a range.

    This is the rule for `nexus_version` and `python_version`: only the epoch and the release
    segments are compared, so that 0.2.0.dev3 satisfies `>=0.2.0`.

    Args:
        version: A PEP 440 version.
        specifier: A range; the empty one takes every version.

    Raises:
        ValueError: One of the two cannot be read.
    """
    return satisfies(_release_of(version), specifier)


def refuse_range(text: str) -> Refusal | None:
    """Say what is expected where a text is no version range; None when it is one."""
    try:
        _parsed(text)
    except ValueError:
        return Refusal(expected=_RANGE, nearest=_like_a_range(text))
    return None


@lru_cache(maxsize=1024)
def _release_of(version: str) -> str:
    from packaging.version import Version

    return Version(version).base_version


@lru_cache(maxsize=1024)
def _parsed(specifier: str) -> "SpecifierSet":
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier)


@lru_cache(maxsize=1024)
def _refuse_version(text: str) -> Refusal | None:
    from packaging.version import Version

    try:
        Version(text)
    except ValueError:  # InvalidVersion, or more digits than Python converts
        leading = re.match(r"\s*(\d{1,9}(?:\.\d{1,9}){0,3})", text)
        return Refusal(expected=VERSION.expected, nearest=leading[1] if leading else None)
    return None


def _like_a_range(text: str) -> str | None:
    """Give the PEP 440 range closest to one in npm's spelling."""
    if text.strip() in {"*", "latest", "any"}:
        return ""
    match = _NPM_RANGE.fullmatch(text.strip())
    if match is None:
        return None
    operator, version = match.groups()
    first, *rest = (int(part) for part in version.split("."))
    ranges = {
        "^": f">={version},<{first + 1}" if first or not rest else f">={version},<0.{rest[0] + 1}",
        "~": f"~={version}" if rest else f">={version},<{first + 1}",
        "=>": f">={version}",
        "=<": f"<={version}",
    }
    return ranges.get(operator, f"=={version}")


VERSION: Final = Text(
    expected='a PEP 440 version such as "1.0.0"', longest=_LONGEST, rule=_refuse_version
)

VERSION_RANGE: Final = Text(expected=_RANGE, longest=_LONGEST, rule=refuse_range, convert=str.strip)
