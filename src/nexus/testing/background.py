"""Tells which background tasks of plugins failed during a test.

`self.create_task` gives a task to the platform, so no exception of it reaches the test by itself.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_LOGGER = "nexus.plugins.tasks"
"""Reports each task that failed, of plugins in an application and of detached ones."""


class BackgroundTaskFailed(UserWarning):
    """A task that a plugin started with `create_task` failed during a test.

    Where a test wants that, it says so:
    `@pytest.mark.filterwarnings("ignore::nexus.testing.BackgroundTaskFailed")`.
    """


@contextmanager
def failures_become_warnings(item: pytest.Item) -> Iterator[None]:
    """Warn, at the end of the block and in the test's name, of the tasks that failed in it."""
    failed: list[str] = []

    def watch(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            task = f"{record.__dict__.get('plugin')}.{record.__dict__.get('task')}"
            failed.append(f"{task} raised {type(error).__name__}: {error}")
        return True

    logger = logging.getLogger(_LOGGER)
    logger.addFilter(watch)
    try:
        yield
    finally:
        logger.removeFilter(watch)
    if failed:
        item.warn(BackgroundTaskFailed(f"A background task failed: {'; '.join(failed)}"))
