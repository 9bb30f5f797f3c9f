"""Plugins that start at their first use, and stop when nobody uses them."""

import asyncio
import sys
from typing import Any

import pytest

from nexus.plugins import PluginState

COUNTS = """
    async def initialize(self):
        sys.starts.append(self.name)
        await sys.gate.wait()
        return True

    async def shutdown(self):
        sys.starts.append(f"-{self.name}")
"""
TOP = "sys.starts.append('import')"


@pytest.fixture(autouse=True)
def starts() -> Any:
    sys.starts = []  # type: ignore[attr-defined]  # where the plugins find it
    sys.gate = asyncio.Event()  # type: ignore[attr-defined]
    sys.gate.set()  # type: ignore[attr-defined]
    yield sys.starts  # type: ignore[attr-defined]
    del sys.starts, sys.gate  # type: ignore[attr-defined]


def gate() -> asyncio.Event:
    return sys.gate  # type: ignore[attr-defined,no-any-return]


async def test_no_code_runs_before_the_first_request_and_all_that_come_at_once_start_it_once(
    workshop: Any, starts: list[str]
) -> None:
    workshop.plugin("lazy", COUNTS, top=TOP, says=1, activation=["on_request"])
    async with workshop.running() as site:
        assert site.state("lazy") is PluginState.DORMANT
        assert site.reason("lazy") == "It starts at its first use: a request."
        assert (await site.http.get("/health/ready")).status_code == 200
        health = (await site.http.get("/health")).json()
        assert health["status"] == "healthy"
        assert health["plugins"]["lazy"] == {"state": "dormant", "healthy": True}
        assert starts == []

        gate().clear()
        asked = [asyncio.create_task(site.says("lazy")) for _ in range(50)]
        await workshop.until(lambda: "lazy" in starts)
        assert site.state("lazy") is PluginState.STARTING
        asked.pop().cancel()  # the client has gone
        gate().set()
        assert await asyncio.gather(*asked) == [1] * 49
        assert starts == ["import", "lazy"]
        assert site.live("lazy").number == 1


async def test_a_request_waits_up_to_the_limit_and_is_told_why(workshop: Any) -> None:
    workshop.plugin("lazy", COUNTS, says=1, activation=["on_request"])
    gate().clear()
    async with workshop.running(startup={"first_use_timeout": 0.05}) as site:
        answer = await site.http.get("/plugins/lazy/")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert answer.json()["state"] in ("dormant", "starting")  # the limit is that short
        gate().set()
        await site.app.manager.settle()
        assert await site.says("lazy") == 1


async def test_a_start_that_fails_answers_with_the_reason_and_is_not_tried_at_every_request(
    workshop: Any, starts: list[str]
) -> None:
    body = """
    async def initialize(self):
        sys.starts.append("tried")
        raise RuntimeError("no such account")
    """
    folder = workshop.plugin("lazy", body, activation=["on_request"])
    async with workshop.running() as site:
        answers = await asyncio.gather(*(site.http.get("/plugins/lazy/") for _ in range(5)))
        answers.append(await site.http.get("/plugins/lazy/"))
        assert {each.status_code for each in answers} == {503}
        assert all("no such account" in each.json()["detail"] for each in answers)
        assert starts == ["tried"]
        assert site.state("lazy") is PluginState.FAILED

        workshop.plugin("lazy", says=2, activation=["on_request"])
        assert folder.exists()
        await site.api("POST", "/plugins/lazy/reload")
        assert site.state("lazy") is PluginState.RUNNING
        assert await site.says("lazy") == 2


async def test_a_start_that_fails_once_is_tried_again_by_itself(
    workshop: Any, starts: list[str]
) -> None:
    body = """
    async def initialize(self):
        sys.starts.append("tried")
        return len(sys.starts) > 1
    """
    workshop.plugin("lazy", body, says=1, activation=["on_request"])
    async with workshop.running(supervision={"restart_pause": 0.01}) as site:
        assert await site.says("lazy") in (503, 1)  # the pause may be over before it has answered
        await workshop.until(lambda: site.state("lazy") is PluginState.RUNNING)
        assert starts == ["tried"] * 2
        assert await site.says("lazy") == 1


async def test_a_dependant_that_starts_wakes_what_it_needs_and_does_not_block(
    workshop: Any, starts: list[str]
) -> None:
    workshop.plugin("base", COUNTS, activation=["on_request"])
    workshop.plugin("mid", COUNTS, activation=["on_request"], dependencies=["base"])
    workshop.plugin("top", COUNTS, says=1, activation=["on_request"], dependencies=["mid"])
    workshop.plugin("other", COUNTS, activation=["on_request"])
    async with workshop.running() as site:
        assert site.state("top") is PluginState.DORMANT
        assert await site.says("top") == 1
        assert starts == ["base", "mid", "top"]
        assert site.state("other") is PluginState.DORMANT


async def test_a_dependant_that_starts_with_the_application_has_its_provider_started_too(
    workshop: Any,
) -> None:
    workshop.plugin("base", activation=["on_request"])
    workshop.plugin("eager", dependencies=["base"])
    async with workshop.running() as site:
        assert site.state("eager") is PluginState.RUNNING
        assert site.state("base") is PluginState.RUNNING


async def test_it_stops_when_nobody_has_used_it_and_starts_again(
    workshop: Any, starts: list[str]
) -> None:
    workshop.plugin("lazy", COUNTS, says=1, activation=["on_request"], idle_stop=0.05)
    async with workshop.running() as site:
        for _ in range(2):
            assert await site.says("lazy") == 1
            await workshop.until(lambda: site.state("lazy") is PluginState.DORMANT)
        assert starts == ["lazy", "-lazy"] * 2
        assert site.app.manager.controller("lazy").status.generation == 0


async def test_it_does_not_stop_while_something_is_in_hand_or_somebody_needs_it(
    workshop: Any, starts: list[str]
) -> None:
    slow = """
    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            sys.starts.append("in hand")
            await sys.gate.wait()
            return {"says": 1}

        return [router]
    """
    task = """
    async def initialize(self):
        self.create_task(sys.gate.wait())
        return True
    """
    use: dict[str, Any] = {"activation": ["on_request"], "idle_stop": 0.02}
    workshop.plugin("asked", slow, **use)
    workshop.plugin("busy", task, says=1, **use)
    workshop.plugin("base", **use)
    workshop.plugin("needy", dependencies=["base"])
    workshop.plugin("idle", says=1, **use)
    gate().clear()
    async with workshop.running() as site:
        answer = asyncio.create_task(site.says("asked"))
        assert await site.says("busy") == 1
        for _ in range(3):  # three whole lives of one that nobody needs
            assert await site.says("idle") == 1
            await workshop.until(lambda: site.state("idle") is PluginState.DORMANT)
        names = ("asked", "busy", "base")
        assert {site.state(each) for each in names} == {PluginState.RUNNING}
        gate().set()
        assert await answer == 1
        for name in ("asked", "busy"):
            await workshop.until(lambda name=name: site.state(name) is PluginState.DORMANT)
        assert site.state("base") is PluginState.RUNNING


async def test_a_request_in_the_moment_of_stopping_is_served_by_the_next_generation(
    workshop: Any, starts: list[str]
) -> None:
    body = """
    async def shutdown(self):
        sys.starts.append("stopping")
        await sys.gate.wait()
    """
    workshop.plugin("lazy", body, says=1, activation=["on_request"], idle_stop=0.02)
    async with workshop.running() as site:
        assert await site.says("lazy") == 1
        gate().clear()
        await workshop.until(lambda: "stopping" in starts)
        late = asyncio.create_task(site.says("lazy"))
        await asyncio.sleep(0)
        gate().set()
        assert await late == 1


async def test_an_operator_disables_enables_and_reloads_a_sleeping_plugin(workshop: Any) -> None:
    workshop.plugin("lazy", says=1, activation=["on_request"])
    async with workshop.running() as site:
        assert (await site.api("POST", "/plugins/lazy/disable")).json()["state"] == "disabled"
        assert await site.says("lazy") == 503
        assert (await site.api("POST", "/plugins/lazy/enable")).json()["state"] == "dormant"
        workshop.plugin("lazy", says=2, activation=["on_request"])
        assert (await site.api("POST", "/plugins/lazy/reload")).json()["state"] == "dormant"
        assert await site.says("lazy") == 2
        workshop.plugin("lazy", says=3)
        assert (await site.api("POST", "/plugins/lazy/reload")).json()["state"] == "running"


async def test_a_required_setting_is_asked_for_before_it_sleeps(workshop: Any) -> None:
    declared = {"key": {"type": "string", "required": True}}
    workshop.plugin("lazy", says=1, activation=["on_request"], configuration=declared)
    async with workshop.running() as site:
        assert site.state("lazy") is PluginState.BLOCKED
        await site.api("PATCH", "/plugins/lazy/config", json={"key": "x"})
        assert site.state("lazy") is PluginState.DORMANT
        assert await site.says("lazy") == 1
