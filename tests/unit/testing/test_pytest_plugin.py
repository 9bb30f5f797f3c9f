"""What the pytest plugin does in a run of its own process."""

import ast
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

LOOP_SCOPE = "asyncio_default_fixture_loop_scope=function"  # pytest-asyncio warns when it is unset
MODES = {
    "without": ["-p", "no:asyncio"],
    "auto": ["--asyncio-mode=auto", "-o", LOOP_SCOPE],
    "strict": ["--asyncio-mode=strict", "-o", LOOP_SCOPE],
}
STRICT_WARNINGS = ["-W", "error"]

EVERYTHING = """
import asyncio
import contextvars

import pytest

from nexus.testing import management_headers, published, wait_for_event
from plugins.greeter.plugin import Greeter

mark = contextvars.ContextVar("mark", default="unset")
log = []


@pytest.fixture(scope="module", autouse=True)
def everything_was_torn_down():
    yield
    assert "fixture closed" in log
    assert log.count("torn down after test_hooks_ran") == 1
    assert log.count("torn down after test_hooks_ran_for_a_plain_test") == 1
    assert log.count("torn down after test_of_error") == 0


@pytest.fixture
async def loop_of_fixture():
    await asyncio.sleep(0)
    yield asyncio.get_running_loop()
    assert asyncio.get_running_loop().is_running()
    log.append("fixture closed")


@pytest.fixture
async def answer(loop_of_fixture):
    mark.set("set by a fixture")
    return 42


async def test_fixtures_share_the_loop_and_the_context_of_the_test(loop_of_fixture, answer):
    assert loop_of_fixture is asyncio.get_running_loop()
    assert answer == 42
    assert mark.get() == "set by a fixture"


def test_a_plain_test_can_use_an_async_fixture(answer):
    assert answer == 42


@pytest.mark.parametrize("number", [1, 2])
async def test_parameters(number):
    assert number in (1, 2)


async def test_of_failure():
    await asyncio.sleep(0)
    assert 1 == 2


class Base:
    async def setup_method(self):
        self.base = asyncio.get_running_loop()

    async def teardown_method(self, method):
        log.append(f"torn down after {method.__name__}")


class TestHooks(Base):
    async def setup_method(self, method):
        await super().setup_method()
        self.method = method.__name__
        self.plugin = Greeter()

    @pytest.fixture
    async def own_fixture(self):
        return self.method

    async def test_hooks_ran(self, own_fixture):
        assert self.base is asyncio.get_running_loop()
        assert own_fixture == self.method == "test_hooks_ran"
        assert await self.plugin.greet("Ada") == "Hello, Ada"

    def test_hooks_ran_for_a_plain_test(self):
        assert self.method == "test_hooks_ran_for_a_plain_test"


class TestHookOverridden(Base):
    def setup_method(self):
        self.base = "plain"

    async def test_plain_hook_wins(self):
        assert self.base == "plain"


class TestHookFails(Base):
    async def setup_method(self):
        raise RuntimeError("no setup")

    async def test_of_error(self):
        pass


async def test_detached(nexus_plugin, make_plugin):
    assert type(nexus_plugin) is Greeter
    assert await nexus_plugin.greet("Ada") == "Hello, Ada"
    assert [event.name for event in published(nexus_plugin)] == ["greeter.greeted"]
    other = await make_plugin(Greeter, config={"word": "Moin"}, data={"last": "Bo"})
    assert await other.get_data("last") == "Bo"
    assert await other.greet("Ada") == "Moin, Ada"
    assert type(await make_plugin("greeter")) is Greeter


@pytest.mark.nexus(config={"greeter": {"word": "Moin"}})
class TestMarked:
    async def test_settings_of_the_class(self, nexus_plugin, running_plugin):
        assert await nexus_plugin.greet("Ada") == "Moin, Ada"
        assert await running_plugin.greet("Ada") == "Moin, Ada"

    @pytest.mark.nexus(config={"greeter": {"word": "Ahoy"}}, settings={"name": "Mine"})
    async def test_settings_of_the_test(self, nexus_app, running_plugin):
        assert nexus_app.settings.name == "Mine"
        assert await running_plugin.greet("Ada") == "Ahoy, Ada"


async def test_application(nexus_app, nexus_client, running_plugin):
    answer = await nexus_client.get("/plugins/greeter/greet/Ada")
    assert answer.json() == {"text": "Hello, Ada"}
    assert (await wait_for_event(nexus_app, "greeter.greeted")).data["name"] == "Ada"
    assert await running_plugin.get_data("last") == "Ada"
    assert (await nexus_client.get("/plugins/greeter/broken")).status_code == 500
    headers = management_headers(nexus_app)
    assert (await nexus_client.get("/api/v1/plugins", headers=headers)).status_code == 200


@pytest.mark.nexus(plugins=["absent"])
async def test_of_unknown_plugin(nexus_app):
    pass


@pytest.mark.nexus("greeter")
async def test_of_wrong_marker(nexus_app):
    pass


async def test_tasks_left_behind_end_with_the_test(nexus_plugin):
    nexus_plugin.create_task(asyncio.sleep(1000))
    Greeter().create_task(asyncio.sleep(1000))
    asyncio.create_task(asyncio.sleep(1000))
    await asyncio.sleep(0)


@pytest.mark.filterwarnings("ignore::nexus.testing.BackgroundTaskFailed")
async def test_a_wanted_failure_of_a_task(nexus_plugin):
    await asyncio.wait([nexus_plugin.create_task(fail())])
    health = await nexus_plugin.health_check()
    assert not health.healthy


async def test_of_failed_task():
    await asyncio.wait([Greeter().create_task(fail())])


async def fail():
    raise ValueError("no such reading")
"""
PROBLEMS = {
    "test_of_failure": "failure",
    "test_of_error": "error",
    "test_of_unknown_plugin": "error",
    "test_of_wrong_marker": "error",
    "test_of_failed_task": "error",
}


def names_of_tests(module: str) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = {
        node.name
        for node in ast.walk(ast.parse(module))
        if isinstance(node, functions) and node.name.startswith("test_")
    }
    return (found - {"test_parameters"}) | {"test_parameters[1]", "test_parameters[2]"}


@pytest.mark.parametrize("mode", MODES)
def test_async_tests_hooks_and_fixtures_work_in_every_mode(
    run_in_plugin: Callable[..., Any], mode: str
) -> None:
    run = run_in_plugin(EVERYTHING, *MODES[mode], *STRICT_WARNINGS)
    expected = dict.fromkeys(names_of_tests(EVERYTHING), "passed") | PROBLEMS
    assert run.outcomes == expected, run.text
    assert "There is no plugin named 'absent'" in run.text
    assert "greeter.fail raised ValueError: no such reading" in run.text
    assert "takes plugin, plugins, config, settings, require_running by name" in run.text
    for trouble in ("never awaited", "was destroyed", "ResourceWarning"):
        assert trouble not in run.text


def test_markers_of_the_async_plugins_keep_their_meaning(
    run_in_plugin: Callable[..., Any],
) -> None:
    module = """
        import asyncio, pytest

        @pytest.mark.anyio
        async def test_by_anyio(anyio_backend_name):
            assert anyio_backend_name == "asyncio"

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.asyncio(loop_scope="class")
        class TestOneLoop:
            loop = None

            async def setup_method(self):
                self.own = asyncio.get_running_loop()

            async def test_one(self, nexus_app, nexus_plugin):
                nexus_plugin.create_task(asyncio.sleep(1000), name="sleeper")
                type(self).loop = asyncio.get_running_loop()
                assert self.own is self.loop
                assert await running(nexus_app)

            async def test_two(self, nexus_app):
                assert type(self).loop is asyncio.get_running_loop()
                names = [task.get_name() for task in asyncio.all_tasks()]
                assert "greeter.sleeper" not in names
                assert await running(nexus_app)

        async def running(app):
            async with asyncio.timeout(5):
                await app.store.set("test", "key", 1)
                return await app.store.get("test", "key") == 1
        """
    run = run_in_plugin(module, *MODES["strict"], "-p", "no:randomly", *STRICT_WARNINGS)
    assert set(run.outcomes.values()) == {"passed"}, run.text
    assert len(run.outcomes) == 3


def test_a_wider_async_fixture_is_refused_without_pytest_asyncio(
    run_in_plugin: Callable[..., Any],
) -> None:
    module = """
        import pytest

        @pytest.fixture(scope="module")
        async def wide():
            return 1

        async def test_it(wide):
            pass
        """
    run = run_in_plugin(module, *MODES["without"])
    assert run.outcomes == {"test_it": "error"}
    assert "install pytest-asyncio" in run.text


@pytest.mark.parametrize("import_mode", ["prepend", "importlib"])
def test_plugins_can_be_imported_wherever_tests_lie(workshop: Any, import_mode: str) -> None:
    conftest = """
        import pytest
        from plugins.{name}.plugin import Greeter

        @pytest.fixture
        def place():
            return Greeter.__module__
        """
    test = """
        def test_{name}(place):
            from plugins.{name}.plugin import Greeter
            assert Greeter.__module__ == place == "plugins.{name}.plugin"
            from {full}.plugin import Greeter
        """
    for place in ("one/plugins/foo", "one/plugins/media/bar", "two/plugins/baz"):
        name = place.rpartition("/")[2]
        workshop.add_plugin(place)
        full = place.partition("/")[2].replace("/", ".")
        workshop.write(f"{place}/tests/conftest.py", conftest.format(name=name))
        workshop.write(f"{place}/tests/test_plugin.py", test.format(name=name, full=full))
    workshop.write("one/nexus.yaml", "")
    workshop.write("one/tests/conftest.py", conftest.format(name="foo"))
    workshop.write(
        "one/tests/test_app.py",
        """
        async def test_app(place, nexus_app):
            assert nexus_app.manager.names() == ("bar", "foo")

        import pytest

        @pytest.mark.nexus(plugin="foo")
        async def test_foo_in_app(nexus_app, running_plugin, nexus_plugin):
            assert running_plugin.name == nexus_plugin.name == "foo"
            assert nexus_app.manager.status("bar").state == "disabled"

        async def test_nameless(running_plugin):
            pass
        """,
    )
    workshop.write(
        "other/test_other.py",
        """
        import pytest

        def test_other():
            with pytest.raises(ModuleNotFoundError):
                import plugins.foo

        async def test_of_nobody():
            pass
        """,
    )
    run = workshop.pytest(f"--import-mode={import_mode}", *MODES["without"])
    assert run.outcomes == {
        "test_foo": "passed",
        "test_bar": "passed",
        "test_baz": "passed",
        "test_app": "passed",
        "test_foo_in_app": "passed",
        "test_nameless": "error",
        "test_other": "passed",
        "test_of_nobody": "failure",
    }, run.text
    assert "test_app.py lies in none" in run.text


def test_the_first_conftest_can_import_plugins_in_the_plugins_own_folder(workshop: Any) -> None:
    workshop.add_plugin("plugins/foo")
    workshop.write("plugins/foo/tests/conftest.py", "from plugins.foo.plugin import Greeter\n")
    workshop.write("plugins/foo/tests/test_foo.py", "async def test_foo(): pass\n")
    for cwd, arguments in (("plugins/foo", []), (".", ["plugins/foo/tests/test_foo.py::test_foo"])):
        run = workshop.pytest(*MODES["without"], *arguments, cwd=cwd)
        assert run.outcomes == {"test_foo": "passed"}, run.text


def test_the_plugin_costs_a_foreign_run_next_to_nothing() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import nexus.testing.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = [name for name in done.stdout.split() if not name.startswith("nexus")]
    assert loaded == []
    assert [name for name in done.stdout.split() if name.startswith("nexus.")] == [
        "nexus._lazy",
        "nexus._version",
        "nexus.testing",
        "nexus.testing.async_hooks",
        "nexus.testing.async_tests",
        "nexus.testing.background",
        "nexus.testing.fixtures",
        "nexus.testing.namespace",
        "nexus.testing.pytest_plugin",
        "nexus.testing.surroundings",
    ]


def test_tests_can_be_spread_over_processes(run_in_plugin: Callable[..., Any]) -> None:
    module = """
        async def test_one(nexus_plugin):
            assert await nexus_plugin.greet("Ada") == "Hello, Ada"

        async def test_two(running_plugin):
            assert await running_plugin.greet("Ada") == "Hello, Ada"
        """
    run = run_in_plugin(module, *MODES["strict"], "-n", "2")
    assert run.outcomes == {"test_one": "passed", "test_two": "passed"}, run.text
