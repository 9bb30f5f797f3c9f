"""Databases for processes that are killed."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest


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
def seed() -> int:
    """Another one for each test: what it decides about is timed by the machine anyway."""
    return secrets.randbelow(2**32)
