"""Collections on every engine."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from nexus.data.collections import Collection, Collections, read_collections
from nexus.data.database import Database

Make: TypeAlias = Callable[..., Awaitable[Collections]]


@pytest.fixture
def declare(database: Database) -> Make:
    """Make the collections of a plugin, with these indexes."""

    async def declare(*, max_bytes: int = 100_000, **indexes: Any) -> Collections:
        declared = {name: {"indexes": each} for name, each in indexes.items()}
        collections = Collections(database, "shop", read_collections(declared), max_bytes=max_bytes)
        await collections.reconcile()
        return collections

    return declare


@pytest.fixture
async def items(declare: Make) -> Collection:
    """A collection with a unique index, two plain ones, and one on two fields."""
    collections = await declare(
        items=[
            {"field": "sku", "unique": True},
            {"field": "price"},
            {"field": "stock"},
            {"fields": ["kind", "place.city"]},
        ]
    )
    return collections["items"]
