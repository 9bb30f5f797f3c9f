"""How the log's statements are written on each engine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Final

from nexus.data.database import EngineName

_NOW: Final[dict[EngineName, str]] = {
    # Clocks of several machines differ, so leases are measured with that of the database.
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch FROM clock_timestamp())::double precision",
    "mariadb": "UNIX_TIMESTAMP(NOW(6))",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One engine's way to write statements.

    Attributes:
        engine: Which one.
        now: What gives the seconds since the epoch by the database's clock.
    """

    engine: EngineName
    now: str

    @classmethod
    def of(cls, engine: EngineName) -> "Dialect":
        """Give an engine's dialect."""
        return cls(engine=engine, now=_NOW[engine])

    def __call__(self, statement: str) -> str:
        """Give a statement, written with `?` and `{now}`, as the engine takes it."""
        return _written(self.engine, statement.replace("{now}", self.now))


@lru_cache(maxsize=1000)
def _written(engine: EngineName, statement: str) -> str:
    if engine == "sqlite":
        return statement
    if engine == "mariadb":
        return statement.replace("?", "%s")
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", statement)


def numbers(values: Sequence[int]) -> str:
    """Give whole numbers as a list for `IN`; there is no place for anything else in it."""
    return f"({', '.join(str(int(each)) for each in values) or 'NULL'})"
