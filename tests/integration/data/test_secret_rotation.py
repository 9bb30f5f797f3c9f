"""The key that encrypts secrets is exchanged while others use it, and wherever that breaks off."""

import asyncio
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from nexus.config import SecretBox, StoredValues, secret_key
from nexus.config import secret_rotation as rotations
from nexus.config.secret_key import find_keys
from nexus.config.secret_rotation import SecretRotation
from nexus.data import SqlKeyValueStore
from nexus.data.database import Database
from nexus.errors import SecretUndecryptable

SECRETS = {"a": "canary-one", "b": {"deep": ["canary-two", 3]}, "c": 12345}


class Process:
    """What one process has of an application's secrets."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        key: str | None = None,
        former: tuple[str, ...] = (),
    ) -> None:
        self.store = SqlKeyValueStore(database)
        self.box = SecretBox.of_application(folder, key, former)
        self.values = StoredValues(self.store, self.box, database.transaction)
        self.rotation = SecretRotation(
            database, self.store, self.box, folder, is_given=key is not None
        )

    async def write(self, plugin: str, **values: Any) -> None:
        async with self.values.exclusive(plugin):
            await self.values.write(plugin, values, secrets=set(values))

    async def read(self, plugin: str) -> dict[str, Any]:
        stored = await self.values.read(plugin)
        assert not stored.undecryptable
        return stored.values


class Crash(BaseException):
    """The process ends here."""


async def test_everything_is_under_the_new_key_and_the_old_one_is_gone(
    database: Database, tmp_path: Path
) -> None:
    process, other = Process(database, tmp_path), Process(database, tmp_path)
    await process.write("shop", **SECRETS)
    await process.write("till", pin="canary-pin")
    await process.values.write("till", {"open": "plain"}, secrets=())
    assert await other.read("shop") == SECRETS
    (old,) = find_keys(tmp_path)

    done = await process.rotation.rotate()

    assert (done.encrypted, done.lost) == (4, [])
    (new,) = find_keys(tmp_path)
    assert new != old
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    for reader in (process, other, Process(database, tmp_path)):
        assert await reader.read("shop") == SECRETS
        assert await reader.read("till") == {"pin": "canary-pin", "open": "plain"}
    with_old = SecretBox(lambda: [old], lambda: old)
    entry: Any = await process.store.get("config/shop", "a")
    with pytest.raises(SecretUndecryptable):
        with_old.decrypt("shop", "a", entry["secret"])
    assert (await other.rotation.rotate()).encrypted == 4


async def test_others_write_and_read_meanwhile_and_nothing_is_lost(
    database: Database, tmp_path: Path
) -> None:
    processes = [Process(database, tmp_path) for _ in range(3)]
    await processes[0].write("shop", **{f"k{n}": n for n in range(10)})
    over = asyncio.Event()

    async def work(process: Process) -> int:
        number = 0
        for number in count(1):
            await process.write("till", pin=number)
            assert await process.read("till") != {}
            assert len(await process.read("shop")) == 10
            if over.is_set():
                break
        return number

    workers = [asyncio.create_task(work(each)) for each in processes[1:]]
    # Two at once are as good as one: they agree on a key.
    await asyncio.gather(processes[0].rotation.rotate(), processes[1].rotation.rotate())
    await processes[0].rotation.rotate()
    over.set()
    written = await asyncio.gather(*workers)

    assert min(written) > 0
    assert len(find_keys(tmp_path)) == 1
    fresh = Process(database, tmp_path)
    assert await fresh.read("shop") == {f"k{n}": n for n in range(10)}
    assert (await fresh.read("till"))["pin"] in written


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_wherever_it_is_killed_all_can_be_read_and_another_run_finishes_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Process(database, tmp_path).write("shop", **SECRETS)
    steps = 0
    at = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            raise Crash

    replace, put = secret_key.replace_key_file, SqlKeyValueStore.set

    def replace_key_file(*arguments: Any) -> None:
        step()
        replace(*arguments)
        step()

    async def put_value(self: SqlKeyValueStore, *arguments: Any) -> None:
        step()
        await put(self, *arguments)
        step()

    monkeypatch.setattr(rotations, "replace_key_file", replace_key_file)
    monkeypatch.setattr(SqlKeyValueStore, "set", put_value)
    for at in count(1):
        steps = 0
        with suppress(Crash):
            await Process(database, tmp_path).rotation.rotate()
        ended = steps < at
        at = 0  # noqa: PLW2901 - nothing crashes until the next turn
        assert await Process(database, tmp_path).read("shop") == SECRETS
        if ended:
            break
        await Process(database, tmp_path).rotation.rotate()
        assert await Process(database, tmp_path).read("shop") == SECRETS
        assert len(find_keys(tmp_path)) == 1
    assert steps == 12  # the file twice, the name once, three secrets: before and after each


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_an_operators_new_key_takes_the_place_of_the_former_one(
    database: Database, tmp_path: Path
) -> None:
    first, second = "the first long key", "the second long key"
    of_file = Process(database, tmp_path)
    await of_file.write("till", pin=1)
    await Process(database, tmp_path, key=first).write("shop", **SECRETS)

    changed = Process(database, tmp_path, key=second, former=(first,))
    assert await changed.read("shop") == SECRETS
    done = await changed.rotation.rotate()

    assert done.encrypted == 4
    alone = Process(database, tmp_path / "elsewhere", key=second)
    assert await alone.read("shop") == SECRETS
    assert await alone.read("till") == {"pin": 1}
    assert len(find_keys(tmp_path)) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_what_no_key_opens_is_named_and_left_and_can_be_set_again(
    database: Database, tmp_path: Path
) -> None:
    lost = Process(database, tmp_path / "lost")
    await lost.write("shop", a=1)
    process = Process(database, tmp_path)
    await process.write("shop", b=2)
    before = await process.store.get("config/shop", "a")

    done = await process.rotation.rotate()

    assert done.lost == [("shop", "a")]
    assert await process.store.get("config/shop", "a") == before
    await process.write("shop", a=3)
    assert await process.read("shop") == {"a": 3, "b": 2}
