"""Whatever a plugin's code does, the application serves and nothing of the plugin stays."""

import asyncio
import sys
from typing import Any

import pytest

from nexus.errors import HookFailed
from nexus.plugins import PluginState

RAISES = {
    "raise ValueError('a broken wire')": "a broken wire",
    "raise asyncio.CancelledError": "ancelled",
    "raise SystemExit(3)": "SystemExit",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "sys.exit('bye')": "SystemExit",
    "(lambda f: f(f))(lambda f: f(f))": "RecursionError",
}

STARTED = """
    async def initialize(self):
        await self.subscribe_to_event("any.thing", self.on_thing)
        self.register_service("broken.api", self)
        self.create_task(asyncio.Event().wait(), name="waits")
        asyncio.create_task(asyncio.Event().wait())
        return True

    async def on_thing(self, event):
        pass
"""


def traces_of(site: Any, name: str) -> list[str]:
    app = site.app
    found = [module for module in sys.modules if f".{name}_" in module]
    found += [offer.name for offer in app.services.offers() if offer.owner == name]
    found += [each.pattern for each in app.bus.figures().subscriptions if each.owner == name]
    found += [name] if name in app.dispatcher.live else []
    found += [
        task.get_name()
        for task in asyncio.all_tasks()
        if task.get_name().startswith((f"{name}.", f"nexus-events:{name}"))
    ]
    return found


def hook(signature: str, statement: str) -> str:
    return f"\n    {signature}:\n        {statement}\n"


@pytest.mark.parametrize("statement", RAISES)
@pytest.mark.parametrize(
    "signature",
    [
        "async def initialize(self)",
        "def __init__(self)",
        "def get_api_routes(self)",
        "def get_database_schema(self)",
    ],
)
async def test_a_hook_that_raises_fails_the_start_and_leaves_nothing(
    workshop: Any, signature: str, statement: str
) -> None:
    workshop.plugin("good", says="good")
    workshop.plugin("broken", STARTED + hook(signature, statement))
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.FAILED
        assert RAISES[statement] in site.reason("broken")
        assert traces_of(site, "broken") == []
        assert await site.says("good") == "good"
        answer = await site.http.get("/plugins/broken/")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("statement", RAISES)
async def test_a_module_that_raises_at_import_fails_the_start(
    workshop: Any, statement: str
) -> None:
    workshop.plugin("good", says="good")
    workshop.plugin("broken", top=statement)
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.FAILED
        reason = site.reason("broken")
        assert RAISES[statement] in reason
        assert "plugin.py, line" in reason
        assert traces_of(site, "broken") == []
        assert await site.says("good") == "good"


LIFESPAN = """
    def get_api_routes(self):
        @asynccontextmanager
        async def lifespan(app):
            {statement}
            yield

        return [APIRouter(lifespan=lifespan)]
"""


@pytest.mark.parametrize("statement", [*RAISES, "await asyncio.Event().wait()"])
async def test_a_lifespan_that_raises_or_hangs_fails_the_start(
    workshop: Any, statement: str
) -> None:
    workshop.plugin("good", says="good")
    body = STARTED + LIFESPAN.format(statement=statement)
    workshop.plugin("broken", body, top="from contextlib import asynccontextmanager")
    async with workshop.running(startup={"timeout": 0.5 if "wait" in statement else 60}) as site:
        assert site.state("broken") is PluginState.FAILED
        assert RAISES.get(statement, "the lifespans of its routers") in site.reason("broken")
        assert traces_of(site, "broken") == []
        assert await site.says("good") == "good"


@pytest.mark.parametrize("statement", RAISES)
async def test_what_a_plugin_says_of_itself_may_raise(workshop: Any, statement: str) -> None:
    workshop.plugin("odd", hook("def get_info(self)", statement), says="odd")
    async with workshop.running() as site:
        with pytest.raises(HookFailed, match=r"get_info\(\)"):
            site.live("odd").hosted.info()
        assert (await site.api("GET", "/plugins/odd")).status_code == 200
        assert await site.says("odd") == "odd"
        await site.app.manager.disable("odd")
        assert traces_of(site, "odd") == []


@pytest.mark.parametrize("statement", RAISES)
async def test_create_plugin_that_raises_fails_the_start(workshop: Any, statement: str) -> None:
    workshop.plugin("good", says="good")
    code = f"import asyncio, sys\ndef create_plugin():\n    {statement}\n"
    workshop.plugin("broken", code=code)
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.FAILED
        assert "Making the plugin raised" in site.reason("broken")
        assert traces_of(site, "broken") == []
        assert await site.says("good") == "good"


@pytest.mark.parametrize("statement", RAISES)
async def test_a_health_check_that_raises_is_unhealthy(workshop: Any, statement: str) -> None:
    workshop.plugin("sick", hook("async def health_check(self)", statement), says="sick")
    async with workshop.running() as site:
        answer = await site.api("GET", "/plugins/sick/health")
        assert answer.status_code == 200
        assert answer.json()["healthy"] is False
        assert "health_check()" in answer.json()["message"]
        assert (await site.http.get("/health")).json()["status"] == "degraded"
        assert await site.says("sick") == "sick"


@pytest.mark.parametrize("statement", RAISES)
async def test_metrics_that_raise_are_an_error_that_names_the_hook(
    workshop: Any, statement: str
) -> None:
    workshop.plugin("odd", hook("def get_metrics(self)", statement), says="odd")
    async with workshop.running() as site:
        answer = await site.api("GET", "/plugins/odd/metrics")
        assert (answer.status_code, answer.json()["code"]) == (500, "hook-failed")
        assert "get_metrics()" in answer.json()["detail"]
        assert await site.says("odd") == "odd"


@pytest.mark.parametrize("statement", RAISES)
async def test_a_shutdown_that_raises_still_unwinds_everything(
    workshop: Any, statement: str
) -> None:
    workshop.plugin("broken", STARTED + hook("async def shutdown(self)", statement))
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.RUNNING
        await site.app.manager.disable("broken")
        assert site.state("broken") is PluginState.DISABLED
        assert traces_of(site, "broken") == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("async def initialize(self): return None", "initialize() returned NoneType"),
        ("async def initialize(self): return 1", "initialize() returned int"),
        ("def initialize(self): return True", "write 'async def initialize(self)'"),
        ("async def initialize(self): return False", "initialize() returned False."),
        ("def get_api_routes(self): return APIRouter()", "get_api_routes() returned APIRouter"),
        ("def get_api_routes(self): return None", "get_api_routes() returned NoneType"),
        ("def get_api_routes(self): return 'abc'", "a list of fastapi.APIRouter"),
        ("def get_api_routes(self): return [1]", "Item 0 of get_api_routes()"),
        ("async def get_api_routes(self): return []", "write 'def get_api_routes(self)'"),
        ("def get_database_schema(self): return []", "get_database_schema() returned list"),
        ("def get_database_schema(self): return {'initial_data': 1}", "'initial_data'"),
        ("async def get_database_schema(self): return {}", "write 'def get_database_schema"),
        ("def get_database_schema(self): return {'initial_data': {'x': {1}}}", "JSON"),
        ("def __init__(self): pass", "does not call super().__init__()"),
    ],
)
async def test_a_hook_that_returns_the_wrong_thing_is_told_what_to_write(
    workshop: Any, body: str, says: str
) -> None:
    workshop.plugin("broken", STARTED + "\n    " + body + "\n")
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.FAILED
        assert says in site.reason("broken")
        assert traces_of(site, "broken") == []


TWO = """
from nexus.plugins import BasePlugin

class A(BasePlugin):
    async def initialize(self): return True

"""


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1", "defines no subclass of BasePlugin"),
        ("def create_plugin(): return 1", "create_plugin() returned int"),
        ("async def create_plugin(): return 1", "create_plugin() is async"),
        (
            TWO + "class B(A): pass\n",
            "A and B",
        ),
        (
            "from nexus.plugins import BasePlugin\nclass A(BasePlugin): pass\n",
            "does not define initialize()",
        ),
        (
            TWO + "made = A()\ndef create_plugin(): return made\n",
            "made before it was called",
        ),
        ("def f(:\n", "Syntax error in"),
        ("\0", "Importing its code raised|Syntax error"),
        ("import no_such_module_anywhere", "'no_such_module_anywhere', which is not installed"),
        ("from .gone import x", "its own module 'gone'"),
        ("from plugins.broken.sub.gone import x", "its own module 'sub'"),
    ],
)
async def test_code_without_a_plugin_is_told_what_is_missing(
    workshop: Any, code: str, says: str
) -> None:
    workshop.plugin("broken", code=code)
    async with workshop.running() as site:
        assert site.state("broken") is PluginState.FAILED
        assert any(part in site.reason("broken") for part in says.split("|")), site.reason("broken")
        assert traces_of(site, "broken") == []


async def test_the_last_complaint_of_a_plugin_that_returns_false_is_its_reason(
    workshop: Any,
) -> None:
    body = """
    async def initialize(self):
        self.logger.error("The API key is missing")
        return False
    """
    workshop.plugin("broken", body)
    async with workshop.running() as site:
        assert "The API key is missing" in site.reason("broken")


async def test_requirements_are_named_when_a_module_is_missing(workshop: Any) -> None:
    workshop.plugin(
        "broken", code="import no_such_module_anywhere", files={"requirements.txt": "x\n"}
    )
    async with workshop.running() as site:
        assert "pip install -r" in site.reason("broken")


@pytest.mark.parametrize(
    ("signature", "step"),
    [
        ("async def initialize(self)", "initialize()"),
        ("async def shutdown(self)", None),
        ("async def health_check(self)", None),
    ],
)
async def test_a_hook_that_hangs_is_given_up(
    workshop: Any, signature: str, step: str | None
) -> None:
    hang = hook(signature, "await asyncio.Event().wait()")
    workshop.plugin("hangs", STARTED + hang)
    workshop.plugin("good", says="good")
    limits = {
        "startup": {"timeout": 0.2, "slow_after": 0.1},
        "shutdown": {"drain_timeout": 0.2, "timeout": 0.2},
        "health": {"timeout": 0.2},
    }
    async with workshop.running(**limits) as site:
        assert await site.says("good") == "good"
        if step is not None:
            assert site.state("hangs") is PluginState.FAILED
            assert f"it was in {step}" in site.reason("hangs")
        else:
            answer = await site.api("GET", "/plugins/hangs/health")
            assert answer.json()["healthy"] is ("health" not in signature)
            await site.app.manager.disable("hangs")
        assert traces_of(site, "hangs") == []


async def test_a_hook_that_ignores_its_cancellation_does_not_hold_up_the_others(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = """
    async def initialize(self):
        while not OVER:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                pass
        return True
    """
    workshop.plugin("stubborn", body, top="OVER = []\nsys.stubborn = OVER")
    workshop.plugin("good", says="good")
    async with workshop.running(startup={"timeout": 0.1}) as site:
        assert site.state("stubborn") is PluginState.FAILED
        assert await site.says("good") == "good"
        sys.stubborn.append(1)  # type: ignore[attr-defined]  # put there by the plugin
    assert "goes on although it was cancelled" in caplog.text


async def test_a_slow_start_is_reported_while_it_lasts(
    workshop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    body = """
    async def initialize(self):
        await asyncio.sleep(0.2)
        return True
    """
    workshop.plugin("slow", body)
    async with workshop.running(startup={"slow_after": 0.05}) as site:
        assert site.state("slow") is PluginState.RUNNING
    [record] = [each for each in caplog.records if each.message == "A plugin starts slowly"]
    assert (record.plugin, record.step) == ("slow", "initialize()")  # type: ignore[attr-defined]


async def test_an_import_that_blocks_holds_up_neither_the_loop_nor_other_plugins(
    workshop: Any,
) -> None:
    workshop.plugin(
        "blocks", top="import threading\nsys.release = threading.Event()\nsys.release.wait()"
    )
    for number in range(5):
        workshop.plugin(f"good_{number}", says=number)
    app = workshop.app()
    await app.startup()
    try:
        for number in range(5):
            await app.manager.controller(f"good_{number}").wait_settled()
            assert app.manager.status(f"good_{number}").state is PluginState.RUNNING
        assert app.manager.status("blocks").state is PluginState.STARTING
        sys.release.set()  # type: ignore[attr-defined]  # put there by the plugin
        await app.ready()
        assert app.manager.status("blocks").state is PluginState.RUNNING
    finally:
        sys.release.set()  # type: ignore[attr-defined]
        await app.shutdown()


async def test_an_import_that_never_returns_is_given_up_and_leaves_no_module(
    workshop: Any,
) -> None:
    top = (
        "import threading\nsys.release = threading.Event()\nsys.release.wait()\nfrom . import late"
    )
    workshop.plugin("blocks", top=top, files={"late.py": "x = 1"})
    workshop.plugin("good", says="good")
    async with workshop.running(startup={"timeout": 2.0}) as site:
        assert site.state("blocks") is PluginState.FAILED
        assert "it was in the import of its code" in site.reason("blocks")
        assert await site.says("good") == "good"
        workers = [each for each in __import__("threading").enumerate() if "import" in each.name]
        sys.release.set()  # type: ignore[attr-defined]  # put there by the plugin
        for worker in workers:
            await asyncio.to_thread(worker.join)
        assert traces_of(site, "blocks") == []


async def test_health_and_figures_are_plain_data_whatever_a_plugin_puts_in(workshop: Any) -> None:
    body = """
    async def health_check(self):
        health = await super().health_check()
        health.components["odd"] = {"at": object(), 1: {2, 3}, "nan": float("nan"), "self": self}
        health.metrics = {"fine": 1, "nan": float("nan"), "text": "x"}
        health.message = ValueError("why")
        return health

    def get_metrics(self):
        return {**super().get_metrics(), "bad": float("inf"), "text": "x", "count": 3}
    """
    workshop.plugin("odd", body)
    async with workshop.running() as site:
        health = (await site.api("GET", "/plugins/odd/health")).json()
        assert health["healthy"] is True
        assert health["message"] == "why"
        assert health["metrics"] == {"fine": 1.0}
        assert health["components"]["odd"]["1"] == [2, 3]
        whole = await site.http.get("/health", headers=site.admin)
        assert whole.json()["plugins"]["odd"]["components"]["odd"]["nan"] == "nan"
        metrics = (await site.api("GET", "/plugins/odd/metrics")).json()["metrics"]
        assert metrics["count"] == 3.0
        assert not {"bad", "text"} & metrics.keys()


@pytest.mark.parametrize("returned", ["None", "{'healthy': True}", "True"])
async def test_a_health_check_that_returns_no_health_status_is_unhealthy(
    workshop: Any, returned: str
) -> None:
    workshop.plugin("odd", hook("async def health_check(self)", f"return {returned}"))
    async with workshop.running() as site:
        health = (await site.api("GET", "/plugins/odd/health")).json()
        assert health["healthy"] is False
        assert "a HealthStatus was expected" in health["message"]
