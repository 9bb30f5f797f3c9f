import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from typing_extensions import override

from nexus.errors import JobInvalid
from nexus.jobs.declaration import declared_jobs
from nexus.plugins import BasePlugin, cron, every


class Clock(BasePlugin):
    @override
    async def initialize(self) -> bool:
        return True

    @every("5m", jitter="30s", timeout="1m")
    async def tick(self) -> str:
        return "tick"

    @cron("0 3 * * *", timezone="Europe/Berlin", name="nightly")
    def clean(self) -> str:
        return "clean"

    @property
    def trap(self) -> None:
        raise AssertionError("looking for jobs must not run the plugin's code")


def test_the_jobs_of_a_class_are_found_with_what_they_were_declared_with() -> None:
    nightly, tick = declared_jobs(Clock)
    assert (nightly.name, nightly.method, nightly.timeout) == ("nightly", "clean", None)
    assert nightly.schedule.text == "cron 0 3 * * * (Europe/Berlin)"
    assert (tick.name, tick.method, tick.timeout) == ("tick", "tick", 60.0)
    assert tick.schedule.text == "every 5m, jitter 30s"


def test_a_decorated_method_is_an_ordinary_method() -> None:
    plugin = Clock()
    assert plugin.clean() == "clean"
    assert asyncio.run(plugin.tick()) == "tick"


def test_a_job_is_inherited_and_one_that_is_overridden_without_a_schedule_is_none() -> None:
    class Quiet(Clock):
        @override
        async def tick(self) -> str:
            return "quiet"

    assert [each.name for each in declared_jobs(Quiet)] == ["nightly"]


def test_two_jobs_of_one_name_are_an_error_that_names_both_methods() -> None:
    class Double(Clock):
        @every(60, name="tick")
        def other(self) -> None: ...

    with pytest.raises(JobInvalid, match=r"(?s)'tick'.*(other|tick)\(\)"):
        declared_jobs(Double)


@pytest.mark.parametrize(
    ("decorate", "words"),
    [
        (lambda: every("5x"), "the interval is '5x'"),
        (lambda: every(0.5), "a second or more"),
        (lambda: every(float("nan")), "the interval is nan"),
        (lambda: every("1m", jitter="2m"), "no less than the interval"),
        (lambda: every("1m", timeout=0), "the timeout is 0 s"),
        (lambda: every("1m", name="a b"), "'a b' is no name"),
        (lambda: every(cast("Any", _fine)), "@every: it has no interval"),
        (lambda: cron("0 3 * *"), "it has 4 fields"),
        (lambda: cron("61 3 * * *"), "61"),
        (lambda: cron("0 0 * * funday"), "'funday' is no day of the week"),
        (lambda: cron("@dayly"), "@daily"),
        (lambda: cron("0 0 30 2 *"), "it would never run"),
        (lambda: cron("0 3 * * *", timezone="Mars/Olympus"), "no time zone 'Mars/Olympus'"),
        (lambda: cron(cast("Any", _fine)), "it has no expression"),
    ],
)
def test_a_bad_argument_is_an_error_when_the_code_is_imported(
    decorate: Callable[[], Any], words: str
) -> None:
    with pytest.raises(JobInvalid) as caught:
        decorate()(_fine)
    assert words in str(caught.value)
    assert "Expected" in str(caught.value)


def _fine(self: Any) -> None: ...


def test_a_method_that_takes_arguments_is_refused() -> None:
    with pytest.raises(JobInvalid, match="takes nothing but self"):

        @every("5m")
        def method(self: Any, more: int) -> None: ...


def test_a_method_has_one_schedule() -> None:
    with pytest.raises(JobInvalid, match=r"has a schedule already \(every 5m\)"):

        @cron("@daily")
        @every("5m")
        def method(self: Any) -> None: ...


def test_a_generator_is_refused() -> None:
    with pytest.raises(JobInvalid, match="yield"):

        @every("5m")
        def method(self: Any) -> Any:
            yield


def test_a_plugin_without_jobs_does_not_load_what_schedules_them() -> None:
    code = (
        "import sys; from nexus.plugins import BasePlugin;"
        "print([m for m in sys.modules if m.startswith(('apscheduler', 'nexus.jobs.decorators'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
