"""A job whose plugin runs in this process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from nexus.jobs.declaration import JobDeclaration
from nexus.jobs.record import JobKey


class JobCall(Protocol):
    """A plugin's method that runs.

    Attributes:
        ended: Done when the plugin's code has really ended, with what it returned or raised.
    """

    @property
    def ended(self) -> "asyncio.Future[Any]":
        """Done when the plugin's code has really ended."""

    def cancel(self) -> None:
        """Ask the code to end; it may take its time, or go on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveJob:
    """One generation's way to run a job; two generations of a plugin have two of them.

    Attributes:
        key: What the job is called in the cluster.
        declaration: What its author has declared.
        generation: The generation's number, for the log.
        call: Calls the plugin's method, with the run's id.
        own_part: Gives an error with the frames of the plugin's own code only.
    """

    key: JobKey
    declaration: JobDeclaration
    generation: int
    call: Callable[[str], JobCall]
    own_part: Callable[[BaseException], BaseException]
