import os
import pickle
import signal
import socket
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest

from nexus.cli.errors import WorkerFailed
from nexus.cli.listening import bind
from nexus.cli.supervisor import database_for_workers, pause_before
from nexus.config import load_settings
from nexus.data import sole_use
from nexus.errors import DatabaseInUse


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set and taken away, so that what a test sets does not outlive it.
    monkeypatch.setenv("NEXUS_DATABASE__SHARED", "false")
    monkeypatch.delenv("NEXUS_DATABASE__SHARED")


def settings(folder: Path, **database: Any) -> Any:
    return load_settings(folder, environ={}, overrides={"database": database})


def test_the_pause_before_a_restart_grows_up_to_a_limit() -> None:
    pauses = [pause_before(failures) for failures in range(1, 12)]
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2] == 30.0


def test_workers_share_a_sqlite_file_that_all_others_are_kept_away_from(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    assert wanted.database_path is not None
    with database_for_workers(wanted) as lock:
        assert lock is not None
        assert os.environ["NEXUS_DATABASE__SHARED"] == "true"
        with pytest.raises(DatabaseInUse), sole_use(wanted.database_path):
            pass
    with sole_use(wanted.database_path):
        pass


@pytest.mark.parametrize("database", [{"shared": True}, {"url": "postgresql://a@b/c"}])
def test_a_database_that_is_for_several_anyway_is_not_locked(
    tmp_path: Path, database: dict[str, Any]
) -> None:
    with database_for_workers(settings(tmp_path, **database)) as lock:
        assert lock is None
        assert "NEXUS_DATABASE__SHARED" not in os.environ


def test_a_socket_keeps_its_protocol_on_the_way_to_a_worker() -> None:
    # Without it asyncio leaves Nagle's algorithm on: 40 ms a request.
    with bind("127.0.0.1", 0) as listening:
        copy: socket.socket = pickle.loads(bytes(ForkingPickler.dumps(listening)))  # noqa: S301
        with copy:
            assert copy.proto == socket.IPPROTO_TCP


def test_a_worker_that_cannot_start_is_told_with_its_reason() -> None:
    assert WorkerFailed(worker=2, reason="It is full.").render() == (
        "Worker 2 could not start, so all were stopped. It is full."
    )


def test_what_a_signal_did_is_told_by_its_name() -> None:
    from nexus.cli import supervisor

    assert supervisor._in_words(-signal.SIGKILL) == "signal 9 (SIGKILL)"
    assert supervisor._in_words(3) == "exit code 3"
