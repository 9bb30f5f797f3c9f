"""The tests that the page shows, unchanged, run by pytest in an application's folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SEED = Path(__file__).parents[1] / "seed" / "my_awesome_plugin"
PASSING = {
    "test_plugin_initialization",
    "test_action_execution",
    "test_health_check",
    "test_event_handlers",
    "test_full_workflow",
}
PLAIN = ["-p", "no:asyncio"]
LOOP_SCOPE = ["-o", "asyncio_default_fixture_loop_scope=function"]


@pytest.fixture
def application(tmp_path: Path) -> Path:
    folder = tmp_path / "application"
    plugin = folder / "plugins" / "my_awesome_plugin"
    shutil.copytree(SEED, plugin)
    (plugin / "config").mkdir()
    (plugin / "config" / "development.yaml").write_text("api_key: a-key-for-tests\n")
    return folder


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        pytest.param("application", PLAIN, id="plain"),
        pytest.param("application", ["--asyncio-mode=auto", *LOOP_SCOPE], id="asyncio-auto"),
        pytest.param("application", ["--asyncio-mode=strict", *LOOP_SCOPE], id="asyncio-strict"),
        pytest.param("application", [*PLAIN, "--import-mode=importlib"], id="importlib"),
        pytest.param("application/plugins/my_awesome_plugin", PLAIN, id="in-the-plugins-folder"),
        pytest.param(".", [*PLAIN, "application/plugins"], id="from-above"),
    ],
)
def test_the_page_s_tests_pass_but_the_one_that_contradicts_its_plugin(
    application: Path, folder: str, arguments: list[str]
) -> None:
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("NEXUS_", "PYTEST_", "COV_"))
    }
    # -P keeps the working directory out of sys.path, as the command `pytest` does.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-rA", *arguments],
        cwd=application.parent / folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    output = done.stdout + done.stderr
    passed = set(re.findall(r"^PASSED \S+::(\w+)", output, re.MULTILINE))
    failed = set(re.findall(r"^FAILED \S+::(\w+)", output, re.MULTILINE))
    assert passed == PASSING, output
    assert failed == {"test_plugin_disabled"}, output
    assert not re.search(r"^ERROR ", output, re.MULTILINE), output
    assert "assert False is True" in output  # what initialize() returned, and what was expected
    assert "never awaited" not in output


def test_the_page_s_plugin_refuses_to_start_where_the_page_s_test_expects_it_to(
    application: Path,
) -> None:
    """Why `test_plugin_disabled` fails: a plugin whose api_key is False does not initialize."""
    script = """
import asyncio, sys
from unittest.mock import AsyncMock
sys.path.insert(0, ".")
from plugins.my_awesome_plugin.plugin import MyAwesomePlugin
plugin = MyAwesomePlugin()
plugin.get_config = AsyncMock(return_value=False)
print(asyncio.run(plugin.initialize()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=application,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert "ValueError: API key is required but not configured" in done.stderr
