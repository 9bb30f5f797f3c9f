"""What a plugin last complained about in its log while one of its hooks ran.

A plugin that catches its own exception, logs it and returns False tells the operator the reason
only in the log; here it is overheard, so that the plugin's state can say it too.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import override


class LastComplaint(logging.Handler):
    """Remembers the message of the last record at ERROR or above."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.text = ""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's message, in one line of bounded length."""
        self.text = " ".join(record.getMessage().split())[:500]


@contextmanager
def last_complaint(logger: object) -> Iterator[LastComplaint]:
    """Listen to `logger` inside the block; a logger that a test has replaced is left alone."""
    complaint = LastComplaint()
    if not isinstance(logger, logging.Logger):
        yield complaint
        return
    logger.addHandler(complaint)
    try:
        yield complaint
    finally:
        logger.removeHandler(complaint)
