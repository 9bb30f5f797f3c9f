"""Counts the starts that ended before the application was ready, for `nexus run`.

A start is noted in the data folder when it begins. The note goes when the application is ready, and
when the start has ended in an orderly way: with an error that says what is wrong, or because
somebody told the process to stop and it did. What is left are crashes: a plugin that calls
`os._exit`, or that does not let go when the process is to stop, a fault in a C extension, the
kernel's or an operator's SIGKILL.
"""

import json
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from nexus.cli.errors import CannotWrite, WorkerFailed
from nexus.errors import NexusError

logger = logging.getLogger(__name__)

STARTS_FILE: Final = "starts.json"
_SIGNALED: Final = 128
"""What shells add to a signal's number for an exit code."""
TRIES: Final = 3
"""So many crashes in a row are enough."""


class StartAttempts:
    """The starts of one application that nobody has seen the end of.

    Args:
        data_folder: The application's data folder, which this process alone uses.
    """

    def __init__(self, data_folder: Path) -> None:
        self._path = data_folder / STARTS_FILE
        self._crashed = _read(self._path)
        self._is_open = False

    @property
    def crashes(self) -> int:
        """How many starts in a row ended in a crash."""
        return len(self._crashed)

    @property
    def is_loop(self) -> bool:
        """Whether that is enough to start without the plugins."""
        return self.crashes >= TRIES

    @property
    def in_words(self) -> str:
        """Say what happened, for people."""
        if self.crashes == 1:
            return "The last start ended before the application was ready."
        return f"The last {self.crashes} starts ended before the application was ready."

    def tell(self) -> None:
        """Log how many starts have crashed, and what follows from it."""
        logger.warning(
            "%s After %s in a row only plugins that come with Nexus are started.",
            self.in_words,
            TRIES,
            extra={"crashes": self.crashes},
        )

    def tell_crash(self) -> None:
        """Log that the process ends in a crash, if the application was not ready before."""
        if self._is_open:
            logger.critical(
                "The application was not ready yet, so this start counts as a crash",
                extra={"crashes": self.crashes + 1, "safe_mode_after": TRIES},
            )

    def begin(self) -> None:
        """Note a start; unless it is said to be over, it is a crash.

        Raises:
            CannotWrite: The data folder cannot be written.
        """
        self._is_open = True
        self._write([*self._crashed, datetime.now(UTC).isoformat()])

    def call_off(self) -> None:
        """Take the note back: this start did not crash, and tells nothing of the ones before."""
        if self._is_open:
            self._is_open = False
            with suppress(CannotWrite):  # the end of a process must not fail because of it
                self._write(self._crashed)

    def succeed(self) -> None:
        """Forget all crashes, since the application is ready."""
        self._is_open = False
        self._crashed = []
        self._path.unlink(missing_ok=True)

    def _write(self, starts: list[str]) -> None:
        if not starts:
            self._path.unlink(missing_ok=True)
            return
        draft = self._path.with_suffix(".tmp")
        try:
            draft.write_text(json.dumps(starts), encoding="utf-8")
            os.replace(draft, self._path)  # noqa: PTH105 - complete or not at all
        except OSError as error:
            problem = error.strerror or str(error)
            raise CannotWrite(path=str(self._path), problem=problem) from error


@contextmanager
def counted(attempts: StartAttempts) -> Iterator[None]:
    """Note a start, and take the note back where the block ends in an orderly way.

    SIGTERM is such an end, also before the server has handlers of its own.
    """

    def told(number: int, _frame: object) -> None:
        attempts.call_off()
        raise SystemExit(_SIGNALED + number)

    before = signal.signal(signal.SIGTERM, told)
    attempts.begin()
    try:
        yield
    except WorkerFailed as error:
        if not error.data["crashed"]:
            attempts.call_off()
        raise
    except (NexusError, KeyboardInterrupt):
        attempts.call_off()
        raise
    else:
        attempts.call_off()
    finally:
        signal.signal(signal.SIGTERM, before)


def _read(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(each) for each in found] if isinstance(found, list) else []
