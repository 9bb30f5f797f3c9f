"""Who starts after whom, who is blocked, and what brings them back."""

import asyncio
import shutil
import sys
from typing import Any

import pytest

from nexus.plugins import PluginState

RECORDS = """
    async def initialize(self):
        sys.order.append(("start", self.name))
        self.register_service(f"{self.name}.api", self)
        for need in NEEDS:
            self.require_service(f"{need}.api")
        return True

    async def shutdown(self):
        for need in NEEDS:
            self.require_service(f"{need}.api")
        sys.order.append(("stop", self.name))
"""


@pytest.fixture(autouse=True)
def order() -> Any:
    sys.order = []  # type: ignore[attr-defined]  # where the plugins find it
    yield sys.order  # type: ignore[attr-defined]
    del sys.order  # type: ignore[attr-defined]


def chain(workshop: Any, *names: str) -> None:
    """Write plugins each of which needs the one before it."""
    before: list[str] = []
    for name in names:
        workshop.plugin(name, RECORDS, top=f"NEEDS = {before}", dependencies=before, says=name)
        before = [name]


async def test_a_dependency_runs_before_its_dependants_start_and_stops_after_them(
    workshop: Any, order: list[tuple[str, str]]
) -> None:
    chain(workshop, "zeta", "mid", "alpha")
    async with workshop.running() as site:
        assert [site.state(name) for name in ("alpha", "mid", "zeta")] == [PluginState.RUNNING] * 3
    names = ["zeta", "mid", "alpha"]
    assert order == [("start", each) for each in names] + [("stop", each) for each in names[::-1]]


async def test_disabling_a_provider_blocks_its_dependants_and_enabling_brings_them_back(
    workshop: Any, order: list[tuple[str, str]]
) -> None:
    chain(workshop, "base", "mid", "top")
    async with workshop.running() as site:
        order.clear()
        answer = await site.api("POST", "/plugins/base/disable")
        assert answer.json()["state"] == "disabled"
        assert answer.json()["reason"] == "An operator has disabled it."
        assert order == [("stop", each) for each in ("top", "mid", "base")]
        assert site.state("mid") is PluginState.BLOCKED
        assert "nexus plugin enable base" in site.reason("mid")
        assert site.state("top") is PluginState.BLOCKED
        assert (await site.http.get("/plugins/top/")).status_code == 503
        assert [offer.name for offer in site.app.services.offers()] == []
        order.clear()
        answer = await site.api("POST", "/plugins/base/enable")
        assert answer.json()["state"] == "running"
        await site.app.manager.settle()
        assert order == [("start", each) for each in ("base", "mid", "top")]


async def test_what_an_operator_has_disabled_stays_disabled_over_a_restart(workshop: Any) -> None:
    workshop.plugin("foo")
    async with workshop.running() as site:
        await site.app.manager.disable("foo")
    async with workshop.running() as site:
        assert site.state("foo") is PluginState.DISABLED
        await site.app.manager.enable("foo")
    async with workshop.running() as site:
        assert site.state("foo") is PluginState.RUNNING


async def test_only_listed_plugins_start_when_the_settings_say_so(workshop: Any) -> None:
    for name in ("one", "two"):
        workshop.plugin(name)
    async with workshop.running(startup={"enable": "listed", "plugins": ["one"]}) as site:
        assert site.state("one") is PluginState.RUNNING
        assert site.state("two") is PluginState.DISABLED
        assert "startup.plugins does not list it" in site.reason("two")
        assert (await site.app.manager.enable("two")).state is PluginState.RUNNING


async def test_cycles_versions_and_missing_plugins_are_named_and_the_rest_runs(
    workshop: Any,
) -> None:
    workshop.plugin("ring_a", dependencies=["ring_b"])
    workshop.plugin("ring_b", dependencies=["ring_a"])
    workshop.plugin("base", version="1.4.0")
    workshop.plugin("picky", dependencies=["base>=2"])
    workshop.plugin("lonely", dependencies=["bose"])
    workshop.plugin("future", nexus_version=">=99")
    workshop.plugin("ancient", python_version="<3")
    async with workshop.running() as site:
        assert site.state("base") is PluginState.RUNNING
        expected = {
            "ring_a": "ring_b",
            "ring_b": "ring_a",
            "picky": "version 1.4.0 is there",
            "lonely": "Did you mean 'base'?",
            "future": "It needs Nexus >=99",
            "ancient": "It needs Python <3",
        }
        for name, part in expected.items():
            assert site.state(name) is PluginState.BLOCKED
            assert part in site.reason(name)


async def test_a_blocked_plugin_starts_by_itself_when_what_it_needs_is_installed(
    workshop: Any,
) -> None:
    chain(workshop, "base", "user")
    shutil.move(workshop.root / "plugins" / "base", workshop.root / "base")
    async with workshop.running() as site:
        assert site.state("user") is PluginState.BLOCKED
        shutil.move(workshop.root / "base", workshop.root / "plugins" / "base")
        answer = await site.api("POST", "/plugins/rescan")
        assert answer.json()["items"] == ["base"]
        await site.app.manager.settle()
        assert site.state("user") is PluginState.RUNNING


async def test_a_failed_provider_says_so_to_its_dependants_and_brings_them_back(
    workshop: Any,
) -> None:
    chain(workshop, "base", "user")
    workshop.plugin("base", "    async def initialize(self): return False")
    async with workshop.running() as site:
        assert site.state("base") is PluginState.FAILED
        assert site.state("user") is PluginState.BLOCKED
        assert "'base', which is failed: initialize() returned False" in site.reason("user")
        workshop.plugin("base", RECORDS, top="NEEDS = []")
        await site.app.manager.reload("base")
        await site.app.manager.settle()
        assert site.state("user") is PluginState.RUNNING


async def test_a_provider_may_be_reloaded_under_its_dependants(workshop: Any) -> None:
    chain(workshop, "base", "user")
    async with workshop.running() as site:
        user = site.live("user")
        reference = site.plugin("user").service_ref("base.api")
        old = reference.get()
        await site.app.manager.reload("base")
        assert site.live("user") is user
        assert reference.get() is not old
        assert reference.get() is site.plugin("base")


async def test_rescan_reads_again_what_does_not_run(workshop: Any) -> None:
    folder = workshop.plugin("late", says=1)
    (folder / "manifest.json").write_text("{")
    async with workshop.running() as site:
        assert site.state("late") is PluginState.INVALID
        workshop.plugin("late", says=1)
        assert await site.app.manager.rescan() == ()
        await site.app.manager.settle()
        assert site.state("late") is PluginState.RUNNING


async def test_rescan_forgets_plugins_whose_folder_has_gone(workshop: Any) -> None:
    broken = workshop.plugin("broken", top="raise ValueError")
    running = workshop.plugin("running")
    async with workshop.running() as site:
        shutil.rmtree(broken)
        shutil.rmtree(running)
        await site.app.manager.rescan()
        assert site.app.manager.names() == ("running",)  # it runs on until it is disabled
        await site.app.manager.disable("running")
        await site.app.manager.rescan()
        assert site.app.manager.names() == ()


async def test_a_plugin_that_is_starting_when_its_folder_goes_is_unwound(workshop: Any) -> None:
    body = """
    async def initialize(self):
        self.create_task(asyncio.Event().wait(), name="waits")
        sys.entered.set()
        await asyncio.Event().wait()

    async def shutdown(self):
        sys.order.append(("stop", self.name))
    """
    sys.entered = asyncio.Event()  # type: ignore[attr-defined]
    folder = workshop.plugin("slow", body)
    app = workshop.app()
    await app.startup()
    try:
        await sys.entered.wait()  # type: ignore[attr-defined]
        shutil.rmtree(folder)
        await app.manager.rescan()
        assert app.manager.names() == ()
        assert sys.order == [("stop", "slow")]  # type: ignore[attr-defined]
        assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("slow.")]
        assert not [name for name in sys.modules if ".slow_" in name]
        await app.ready()
    finally:
        await app.shutdown()


async def test_disable_interrupts_a_start_that_hangs(workshop: Any) -> None:
    body = """
    async def initialize(self):
        sys.entered.set()
        await asyncio.Event().wait()
    """
    sys.entered = asyncio.Event()  # type: ignore[attr-defined]
    workshop.plugin("hangs", body)
    app = workshop.app()
    await app.startup()
    try:
        await sys.entered.wait()  # type: ignore[attr-defined]
        status = await app.manager.disable("hangs")
        assert status.state is PluginState.DISABLED
        await app.ready()
    finally:
        await app.shutdown()


async def test_an_interrupted_start_that_is_wanted_again_is_no_failure(workshop: Any) -> None:
    body = """
    async def initialize(self):
        sys.order.append(("start", self.name))
        if len(sys.order) > 1:
            return True
        sys.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            sys.cancelled.set()
            await sys.gate.wait()
    """
    for name in ("entered", "cancelled", "gate"):
        setattr(sys, name, asyncio.Event())
    workshop.plugin("hangs", body)
    app = workshop.app()
    await app.startup()
    try:
        await sys.entered.wait()  # type: ignore[attr-defined]
        disabling = asyncio.create_task(app.manager.disable("hangs"))
        await sys.cancelled.wait()  # type: ignore[attr-defined]
        enabling = asyncio.create_task(app.manager.enable("hangs"))
        await workshop.until(lambda: app.manager.controller("hangs").enabled)
        sys.gate.set()  # type: ignore[attr-defined]
        await asyncio.gather(disabling, enabling)
        await app.manager.settle()
        assert app.manager.status("hangs").state is PluginState.RUNNING
    finally:
        await app.shutdown()


@pytest.mark.parametrize(
    "broken",
    [
        {"top": "raise ValueError('no wire')"},
        {"version": "wrong"},
    ],
)
async def test_an_operator_may_choose_that_nothing_starts_without_every_plugin(
    workshop: Any, broken: dict[str, Any]
) -> None:
    from nexus.errors import StartupAborted

    workshop.plugin("good", "    async def shutdown(self): sys.order.append('good')")
    workshop.plugin("broken", **broken)
    app = workshop.app(startup={"on_failure": "abort"})
    with pytest.raises(StartupAborted, match="broken"):
        await app.startup()
    assert sys.order == ["good"]  # type: ignore[attr-defined]
    assert not [name for name in sys.modules if ".good_" in name]
    assert not [each for each in asyncio.all_tasks() if each.get_name().startswith("nexus")]


async def test_an_application_can_run_again_but_not_twice_at_a_time(workshop: Any) -> None:
    workshop.plugin("foo", says=1)
    app = workshop.app()
    for _ in range(3):
        async with app.running():
            assert app.manager.status("foo").state is PluginState.RUNNING
            assert app.is_settled
            with pytest.raises(RuntimeError, match="runs already"):
                await app.startup()


async def test_stopping_while_plugins_start_leaves_nothing(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await asyncio.Event().wait()
    """
    for number in range(3):
        workshop.plugin(f"hangs_{number}", body)
    app = workshop.app()
    await app.startup()
    await app.shutdown()
    assert not [each for each in asyncio.all_tasks() if "hangs" in each.get_name()]
    assert not [name for name in sys.modules if ".hangs_" in name]


async def test_a_defect_of_the_platform_is_seen_and_holds_nobody_up(
    workshop: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from nexus.errors import ReloadFailed
    from nexus.plugins.controller import PluginController

    chain(workshop, "base", "user")
    async with workshop.running() as site:
        real = PluginController._converge

        async def broken(controller: PluginController) -> Any:
            if controller.name == "user":
                raise RuntimeError("a defect")
            return await real(controller)

        monkeypatch.setattr(PluginController, "_converge", broken)
        await site.app.manager.reload("user")  # swaps, and then the defect strikes
        with pytest.raises(ReloadFailed, match="a defect"):
            await site.app.manager.reload("user")
        assert site.state("user") is PluginState.FAILED
        assert "platform itself failed" in site.reason("user")
        assert "A controller failed" in caplog.text
        assert (await site.http.get("/plugins/user/")).status_code == 503
        # What it depended on can still be stopped.
        assert (await site.app.manager.disable("base")).state is PluginState.DISABLED
        assert site.app.services.offers() == ()


async def test_a_start_that_waits_for_its_own_background_task_is_told_so(workshop: Any) -> None:
    body = """
    async def initialize(self):
        await self.create_task(asyncio.sleep(0), name="feed")
        return True
    """
    workshop.plugin("eager", body)
    async with workshop.running(startup={"timeout": 0.2}) as site:
        assert site.state("eager") is PluginState.FAILED
        assert "feed" in site.reason("eager")


async def test_a_blocked_plugin_does_not_keep_an_application_from_starting(workshop: Any) -> None:
    workshop.plugin("waiting", dependencies=["not_there"])
    app = workshop.app(startup={"on_failure": "abort"})
    async with app.running():
        assert app.manager.status("waiting").state is PluginState.BLOCKED


async def test_warnings_of_a_manifest_are_logged_when_it_starts(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.plugin("foo", permisions=["events.publish"])
    async with workshop.running():
        assert any("permissions" in record.getMessage() for record in caplog.records)


async def test_a_dependency_is_shown_as_the_manifest_has_it(workshop: Any) -> None:
    workshop.plugin("base", "")
    workshop.plugin("user", "", dependencies=["base>=1.0"])
    async with workshop.running() as site:
        shown = await site.api("GET", "/plugins/user")
        assert shown.json()["dependencies"] == ["base>=1.0"]
