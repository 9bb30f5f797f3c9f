"""`get_data` and `set_data` against the same work on aiosqlite and on sqlite3 alone.

Every contender writes and reads JSON text in a table like the platform's, in WAL mode with
`synchronous=NORMAL`, and commits each set. CPU time is that of the whole process, so the threads
count. Rounds are interleaved and medians compared.
"""

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus.data import SqliteDatabase, SqliteFile, SqlKeyValueStore

if TYPE_CHECKING:
    import aiosqlite

SETUP = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "CREATE TABLE kv (namespace TEXT, key TEXT, value, PRIMARY KEY (namespace, key)) WITHOUT ROWID",
)
SET = (
    "INSERT INTO kv VALUES (?, ?, ?)"
    " ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value"
)
GET = "SELECT value FROM kv WHERE namespace = ? AND key = ?"
VALUE = {"action": "ping", "timestamp": "2026-11-22T09:41:00", "count": 41, "tags": ["a", "b"]}
CALLERS = 32


async def _cpu(operation: Callable[[int], Awaitable[Any]], count: int) -> float:
    began = time.process_time()
    for number in range(count):
        await operation(number)
    return (time.process_time() - began) / count * 1e6


class Contenders:
    """The same two operations, done by each."""

    def __init__(
        self,
        store: SqlKeyValueStore,
        peer: "aiosqlite.Connection",
        raw: sqlite3.Connection,
    ) -> None:
        self._store, self._peer, self._raw = store, peer, raw

    async def our_set(self, number: int) -> None:
        await self._store.set("plugin", f"key{number % 100}", VALUE)

    async def our_get(self, number: int) -> None:
        await self._store.get("plugin", f"key{number % 100}")

    async def peer_set(self, number: int) -> None:
        row = ("plugin", f"key{number % 100}", json.dumps(VALUE))
        await self._peer.execute_fetchall(SET, row)

    async def peer_get(self, number: int) -> None:
        rows = list(await self._peer.execute_fetchall(GET, ("plugin", f"key{number % 100}")))
        json.loads(rows[0][0])

    async def raw_set(self, number: int) -> None:
        self._raw.execute(SET, ("plugin", f"key{number % 100}", json.dumps(VALUE)))

    async def our_burst(self, _: int) -> None:
        async def caller(first: int) -> None:
            for number in range(first, first + 10):
                await self._store.set("plugin", f"key{number % 100}", VALUE)

        await asyncio.gather(*(caller(10 * index) for index in range(CALLERS)))


async def _measure(rounds: int, count: int, folder: Path) -> dict[str, float]:
    import aiosqlite

    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    database = SqliteDatabase(SqliteFile(path=folder / "nexus.db"))
    samples: dict[str, list[float]] = {}
    async with database, aiosqlite.connect(folder / "peer.db", isolation_level=None) as peer:
        for statement in SETUP:
            raw.execute(statement)
            await peer.execute_fetchall(statement)
        by = Contenders(SqlKeyValueStore(database), peer, raw)
        burst = CALLERS * 10
        plan = [
            ("our set", by.our_set, count, 1),
            ("peer set", by.peer_set, count, 1),
            ("our get", by.our_get, count, 1),
            ("peer get", by.peer_get, count, 1),
            ("raw set", by.raw_set, count, 1),
            ("our burst", by.our_burst, max(1, count // burst), burst),
        ]
        for _ in range(rounds + 1):
            for name, operation, repeats, parts in plan:
                samples.setdefault(name, []).append(await _cpu(operation, repeats) / parts)
    raw.close()
    return {name: statistics.median(values[1:]) for name, values in samples.items()}


def run(rounds: int = 15, count: int = 1600) -> list[dict[str, Any]]:
    """Measure, and give one row a comparison; `value` is in microseconds of CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        medians = asyncio.run(_measure(rounds, count, Path(folder)))
    compared = [
        ("set_data, one caller", "our set", "aiosqlite, one hop", "peer set", 1.5),
        ("get_data, one caller", "our get", "aiosqlite, one hop", "peer get", 1.5),
        (f"set_data, {CALLERS} callers at once", "our burst", "sqlite3 one by one", "raw set", 1.0),
    ]
    rows: list[dict[str, Any]] = []
    for name, ours, against, theirs, target in compared:
        ratio = medians[ours] / medians[theirs]
        rows.append(
            {
                "name": name,
                "value": round(medians[ours], 1),
                "unit": "us CPU",
                "against": f"{against} {medians[theirs]:.1f}",
                "ratio": round(ratio, 2),
                "target": target,
                "ok": ratio <= target,
            }
        )
    return rows


if __name__ == "__main__":
    for row in run():
        print(
            f"{row['name']:32} {row['value']:7.1f} {row['unit']}  against {row['against']:28}"
            f" ratio {row['ratio']:5.2f}  target {row['target']}  {'ok' if row['ok'] else 'MISSED'}"
        )
