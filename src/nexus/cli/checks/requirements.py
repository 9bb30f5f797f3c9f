"""Holds a plugin's `requirements.txt` against what is installed."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.cli.checks.finding import Finding, Level

if TYPE_CHECKING:
    from packaging.requirements import Requirement

FILE: Final = "requirements.txt"


def check_requirements(folder: Path) -> list[Finding]:
    """Find distributions that are missing, or there in another version.

    Lines that are no requirement, such as pip's options, are left alone.
    """
    try:
        text = (folder / FILE).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        return [Finding(level=Level.ERROR, place=FILE, message=f"cannot be read: {error}")]
    joined = re.sub(r"\\\n", " ", text)
    findings = [_judge(number, line) for number, line in enumerate(joined.splitlines(), 1)]
    return [finding for finding in findings if finding is not None]


def _judge(number: int, line: str) -> Finding | None:
    from packaging.requirements import InvalidRequirement, Requirement

    text = re.sub(r"(^|\s)#.*", "", line).split(" --hash")[0].strip()
    if not text or text.startswith("-"):
        return None
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        if "/" in text:
            return None  # a path or an address, which pip takes as well
        problem = f"{text!r} is no requirement. Expected one such as 'httpx>=0.28'."
    else:
        if requirement.marker is not None and not requirement.marker.evaluate():
            return None
        missing = _missing(requirement)
        if missing is None:
            return None
        wanted = f"{requirement.name}{requirement.specifier}"
        problem = f"{missing} Install it: pip install '{wanted}'"
    return Finding(level=Level.ERROR, place=f"{FILE}:{number}", message=problem)


def _missing(requirement: "Requirement") -> str | None:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed."
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} {found} is installed; expected {requirement.specifier}."
