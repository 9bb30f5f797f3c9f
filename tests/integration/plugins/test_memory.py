"""A thousand reloads leave memory, tasks, threads and files where they were."""

import asyncio
import gc
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from nexus.plugins import PluginState

BODY = """
    async def initialize(self):
        await self.subscribe_to_event("any.thing", self.on_thing)
        self.register_service("leak.api", self)
        self.create_task(asyncio.Event().wait(), name="waits")
        asyncio.create_task(asyncio.Event().wait())
        sys.watch(self)
        self.get_service(Speaks)
        return True

    async def on_thing(self, event):
        await self.publish_event("leak.seen", {"ball": [1, 2, 3]})

    async def shutdown(self):
        self.get_service(Speaks)
        await self.set_data("x", 1)

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root(name: str = "x") -> Answer:
            asyncio.create_task(asyncio.Event().wait())
            return Answer(says=name)

        @router.get("/plain")
        def plain() -> Answer:
            return Answer(says="plain")

        return [router]
"""

TOP = """
from typing import Protocol
from pydantic import BaseModel


class Answer(BaseModel):
    says: str


class Speaks(Protocol):
    def speak(self) -> None: ...
"""


def lasting_threads() -> int:
    """Count the threads, but for those of pools, which come and go with the work."""
    pools = ("asyncio_", "AnyIO worker", "nexus-import")
    return sum(not each.name.startswith(pools) for each in threading.enumerate())


async def test_generations_leave_nothing_behind(workshop: Any) -> None:
    generations: weakref.WeakSet[Any] = weakref.WeakSet()
    plugins: weakref.WeakSet[Any] = weakref.WeakSet()
    classes: weakref.WeakSet[Any] = weakref.WeakSet()
    modules: weakref.WeakSet[Any] = weakref.WeakSet()

    def watch(plugin: Any) -> None:
        plugins.add(plugin)
        classes.add(type(plugin))
        modules.add(sys.modules[type(plugin).__module__])

    sys.watch = watch  # type: ignore[attr-defined]  # where the plugin finds it
    folder: Path = workshop.plugin("leak", BODY, top=TOP, files={"part.py": "x = 1"})
    sound = (folder / "plugin.py").read_text()
    async with workshop.running() as site:

        async def use() -> None:
            await site.http.get("/plugins/leak/")
            await site.http.get("/plugins/leak/plain")
            await site.app.bus.publish("any.thing", source="nexus")
            await site.http.get("/openapi.json")
            await site.api("GET", "/plugins/leak/health")
            await site.http.get("/metrics")

        stored = site.app.parts.values
        finders = len(sys.meta_path)
        counts = []
        for round_ in range(100):
            generations.add(site.live("leak"))
            await use()
            await site.app.manager.reload("leak")
            if round_ % 10 == 0:  # one that fails
                (folder / "plugin.py").write_text(sound.replace("return [router]", "return [1]"))
                answer = await site.api("POST", "/plugins/leak/reload")
                assert answer.status_code == 409
                (folder / "plugin.py").write_text(sound)
                await site.app.manager.disable("leak")
                await site.app.manager.enable("leak")
            if round_ in (50, 99):
                await site.app.bus.join()
                await site.app.manager.settle()
                gc.collect()
                counts.append((len(asyncio.all_tasks()), lasting_threads()))
        del use
        assert site.state("leak") is PluginState.RUNNING
        assert counts[0][0] == counts[1][0]
        assert counts[0][1] == counts[1][1]
        assert len(sys.meta_path) == finders
        assert len({each.split(".")[1] for each in sys.modules if "leak_" in each}) == 1
        gc.collect()
        assert not generations, "the platform itself keeps one that has ended"
        # One lives; one more may hang in a cache of a library until the next swap.
        for kept in (plugins, classes, modules):
            assert len(kept) <= 2, kept
        assert len(stored._watchers["leak"]) <= 2
    del sys.watch  # type: ignore[attr-defined]


async def test_two_applications_in_one_process_do_not_meet(workshop: Any, tmp_path: Path) -> None:
    other = type(workshop)(tmp_path / "other")
    workshop.plugin("twin", says="one", top="import nexus")
    other.plugin("twin", says="two")
    async with workshop.running() as one, other.running() as two:
        assert (await one.says("twin"), await two.says("twin")) == ("one", "two")
        await one.app.manager.disable("twin")
        assert (await one.says("twin"), await two.says("twin")) == (503, "two")
        await two.app.manager.reload("twin")
        assert await two.says("twin") == "two"


async def test_applications_may_stop_in_any_order(workshop: Any, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    finders = list(sys.meta_path)
    other = type(workshop)(tmp_path / "other")
    body = """
    async def initialize(self):
        self.made = asyncio.create_task(asyncio.Event().wait())
        return True
    """
    workshop.plugin("twin", body)
    other.plugin("twin", body)
    one, two = workshop.app(), other.app()
    await one.startup()
    await two.startup()
    await asyncio.gather(one.ready(), two.ready())
    await one.shutdown()
    plugin = two.manager.controller("twin").live.hosted.plugin
    assert not plugin.made.done()
    await two.manager.reload("twin")
    assert plugin.made.cancelled()
    await two.shutdown()
    assert loop.get_task_factory() is factory
    assert sys.meta_path == finders


async def test_no_file_is_written_into_a_plugins_folder(workshop: Any) -> None:
    folder: Path = workshop.plugin(
        "clean",
        top="from . import part\nfrom .deep.er import thing",
        files={
            "part.py": "x = 1" + "#" * 300,
            "deep/er/thing.py": "y = 1",
            "config/default.yaml": "a: 1",
        },
    )
    before = sorted(folder.rglob("*"))
    async with workshop.running() as site:
        assert site.state("clean") is PluginState.RUNNING
        await site.app.manager.reload("clean")
    assert sorted(folder.rglob("*")) == before
    assert list((workshop.root / "data" / "bytecode").iterdir())
