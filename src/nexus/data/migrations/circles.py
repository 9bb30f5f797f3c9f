"""Foreign keys with `use_alter`, of tables that refer to each other in a circle.

Alembic writes such a key into `create_table`, where a server leaves it out, since the other table
is not there yet. So it becomes an operation of its own, behind all new tables.
"""

from alembic.operations.ops import (
    CreateForeignKeyOp,
    CreateTableOp,
    DropConstraintOp,
    MigrationScript,
    ModifyTableOps,
)
from sqlalchemy import ForeignKeyConstraint


def move_keys_behind_tables(script: MigrationScript) -> None:
    """Take the keys with `use_alter` out of new tables, and put them behind all of them.

    Args:
        script: The operations; its ways up and down are changed.
    """
    up, down = script.upgrade_ops, script.downgrade_ops
    if up is None or down is None:
        return
    for operation in list(up.ops):
        if not isinstance(operation, CreateTableOp):
            continue
        keys = [
            each
            for each in operation.columns
            if isinstance(each, ForeignKeyConstraint) and each.use_alter and each.name
        ]
        for key in keys:
            name = operation.table_name
            operation.columns = [each for each in operation.columns if each is not key]
            up.ops.append(ModifyTableOps(name, [CreateForeignKeyOp.from_constraint(key)]))
            down.ops.insert(0, ModifyTableOps(name, [DropConstraintOp.from_constraint(key)]))
