"""Columns that the database itself fills."""

from pathlib import Path
from typing import Any

import pytest

TABLE = {
    "sqlite": "CREATE TABLE tasks__auto (id INTEGER PRIMARY KEY, v INTEGER,"
    " twice INTEGER GENERATED ALWAYS AS (v * 2) STORED)",
    "postgresql": "CREATE TABLE tasks__auto (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    ' v int, twice int GENERATED ALWAYS AS (v * 2) STORED, "Odd ""name" text)',
    "mariadb": "CREATE TABLE tasks__auto (id INT AUTO_INCREMENT PRIMARY KEY, v INT,"
    " twice INT GENERATED ALWAYS AS (v * 2) STORED)",
}


async def make(side: Any) -> Any:
    await side.database.execute(TABLE[side.database.engine])
    return await side.prepare()


async def test_what_the_database_fills_is_left_to_it(
    side: Any, make_side: Any, engine: str, tmp_path: Path
) -> None:
    other = await make_side(engine)
    await make(side)
    await side.database.execute("INSERT INTO tasks__auto (v) VALUES (1), (2), (3)")
    await side.database.execute("DELETE FROM tasks__auto WHERE v = 1")
    path = await side.export(tmp_path / "tasks.jsonl")
    assert b"twice" not in path.read_bytes()

    await other.take(path, prepare=lambda: make(other))
    await other.database.execute("INSERT INTO tasks__auto (v) VALUES (4)")

    rows = await other.database.fetch_all("SELECT id, v, twice FROM tasks__auto ORDER BY id")
    assert [tuple(row) for row in rows] == [(2, 2, 4), (3, 3, 6), (4, 4, 8)]
    if engine == "postgresql":  # which is as strict as before again
        row = await other.database.fetch_one(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'tasks__auto'::regclass"
            " AND attidentity = 'a'"
        )
        assert row[0] == 1


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
async def test_a_sequence_of_its_own_goes_on(make_side: Any, tmp_path: Path, engine: str) -> None:
    one, two = await make_side(engine), await make_side(engine)
    default = "nextval('tasks__numbers')" if engine == "postgresql" else "nextval(tasks__numbers)"

    async def prepare(side: Any) -> Any:
        await side.database.execute("CREATE SEQUENCE tasks__numbers")
        await side.database.execute(
            f"CREATE TABLE tasks__auto (id int PRIMARY KEY DEFAULT {default}, v int)"
        )
        return await side.prepare()

    await prepare(one)
    await one.database.execute("INSERT INTO tasks__auto (v) VALUES (1), (2), (3)")
    path = await one.export(tmp_path / "tasks.jsonl")
    await two.take(path, prepare=lambda: prepare(two))
    await two.database.execute("INSERT INTO tasks__auto (v) VALUES (4)")
    rows = await two.database.fetch_all("SELECT id FROM tasks__auto ORDER BY id")
    assert [row[0] for row in rows] == [1, 2, 3, 4]
