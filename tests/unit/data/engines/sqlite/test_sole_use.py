import os
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.data import sole_use
from nexus.errors import DatabaseInUse, DatabaseUnavailable


def test_a_database_has_one_user_at_a_time(tmp_path: Path) -> None:
    database = tmp_path / "data" / "nexus.db"
    named = pytest.raises(DatabaseInUse, match=rf"process {os.getpid()}\)")
    with sole_use(database), named, sole_use(database):
        pass
    with sole_use(database):
        pass


def test_another_name_of_a_database_is_the_same_database(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "nexus.db")
    taken = pytest.raises(DatabaseInUse)
    with sole_use(tmp_path / "nexus.db"), taken, sole_use(tmp_path / "link.db"):
        pass
    with sole_use(tmp_path / "other.db"), sole_use(tmp_path / "nexus.db"):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom nexus.data import sole_use\n"
        "with sole_use(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    database = tmp_path / "nexus.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(DatabaseInUse) as caught, sole_use(database):
            pass
        assert caught.value.data["pid"] == other.pid
        other.kill()
        other.wait()
    with sole_use(database):
        pass


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DatabaseUnavailable, match="lock file"),
        sole_use(tmp_path / "file" / "x.db"),
    ):
        pass


def test_an_unreadable_lock_file_names_nobody(tmp_path: Path) -> None:
    database = tmp_path / "nexus.db"
    with sole_use(database):
        (tmp_path / "nexus.db.lock").write_bytes(b"\xff not a number")
        with pytest.raises(DatabaseInUse) as caught, sole_use(database):
            pass
    assert caught.value.data["pid"] is None
    assert "process" not in str(caught.value)
