import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from typing_extensions import override

from nexus.errors import PluginNotFound
from nexus.observability import following
from nexus.observability.following import Following
from nexus.observability.siblings import Params, Siblings


class Worker(Siblings):
    """A worker that others can tell from this process' other ones."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.said: asyncio.Queue[str | None] = asyncio.Queue()
        self.followers = 0
        self.answers["word"] = self.word
        self.streams["words"] = self.words

    @property
    @override
    def label(self) -> str:
        return f"host:{self.name}"

    async def word(self, params: Params) -> Any:
        if params.get("only", self.name) != self.name:
            raise PluginNotFound(name="word", known=())
        return f"{self.name} {params.get('greeting', '')}".strip()

    @asynccontextmanager
    async def words(self, _params: Params) -> AsyncIterator[AsyncIterator[Any]]:
        self.followers += 1

        async def pieces() -> AsyncIterator[Any]:
            while (word := await self.said.get()) is not None:
                yield word

        try:
            yield pieces()
        finally:
            self.followers -= 1


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for a socket."""
    with TemporaryDirectory() as place:
        yield Path(place)


async def hang(_params: Params) -> Any:
    await asyncio.get_running_loop().create_future()


async def fail(_params: Params) -> Any:
    raise RuntimeError("A defect.")


async def test_everybody_is_asked_and_who_is_silent_is_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, three = Worker("a"), Worker("b"), Worker("c")
    alone = await one.gather("word")
    assert (alone.values, alone.workers, dict(alone.silent)) == (["a"], ["host:a"], {})
    async with one.joined(folder, "1"), two.joined(folder, "2"), three.joined(folder, "3"):
        found = await two.gather("word", {"greeting": "é"})
        assert found.values == ["b é", "a é", "c é"]
        assert found.workers == ["host:b", "host:a", "host:c"]
        three.answers["word"] = hang
        found = await two.gather("word", patience=0.05)
        assert (found.values, dict(found.silent)) == (["b", "a"], {"3": "host:c"})
        three.answers["word"] = fail
        assert dict((await two.gather("word")).silent) == {"3": "host:c"}
    assert "Another worker could not be answered" in caplog.text


async def test_one_that_cannot_answer_is_not_silent_and_not_told(folder: Path) -> None:
    one, two = Worker("a"), Worker("b")
    async with one.joined(folder, "1"), two.joined(folder, "2"):
        found = await one.gather("word", {"only": "a"})
        assert (found.values, dict(found.silent)) == (["a"], {})
        with pytest.raises(PluginNotFound):
            await two.gather("word", {"only": "a"})


async def test_a_worker_that_was_killed_has_a_socket_that_nobody_serves(folder: Path) -> None:
    (folder / "2.worker").touch()
    one = Worker("a")
    async with one.joined(folder, "1"):
        found = await one.gather("word")
        async with Following(one, "words", {}) as heard:
            one.said.put_nowait("still here")
            assert (await taken(heard)) == ("host:a", "still here")
    assert (found.values, dict(found.silent)) == (["a"], {"2": ""})


async def taken(heard: Following) -> tuple[str, Any]:
    found = await heard.take()
    assert found is not None
    return found.worker, found.value


async def test_streams_of_all_are_one_until_that_of_this_worker_ends(folder: Path) -> None:
    one, two = Worker("a"), Worker("b")
    async with one.joined(folder, "1"), two.joined(folder, "2"):
        async with Following(one, "words", {}) as heard:
            assert heard.workers == ["host:a", "host:b"]
            assert (one.followers, two.followers) == (1, 1)
            two.said.put_nowait("yes")
            assert await taken(heard) == ("host:b", "yes")
            one.said.put_nowait("no")
            assert await taken(heard) == ("host:a", "no")
            two.said.put_nowait(None)
            assert await taken(heard) == ("", None)
            assert heard.workers == ["host:a"]
            one.said.put_nowait(None)
            assert await heard.take() is None
        assert one.followers == 0


async def test_whoever_follows_no_longer_is_noticed_elsewhere(folder: Path) -> None:
    one, two = Worker("a"), Worker("b")
    async with one.joined(folder, "1"), two.joined(folder, "2"):
        async with Following(one, "words", {}):
            assert two.followers == 1
        while two.followers:
            await asyncio.sleep(0.001)


async def test_a_worker_that_comes_later_is_heard_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_LOOK", 0.01)
    one, two = Worker("a"), Worker("b")
    async with one.joined(folder, "1"), Following(one, "words", {}) as heard:
        async with two.joined(folder, "2"):
            assert await taken(heard) == ("", None)
            assert heard.workers == ["host:a", "host:b"]
            two.said.put_nowait("late")
            assert await taken(heard) == ("host:b", "late")
        assert await taken(heard) == ("", None)
        assert heard.workers == ["host:a"]
