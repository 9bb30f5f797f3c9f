import json

import pytest

from nexus.data import MemoryKeyValueStore
from nexus.security import AdminTokens


@pytest.fixture
def store() -> MemoryKeyValueStore:
    return MemoryKeyValueStore()


async def test_the_first_token_is_given_once_and_kept_as_a_hash(store: MemoryKeyValueStore) -> None:
    tokens = AdminTokens(store)
    token = await tokens.open()
    assert token is not None
    assert len(token) > 40
    assert tokens.accepts(token)
    assert token not in json.dumps(await store.items("nexus.security"))
    again = AdminTokens(store)
    assert await again.open() is None
    assert again.accepts(token)


async def test_a_new_token_shuts_the_old_one_out(store: MemoryKeyValueStore) -> None:
    tokens = AdminTokens(store)
    old = await tokens.open()
    assert old is not None
    new = await tokens.renew()
    assert tokens.accepts(new)
    assert not tokens.accepts(old)


async def test_a_configured_token_opens_and_none_is_made(store: MemoryKeyValueStore) -> None:
    tokens = AdminTokens(store, "configured-by-the-operator")
    assert await tokens.open() is None
    assert tokens.accepts("configured-by-the-operator")
    assert await store.items("nexus.security") == {}
    # Without it the next start makes one.
    assert await AdminTokens(store).open() is not None


async def test_a_token_of_this_run_dies_with_it(store: MemoryKeyValueStore) -> None:
    tokens = AdminTokens(store)
    await tokens.open()
    token = tokens.issue_for_run()
    assert tokens.accepts(token)
    again = AdminTokens(store)
    await again.open()
    assert not again.accepts(token)


@pytest.mark.parametrize("wrong", ["", "x", "nexus_", "\ud800", "é" * 1000])
async def test_anything_else_is_refused(store: MemoryKeyValueStore, wrong: str) -> None:
    tokens = AdminTokens(store)
    assert not tokens.accepts(wrong)
    await tokens.open()
    assert not tokens.accepts(wrong)


async def test_every_token_known_in_clear_is_kept_secret(store: MemoryKeyValueStore) -> None:
    secrets: list[str] = []
    tokens = AdminTokens(store, "configured-by-the-operator", secrets.append)
    await tokens.open()
    made = [await tokens.renew(), tokens.issue_for_run()]
    assert secrets == ["configured-by-the-operator", *made]
