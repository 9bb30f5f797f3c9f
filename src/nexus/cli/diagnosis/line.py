"""One line of a diagnosis."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at.

    Attributes:
        level: How it is.
        subject: What was looked at.
        message: What was found.
        advice: What to do; empty where nothing has to be done.
    """

    level: Grade
    subject: str
    message: str
    advice: str = ""


def ok(subject: str, message: str) -> Line:
    """Make a line for what is as it should be."""
    return Line(level="ok", subject=subject, message=message)


def warning(subject: str, message: str, advice: str = "") -> Line:
    """Make a line for what works, and may not always."""
    return Line(level="warning", subject=subject, message=message, advice=advice)


def error(subject: str, message: str, advice: str = "") -> Line:
    """Make a line for what does not work."""
    return Line(level="error", subject=subject, message=message, advice=advice)
