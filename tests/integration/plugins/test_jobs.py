"""Scheduled jobs belong to the generation that declares them."""

import asyncio
import gc
import logging
import sys
import weakref
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus.errors import JobRunning
from nexus.plugins import BasePlugin, PluginState
from nexus.testing import run_job

TOP = """
from nexus.plugins import cron, every
"""
KEEPER = """
    @every("1h")
    async def tidy(self):
        await self.set_data("tidied", await self.get_data("tidied", 0) + 1)
        await self.publish_event("keeper.tidied")

    @cron("0 3 * * *", name="nightly")
    def count(self):
        sys.counted = getattr(sys, "counted", 0) + 1
"""


async def jobs_of(site: Any, plugin: str = "keeper") -> dict[str, dict[str, Any]]:
    answer = (await site.api("GET", "/jobs", params={"plugin": plugin})).json()
    return {each["name"]: each for each in answer["items"]}


async def test_a_job_runs_with_all_that_its_plugin_may_do(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER, top=TOP)
    async with workshop.running() as site:
        await run_job(site.app, "keeper:tidy")
        await run_job(site.app, "keeper:nightly")
        assert await site.plugin("keeper").get_data("tidied") == 1
        jobs = await jobs_of(site)
        assert jobs["tidy"]["schedule"] == "every 1h"
        assert jobs["tidy"]["last_outcome"] == "succeeded"
        assert jobs["nightly"]["schedule"] == "cron 0 3 * * * (UTC)"
        assert jobs["nightly"]["next_run"].endswith("T03:00:00Z")


async def test_the_events_of_a_run_have_its_id_as_their_correlation_id(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER, top=TOP)
    async with workshop.running() as site:
        await run_job(site.app, "keeper:tidy")
        event = site.app.bus.recent.list(pattern="keeper.tidied", limit=1)[0]
        assert event.correlation_id == (await jobs_of(site))["tidy"]["last_run"]


async def test_a_failing_job_degrades_its_plugin_until_a_run_ends_well(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = """
    @every("1h")
    async def tidy(self):
        if not getattr(sys, "disk_has_room", False):
            raise OSError("no space left")
    """
    workshop.plugin("keeper", body, top=TOP)
    async with workshop.running() as site:
        with pytest.raises(AssertionError, match="OSError: no space left"):
            await run_job(site.app, "keeper:tidy")
        health = (await site.api("GET", "/plugins/keeper/health")).json()
        assert not health["healthy"]
        assert health["message"].startswith("Job 'tidy' failed: OSError: no space left (at ")
        assert health["components"]["job:tidy"]["status"] == "degraded"
        assert site.state("keeper") is PluginState.RUNNING
        told = next(each for each in caplog.records if each.message == "A job failed")
        assert told.levelno == logging.ERROR
        assert "plugin.py:" in told.__dict__["at"]
        sys_: Any = __import__("sys")
        sys_.disk_has_room = True
        try:
            await run_job(site.app, "keeper:tidy")
        finally:
            del sys_.disk_has_room
        health = (await site.api("GET", "/plugins/keeper/health")).json()
        assert health["healthy"]
        assert health["components"]["job:tidy"]["status"] == "healthy"


async def test_a_job_that_fails_does_not_keep_a_mended_plugin_from_being_reloaded(
    workshop: Any,
) -> None:
    body = """
    @every("1h")
    async def tidy(self):
        raise OSError("no space left")
    """
    workshop.plugin("keeper", body, top=TOP)
    async with workshop.running() as site:
        with pytest.raises(AssertionError):
            await run_job(site.app, "keeper:tidy")
        workshop.plugin("keeper", KEEPER, top=TOP)
        await site.app.manager.reload("keeper")
        await run_job(site.app, "keeper:tidy")
        assert (await jobs_of(site))["tidy"]["failures"] == 1


WAITS = """
    @every("1h")
    async def tidy(self):
        sys.begun.append({says!r})
        await sys.go_on.wait()
        sys.ended.append({says!r})
"""


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    import asyncio
    import sys

    monkeypatch.setattr(sys, "begun", [], raising=False)
    monkeypatch.setattr(sys, "ended", [], raising=False)
    monkeypatch.setattr(sys, "go_on", asyncio.Event(), raising=False)
    return sys


async def test_a_new_generation_takes_the_schedule_over_without_a_second_run(
    workshop: Any, gate: Any
) -> None:
    workshop.plugin("keeper", WAITS.format(says="old"), top=TOP)
    async with workshop.running(shutdown={"drain_timeout": 60.0, "timeout": 1.0}) as site:
        await site.api("POST", "/jobs/keeper/tidy/run")
        await workshop.until(lambda: gate.begun)
        due = (await jobs_of(site))["tidy"]["next_run"]
        workshop.plugin("keeper", WAITS.format(says="new"), top=TOP)
        # Answers before the old generation has ended, since its run goes on.
        await site.app.manager.reload("keeper")
        await site.app.parts.jobs.look()
        with pytest.raises(JobRunning):
            await run_job(site.app, "keeper:tidy")
        assert (gate.begun, gate.ended) == (["old"], [])
        gate.go_on.set()
        await workshop.until(lambda: gate.ended)
        assert (await jobs_of(site))["tidy"]["next_run"] == due
        await run_job(site.app, "keeper:tidy")
        assert gate.ended == ["old", "new"]


async def test_a_run_that_outlasts_the_drain_is_cancelled_and_made_up_for(
    workshop: Any, gate: Any
) -> None:
    workshop.plugin("keeper", WAITS.format(says="old"), top=TOP)
    async with workshop.running(shutdown={"drain_timeout": 0.05, "timeout": 1.0}) as site:
        await site.api("POST", "/jobs/keeper/tidy/run")
        await workshop.until(lambda: gate.begun)
        gate_open = WAITS.format(says="new").replace("        await sys.go_on.wait()\n", "")
        workshop.plugin("keeper", gate_open, top=TOP)
        await site.app.manager.reload("keeper")
        await workshop.until(lambda: gate.ended)
        assert (gate.begun, gate.ended) == (["old", "new"], ["new"])


async def test_a_plugin_that_is_disabled_has_no_job_started(workshop: Any, gate: Any) -> None:
    workshop.plugin("keeper", WAITS.format(says="x"), top=TOP)
    async with workshop.running() as site:
        await site.app.manager.disable("keeper")
        job = (await jobs_of(site))["tidy"]
        assert not job["live"]
        answer = await site.api("POST", "/jobs/keeper/tidy/run")
        assert (answer.status_code, answer.json()["code"]) == (503, "plugin-not-running")
        await site.app.parts.jobs.look()
        assert gate.begun == []


async def test_a_job_that_a_new_version_has_no_longer_is_forgotten(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER, top=TOP)
    async with workshop.running() as site:
        assert set(await jobs_of(site)) == {"tidy", "nightly"}
        workshop.plugin("keeper", KEEPER.replace('name="nightly"', 'name="daily"'), top=TOP)
        await site.app.manager.reload("keeper")
        assert set(await jobs_of(site)) == {"tidy", "daily"}


async def test_a_bad_schedule_is_a_failed_start_with_the_words_and_the_line(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER.replace("1h", "1 hour"), top=TOP)
    async with workshop.running() as site:
        assert site.state("keeper") is PluginState.FAILED
        assert "the interval is '1 hour'. Expected" in site.reason("keeper")
        assert "plugin.py" in site.reason("keeper")


async def test_two_jobs_of_one_name_are_a_failed_start(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER.replace('name="nightly"', 'name="tidy"'), top=TOP)
    async with workshop.running() as site:
        assert site.state("keeper") is PluginState.FAILED
        assert "count()" in site.reason("keeper")
        assert "Plugin.tidy" in site.reason("keeper")


async def test_a_job_that_wants_to_end_the_process_only_fails(workshop: Any) -> None:
    for kind in ("async def", "def"):
        body = f"""
    @every("1h")
    {kind} tidy(self):
        sys.exit(1)
    """
        workshop.plugin("keeper", body, top=TOP)
        async with workshop.running() as site:
            with pytest.raises(AssertionError, match="raised SystemExit"):
                await run_job(site.app, "keeper:tidy")


async def test_unknown_jobs_and_plugins_are_told(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER, top=TOP)
    async with workshop.running() as site:
        answer = await site.api("POST", "/jobs/keeper/tody/run")
        assert (answer.status_code, answer.json()["code"]) == (404, "job-unknown")
        assert "Did you mean 'tidy'" in answer.json()["detail"]
        assert (await site.api("GET", "/jobs/keeper/tody")).status_code == 404
        assert (await site.api("POST", "/jobs/nobody/tidy/run")).status_code == 404
        assert (await site.api("GET", "/jobs/keeper/tidy")).json()["name"] == "tidy"


async def test_jobs_are_measured(workshop: Any) -> None:
    body = (
        KEEPER
        + """
    @every("1h")
    async def bad(self):
        raise ValueError
    """
    )
    workshop.plugin("keeper", body, top=TOP)
    async with workshop.running() as site:
        await run_job(site.app, "keeper:tidy")
        with pytest.raises(AssertionError):
            await run_job(site.app, "keeper:bad")

        async def samples() -> dict[str, float]:
            text = (await site.http.get("/metrics")).text
            return {
                f"{sample.name} {' '.join(sorted(sample.labels.values()))}": sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if family.name.startswith("nexus_job")
            }

        found = await samples()
        assert found["nexus_job_runs_total keeper succeeded tidy"] == 1
        assert found["nexus_job_runs_total bad failed keeper"] == 1
        assert found["nexus_job_failures_total bad keeper"] == 1
        assert found["nexus_job_failures_total keeper tidy"] == 0
        assert found["nexus_job_run_seconds_total keeper tidy"] > 0
        assert found["nexus_job_seconds_since_success keeper tidy"] >= 0
        assert "nexus_job_seconds_since_success bad keeper" not in found
        due = (await site.app.parts.jobs.read())[0].next_run
        assert found["nexus_job_next_run_timestamp_seconds bad keeper"] == pytest.approx(due)
        await site.app.manager.disable("keeper")
        assert await samples() == {}


async def test_generations_with_jobs_leave_nothing_behind(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER, top=TOP)
    plugins: weakref.WeakSet[Any] = weakref.WeakSet()
    async with workshop.running() as site:
        for _ in range(20):
            plugins.add(site.plugin("keeper"))
            await run_job(site.app, "keeper:tidy")
            await run_job(site.app, "keeper:nightly")
            await site.app.manager.reload("keeper")
        await site.app.manager.settle()
        gc.collect()
        # One lives; one more may hang in a cache of a library until the next swap.
        assert len(plugins) <= 2
        assert (await jobs_of(site))["tidy"]["runs"] == 20


async def test_a_plugin_object_by_itself_has_its_jobs_called_by_a_test(workshop: Any) -> None:
    workshop.plugin("keeper", KEEPER, top=TOP)
    async with workshop.running() as site:
        detached: BasePlugin = type(site.plugin("keeper"))()
        await run_job(detached, "tidy")
        assert await detached.get_data("tidied") == 1
        assert await site.plugin("keeper").get_data("tidied") is None


async def test_a_plugin_that_sleeps_is_started_when_a_job_of_it_is_due(workshop: Any) -> None:
    lazy: dict[str, Any] = {"activation": ["on_request"], "permissions": ["jobs.schedule"]}
    body = """
    @every("1s")
    async def tidy(self):
        sys.tidied = getattr(sys, "tidied", 0) + 1
        await sys.gate.wait()
    """
    sys.gate = asyncio.Event()  # type: ignore[attr-defined]  # where the plugin finds it
    workshop.plugin("keeper", body, top=TOP, idle_stop=0.02, **lazy)
    try:
        async with workshop.running() as site:
            assert set(await jobs_of(site)) == {"tidy"}  # its code has run once, or who would know
            await workshop.until(lambda: site.state("keeper") is PluginState.DORMANT)
            assert site.reason("keeper").endswith("a request or a scheduled job that is due.")

            await workshop.until(lambda: getattr(sys, "tidied", 0))
            idle = site.app.manager.controller("keeper").activation
            assert not idle.sleeps  # while the run goes on
            sys.gate.set()  # type: ignore[attr-defined]
            await workshop.until(lambda: site.state("keeper") is PluginState.DORMANT)
            assert (await jobs_of(site))["tidy"]["last_outcome"] == "succeeded"

            await workshop.until(lambda: sys.tidied >= 2)  # type: ignore[attr-defined]
    finally:
        del sys.gate  # type: ignore[attr-defined]
        vars(sys).pop("tidied", None)


async def test_what_may_have_jobs_that_nobody_knows_starts_before_it_sleeps(workshop: Any) -> None:
    lazy: dict[str, Any] = {"activation": ["on_request"], "permissions": ["jobs.schedule"]}
    workshop.plugin("keeper", says=1, idle_stop=0.02, **lazy)
    async with workshop.running() as site:
        await workshop.until(lambda: site.state("keeper") is PluginState.DORMANT)
        await site.api("POST", "/plugins/keeper/disable")
        workshop.plugin("keeper", KEEPER, top=TOP, idle_stop=0.02, **lazy)
        await site.api("POST", "/plugins/keeper/enable")
        await workshop.until(lambda: site.state("keeper") is PluginState.DORMANT)
        assert set(await jobs_of(site)) == {"tidy", "nightly"}
        workshop.plugin(
            "keeper", KEEPER.replace("def tidy", "def sweep"), top=TOP, idle_stop=0.02, **lazy
        )
        await site.api("POST", "/plugins/keeper/reload")
        await workshop.until(lambda: site.state("keeper") is PluginState.DORMANT)
        assert set(await jobs_of(site)) == {"sweep", "nightly"}
