import subprocess
import sys

import pytest

from nexus import __version__
from nexus.cli.errors import ApplicationRefused, CommandError, NothingRunning
from nexus.cli.exit_codes import ExitCode, exit_code_of
from nexus.errors import ConfigValueRefused, PluginNotFound


def test_the_version_is_shown(nexus) -> None:
    assert nexus("--version").out == f"nexus {__version__}\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    heavy = ("fastapi", "starlette", "pydantic", "httpx", "uvicorn", "sqlite3", "yaml")
    code = (
        "import sys; sys.argv = ['nexus', sys.argv[1]]\n"
        "from nexus.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, option], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_tells_the_exit_codes(nexus) -> None:
    said = nexus("--help")
    assert said.code == 0
    for code in ExitCode:
        assert str(int(code)) in said.out


def test_without_a_command_the_help_is_shown(nexus) -> None:
    said = nexus()
    assert said.code == ExitCode.USAGE
    assert "Usage: nexus" in said.out + said.err


def test_an_unknown_command_is_wrong_usage(nexus) -> None:
    said = nexus("plugin", "lst")
    assert said.code == ExitCode.USAGE
    assert "list" in said.err


def test_wrong_usage_is_told_as_json_where_json_is_asked_for(nexus) -> None:
    said = nexus("plugin", "info", "--json")
    assert said.code == ExitCode.USAGE
    assert said.error["code"] == "usage"
    assert "NAME" in said.error["message"]


def test_an_error_goes_to_stderr_as_json(nexus, tmp_path) -> None:
    said = nexus("plugin", "list", "--app", str(tmp_path), "--json")
    assert said.code == ExitCode.FAILED
    assert said.out == ""
    assert said.error["code"] == "no-application"
    assert "nexus init" in said.error["message"]


def test_the_folder_can_be_given_in_the_environment(nexus, application, monkeypatch) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("NEXUS_APP", str(application))
    assert nexus("plugin", "list", "--json").json == {"running": False, "items": []}


def test_the_commands_own_variables_are_no_settings(nexus, application, monkeypatch) -> None:
    monkeypatch.setenv("NEXUS_APP", str(application))
    found = nexus("doctor", "--json").json["checks"]
    assert [line for line in found if "NEXUS_APP" in line["message"]] == []


def refused(status: int, problem: str = "") -> ApplicationRefused:
    return ApplicationRefused(status=status, problem=problem, detail="No.")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NothingRunning(folder="app"), ExitCode.NOT_RUNNING),
        (CommandError(), ExitCode.FAILED),
        (PluginNotFound(name="x"), ExitCode.FAILED),
        (ConfigValueRefused(plugin="x", key="y", expected="a", found="b"), ExitCode.REFUSED),
        (refused(401), ExitCode.REFUSED),
        (refused(422, "config-value-refused"), ExitCode.REFUSED),
        (refused(404, "plugin-not-found"), ExitCode.FAILED),
        (refused(409, "reload-failed"), ExitCode.FAILED),
        (refused(500), ExitCode.FAILED),
    ],
    ids=str,
)
def test_errors_end_a_command_with_their_exit_code(error, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_refused_token_is_explained() -> None:
    assert "--token" in str(refused(401))
    assert str(refused(422)) == "No."
