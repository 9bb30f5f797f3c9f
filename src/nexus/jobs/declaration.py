"""What a plugin's author declares: which methods are jobs, and when they are due."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from nexus.errors import JobInvalid
from nexus.jobs.schedule import Schedule

MARK: Final = "__nexus_job__"
"""The attribute of a decorated function that holds its declaration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDeclaration:
    """One scheduled job of a plugin.

    Attributes:
        name: What it is called among the plugin's jobs.
        method: The method that is called.
        schedule: When it is due.
        timeout: Seconds that a run may take; None for the application's limit.
    """

    name: str
    method: str
    schedule: Schedule
    timeout: float | None = None


def declared_jobs(kind: type[Any]) -> tuple[JobDeclaration, ...]:
    """Give the jobs of a class, sorted by name; those that it inherits included.

    Raises:
        JobInvalid: Two of them have one name.
    """
    found: dict[str, JobDeclaration] = {}
    for declaration in _declarations(kind):
        other = found.setdefault(declaration.name, declaration)
        if other is not declaration:
            raise JobInvalid(
                job=f"{kind.__name__}.{declaration.method}",
                found=f"its job is called {declaration.name!r}, and so is that of {other.method}()",
                expected='a name of its own: @every(..., name="...")',
            )
    return tuple(found[name] for name in sorted(found))


def _declarations(kind: type[Any]) -> Iterator[JobDeclaration]:
    # Past every descriptor, as a property is not to be run.
    declared = {
        attribute
        for each in kind.__mro__
        for attribute, value in vars(each).items()
        if isinstance(value, FunctionType) and hasattr(value, MARK)
    }
    for attribute in sorted(declared):
        function = inspect.getattr_static(kind, attribute, None)  # it may be overridden
        declaration = getattr(function, MARK, None) if inspect.isfunction(function) else None
        if isinstance(declaration, JobDeclaration) and declaration.method == attribute:
            yield declaration
