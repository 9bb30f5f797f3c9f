"""A killed process loses nothing that was acknowledged."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.data import SqliteDatabase, SqliteFile, SqlKeyValueStore

CHILD = """
import asyncio, sys
from pathlib import Path
from nexus.data import SqliteDatabase, SqliteFile, SqlKeyValueStore

async def main():
    database = SqliteDatabase(SqliteFile(path=Path(sys.argv[1])))
    await database.open()
    store = SqlKeyValueStore(database)

    async def write(caller):
        number = 0
        while True:
            key = f"{caller}.{number}"
            await store.set("kill", key, {"caller": caller, "number": number})
            sys.stdout.write(key + "\\n")
            sys.stdout.flush()
            number += 1

    await asyncio.gather(*(write(caller) for caller in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(4))
def test_every_acknowledged_write_is_there_after_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "nexus.db"
    lines = random.Random(seed).randrange(50, 3000)  # noqa: S311  no secret
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline().strip() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in child.stdout.readlines() if line.endswith("\n")]
    finally:
        child.kill()
        child.communicate()

    async def read() -> set[str]:
        async with SqliteDatabase(SqliteFile(path=path)) as database:
            return set(await SqlKeyValueStore(database).items("kill"))

    assert len(acknowledged) >= lines
    assert set(acknowledged) <= asyncio.run(read())
