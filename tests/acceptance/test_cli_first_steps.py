"""From an empty folder to a plugin that serves, passes its tests, and pleases the linters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(folder: Path, *words: str) -> str:
    kept = {
        key: text
        for key, text in os.environ.items()
        if not key.startswith(("NEXUS_", "PYTEST_", "COV_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**kept, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    run(folder, "nexus.cli", "init")
    run(folder, "nexus.cli", "plugin", "create", "hello")
    run(folder, "nexus.cli", "plugin", "create", "bye", "--category", "tools")
    return folder


def test_what_is_made_passes_its_check(application: Path) -> None:
    # The note is about an event that somebody else is to publish.
    assert "hello: ok (1 note)\n" in run(application, "nexus.cli", "plugin", "check", "--strict")


@pytest.mark.parametrize("name", ["hello", "bye"])
def test_what_is_made_passes_its_own_tests(application: Path, name: str) -> None:
    assert "4 passed" in run(
        application, "nexus.cli", "plugin", "test", name, "-p", "no:cacheprovider"
    )


def test_what_is_made_passes_plain_pytest(application: Path) -> None:
    assert "8 passed" in run(application, "pytest", "-p", "no:cacheprovider")


def test_what_is_made_pleases_ruff(application: Path) -> None:
    pytest.importorskip("ruff")
    run(application, "ruff", "check", "--isolated", "--no-cache", ".")
    run(application, "ruff", "format", "--isolated", "--no-cache", "--check", ".")


@pytest.mark.parametrize("words", [["plugins/hello"], ["--strict", "plugins", "main.py"]])
def test_what_is_made_pleases_mypy(application: Path, words: list[str], tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    run(application, "mypy", "--cache-dir", str(tmp_path), *words)
