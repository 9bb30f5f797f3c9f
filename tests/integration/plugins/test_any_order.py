"""Whatever operators do at once and in whatever order, the invariants of the platform hold."""

import asyncio
import sys
import tempfile
from pathlib import Path

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from nexus.app import NexusApp, create_nexus_app
from nexus.errors import NexusError
from nexus.plugins import PluginState

# b needs a, c needs b, d stands alone; e needs a setting.
NEEDS = {"a": [], "b": ["a"], "c": ["b"], "d": [], "e": []}

CODE = """
import asyncio
import sys
from fastapi import APIRouter
from nexus.plugins import BasePlugin


class Plugin(BasePlugin):
    async def initialize(self):
        for need in {needs}:
            self.require_service(need + ".api")
        self.register_service("{name}.api", self)
        await self.subscribe_to_event("any.thing", self.on_thing)
        await self.subscribe_to_event("sure.*", self.on_sure)
        self.create_task(asyncio.Event().wait(), name="waits")
        asyncio.create_task(asyncio.Event().wait(), name="{name}.raw")
        await asyncio.sleep(0)
        return {returns}

    async def on_thing(self, event):
        await asyncio.sleep(0)

    async def on_sure(self, event):
        await asyncio.sleep(0.004 * (event.data["n"] % 3))  # longer than a drain may take
        sys.handled["{name}"].append(event.data["n"])

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            return {{"name": self.name}}

        return [router]
"""

PREFIX = "nexus_generations."

names = st.sampled_from(sorted(NEEDS))
moves = st.tuples(st.sampled_from(["enable", "disable", "reload"]), names)


class Operators(RuleBasedStateMachine):
    """Many operators at one application."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.sound = dict.fromkeys(NEEDS, True)
        self.has_key = False
        self.published = 0
        self.handled: dict[str, list[int]] = {name: [] for name in NEEDS}
        sys.handled = self.handled  # type: ignore[attr-defined]  # where the plugins find it
        self.app: NexusApp

    @initialize()
    def begin(self) -> None:
        for name in NEEDS:
            self.write(name)
        self.app = create_nexus_app(
            self.root,
            overrides={"shutdown": {"drain_timeout": 0.002, "timeout": 1.0}},
            environ={},
            configure_logging=False,
        )
        self.runner.run(self.app.startup())
        self.runner.run(self.app.ready())

    def write(self, name: str, *, returns: bool = True) -> None:
        folder = self.root / "plugins" / name
        folder.mkdir(parents=True, exist_ok=True)
        key = '"configuration": {"key": {"type": "string", "required": true}},'
        (folder / "manifest.json").write_text(
            f'{{"name": "{name}", "version": "1.0.0", {key if name == "e" else ""}'
            f' "dependencies": {NEEDS[name]!r}, "permissions": ["events.subscribe"],'
            ' "events": {"subscribes": ["sure.*"]}}'.replace("'", '"')
        )
        (folder / "plugin.py").write_text(
            CODE.format(name=name, needs=NEEDS[name], returns=returns)
        )

    @rule(wishes=st.lists(moves, min_size=1, max_size=6), events=st.integers(0, 3))
    def move(self, wishes: list[tuple[str, str]], events: int) -> None:
        self.runner.run(self.all_at_once(wishes, events))

    async def all_at_once(self, wishes: list[tuple[str, str]], events: int = 0) -> None:
        calls = [getattr(self.app.manager, verb)(name) for verb, name in wishes]
        calls += [self.publish_for_sure() for _ in range(events)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        unexpected = [
            each
            for each in outcomes
            if isinstance(each, BaseException) and not isinstance(each, NexusError)
        ]
        assert not unexpected
        await self.calm()

    async def calm(self) -> None:
        while not all(each.settled for each in self.app.manager.controllers()):
            await self.app.manager.settle()

    @rule(name=names, sound=st.booleans())
    def edit(self, name: str, *, sound: bool) -> None:
        self.write(name, returns=sound)

    @rule(value=st.sampled_from(["sesame", None]))
    def configure(self, value: str | None) -> None:
        self.runner.run(self.app.desk.change("e", {"key": value}))
        self.has_key = value is not None

    async def publish_for_sure(self) -> None:
        """Publish an event that every plugin is to have, whether it runs or not."""
        number, self.published = self.published, self.published + 1
        for _ in range(number % 3):  # at any moment of what goes on
            await asyncio.sleep(0)
        await self.app.bus.publish("sure.thing", {"n": number}, source="nexus")

    @rule(count=st.integers(1, 5))
    def publish_many(self, count: int) -> None:
        self.runner.run(self.all_at_once([], count))

    @rule()
    def publish(self) -> None:
        self.runner.run(self.app.bus.publish("any.thing", source="nexus"))

    @invariant()
    def what_is_live_is_what_the_live_generations_contribute(self) -> None:
        controllers = {each.name: each for each in self.app.manager.controllers()}
        live = {name: each.live for name, each in controllers.items() if each.live is not None}
        for name, controller in controllers.items():
            state = controller.status.state
            assert (state is PluginState.RUNNING) is (name in live), (name, controller.status)
            assert controller.status.generation == (live[name].number if name in live else 0)
            if name in live:
                assert all(need in live for need in NEEDS[name])
                assert controller.enabled
            if name == "e" and not self.has_key:
                assert name not in live
        offers = {(each.name, each.generation) for each in self.app.services.offers()}
        assert offers == {(f"{name}.api", each.number) for name, each in live.items()}
        mounts = self.app.dispatcher.live
        assert {name: mount.generation for name, mount in mounts.items()} == {
            name: each.number for name, each in live.items()
        }

    @invariant()
    def nothing_else_is_left(self) -> None:
        self.runner.run(self.look_for_leftovers())

    async def look_for_leftovers(self) -> None:
        await self.app.bus.join()
        live = {each.name for each in self.app.manager.controllers() if each.live is not None}
        figures = self.app.bus.figures().subscriptions
        assert sorted(each.owner for each in figures) == sorted([*live, *live])
        for name in live:
            assert set(self.handled[name]) == set(range(self.published)), name
        # An import that was called off goes on to its end in its thread.
        async with asyncio.timeout(30):
            while len(generations := loaded()) != len(live):
                await asyncio.sleep(0.001)
        assert {each.partition("_")[0] for each in generations} == live
        tasks = [task.get_name() for task in asyncio.all_tasks()]
        for name in NEEDS:
            own = [each for each in tasks if each in (f"{name}.waits", f"{name}.raw")]
            assert len(own) == (2 if name in live else 0), (name, own)
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as http:
            for name in NEEDS:
                answer = await http.get(f"/plugins/{name}/")
                assert answer.status_code == (200 if name in live else 503)

    async def have_all_run(self) -> None:
        await self.app.desk.change("e", {"key": "sesame"})
        for name in NEEDS:
            self.write(name)
            await self.app.manager.enable(name)
        for name in NEEDS:
            await self.app.manager.reload(name)
        await self.calm()
        await self.look_for_leftovers()
        assert len(self.app.bus.figures().subscriptions) == 2 * len(NEEDS)
        assert len(self.app.bus.dead_letters) == 0
        assert self.app.bus.durable is not None
        assert list(await self.app.bus.durable.log.letters()) == []

    @override
    def teardown(self) -> None:
        try:
            self.runner.run(self.have_all_run())
        finally:  # or the next example would find what this one has left
            self.runner.run(self.app.shutdown())
            left = loaded()
            self.runner.close()
            self.folder.cleanup()
        assert not left


def loaded() -> set[str]:
    """Give the packages of all generations whose modules are loaded."""
    return {each.split(".")[1] for each in list(sys.modules) if each.startswith(PREFIX)}


TestOperators = Operators.TestCase
TestOperators.settings = settings(
    max_examples=20,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
