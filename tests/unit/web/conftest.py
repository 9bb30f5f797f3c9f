from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from nexus.web.application import NexusFastAPI
from nexus.web.exposure import HttpExposure
from nexus.web.mount import PluginMount

owner_var: ContextVar[Any] = ContextVar("owner", default=None)


@dataclass(slots=True, kw_only=True)
class Site:
    """An application with its exposure and an HTTP client of it."""

    app: NexusFastAPI
    exposure: HttpExposure
    current: ContextVar[Any]
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://nexus.test"
        )

    async def install(
        self, name: str, *routers: APIRouter, generation: int = 1, owner: object = None
    ) -> PluginMount:
        mount = await self.exposure.stage(name, generation, routers, owner=owner)
        self.exposure.commit(mount)
        return mount


def make_site(**options: Any) -> Site:
    app = NexusFastAPI(**{"title": "Test", "version": "1.0", **options})
    exposure = HttpExposure(app.dispatcher, metrics=app.metrics, current=owner_var, app=app)
    return Site(app=app, exposure=exposure, current=owner_var)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = make_site()
    async with made.http:
        yield made


@pytest.fixture
def new_site() -> Any:
    return make_site
