"""What is gone when a migration is taken back, as far as its source tells."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BATCH: Final = "batch_alter_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A table or column that is dropped.

    Attributes:
        table: The table.
        column: The column; None for the table as a whole.
    """

    table: str
    column: str | None = None


def losses(file: Path) -> list[Loss]:
    """Give what the `downgrade` of a migration drops, where its source names it plainly.

    Args:
        file: The migration.
    """
    tree = ast.parse(file.read_bytes(), str(file))
    function = next(
        (
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and node.name == "downgrade"
        ),
        None,
    )
    return [] if function is None else list(_in(function, None))


def _in(node: ast.AST, batch: str | None) -> Iterator[Loss]:
    if isinstance(node, ast.With):
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and _method(call) == _BATCH:
                batch = _text(call, 0) or batch
    if isinstance(node, ast.Call):
        yield from _dropped(node, batch)
    for child in ast.iter_child_nodes(node):
        yield from _in(child, batch)


def _dropped(call: ast.Call, batch: str | None) -> Iterator[Loss]:
    method = _method(call)
    if method == "drop_table" and (table := _text(call, 0)):
        yield Loss(table=table)
    elif method == "drop_column":
        table, column = (batch, _text(call, 0)) if batch else (_text(call, 0), _text(call, 1))
        if table and column:
            yield Loss(table=table, column=column)


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _text(call: ast.Call, at: int) -> str | None:
    value = call.args[at] if len(call.args) > at else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
