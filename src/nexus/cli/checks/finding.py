"""One thing that a check found."""

from dataclasses import dataclass
from enum import StrEnum

from nexus.manifest import Problem


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """The plugin does not start, or fails when it does this."""
    WARNING = "warning"
    """Probably a mistake; an error under `--strict`."""
    NOTE = "note"
    """Worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found.

    Attributes:
        level: How much it matters.
        place: Where it is: a file in the plugin's folder, with a line or a JSON path.
        message: What was found, and what was expected.
    """

    level: Level
    place: str
    message: str


def of_problem(problem: Problem) -> Finding:
    """Tell a problem of the manifest or of the folder as a finding."""
    place, _, message = problem.render().partition(": ")
    place = f"manifest.json {place}" if place.startswith("$") else place
    return Finding(level=Level(problem.severity), place=place, message=message)
