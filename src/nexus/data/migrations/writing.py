"""Writes a new migration: what the models have more than the migrations so far lead to."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _render_cmd_body
from alembic.operations.ops import (
    AddColumnOp,
    DropColumnOp,
    DropTableOp,
    ModifyTableOps,
    OpContainer,
    UpgradeOps,
)
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from nexus.data.engines.sqlite.inline import InlineDatabase
from nexus.data.migrations.alone import alone
from nexus.data.migrations.circles import move_keys_behind_tables
from nexus.data.migrations.comparison import compare
from nexus.data.migrations.execution import Execution
from nexus.data.migrations.implementations import TypesByColumn
from nexus.data.migrations.revisions import (
    FOLDER,
    LONGEST_NAME,
    VERSIONS,
    Revisions,
    migration_files,
    read_revisions,
)
from nexus.data.migrations.types import render_type
from nexus.data.models import Models
from nexus.data.models.portability import portability

_TEMPLATE: Final = '''\
"""{message}."""

{imports}

revision = "{revision}"
down_revision = {follows}


def upgrade() -> None:
    """Change the tables."""
{upgrade}


def downgrade() -> None:
    """Change them back."""
{downgrade}
'''
_NOISE: Final = re.compile(r",\s*schema=None|^\s*# ### .*$\n?", re.MULTILINE)
_NUMBER: Final = re.compile(r"\d+")
_WORD: Final = re.compile(r"[a-z0-9]+")
_DATES: Final = 10_000
"""From here on a number is a date, or a hash that begins with digits, and none to count on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A new migration.

    Attributes:
        revision: What it is called.
        follows: The one before it.
        file: Where it was written.
        source: What was written.
        warnings: What will not work on every kind of database, or with every table.
    """

    revision: str
    follows: str | None
    file: Path
    source: str
    warnings: tuple[str, ...]


async def write_revision(
    plugin: str, folder: Path, models: Models | None, message: str, *, empty: bool = False
) -> Written | None:
    """Write a migration that leads from those there are to the models.

    The migrations that there are run on an empty database in memory, which is then compared with
    the models; no data of anybody is touched or needed.

    Args:
        plugin: The plugin's name.
        folder: Its folder, into whose `migrations/versions` it is written.
        models: Its models; only an empty one can be written without.
        message: What it does, in a few words.
        empty: Write one without operations, to be filled in by hand.

    Returns:
        The migration; None where there is nothing to do.

    Raises:
        MigrationsInvalid: The files of the others cannot be used.
        MigrationFailed: One of the others fails on SQLite.
        ModelsInvalid: A type of the plugin's own cannot be written into a migration.
        OSError: The file cannot be written.
    """
    revisions = read_revisions(plugin, folder)
    up, down, imports, warnings = "pass\n", "pass\n", set[str](), list[str]()
    if not empty:
        if models is None:
            return None
        found = await _changes(plugin, folder, revisions, models)
        if found is None:
            return None
        up, down, imports, warnings = found
        warnings += portability(models)
    name = _name(revisions, message)
    file = _place(folder) / f"{name}.py"
    source = _TEMPLATE.format(
        message=_sentence(message),
        imports=_imports(up + down, imports),
        revision=name,
        follows="None" if revisions.head is None else f'"{revisions.head}"',
        upgrade=textwrap.indent(up, "    ").rstrip(),
        downgrade=textwrap.indent(down, "    ").rstrip(),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as stream:
        stream.write(source)
    return Written(
        revision=name,
        follows=revisions.head,
        file=file,
        source=source,
        warnings=tuple(warnings),
    )


async def _changes(
    plugin: str, folder: Path, revisions: Revisions, models: Models
) -> tuple[str, str, set[str], list[str]] | None:
    database = InlineDatabase()
    remembered: TypesByColumn = {}
    try:
        if len(revisions):
            execution = Execution(
                plugin, folder, revisions, models, database.engine, remembered=remembered
            )
            async with alone(database, plugin) as connection:
                await connection.run_sync(execution.upgrade)
        async with alone(database, plugin) as connection:
            return await connection.run_sync(_rendered, models, remembered)
    finally:
        await database.close()


def _rendered(
    connection: Connection, models: Models, remembered: TypesByColumn
) -> tuple[str, str, set[str], list[str]] | None:
    script, context = compare(connection, models, remembered)
    if script.upgrade_ops is None or script.downgrade_ops is None or script.upgrade_ops.is_empty():
        return None
    move_keys_behind_tables(script)
    imports: set[str] = set()
    up = _code(script.upgrade_ops, context, models, imports)
    down = _code(script.downgrade_ops, context, models, imports)
    return up, down, imports, [*_drops(script.upgrade_ops), *_without_value(script.upgrade_ops)]


def _drops(operations: UpgradeOps) -> Iterator[str]:
    """Tell of what the migration deletes."""
    for table in operations.ops:
        if isinstance(table, DropTableOp):
            yield f"{table.table_name}: the table is dropped, with all its rows."
        for each in table.ops if isinstance(table, ModifyTableOps) else ():
            if isinstance(each, DropColumnOp):
                yield (
                    f"{each.table_name}.{each.column_name}: the column is dropped with all that it"
                    " has. If it has only another name now, write"
                    f" batch_op.alter_column({each.column_name!r}, new_column_name=...) instead."
                )


def _without_value(operations: UpgradeOps) -> Iterator[str]:
    """Tell of columns that existing rows would have no value for."""
    for table in operations.ops:
        for each in table.ops if isinstance(table, ModifyTableOps) else ():
            if not isinstance(each, AddColumnOp):
                continue
            column = each.column
            if not column.nullable and column.server_default is None:
                yield (
                    f"{each.table_name}.{column.name}: a column that must have a value is added"
                    " without a server_default, which fails where the table has rows. Give it one,"
                    " or add it as nullable, fill it, and then make it NOT NULL."
                )


def _code(
    operations: OpContainer, context: MigrationContext, models: Models, imports: set[str]
) -> str:
    rendering = AutogenContext(
        context,
        list(models.metadata),
        opts={
            "sqlalchemy_module_prefix": "sa.",
            "alembic_module_prefix": "op.",
            "render_as_batch": True,
            "render_item": render_type(models.plugin),
            "user_module_prefix": None,
        },
    )
    rendering.imports = imports
    return _NOISE.sub("", _render_cmd_body(operations, rendering)).strip() + "\n"


def _name(revisions: Revisions, message: str) -> str:
    numbers = [int(found.group()) for each in revisions if (found := _NUMBER.match(each.file.name))]
    last = max((each for each in numbers if each < _DATES), default=len(revisions))
    words = "_".join(_WORD.findall(message.lower())) or "changes"
    return f"{last + 1:04}_{words}"[:LONGEST_NAME].rstrip("_")


def _place(folder: Path) -> Path:
    """Give the folder that the others are in, `migrations/versions` where there are none."""
    plain = folder / FOLDER
    files = list(migration_files(folder))
    return plain if files and all(each.parent == plain for each in files) else plain / VERSIONS


def _sentence(message: str) -> str:
    text = " ".join(message.split()).replace("\\", "/").replace('"', "'").rstrip(".")
    return text[:1].upper() + text[1:]


def _imports(code: str, more: set[str]) -> str:
    lines = {line.strip() for each in more for line in each.splitlines()}
    if "sa." in code:
        lines.add("import sqlalchemy as sa")
    if "op." in code:
        lines.add("from alembic import op")
    plain = sorted(line for line in lines if line.startswith("import "))
    return (
        "\n".join([*plain, *sorted(lines - set(plain))]) or "from alembic import op  # noqa: F401"
    )
