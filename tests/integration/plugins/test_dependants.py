"""Who holds or calls a service of a plugin notices its reload as little as can be."""

import asyncio
import sys
from typing import Any

import pytest

PROVIDER = """
    async def initialize(self):
        self.shut = False
        self.register_service("rates", self)
        return True

    async def rate(self):
        sys.entered.set()
        await sys.gate.wait()
        assert not self.shut
        return SAYS

    def plain(self):
        return SAYS

    async def shutdown(self):
        self.shut = True
        sys.notes.append(("shut", SAYS))
"""

HOLDER = """
    async def initialize(self):
        self.rates = self.require_service("rates")
        return True

    async def on_dependency_changed(self, plugin, stale):
        sys.notes.append((self.name, plugin, stale, self.rates.shut))
        self.rates = self.get_service("rates")
"""

CALLER = """
    async def initialize(self):
        self.rates = self.service_ref("rates")
        return True

    async def on_dependency_changed(self, plugin, stale):
        sys.notes.append((self.name, plugin, stale))
"""


@pytest.fixture(autouse=True)
def notes() -> Any:
    sys.entered, sys.gate = asyncio.Event(), asyncio.Event()  # type: ignore[attr-defined]
    sys.notes = []  # type: ignore[attr-defined]  # where the plugins find it
    yield sys.notes  # type: ignore[attr-defined]
    del sys.entered, sys.gate, sys.notes  # type: ignore[attr-defined]


async def test_who_holds_an_object_of_the_old_generation_is_told_before_it_shuts_down(
    workshop: Any, notes: list[Any]
) -> None:
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("holder", HOLDER, dependencies=["provider"])
    workshop.plugin("caller", CALLER, dependencies=["provider"])
    workshop.plugin("stranger", CALLER)
    async with workshop.running() as site:
        workshop.plugin("provider", PROVIDER, top="SAYS = 'new'")
        await site.app.manager.reload("provider")
        assert sorted(notes[:2]) == [
            ("caller", "provider", ()),
            ("holder", "provider", ("rates",), False),
        ]
        assert notes[2:] == [("shut", "old")]
        assert site.plugin("holder").rates is site.plugin("provider")


async def test_a_reload_that_fails_tells_nobody(workshop: Any, notes: list[Any]) -> None:
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("holder", HOLDER, dependencies=["provider"])
    async with workshop.running() as site:
        broken = "\n    async def initialize(self): return False"
        workshop.plugin("provider", PROVIDER + broken, top="SAYS = 'new'")
        assert (await site.api("POST", "/plugins/provider/reload")).status_code == 409
        assert notes == [("shut", "new")]


async def test_who_took_an_object_while_it_was_replaced_is_told_when_it_goes_live(
    workshop: Any, notes: list[Any]
) -> None:
    slow = HOLDER.replace("return True", "sys.entered.set(); await sys.gate.wait(); return True")
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("holder", HOLDER)
    async with workshop.running() as site:
        workshop.plugin("holder", slow)
        reloading = asyncio.create_task(site.app.manager.reload("holder"))
        await sys.entered.wait()  # type: ignore[attr-defined]
        await site.app.manager.reload("provider")
        notes.clear()
        sys.gate.set()  # type: ignore[attr-defined]
        await reloading
        assert notes == [("holder", "provider", ("rates",), True)]
        assert site.plugin("holder").rates is site.plugin("provider")


async def test_who_holds_an_object_without_depending_on_it_is_told_when_it_goes(
    workshop: Any, notes: list[Any]
) -> None:
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("holder", HOLDER.replace("self.require_service", "self.get_service"))
    async with workshop.running() as site:
        holder = site.plugin("holder")
        holder.rates = holder.get_service("rates")
        await site.app.manager.disable("provider")
        assert notes == [("holder", "provider", ("rates",), False), ("shut", "old")]
        assert holder.rates is None


@pytest.mark.parametrize(
    "statement", ["raise ValueError('no')", "sys.exit()", "await asyncio.Event().wait()"]
)
async def test_a_plugin_that_cannot_take_note_holds_nobody_up(
    workshop: Any, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = f"    async def on_dependency_changed(self, plugin, stale):\n        {statement}"
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("bad", body, dependencies=["provider"], says="bad")
    workshop.plugin("holder", HOLDER, dependencies=["provider"])
    async with workshop.running(shutdown={"drain_timeout": 0.1, "timeout": 1.0}) as site:
        await site.app.manager.reload("provider")
        await workshop.until(lambda: ("shut", "old") in sys.notes)  # type: ignore[attr-defined]
        assert ("holder", "provider", ("rates",), False) in sys.notes  # type: ignore[attr-defined]
        assert await site.says("bad") == "bad"
        [told] = [each for each in caplog.records if getattr(each, "provider", None)]
        assert "on_dependency_changed" in told.reason  # type: ignore[attr-defined]


async def test_a_call_in_hand_ends_before_its_provider_shuts_down(
    workshop: Any, notes: list[Any]
) -> None:
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("caller", CALLER)
    async with workshop.running() as site:
        rates = site.plugin("caller").rates
        in_hand = asyncio.create_task(rates.rate())
        await sys.entered.wait()  # type: ignore[attr-defined]
        workshop.plugin("provider", PROVIDER, top="SAYS = 'new'")
        reloading = asyncio.create_task(site.app.manager.reload("provider"))
        await workshop.until(lambda: rates.plain() == "new")
        assert notes == []
        sys.gate.set()  # type: ignore[attr-defined]
        assert await in_hand == "old"
        await reloading
        assert notes == [("shut", "old")]
        assert await rates.rate() == "new"


async def test_a_call_that_hangs_holds_its_provider_up_to_the_drain_limit(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.plugin("provider", PROVIDER, top="SAYS = 'old'")
    workshop.plugin("caller", CALLER)
    async with workshop.running(shutdown={"drain_timeout": 0.05, "timeout": 1.0}) as site:
        in_hand = asyncio.create_task(site.plugin("caller").rates.rate())
        await sys.entered.wait()  # type: ignore[attr-defined]
        await site.app.manager.reload("provider")
        assert sys.notes == [("shut", "old")]  # type: ignore[attr-defined]
        [cut] = [each for each in caplog.records if getattr(each, "calls", 0)]
        assert cut.calls == 1  # type: ignore[attr-defined]
        in_hand.cancel()
