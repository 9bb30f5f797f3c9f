"""Versions of Python, of the platform and of what it stands on."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from nexus._version import __version__
from nexus.cli.diagnosis.line import Line, error, ok, warning

DISTRIBUTION: Final = "nexus-platform"
_SHOWN: Final = ("fastapi", "starlette", "pydantic", "uvicorn")
_OLDEST: Final = (3, 11)


def diagnose_installation() -> Sequence[Line]:
    """Look at the versions."""
    return [_python(), ok("nexus", __version__), *_libraries()]


def _python() -> Line:
    text = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < _OLDEST:
        return error("python", text, "Nexus needs Python 3.11 or newer.")
    return ok("python", text)


def _libraries() -> list[Line]:
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    except PackageNotFoundError:
        return [warning(DISTRIBUTION, "is not installed as a distribution", "Run 'pip install .'.")]
    lines = []
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            advice = f"Run 'pip install {requirement.name}{requirement.specifier}'."
            lines.append(error(requirement.name, "is not installed.", advice))
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            message = f"{found}; tested with {requirement.specifier}."
            lines.append(warning(requirement.name, message, "Install a version in that range."))
        elif requirement.name in _SHOWN:
            lines.append(ok(requirement.name, found))
    return lines
