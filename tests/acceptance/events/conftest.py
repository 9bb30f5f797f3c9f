"""Databases for processes that are killed."""

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats
import nats.js.errors
import pytest
import redis.asyncio


@pytest.fixture
async def url(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: Any
) -> AsyncIterator[str]:
    """An empty database on the engine that the test asks for."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/events.db"
        return
    async with new_database(request.param) as made:
        yield made


@pytest.fixture
async def stream(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The name of a stream that is removed in the end, in NATS or Redis as `engine` says."""
    name = f"test-{secrets.token_hex(8)}"
    yield name
    if request.getfixturevalue("engine") == "nats":
        client = await nats.connect()
        with suppress(nats.js.errors.NotFoundError):
            await client.jetstream().delete_stream(name)
        await client.close()
    else:
        redis_client = redis.asyncio.Redis()
        await redis_client.delete(*(f"{{{name}}}:{each}" for each in ("events", "about")))
        await redis_client.aclose()


@pytest.fixture
def seed() -> int:
    """Another one for each test: what it decides about is timed by the machine anyway."""
    return secrets.randbelow(2**32)
