"""Which log lines somebody asks for."""

import logging
from typing import Annotated, Literal

from fastapi import Query

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LowestLevel = Annotated[Level, Query(description="Leave out what is less severe.")]
Last = Annotated[int, Query(ge=0, le=1000, description="How many of the last lines.")]


def number_of(level: Level) -> int:
    """Give a level as the logging library's number."""
    return logging.getLevelNamesMapping()[level]
