"""Which tables a migration makes, as far as its source tells."""

import ast
from pathlib import Path


def tables_made(file: Path) -> frozenset[str]:
    """Give the tables that the `upgrade` of a migration makes, where its source names them plainly.

    Those that it makes only where they are missing are left out.

    Args:
        file: The migration.
    """
    tree = ast.parse(file.read_bytes(), str(file))
    return frozenset(
        name
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == "upgrade"
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and (name := _made(node)) is not None
    )


def _made(call: ast.Call) -> str | None:
    is_ours = isinstance(call.func, ast.Attribute) and call.func.attr == "create_table"
    careful = any(each.arg == "if_not_exists" for each in call.keywords)
    if not is_ours or careful or not call.args:
        return None
    match call.args[0]:
        case ast.Constant(value=str(name)):
            return name
        case _:
            return None
