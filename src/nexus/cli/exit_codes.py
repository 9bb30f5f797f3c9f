"""What the exit code of a command says."""

from enum import IntEnum
from typing import Final

from nexus.errors import NexusError


class ExitCode(IntEnum):
    """The exit codes of all commands; they are part of the interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    REFUSED = 4
    STUCK = 5
    FORCED = 130


EPILOG: Final = (
    "Exit codes: 0 done; 1 failed, or a problem was found; 2 wrong usage; 3 no application is"
    " running; 4 refused; 5 told to stop, and ended since code in it did not let go; 130 stopped by"
    " force."
)
_REFUSALS: Final = frozenset(
    {"config-value-refused", "config-key-fixed", "plugin-data-in-use", "plugin-has-data"}
)
_REFUSING: Final = frozenset({400, 401, 403, 409, 413, 422})
"""The HTTP statuses that say: you may not, or this is not right."""
_FAILURES: Final = frozenset({"reload-failed", "backup-refused", "purge-failed"})
"""What comes with such a status, and still is something that did not work."""


def exit_code_of(error: NexusError) -> int:
    """Give the exit code that an error ends a command with."""
    if error.code in _REFUSALS:
        return ExitCode.REFUSED
    if error.code == "application-refused":
        refused = error.data["status"] in _REFUSING and error.data["problem"] not in _FAILURES
        return ExitCode.REFUSED if refused else ExitCode.FAILED
    code: int = getattr(error, "exit_code", ExitCode.FAILED)
    return code
