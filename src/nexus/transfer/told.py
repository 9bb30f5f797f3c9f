"""What a database says about a failure, as part of a sentence."""

import sqlite3
from importlib import import_module
from typing import Any, Final

from nexus.data.database import EngineName
from nexus.errors import NexusError

_REFUSED_VALUES: Final = (ValueError, OverflowError)
"""What drivers raise for a value that they cannot send: lone surrogates, huge integers."""


def refusals(engine: EngineName) -> tuple[type[Exception], ...]:
    """Give the errors with which a database, or its driver, refuses a statement."""
    if engine == "sqlite":
        return (sqlite3.Error,)
    found: tuple[type[Exception], ...] = import_module(
        f"nexus.data.engines.{engine}.errors"
    ).TROUBLES
    return found


def row_refusals(engine: EngineName) -> tuple[type[Exception], ...]:
    """Give the errors with which a row is refused, SQLAlchemy's included."""
    from sqlalchemy.exc import SQLAlchemyError

    return *refusals(engine), SQLAlchemyError, *_REFUSED_VALUES


def told(error: BaseException) -> str:
    """Give the words of an error, without the statement and its values, which may be anybody's."""
    if isinstance(error, NexusError):
        return error.render().removesuffix(".")
    # SQLAlchemy keeps what the database said in `orig`, and that the driver's own as its cause.
    cause: Any = getattr(error, "orig", None) or error
    text = str(getattr(cause, "__cause__", None) or cause)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
