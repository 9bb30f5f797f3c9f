"""Tasks that a plugin's code starts belong to its generation."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from nexus.plugins import PluginState


async def test_tasks_of_every_kind_end_with_the_generation(workshop: Any) -> None:
    body = """
    async def initialize(self):
        self.create_task(self.forever(), name="mine")
        self.made = [asyncio.create_task(self.forever()), asyncio.ensure_future(self.forever())]
        await self.subscribe_to_event("go.on", self.on_go)
        return True

    async def on_go(self, event):
        self.made.append(asyncio.create_task(self.forever()))

    async def forever(self):
        sys.running += 1
        try:
            await asyncio.Event().wait()
        finally:
            sys.running -= 1

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            self.made.append(asyncio.create_task(self.forever()))

        return [router]
    """
    sys.running = 0  # type: ignore[attr-defined]
    workshop.plugin("busy", body)
    async with workshop.running() as site:
        await site.http.get("/plugins/busy/")
        await site.app.bus.publish("go.on", source="nexus")
        await site.app.bus.join()
        await workshop.until(lambda: sys.running == 5)  # type: ignore[attr-defined]
        metrics = (await site.api("GET", "/plugins/busy/metrics")).json()["metrics"]
        assert metrics["background_tasks"] == 5
        tasks = site.plugin("busy").made
        await site.app.manager.disable("busy")
        assert sys.running == 0  # type: ignore[attr-defined]
        assert all(task.cancelled() for task in tasks)


async def test_a_task_that_is_cancelled_before_it_begins_warns_of_nothing(workshop: Any) -> None:
    body = """
    async def shutdown(self):
        asyncio.create_task(asyncio.sleep(9))
        self.create_task(asyncio.sleep(9))
    """
    workshop.plugin("late", body)
    async with workshop.running() as site:
        await site.app.manager.disable("late")
        assert site.state("late") is PluginState.DISABLED


async def test_the_failure_of_a_named_task_shows_in_the_plugins_health(workshop: Any) -> None:
    body = """
    async def initialize(self):
        self.create_task(self.fails(), name="feed")
        self.create_task(asyncio.Event().wait(), name="loop")
        self.create_task(asyncio.Event().wait(), name="loop")
        return True

    async def fails(self):
        raise OSError("no network")
    """
    workshop.plugin("feeder", body)
    async with workshop.running() as site:
        health = (await site.api("GET", "/plugins/feeder/health")).json()
        assert health["healthy"] is False
        assert health["message"] == "Background task failed: task:feed"
        assert health["components"]["task:feed"]["error"] == "OSError: no network"
        assert health["components"]["task:loop"]["status"] == "healthy"
        assert health["components"]["task:loop-2"]["status"] == "healthy"


async def test_a_task_that_ignores_its_cancellation_is_reported_and_left(
    workshop: Any, caplog: Any
) -> None:
    body = """
    async def initialize(self):
        self.create_task(self.stays(), name="stays")
        return True

    async def stays(self):
        while not sys.over:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass
    """
    sys.over = False  # type: ignore[attr-defined]
    workshop.plugin("stubborn", body)
    async with workshop.running(shutdown={"drain_timeout": 0.1, "timeout": 0.1}) as site:
        await asyncio.sleep(0)
        assert (await site.app.manager.disable("stubborn")).state is PluginState.DISABLED
        sys.over = True  # type: ignore[attr-defined]
    [record] = [each for each in caplog.records if "did not end" in each.message]
    assert record.tasks == ["stubborn.stays"]


async def test_what_a_handlers_task_publishes_carries_the_events_cause(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("cause.first", self.on_first)
        return True

    async def on_first(self, event):
        asyncio.create_task(self.later())

    async def later(self):
        await self.publish_event("cause.second")
    """
    workshop.plugin("cause", body)
    async with workshop.running() as site:
        first = await site.app.bus.publish("cause.first", source="nexus")
        recent = site.app.bus.recent
        found = await workshop.until(lambda: recent.list(pattern="cause.second", limit=1))
        assert found[0].correlation_id == first.correlation_id
        assert found[0].causation_id == first.id


async def test_a_handler_may_end_its_own_subscription(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.subscribe_to_event("once.*", self.on_once)
        return True

    async def on_once(self, event):
        sys.calls.append((event.name, await self.unsubscribe_from_event("once.*", self.on_once)))
    """
    sys.calls = []  # type: ignore[attr-defined]
    workshop.plugin("once", body)
    async with workshop.running() as site:
        await site.app.bus.publish("once.a", source="nexus")
        await site.app.bus.join()
        await site.app.bus.publish("once.b", source="nexus")
        await site.app.bus.join()
        assert sys.calls == [("once.a", True)]  # type: ignore[attr-defined]
        await workshop.until(lambda: not site.app.bus.figures().subscriptions)


EXITS = """
import asyncio
import sys

from fastapi import APIRouter
from nexus.plugins import BasePlugin


class Plugin(BasePlugin):
    async def initialize(self):
        self.create_task(self.leave(), restart=False)
        asyncio.create_task(self.leave())
        await self.subscribe_to_event("exits.now", self.on_now, max_attempts=1)
        await self.subscribe_to_event("exits.now", self.on_now_plain, max_attempts=1)
        await self.publish_event("exits.now")
        return True

    async def leave(self):
        sys.exit(7)

    async def on_now(self, event):
        raise KeyboardInterrupt

    def on_now_plain(self, event):
        raise SystemExit(8)

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/exit")
        async def leave():
            sys.exit(9)

        @router.get("/plain")
        def plain():
            sys.exit(9)

        @router.get("/task")
        async def task():
            await asyncio.gather(asyncio.create_task(self.leave()), return_exceptions=True)
            return "still here"

        return [router]

    async def shutdown(self):
        raise SystemExit(10)
"""

SERVES = """
import asyncio, sys
import httpx, uvicorn
from nexus import create_nexus_app

app = create_nexus_app(sys.argv[1], environ={}, configure_logging=False)


async def main():
    config = uvicorn.Config(app, port=0, lifespan="on", log_level="error")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await app.ready()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for path in ("exit", "plain", "task"):
            answer = await client.get(f"/plugins/exits/{path}")
            print(path, answer.status_code)
        print("live", (await client.get("/health/live")).status_code)
    await app.bus.join()
    print("dead", len(app.bus.dead_letters))
    server.should_exit = True
    await serving
    print("end", [each for each in sys.modules if each.startswith("nexus_generations.")])


asyncio.run(main())
"""


def test_system_exit_in_any_code_of_a_plugin_does_not_end_the_server(
    workshop: Any, tmp_path: Path
) -> None:
    workshop.plugin("exits", code=EXITS)
    (tmp_path / "serve.py").write_text(SERVES)
    run = subprocess.run(
        [sys.executable, str(tmp_path / "serve.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:-1] == [
        "exit 500",
        "plain 500",
        "task 200",
        "live 200",
        "dead 2",
        "end []",
    ], run.stderr
