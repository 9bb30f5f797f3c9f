import os
import subprocess
import sys
from pathlib import Path

import pytest

ANYWHERE = "0.0.0.0"  # noqa: S104 - what is being tested


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `nexus run` where it ends by itself: it changes folder, modules and signal handlers."""
    environment = {key: text for key, text in os.environ.items() if not key.startswith("NEXUS_")}
    return subprocess.run(
        [sys.executable, "-m", "nexus.cli", "run", *words],
        cwd=folder,
        env={**environment, **variables, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("other = 1", "defines no 'app'"),
        ("from fastapi import FastAPI\napp = FastAPI()", "as FastAPI, not as a NexusApp"),
    ],
)
def test_a_main_without_a_nexus_app_is_told(application: Path, code: str, problem: str) -> None:
    (application / "main.py").write_text(code, encoding="utf-8")
    done = run(application)
    assert done.returncode == 1
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_others_reach_needs_a_secret(application: Path) -> None:
    done = run(application, "--host", ANYWHERE, "--port", "0")
    assert done.returncode == 4
    assert "NEXUS_SECRET_KEY" in done.stderr
    assert "NEXUS_ADMIN_TOKEN" in done.stderr
    assert not (application / "data").exists()


def test_settings_that_cannot_be_used_are_told(application: Path) -> None:
    done = run(application, "--log-level", "loud")
    assert done.returncode == 1
    assert "NEXUS_LOGGING__LEVEL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_start_is_told_in_words(application: Path) -> None:
    (application / "data").mkdir()
    (application / "data" / "nexus.db").write_bytes(b"no database" * 1000)
    done = run(application, "--port", "0")
    assert done.returncode == 1
    assert "not an SQLite database" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (application / "data" / "run.json").exists()
