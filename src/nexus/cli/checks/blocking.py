"""Finds calls in coroutines that hold up the event loop, and with it every other request."""

import ast
from collections.abc import Iterator
from typing import Final

from nexus.cli.checks.finding import Finding, Level
from nexus.cli.checks.source import Source

_REQUESTS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_INSTEAD: Final = {
    "time.sleep": "await asyncio.sleep()",
    **{f"requests.{method}": "an asynchronous client such as httpx's" for method in _REQUESTS},
}


def check_blocking(source: Source) -> Iterator[Finding]:
    """Find calls of `time.sleep` and of `requests` right in an `async def`."""
    for file, tree in source.trees:
        names = _imported(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.AsyncFunctionDef):
                continue
            for call in _calls(node.body):
                called = _dotted(call.func, names)
                if called in _INSTEAD:
                    yield Finding(
                        level=Level.WARNING,
                        place=f"{file}:{call.lineno}",
                        message=f"{called}() blocks the event loop; use {_INSTEAD[called]} or a"
                        " thread (await asyncio.to_thread(...)).",
                    )


def _imported(tree: ast.Module) -> dict[str, str]:
    """Give what names of this file stand for, such as `requests` or `time.sleep`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return names


def _calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    """Give the calls that run with the coroutine; an inner function may run in a thread."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += reversed(list(ast.iter_child_nodes(node)))


def _dotted(function: ast.expr, names: dict[str, str]) -> str:
    if isinstance(function, ast.Name):
        return names.get(function.id, "")
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{names.get(function.value.id, '')}.{function.attr}"
    return ""
