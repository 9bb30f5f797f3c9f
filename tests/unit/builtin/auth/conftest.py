import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from nexus.app import NexusApp
from nexus.testing import EventRecorder, app_for, management_headers
from nexus.testing.harness import plugin_in

PASSWORD = "correct horse battery"
SETUP = "a one-time token of the machine's owner"


@dataclass(slots=True, kw_only=True)
class Site:
    """An application with users, and one client of it without cookies."""

    app: NexusApp
    events: EventRecorder

    @property
    def plugin(self) -> Any:
        return plugin_in(self.app, "auth")

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Give a browser of its own."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="https://nexus.test",
            headers=headers,
        )

    async def call(
        self, method: str, path: str, token: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers.update(options.pop("headers", {}))
        async with self.client() as client:
            return await client.request(method, f"/plugins/auth{path}", headers=headers, **options)

    async def tokens(self, username: str = "root", password: str = PASSWORD) -> dict[str, Any]:
        form = {"username": username, "password": password}
        answer = await self.call("POST", "/token", data=form)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def user(self, username: str, *roles: str) -> str:
        """Make a user, and give an access token of theirs."""
        await self.plugin.parts.accounts.create(username, PASSWORD, roles=roles)
        return str((await self.tokens(username))["access_token"])

    async def event(self, name: str) -> dict[str, Any]:
        """Give the data of the latest event of a name."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(5):
            while not found:
                found = [dict(each.data) for each in self.events.events if each.name == name]
                await asyncio.sleep(0)
        return found[-1]

    @property
    def management(self) -> dict[str, str]:
        return management_headers(self.app)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cheap = partial(Argon2Hasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("pwdlib.hashers.argon2.Argon2Hasher", cheap)  # the plugin imports it anew
    (tmp_path / "nexus.yaml").write_text("builtin: [auth]\n")
    return tmp_path


@pytest.fixture
async def site(application: Path) -> AsyncIterator[Site]:
    """Give an application with the administrator `root`."""
    config = {"auth": {"setup_token": SETUP}}
    async with (
        app_for(application, plugins=["auth"], config=config) as app,
        EventRecorder(app, "user.*") as events,
    ):
        made = Site(app=app, events=events)
        await made.plugin.parts.accounts.create("root", PASSWORD, roles=["admin"])
        yield made
