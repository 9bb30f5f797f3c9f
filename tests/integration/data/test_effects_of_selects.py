"""What a SELECT does besides reading, and PostgreSQL's savepoints would take back."""

from typing import Any

import pytest

from nexus.errors import UniqueViolation

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


async def test_what_a_function_has_changed_outlives_a_later_failure(things: Any) -> None:
    await things.database.execute(
        "CREATE FUNCTION add_thing(number integer) RETURNS integer LANGUAGE sql AS"
        " $$ INSERT INTO things VALUES (number, 'n' || number) RETURNING id $$"
    )

    async with things.database.transaction() as transaction:
        await things.add(1)
        assert (await transaction.fetch_one("SELECT id FROM things"))[0] == 1
        assert (await transaction.fetch_one("SELECT add_thing($1)", (2,)))[0] == 2
        with pytest.raises(UniqueViolation):
            await things.add(1)
        await things.add(3)

    assert await things.numbers() == [1, 2, 3]


async def test_a_lock_that_a_function_has_taken_outlives_a_later_failure(things: Any) -> None:
    await things.database.execute(
        "CREATE FUNCTION lock_it() RETURNS void LANGUAGE sql AS"
        " $$ SELECT pg_advisory_xact_lock(77) $$"
    )
    await things.add(1)
    held = (
        "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77"
        " AND pid = pg_backend_pid()"
    )

    async with things.database.transaction() as transaction:
        await transaction.fetch_one("SELECT 1")
        await transaction.fetch_one("SELECT lock_it()")
        with pytest.raises(UniqueViolation):
            await things.add(1)
        assert (await transaction.fetch_one(held))[0] == 1
