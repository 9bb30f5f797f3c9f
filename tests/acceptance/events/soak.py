"""The proof at length: `make soak`.

Environment variables say how long: `SOAK_ENGINES` (sqlite, postgresql, mariadb, and nats and redis
with the rest in PostgreSQL), `SOAK_KILLS` and
`SOAK_EVENTS` of each run, `SOAK_ROUNDS` of all of it, `SOAK_AWAY` seconds that a server is away,
and `SOAK_SEED` to have the same fates again. The databases are those of the tests.
"""

# ruff: noqa: T201 - it is a command

import asyncio
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from tests.acceptance.events.broker import PROGRAMS, private_broker
from tests.acceptance.events.evidence import Evidence
from tests.acceptance.events.outage import away, broker_away, private_server
from tests.acceptance.events.proof import Proof

from nexus.testing.servers import temporary_database

_SERVERS: Final = {
    "postgresql": os.environ.get(
        "NEXUS_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/test"
    ),
    "mariadb": os.environ.get("NEXUS_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"),
}


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"SOAK_{name}", default)


@asynccontextmanager
async def _database(engine: str, folder: Path) -> AsyncIterator[str]:
    if engine in PROGRAMS:
        engine = "postgresql"
    if engine == "sqlite":
        yield f"sqlite:///{folder}/events.db"
        return
    async with temporary_database(_SERVERS[engine]) as url:
        yield url


def _tell(what: str, run: Callable[[], Evidence]) -> bool:
    """Do one run, print its figures, and say whether all promises were kept."""
    began = time.monotonic()
    print(f"\n{what}", flush=True)
    found = run()
    for name, value in found.summary().items():
        print(f"  {value:>9,}  {name}")
    print(f"  {time.monotonic() - began:>9,.0f}  seconds")
    try:
        found.check()
    except AssertionError as broken:
        print(f"  BROKEN: {broken}", flush=True)
        return False
    print("  all promises kept", flush=True)
    return True


async def _killed(engine: str, seed: int) -> bool:
    kills, events = int(_setting("KILLS", "300")), int(_setting("EVENTS", "60000"))
    kept = True
    for words in ("one process", "two processes in turn"):
        with tempfile.TemporaryDirectory(prefix="nexus-soak-") as name:
            folder = Path(name)
            async with AsyncExitStack() as stack:
                url = await stack.enter_async_context(_database(engine, folder))
                events_in = "sql"
                if engine in PROGRAMS:
                    events_in = stack.enter_context(private_broker(engine)).url
                proof = Proof(
                    url=url,
                    folder=folder / "notes",
                    seed=seed,
                    kills=kills,
                    events=events,
                    engine=events_in,
                )
                run = proof.of_one if words == "one process" else proof.of_two
                kept &= await asyncio.to_thread(_tell, f"{engine}, killing {words}", run)
    return kept


def _away(when_away: str, seed: int) -> bool:
    seconds = float(_setting("AWAY", "30"))
    with private_server() as server, tempfile.TemporaryDirectory(prefix="nexus-soak-") as name:

        def run() -> Evidence:
            return away(server, Path(name) / "notes", seed, when_away, signal.SIGKILL, seconds)

        return _tell(f"postgresql, away for {seconds:g} s, when_away: {when_away}", run)


def _broker_away(engine: str, when_away: str, seed: int) -> bool:
    seconds = float(_setting("AWAY", "30"))
    with (
        private_broker(engine) as broker,
        tempfile.TemporaryDirectory(prefix="nexus-soak-") as name,
    ):

        def run() -> Evidence:
            return broker_away(broker, Path(name), seed, when_away, seconds)

        return _tell(f"{engine}, away for {seconds:g} s, when_away: {when_away}", run)


def main() -> int:
    """Run everything, and give the exit code."""
    kept = True
    engines = _setting("ENGINES", "sqlite,postgresql,mariadb,nats,redis").split(",")
    for _ in range(int(_setting("ROUNDS", "1"))):
        seed = int(_setting("SEED", str(secrets.randbelow(2**32))))
        for engine in engines:
            kept &= asyncio.run(_killed(engine, seed))
        if "postgresql" in engines:
            for when_away in ("fail", "wait"):
                kept &= _away(when_away, seed)
        for engine in PROGRAMS.keys() & engines:
            for when_away in ("fail", "wait"):
                kept &= _broker_away(engine, when_away, seed)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
