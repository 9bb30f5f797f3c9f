"""An application in a folder of its own, and the command line to use on it."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nexus.app import create_nexus_app
from nexus.cli.main import app


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


Nexus = Callable[..., Said]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NEXUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def nexus() -> Nexus:
    """Run one command in this process."""

    def invoke(*words: str, given: str | None = None) -> Said:
        done = CliRunner().invoke(app, list(words), input=given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(code=done.exit_code, out=done.stdout, err=done.stderr)

    return invoke


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an application without plugins, and go there."""
    folder = tmp_path / "application"
    (folder / "plugins").mkdir(parents=True)
    (folder / "nexus.yaml").write_text("name: Test\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def make_plugin(application: Path) -> Callable[..., Path]:
    """Make a plugin by hand: a manifest, and the body of its plugin.py."""

    def make(name: str = "greeter", code: str | None = None, **manifest: Any) -> Path:
        folder = application / "plugins" / name
        folder.mkdir(parents=True)
        document = {"name": name, "version": "1.0.0", **manifest}
        (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / "plugin.py").write_text(
            "from fastapi import APIRouter\n"
            "from nexus.plugins import BasePlugin\n"
            "class Greeter(BasePlugin):\n"
            + (code or "    async def initialize(self):\n        return True\n"),
            encoding="utf-8",
        )
        return folder

    return make


KEEPER = """
    def get_database_schema(self):
        return {
            "collections": {"items": {"indexes": [{"field": "sku", "unique": True}]}},
            "initial_data": {"items": [{"sku": "first"}], "word": "hello"},
        }

    async def initialize(self):
        await self.set_data("started", True)
        return True
"""


@pytest.fixture
def make_keeper(make_plugin: Callable[..., Path]) -> Callable[..., Path]:
    """Make the plugin greeter, which stores something when it starts."""
    permissions = ["database.read", "database.write"]
    return lambda **manifest: make_plugin(code=KEEPER, permissions=permissions, **manifest)


@pytest.fixture
def run(application: Path) -> Callable[[], None]:
    """Have the application run until its plugins have settled."""

    async def once() -> None:
        app = create_nexus_app(application, environ={}, configure_logging=False)
        async with app.running():
            for each in app.manager.controllers():
                assert each.status.state == "running", each.status.reason

    return lambda: asyncio.run(once())
