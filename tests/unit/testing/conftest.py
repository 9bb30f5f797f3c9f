"""A small plugin, and pytest runs of its own tests in a process of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree as ET

import pytest

PLUGIN = """
import asyncio

from fastapi import APIRouter, HTTPException
from nexus.plugins import BasePlugin


class Greeter(BasePlugin):
    async def initialize(self) -> bool:
        self.attempts = 0
        await self.subscribe_to_event("user.created", self.on_user)
        self.register_service("greeter.api", self)
        return True

    async def on_user(self, event):
        self.attempts += 1
        if self.attempts < event.data.get("works_at_attempt", 1):
            raise RuntimeError("not yet")
        await self.publish_event("greeter.greeted", {"name": event.data["name"]})

    async def greet(self, name: str) -> str:
        word = await self.get_config("word", "Hello")
        await self.set_data("last", name)
        await self.publish_event("greeter.greeted", {"name": name})
        return f"{word}, {name}"

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/greet/{name}")
        async def greet(name: str) -> dict[str, str]:
            return {"text": await self.greet(name)}

        @router.get("/last")
        async def last() -> dict[str, str]:
            return {"name": await self.get_data("last", "nobody")}

        @router.get("/broken")
        async def broken() -> None:
            raise RuntimeError("broken")

        return [router]
"""


def manifest_of(name: str, **more: Any) -> str:
    return json.dumps(
        {
            "name": name,
            "version": "1.0.0",
            "description": "Greets.",
            "permissions": [
                "database.read",
                "database.write",
                "events.publish",
                "events.subscribe",
            ],
            **more,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a pytest run: outcomes by the test's name, and all output."""

    status: int
    outcomes: Mapping[str, str]
    text: str


class Workshop:
    """Writes files below a folder, and runs pytest there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return file

    def add_plugin(self, path: str, name: str | None = None, **manifest: Any) -> Path:
        folder = self.folder / path
        self.write(f"{path}/manifest.json", manifest_of(name or folder.name, **manifest))
        self.write(f"{path}/plugin.py", PLUGIN)
        return folder

    def pytest(self, *arguments: str, cwd: str = ".") -> Run:
        report = self.folder / "report.xml"
        environ = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYTEST_", "COV_", "NEXUS_"))
        }
        command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-q"]
        done = subprocess.run(
            [*command, f"--junitxml={report}", *arguments],
            cwd=self.folder / cwd,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        outcomes: dict[str, str] = {}
        if report.is_file():
            for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest's own report
                tags = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
                outcomes[case.get("name", "")] = tags[0] if tags else "passed"
            report.unlink()
        return Run(status=done.returncode, outcomes=outcomes, text=done.stdout + done.stderr)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def greeter(workshop: Workshop) -> Path:
    return workshop.add_plugin("plugins/greeter")


@pytest.fixture
def run_in_plugin(workshop: Workshop, greeter: Path) -> Callable[..., Run]:
    """Run a test module in the plugin's tests/ folder."""

    def run(module: str, *arguments: str) -> Run:
        workshop.write("plugins/greeter/tests/test_greeter.py", module)
        return workshop.pytest(*arguments)

    return run
