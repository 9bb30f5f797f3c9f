import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.cli.errors import AlreadyRunning, CannotWrite
from nexus.cli.running import (
    RUN_FILE,
    RunFile,
    read_run_file,
    remove_run_file,
    sole_user,
    write_run_file,
)
from nexus.data import sole_use


def run_file(pid: int = 0) -> RunFile:
    return RunFile(
        url="http://127.0.0.1:1", token="nexus_secret", pid=pid or os.getpid(), started="now"
    )


@pytest.fixture
def dead_pid() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_the_run_file_is_for_its_owner_only(tmp_path: Path) -> None:
    write_run_file(tmp_path, run_file())
    assert stat.S_IMODE((tmp_path / RUN_FILE).stat().st_mode) == 0o600
    assert read_run_file(tmp_path) == run_file()
    assert [path.name for path in tmp_path.iterdir()] == [RUN_FILE]


def test_the_token_is_not_in_its_repr() -> None:
    assert "nexus_secret" not in repr(run_file())


def test_only_its_own_process_removes_it(tmp_path: Path) -> None:
    write_run_file(tmp_path, run_file(pid=1))
    remove_run_file(tmp_path)
    assert read_run_file(tmp_path) is not None
    write_run_file(tmp_path, run_file())
    remove_run_file(tmp_path)
    assert read_run_file(tmp_path) is None


PID = '{"url": "x", "token": "y", "started": "z", "pid": %s}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"url": "x", "token": "y", "pid": "z"}',
        *(PID % pid for pid in ("-1", "0", "true", "1e999", "4" * 20)),
    ],
)
def test_a_damaged_run_file_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FILE).write_text(text, encoding="utf-8")
    assert read_run_file(tmp_path) is None


def test_a_process_that_ended_is_told_from_one_that_runs(dead_pid: int) -> None:
    assert run_file().process_exists
    assert not run_file(pid=dead_pid).process_exists
    assert run_file(pid=1).process_exists  # somebody else's


def test_a_data_folder_has_one_user(tmp_path: Path) -> None:
    with sole_user(tmp_path):
        write_run_file(tmp_path, run_file())
        where = r"running already at http://127\.0\.0\.1:1"
        with pytest.raises(AlreadyRunning, match=where), sole_user(tmp_path):
            pass
    with sole_user(tmp_path):
        pass


def leave_behind(application: Path, pid: int, url: str = "http://127.0.0.1:1") -> None:
    (application / "data").mkdir()
    document = {"url": url, "token": "t", "pid": pid, "started": "now"}
    (application / "data" / RUN_FILE).write_text(json.dumps(document), encoding="utf-8")


def test_a_stale_run_file_counts_as_not_running(nexus, application, dead_pid: int) -> None:
    leave_behind(application, dead_pid)
    said = nexus("plugin", "list")
    assert said.code == 0
    assert "ended without cleaning up" in said.err
    said = nexus("health", "--json")
    assert said.code == 3
    assert "ended without cleaning up" in said.error["message"]


def test_a_process_that_does_not_listen_counts_as_not_running(nexus, application) -> None:
    leave_behind(application, os.getpid())
    said = nexus("health", "--json")
    assert said.code == 3
    assert "Nobody answers" in said.error["message"]


def test_a_wish_waits_for_an_application_that_is_starting(nexus, make_plugin, application) -> None:
    make_plugin()
    with sole_use(application / "data" / "nexus.db"):
        said = nexus("plugin", "disable", "greeter", "--json")
    assert said.code == 1
    assert said.error["code"] == "database-in-use"
    assert "--url" in said.error["message"]
    assert nexus("plugin", "list", "--json").json["items"][0]["enabled"] is True


def test_a_run_file_that_is_a_folder_counts_as_none(nexus, make_plugin, application) -> None:
    make_plugin()
    (application / "data" / RUN_FILE).mkdir(parents=True)
    assert nexus("plugin", "list").code == 0
    assert nexus("health").code == 3
    with pytest.raises(CannotWrite, match=RUN_FILE):
        write_run_file(application / "data", run_file())
    assert [path.name for path in (application / "data").iterdir()] == [RUN_FILE]


def test_a_data_folder_that_is_a_file_is_told(nexus, make_plugin, application) -> None:
    make_plugin()
    (application / "data").write_text("mine", encoding="utf-8")
    said = nexus("run", "--port", "0", "--json")
    assert said.code == 1
    assert "a file is in its place" in said.error["message"]
    said = nexus("plugin", "disable", "greeter", "--json")
    assert said.code == 1
    assert "its folder is one" in said.error["message"]


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://x:99999999", "http://", "http://\0", "https://x y"]
)
def test_an_address_that_is_none_is_told(nexus, application, url: str) -> None:
    said = nexus("plugin", "list", "--url", url, "--json")
    assert said.code == 3
    assert said.error["code"] == "application-unreachable"
