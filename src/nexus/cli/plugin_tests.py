"""`nexus plugin test`: runs a plugin's own tests."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from nexus.cli.errors import NothingToTest
from nexus.cli.options import AppFolder


def run_tests(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin.")],
    app_folder: AppFolder = None,
) -> None:
    """Run a plugin's tests with pytest; what follows NAME goes to pytest.

    The exit code is pytest's. Options of this command come before NAME.
    """
    from nexus.cli.folder import application_settings

    settings = application_settings(app_folder)
    folder = _tests_of(name, settings.plugin_folders)
    if find_spec("pytest") is None:
        raise NothingToTest(
            problem=f"pytest is not installed for {sys.executable}.",
            advice="Install it: pip install pytest",
        )
    command = [sys.executable, "-m", "pytest", "--rootdir", str(settings.root), str(folder)]
    done = subprocess.run(  # noqa: S603 - the user's own tests
        [*command, *context.args], cwd=settings.root, check=False
    )
    raise typer.Exit(done.returncode)


def _tests_of(name: str, plugin_folders: tuple[Path, ...]) -> Path:
    from nexus.errors import PluginNotFound
    from nexus.plugins.discovery import discover

    found = {each.name: each.folder for each in discover(plugin_folders)}
    if name not in found:
        raise PluginNotFound(name=name, known=tuple(found))
    tests = found[name] / "tests"
    if not tests.is_dir():
        raise NothingToTest(
            problem=f"Plugin {name!r} has no folder {tests}.",
            advice="Put its tests there, in files named test_*.py.",
        )
    return tests
