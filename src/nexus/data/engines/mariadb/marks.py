"""Statements as MariaDB prepares them: `?` for a parameter, where ours have `%s`."""

import re
from functools import lru_cache
from typing import Final

_PREPARABLE: Final = re.compile(r"\s*(SELECT|INSERT|REPLACE|UPDATE|DELETE)\b", re.IGNORECASE)
_OF_SERVER: Final = re.compile(r"\b(information_schema|performance_schema|mysql)\b", re.IGNORECASE)
_PERCENT: Final = re.compile(r"%(.|\Z)", re.DOTALL)
_MEANS: Final = {"%s": "?", "%%": "%"}


@lru_cache(maxsize=1000)
def question_marks(statement: str) -> str:
    """Write a statement for the server.

    Raises:
        ValueError: It has a percent sign that is neither a parameter nor doubled.
    """

    def written(found: re.Match[str]) -> str:
        mark = _MEANS.get(found.group())
        if mark is None:
            message = f"Write %% for a percent sign in a statement: {statement[:200]}"
            raise ValueError(message)
        return mark

    return _PERCENT.sub(written, statement)


@lru_cache(maxsize=1000)
def is_preparable(statement: str) -> bool:
    """Tell whether the server is to prepare a statement.

    Not those about its own tables: MariaDB 10.11 crashes when a prepared join of them is executed
    a second time.
    """
    return bool(_PREPARABLE.match(statement)) and not _OF_SERVER.search(statement)
