"""An import into tables at an older migration takes them further first, or leaves them alone."""

from pathlib import Path
from typing import Any

import pytest

from nexus.data.migrations import status, upgrade
from nexus.errors import MigrationFailed
from nexus.transfer import Importer, Source, Target, export_plugin, opened_file

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade():
    op.create_table(
        "parts__items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20)),
    )
    op.create_table(
        "parts__parts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.Integer, sa.ForeignKey("parts__items.id")),
    )
    op.create_table(
        "parts__notes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.Integer, sa.ForeignKey("parts__items.id", ondelete="CASCADE")),
    )
    op.execute("INSERT INTO parts__items (id, name) VALUES (1, 'one')")
    op.execute("INSERT INTO parts__parts (id, item_id) VALUES (1, 1)")
    op.execute("INSERT INTO parts__notes (id, item_id) VALUES (1, 1)")

def downgrade():
    pass
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade():
    with op.batch_alter_table("parts__items") as batch_op:
        batch_op.alter_column(
            "name", existing_type=sa.String(20), type_=sa.String(40), nullable=False
        )
    # While a table moves, the rows that refer to it stay.
    notes = op.get_bind().execute(sa.text("SELECT count(*) FROM parts__notes")).scalar()
    if not notes:
        raise ValueError("the notes are gone")

def downgrade():
    pass
"""


class Moving:
    """The plugin `parts`, whose tables are at a migration in two databases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "migrations").mkdir(parents=True)
        self.write("0001", FIRST)

    def write(self, name: str, text: str) -> None:
        (self.folder / "migrations" / f"{name}.py").write_text(text)

    async def migrate(self, side: Any) -> None:
        await upgrade(side.database, "parts", self.folder)

    async def export(self, side: Any, path: Path) -> Path:
        with path.open("wb") as stream:

            async def write(block: bytes) -> None:
                stream.write(block)

            await export_plugin(side.database, side.store, Source(plugin="parts"), write)
        return path

    async def take(self, side: Any, path: Path) -> None:
        async def prepare() -> Target:
            await self.migrate(side)
            return Target(plugin="parts", secrets=set(), collections=None, models=None)

        with opened_file(path) as file:
            importer = Importer(side.database, side.store, side.values, prepare)
            await importer.run(file, file.check(), replace=True)

    async def rows(self, side: Any) -> list[Any]:
        queries = [
            "SELECT id, name FROM parts__items ORDER BY id",
            "SELECT id, item_id FROM parts__parts ORDER BY id",
            "SELECT id, item_id FROM parts__notes ORDER BY id",
        ]
        found = [await side.database.fetch_all(query) for query in queries]
        return [[tuple(row) for row in rows] for rows in found]


async def is_held_to_foreign_keys(side: Any) -> bool:
    try:
        await side.database.execute("INSERT INTO parts__parts (id, item_id) VALUES (9, 4711)")
    except Exception:  # noqa: BLE001  each driver has its own
        return True
    return False


@pytest.fixture
async def moving(tmp_path: Path, side: Any) -> Moving:
    made = Moving(tmp_path / "parts")
    await made.migrate(side)
    return made


async def test_a_table_that_others_refer_to_is_changed(
    moving: Moving, side: Any, make_side: Any, tmp_path: Path
) -> None:
    moving.write("0002", SECOND)
    source = await make_side("sqlite")
    await moving.migrate(source)
    await source.database.execute("INSERT INTO parts__items (id, name) VALUES (2, 'two')")
    await source.database.execute("UPDATE parts__parts SET item_id = 2")
    path = await moving.export(source, tmp_path / "parts.jsonl")
    await moving.take(side, path)
    assert await moving.rows(side) == [[(1, "one"), (2, "two")], [(1, 2)], [(1, 1)]]
    assert (await status(side.database, "parts", moving.folder)).pending == ()
    assert await is_held_to_foreign_keys(side)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
async def test_where_the_migration_fails_all_is_as_it_was(
    moving: Moving, side: Any, tmp_path: Path
) -> None:
    before = await moving.rows(side)
    path = await moving.export(side, tmp_path / "parts.jsonl")
    broken = SECOND.replace("notes = op", "op.execute('DELETE FROM parts__notes')\n    notes = op")
    moving.write("0002", broken)
    with pytest.raises(MigrationFailed, match="the notes are gone"):
        await moving.take(side, path)
    assert await moving.rows(side) == before
    assert (await status(side.database, "parts", moving.folder)).current == "0001"
    assert await is_held_to_foreign_keys(side)
