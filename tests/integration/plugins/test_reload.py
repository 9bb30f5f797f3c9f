"""A reload swaps one generation for another, or changes nothing."""

import asyncio
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nexus.errors import PluginNotFound, ReloadFailed
from nexus.plugins import PluginState

COUNTS = """
    async def initialize(self):
        await self.subscribe_to_event("tick.*", self.on_tick)
        self.register_service("counter", self)
        return True

    async def on_tick(self, event):
        sys.ticks.append((SAYS, event.data["n"]))
"""


@pytest.fixture(autouse=True)
def ticks() -> Any:
    sys.ticks = []  # type: ignore[attr-defined]  # where the plugins find it
    yield sys.ticks  # type: ignore[attr-defined]
    del sys.ticks  # type: ignore[attr-defined]


async def test_a_reload_serves_the_new_code_at_once(workshop: Any) -> None:
    workshop.plugin("counter", COUNTS, says="old")
    async with workshop.running() as site:
        old = site.plugin("counter")
        assert await site.says("counter") == "old"
        workshop.plugin("counter", COUNTS, says="new", version="1.1.0")
        answer = await site.api("POST", "/plugins/counter/reload")
        assert answer.status_code == 200
        assert (answer.json()["generation"], answer.json()["version"]) == (2, "1.1.0")
        assert await site.says("counter") == "new"
        assert site.app.services.find("counter") is site.plugin("counter") is not old
        [figures] = [each for each in site.app.bus.figures().subscriptions if each.live]
        assert figures.owner == "counter"


@pytest.mark.parametrize(
    "change",
    [
        {"code": "def broken(:"},
        {"body": "    async def initialize(self): raise ValueError('new is bad')", "says": "new"},
        {"body": "    async def initialize(self): return False", "says": "new"},
        {
            "body": "    async def health_check(self):\n"
            "        return HealthStatus(healthy=False, message='no pulse')",
            "says": "new",
        },
        {"body": "    def get_api_routes(self): return [1]"},
        {"top": "raise SystemExit"},
        {"says": "new", "version": "not a version"},
        {"says": "new", "dependencies": ["not_there"]},
        {"says": "new", "nexus_version": ">=99"},
        {
            "says": "new",
            "configuration": {"key": {"type": "string", "required": True}},
        },
        {"says": "new", "body": "    async def initialize(self): sys.exit()"},
        {
            "says": "new",
            "body": "    async def initialize(self):\n"
            "        self.register_service('taken', 1)\n        return True",
        },
    ],
)
async def test_a_generation_that_cannot_take_over_leaves_the_old_one_serving(
    workshop: Any, change: dict[str, Any]
) -> None:
    workshop.plugin("counter", COUNTS, says="old")
    taker = """
    async def initialize(self):
        self.register_service("taken", self)
        return True
    """
    workshop.plugin("taker", taker)
    async with workshop.running() as site:
        old = site.live("counter")
        before = site.app.manager.status("counter")
        workshop.plugin("counter", **change)
        answer = await site.api("POST", "/plugins/counter/reload")
        assert (answer.status_code, answer.json()["code"]) == (409, "reload-failed")
        assert "Generation 1 keeps serving" in answer.json()["detail"]
        assert site.live("counter") is old
        assert await site.says("counter") == "old"
        after = site.app.manager.status("counter")
        assert "the last reload failed: " in after.reason
        assert dataclasses.replace(after, reason="") == before
        assert site.app.services.find("counter") is site.plugin("counter")
        await site.app.bus.publish("tick.on", {"n": 1}, source="nexus")
        await site.app.bus.join()
        assert sys.ticks == [("old", 1)]  # type: ignore[attr-defined]
        # Once the files are right again, the next reload works.
        workshop.plugin("counter", COUNTS, says="mended")
        await site.app.manager.reload("counter")
        assert await site.says("counter") == "mended"
        assert site.reason("counter") == ""


async def test_no_dependant_notices_a_reload_that_fails(workshop: Any) -> None:
    workshop.plugin("base", says="old")
    workshop.plugin("user", dependencies=["base<2"], says="user")
    async with workshop.running() as site:
        user = site.live("user")
        workshop.plugin("base", "    async def initialize(self): return False", version="2.0.0")
        with pytest.raises(ReloadFailed):
            await site.app.manager.reload("base")
        assert site.live("user") is user
        assert site.state("user") is PluginState.RUNNING


async def test_dependants_that_refuse_the_new_version_are_blocked_after_the_swap(
    workshop: Any,
) -> None:
    workshop.plugin("base", says="old")
    workshop.plugin("user", dependencies=["base<2"], says="user")
    async with workshop.running() as site:
        workshop.plugin("base", says="new", version="2.0.0")
        await site.app.manager.reload("base")
        await site.app.manager.settle()
        assert await site.says("base") == "new"
        assert site.state("user") is PluginState.BLOCKED
        assert "version 2.0.0 is there" in site.reason("user")


async def test_new_code_of_a_sub_module_really_runs_after_a_quick_edit(workshop: Any) -> None:
    code = "from plugins.parts.sub.words import WORD\nSAYS = WORD\n"
    workshop.plugin("parts", top=code, says=None, files={"sub/words.py": "WORD = 'aaa'"})
    body = """
    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            return {"says": SAYS}

        return [router]
"""
    folder: Path = workshop.plugin("parts", body, top=code)
    words = folder / "sub" / "words.py"
    async with workshop.running() as site:
        assert await site.says("parts") == "aaa"
        stamp = words.stat()
        words.write_text("WORD = 'bbb'")
        os.utime(words, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # same time, same size
        await site.app.manager.reload("parts")
        assert await site.says("parts") == "bbb"
    assert not list(workshop.root.glob("plugins/**/__pycache__"))


async def test_no_event_is_lost_or_doubled_over_reloads(workshop: Any) -> None:
    workshop.plugin("counter", COUNTS, says=0)
    async with workshop.running() as site:
        done = asyncio.Event()

        async def publish() -> int:
            number = 0
            while not done.is_set():
                await site.app.bus.publish("tick.on", {"n": number}, source="nexus")
                number += 1
                await asyncio.sleep(0)
            return number

        publishing = asyncio.create_task(publish())
        for generation in range(1, 6):
            workshop.plugin("counter", COUNTS, says=generation)
            await site.app.manager.reload("counter")
        done.set()
        count = await publishing
        await site.app.bus.join()
        assert [number for _, number in sys.ticks] == list(range(count))  # type: ignore[attr-defined]
        generations = [generation for generation, _ in sys.ticks]  # type: ignore[attr-defined]
        assert generations == sorted(generations)


SLOW = """
    def get_api_routes(self):
        router = APIRouter()

        @router.get("/slow")
        async def slow():
            sys.entered.set()
            await sys.gate.wait()
            await self.set_data("finished", SAYS)
            return {"says": SAYS, "shut": SHUT}

        @router.get("/")
        async def root():
            return {"says": SAYS}

        return [router]

    async def shutdown(self):
        SHUT.append(1)
"""


@pytest.mark.parametrize("move", ["reload", "disable"])
async def test_a_request_in_flight_finishes_on_the_old_generation(workshop: Any, move: str) -> None:
    sys.entered, sys.gate = asyncio.Event(), asyncio.Event()  # type: ignore[attr-defined]
    workshop.plugin("slow", SLOW, top="SAYS = 'old'\nSHUT = []")
    async with workshop.running() as site:
        request = asyncio.create_task(site.http.get("/plugins/slow/slow"))
        await sys.entered.wait()  # type: ignore[attr-defined]
        workshop.plugin("slow", SLOW, top="SAYS = 'new'\nSHUT = []")
        moving = asyncio.create_task(getattr(site.app.manager, move)("slow"))
        old = site.live("slow")
        await workshop.until(lambda: site.app.manager.controller("slow").live is not old)
        assert await site.says("slow") == ("new" if move == "reload" else 503)
        sys.gate.set()  # type: ignore[attr-defined]
        answer = await request
        assert answer.json() == {"says": "old", "shut": []}
        await moving
        assert await site.app.store.items("data:slow") == {"finished": "old"}


async def test_the_drain_limit_ends_what_hangs(workshop: Any) -> None:
    sys.entered, sys.gate = asyncio.Event(), asyncio.Event()  # type: ignore[attr-defined]
    workshop.plugin("slow", SLOW, top="SAYS = 'old'\nSHUT = []")
    async with workshop.running(shutdown={"drain_timeout": 0.1, "timeout": 0.2}) as site:
        request = asyncio.create_task(site.http.get("/plugins/slow/slow"))
        await sys.entered.wait()  # type: ignore[attr-defined]
        await site.app.manager.disable("slow")
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (503, "plugin-stopped")


async def test_an_event_in_hand_is_finished_by_the_old_generation(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("work.*", self.on_work)
        return True

    async def on_work(self, event):
        sys.entered.set()
        await sys.gate.wait()
        sys.ticks.append((SAYS, event.data["n"]))
    """
    sys.entered, sys.gate = asyncio.Event(), asyncio.Event()  # type: ignore[attr-defined]
    workshop.plugin("worker", body, says="old")
    async with workshop.running() as site:
        for number in range(3):
            await site.app.bus.publish("work.do", {"n": number}, source="nexus")
        await sys.entered.wait()  # type: ignore[attr-defined]
        workshop.plugin("worker", body, says="new")
        reloading = asyncio.create_task(site.app.manager.reload("worker"))
        await workshop.until(lambda: site.live("worker").number == 2)
        sys.gate.set()  # type: ignore[attr-defined]
        await reloading
        await site.app.bus.join()
        assert sys.ticks == [("old", 0), ("new", 1), ("new", 2)]  # type: ignore[attr-defined]


async def test_reload_of_a_plugin_that_does_not_run_starts_it_from_its_files(
    workshop: Any,
) -> None:
    folder = workshop.plugin("late", says=1)
    (folder / "manifest.json").write_text("{")
    async with workshop.running() as site:
        assert site.state("late") is PluginState.INVALID
        workshop.plugin("late", says=1)
        assert (await site.app.manager.reload("late")).state is PluginState.RUNNING
        assert await site.says("late") == 1


async def test_reload_finds_a_plugin_that_has_just_come(workshop: Any) -> None:
    workshop.plugin("first")
    async with workshop.running() as site:
        workshop.plugin("second", says=2)
        answer = await site.api("POST", "/plugins/second/reload")
        assert answer.json()["state"] == "running"
        with pytest.raises(PluginNotFound, match="second"):
            await site.app.manager.reload("secund")


async def test_reload_finds_a_plugin_whose_folder_has_moved(workshop: Any) -> None:
    folder: Path = workshop.plugin("mover", says=1)
    async with workshop.running() as site:
        (workshop.root / "plugins" / "tools").mkdir()
        folder.rename(workshop.root / "plugins" / "tools" / "mover")
        await site.app.manager.reload("mover")
        assert site.live("mover").number == 2
        assert await site.says("mover") == 1


async def test_reload_of_a_double_stays_refused_until_one_of_them_has_gone(workshop: Any) -> None:
    folder: Path = workshop.plugin("twin", says=1)
    other = workshop.root / "plugins" / "tools" / "twin"
    other.parent.mkdir()
    other.mkdir()
    for file in folder.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    async with workshop.running() as site:
        assert site.state("twin") is PluginState.INVALID
        assert str(folder) in site.reason("twin")
        assert str(other) in site.reason("twin")
        assert (await site.app.manager.reload("twin")).state is PluginState.INVALID
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        assert (await site.app.manager.reload("twin")).state is PluginState.RUNNING


async def test_many_callers_who_reload_at_once_all_get_code_that_is_new_enough(
    workshop: Any,
) -> None:
    workshop.plugin("counter", COUNTS, says="old")
    async with workshop.running() as site:
        workshop.plugin("counter", COUNTS, says="new")
        statuses = await asyncio.gather(*(site.app.manager.reload("counter") for _ in range(10)))
        assert {status.state for status in statuses} == {PluginState.RUNNING}
        assert await site.says("counter") == "new"
        assert site.live("counter").number <= 3


async def test_a_reload_that_is_given_up_by_its_caller_goes_on(workshop: Any) -> None:
    workshop.plugin("counter", COUNTS, says="old")
    async with workshop.running() as site:
        workshop.plugin("counter", COUNTS, says="new")
        reloading = asyncio.create_task(site.app.manager.reload("counter"))
        await asyncio.sleep(0)
        reloading.cancel()
        await workshop.until(lambda: site.live("counter").number == 2)
        assert await site.says("counter") == "new"
        await site.app.manager.settle()
        assert site.state("counter") is PluginState.RUNNING


async def test_disable_calls_a_reload_off(workshop: Any) -> None:
    workshop.plugin("counter", COUNTS, says="old")
    async with workshop.running() as site:
        hangs = """
    async def initialize(self):
        sys.entered.set()
        await asyncio.Event().wait()
        """
        sys.entered = asyncio.Event()  # type: ignore[attr-defined]
        workshop.plugin("counter", hangs, says="new")
        reloading = asyncio.create_task(site.app.manager.reload("counter"))
        await sys.entered.wait()  # type: ignore[attr-defined]
        status = await site.app.manager.disable("counter")
        assert status.state is PluginState.DISABLED
        with pytest.raises(ReloadFailed, match="called off"):
            await reloading


async def test_a_reload_while_the_database_is_away_leaves_the_old_one_serving(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus.config import PluginConfiguration
    from nexus.errors import DatabaseUnavailable

    workshop.plugin("counter", COUNTS, says="old")
    async with workshop.running() as site:

        async def away(_self: object) -> None:
            raise DatabaseUnavailable(path="x", problem="it is away", advice="Wait.")

        with monkeypatch.context() as patch:
            patch.setattr(PluginConfiguration, "load", away)
            with pytest.raises(ReloadFailed, match="it is away"):
                await site.app.manager.reload("counter")
        assert await site.says("counter") == "old"
        await site.app.manager.reload("counter")
        assert site.live("counter").number == 2


async def test_a_failed_reload_masks_secrets_in_its_reason(workshop: Any) -> None:
    secret = {"key": {"type": "string", "secret": True, "default": "hunter2hunter2"}}
    workshop.plugin("counter", COUNTS, says="old", configuration=secret)
    async with workshop.running() as site:
        body = """
    async def initialize(self):
        raise ValueError("bad key " + await self.get_config("key"))
        """
        workshop.plugin("counter", body, configuration=secret)
        answer = await site.api("POST", "/plugins/counter/reload")
        assert answer.status_code == 409
        assert "bad key ********" in answer.json()["detail"]
        assert "hunter2" not in json.dumps(answer.json())


async def test_a_value_is_kept_as_the_refused_manifest_wants_it(workshop: Any) -> None:
    workshop.plugin("counter")
    async with workshop.running() as site:
        key = {"type": "string", "required": True, "secret": True}
        workshop.plugin("counter", configuration={"key": key})
        assert (await site.api("POST", "/plugins/counter/reload")).status_code == 409
        answer = await site.api("PATCH", "/plugins/counter/config", json={"key": "canary-1234"})
        [entry] = [each for each in answer.json()["items"] if each["key"] == "key"]
        assert (entry["secret"], entry["value"]) == (True, "********")
        assert "canary-1234" not in str(await site.app.store.items("config/counter"))
        await site.api("POST", "/plugins/counter/reload")
        assert site.live("counter").number > 1
        assert site.plugin("counter") is not None
