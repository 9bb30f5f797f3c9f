"""Plugins written for one test, and real applications that run them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.app import NexusApp, create_nexus_app
from nexus.plugins import BasePlugin, PluginState
from nexus.plugins.generation import Generation

PERMISSIONS = [
    "database.read",
    "database.write",
    "events.publish",
    "events.subscribe",
    "jobs.schedule",
    "services.use",
]

TEMPLATE = """
import asyncio
import sys

from fastapi import APIRouter
from nexus.plugins import BasePlugin, HealthStatus

{top}

class Plugin(BasePlugin):
    async def initialize(self):
        return True

{body}
"""

ROUTE = """
    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def root():
            return {"says": SAYS}

        return [router]
"""


class Site:
    """A running application with an HTTP client that holds a management token."""

    def __init__(self, app: NexusApp) -> None:
        self.app = app
        self.token = app.tokens.issue_for_run()
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://nexus.test"
        )

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", headers=self.admin, **options)

    def state(self, name: str) -> PluginState:
        return self.app.manager.controller(name).status.state

    def reason(self, name: str) -> str:
        return self.app.manager.controller(name).status.reason

    def live(self, name: str) -> Generation:
        live = self.app.manager.controller(name).live
        assert live is not None, self.reason(name)
        return live

    def plugin(self, name: str) -> BasePlugin:
        plugin: BasePlugin = self.live(name).hosted.plugin  # type: ignore[attr-defined]  # in-process
        return plugin

    async def says(self, name: str) -> Any:
        answer = await self.http.get(f"/plugins/{name}/")
        return answer.json()["says"] if answer.status_code == 200 else answer.status_code


async def until(condition: Callable[[], Any]) -> Any:
    """Let everything else run until a condition holds, and give what it gave."""
    while not (found := condition()):
        await asyncio.sleep(0.0005)
    return found


class Workshop:
    """A folder in which a test writes plugins and runs applications."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def plugin(
        self,
        name: str,
        body: str = "",
        *,
        top: str = "",
        code: str | None = None,
        files: Mapping[str, str] | None = None,
        says: object = None,
        **manifest: Any,
    ) -> Path:
        """Write a plugin: the body of its class, or all of its code."""
        folder = self.root / "plugins" / name
        folder.mkdir(parents=True, exist_ok=True)
        asked = [
            each for each in PERMISSIONS if each != "jobs.schedule" or "activation" not in manifest
        ]
        stated = {"name": name, "version": "1.0.0", "permissions": asked, **manifest}
        (folder / "manifest.json").write_text(json.dumps(stated))
        if says is not None:
            top, body = f"{top}\nSAYS = {says!r}", body + ROUTE
        text = TEMPLATE.format(top=top, body=body) if code is None else code
        (folder / "plugin.py").write_text(text)
        for path, content in (files or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return folder

    until = staticmethod(until)

    def app(self, environ: Mapping[str, str] | None = None, **settings: Any) -> NexusApp:
        settings = {
            "shutdown": {"drain_timeout": 2.0, "timeout": 1.0},
            "events": {"retry_delay": 0.01},
            # What fails stays so while a test looks at it.
            "supervision": {"restart_pause": 600.0, "restart_max_pause": 600.0},
            **settings,
        }
        return create_nexus_app(
            self.root, overrides=settings, environ=environ or {}, configure_logging=False
        )

    @asynccontextmanager
    async def running(
        self, environ: Mapping[str, str] | None = None, **settings: Any
    ) -> AsyncIterator[Site]:
        app = self.app(environ, **settings)
        async with app.running():
            site = Site(app)
            async with site.http:
                yield site


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)
