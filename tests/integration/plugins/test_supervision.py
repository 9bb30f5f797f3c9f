"""A plugin that fails is started again, and quarantined where that does not help."""

import asyncio
import sys
from typing import Any

import pytest

from nexus.plugins import PluginState

AT_ONCE = {"supervision": {"restart_pause": 0.001, "restart_max_pause": 0.001}}

FACTORY = """
    async def initialize(self):
        self.create_task(self.feed)
        return True

    async def feed(self):
        sys.fed.append(self.get_info()["generation"])
        if len(sys.fed) <= sys.failures:
            raise OSError("no network")
        await asyncio.Event().wait()
"""

COROUTINE = FACTORY.replace("create_task(self.feed)", "create_task(self.feed())")

START = """
    async def initialize(self):
        sys.fed.append(1)
        if len(sys.fed) <= sys.failures:
            {fails}
        return True
"""


@pytest.fixture(autouse=True)
def fed() -> Any:
    sys.fed = []  # type: ignore[attr-defined]
    return sys.fed  # type: ignore[attr-defined]


def fail(times: int) -> None:
    sys.failures = times  # type: ignore[attr-defined]


async def task_of(site: Any, task: str) -> dict[str, Any]:
    health = (await site.api("GET", "/plugins/feeder/health")).json()
    component: dict[str, Any] = health["components"][task]
    return component


async def test_a_task_that_can_be_made_anew_is_started_again_by_itself(
    workshop: Any, fed: list[int]
) -> None:
    fail(2)
    workshop.plugin("feeder", FACTORY)
    async with workshop.running(**AT_ONCE) as site:
        await workshop.until(lambda: len(fed) == 3)
        assert fed == [1, 1, 1]
        found = await task_of(site, "task:feed")
        assert (found["status"], found["restarts"]) == ("healthy", 2)
        assert found["error"] == "OSError: no network"
        scrape = (await site.http.get("/metrics")).text
        assert 'nexus_plugin_task_restarts_total{plugin="feeder"} 2.0' in scrape


async def test_a_coroutine_that_dies_has_the_plugin_swapped_for_a_new_generation(
    workshop: Any, fed: list[int]
) -> None:
    fail(1)
    workshop.plugin("feeder", COROUTINE, says="still here")
    async with workshop.running(**AT_ONCE) as site:
        while len(fed) < 2:
            assert await site.says("feeder") == "still here"
            await asyncio.sleep(0.0005)
        await workshop.until(lambda: site.live("feeder").number == 2)
        assert fed == [1, 2]
        assert site.state("feeder") is PluginState.RUNNING
        scrape = (await site.http.get("/metrics")).text
        assert 'nexus_plugin_restarts_total{plugin="feeder"} 1.0' in scrape


async def test_the_reason_tells_what_is_restarted_and_when(workshop: Any) -> None:
    fail(1)
    workshop.plugin("feeder", COROUTINE)
    async with workshop.running() as site:
        reason = await workshop.until(lambda: site.reason("feeder"))
        assert "background task 'feed' failed: OSError: no network." in reason
        assert "restart 1 of 3" in reason
        assert site.state("feeder") is PluginState.RUNNING


async def test_a_plugin_whose_tasks_never_run_is_quarantined_until_it_is_reloaded(
    workshop: Any, fed: list[int]
) -> None:
    fail(1000)
    workshop.plugin("feeder", FACTORY, says="feeder")
    workshop.plugin("good", says="good")
    async with workshop.running(**AT_ONCE) as site:
        await workshop.until(lambda: site.state("feeder") is PluginState.QUARANTINED)
        assert fed == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
        assert "OSError: no network" in site.reason("feeder")
        assert "nexus plugin reload feeder" in site.reason("feeder")
        answer = await site.http.get("/plugins/feeder/")
        assert (answer.status_code, answer.json()["state"]) == (503, "quarantined")
        assert await site.says("good") == "good"
        fail(0)
        site.app.manager.recheck("feeder")
        await site.app.manager.settle()
        assert site.state("feeder") is PluginState.QUARANTINED
        await site.api("POST", "/plugins/feeder/reload")
        assert site.state("feeder") is PluginState.RUNNING
        rows = (await site.api("GET", "/audit?plugin=feeder")).json()["items"]
        rows = [row for row in rows if row["action"] in {"plugin.quarantine", "plugin.release"}]
        assert [(row["action"], row["actor"]) for row in rows] == [
            ("plugin.release", "system"),
            ("plugin.quarantine", "system"),
        ]
        assert rows[0]["before"] == rows[1]["after"]
        assert "OSError: no network" in rows[0]["before"]["reason"]


@pytest.mark.parametrize("lift", ["enable", "files"])
async def test_a_quarantine_outlives_the_process(workshop: Any, fed: list[int], lift: str) -> None:
    fail(1000)
    workshop.plugin("feeder", START.format(fails="raise OSError('no network')"))
    async with workshop.running(**AT_ONCE) as site:
        await workshop.until(lambda: site.state("feeder") is PluginState.QUARANTINED)
        await site.app.manager.settle()
        assert len(fed) == 4
    fail(0)
    if lift == "files":
        workshop.plugin("feeder", START.format(fails="raise OSError"))
        async with workshop.running(**AT_ONCE) as site:
            assert site.state("feeder") is PluginState.RUNNING
        return
    async with workshop.running(**AT_ONCE) as site:
        assert site.state("feeder") is PluginState.QUARANTINED
        assert "OSError: no network" in site.reason("feeder")
        assert len(fed) == 4
        assert (await site.api("POST", "/plugins/feeder/enable")).json()["state"] == "running"
    async with workshop.running(**AT_ONCE) as site:
        assert site.state("feeder") is PluginState.RUNNING


@pytest.mark.parametrize(
    "fails", ["raise OSError('no network')", "return False", "raise asyncio.CancelledError"]
)
async def test_a_start_that_fails_is_tried_again(workshop: Any, fed: list[int], fails: str) -> None:
    fail(2)
    workshop.plugin("feeder", START.format(fails=fails))
    async with workshop.running(**AT_ONCE) as site:
        await workshop.until(lambda: site.state("feeder") is PluginState.RUNNING)
        assert len(fed) == 3


async def test_code_that_cannot_be_imported_is_not_tried_again(workshop: Any) -> None:
    workshop.plugin("feeder", code="import no_such_module_anywhere")
    async with workshop.running(**AT_ONCE) as site:
        assert site.state("feeder") is PluginState.FAILED
        assert "restart" not in site.reason("feeder")


async def test_a_disabled_plugin_is_not_started_again(workshop: Any, fed: list[int]) -> None:
    fail(1000)
    workshop.plugin("feeder", COROUTINE)
    async with workshop.running() as site:
        await workshop.until(lambda: site.reason("feeder"))
        await site.api("POST", "/plugins/feeder/disable")
        assert site.state("feeder") is PluginState.DISABLED
        assert "restart" not in site.reason("feeder")
        assert fed == [1]


async def test_work_that_may_fail_has_no_consequences(workshop: Any, fed: list[int]) -> None:
    fail(1000)
    body = COROUTINE.replace("self.feed())", "self.feed(), restart=False)")
    workshop.plugin("feeder", body)
    async with workshop.running(**AT_ONCE) as site:
        await workshop.until(lambda: fed)
        assert (await task_of(site, "task:feed"))["status"] == "unhealthy"
        assert site.reason("feeder") == ""
        assert fed == [1]


async def test_a_dependant_runs_on_while_its_provider_is_restarted(
    workshop: Any, fed: list[int]
) -> None:
    fail(1)
    workshop.plugin("feeder", COROUTINE)
    workshop.plugin("eater", says="eater", dependencies=["feeder"])
    async with workshop.running(**AT_ONCE) as site:
        await workshop.until(lambda: site.live("feeder").number == 2)
        await site.app.manager.settle()
        assert site.live("eater").number == 1
        assert fed == [1, 2]
