"""Lets a plugin import itself by the name that its tests use.

`from plugins.foo.schemas.models import Item` inside plugin `foo` must reach the generation that is
being loaded, not a second copy of the module; so such imports are compiled as relative ones.
"""

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import PurePath
from types import CodeType, ModuleType, SimpleNamespace
from typing import Any

from typing_extensions import override


class _Marker:
    """What a source holds that imports a package; looked for since rewriting takes thrice as long.

    Args:
        name: The package's absolute name.
    """

    def __init__(self, name: str) -> None:
        top, *rest = (part.encode() for part in name.split("."))
        # Most plugins write `nexus.plugins`, which is nobody's own.
        self._top = re.compile(rb"(?<![\w.])" + re.escape(top) + rb"(?!\w)")
        self._rest = rest

    def may_be_in(self, source: bytes) -> bool:
        """Tell whether a source may import the package; False is certain."""
        return all(part in source for part in self._rest) and bool(self._top.search(source))


class OwnImports(ast.NodeTransformer):
    """Compiles a generation's modules, with imports of itself made relative.

    Args:
        package: The generation's package name.
        own_names: Absolute package names by which the plugin's code may import itself.
    """

    def __init__(self, package: str, own_names: Sequence[str]) -> None:
        self._package = package
        self._own_names = tuple(own_names)
        self._markers = tuple(_Marker(name) for name in own_names)
        self._level = 1

    def depth_of(self, fullname: str) -> int:
        """Give how many packages lie between a module and the generation's package."""
        return fullname.count(".") - self._package.count(".")

    def compile(self, source: bytes, path: str, depth: int) -> CodeType:
        """Compile a module's source.

        Args:
            source: The file's bytes.
            path: Its path, for tracebacks.
            depth: As `depth_of` gives it.

        Raises:
            SyntaxError: The source is no Python.
            ValueError: The source holds NUL bytes.
        """
        if not any(marker.may_be_in(source) for marker in self._markers):
            return compile(source, path, "exec", dont_inherit=True)
        tree = ast.parse(source, path)
        is_package = PurePath(path).name == "__init__.py"
        self._level = depth + 1 if is_package else depth
        rewritten = ast.fix_missing_locations(self.visit(tree))
        return compile(rewritten, path, "exec", dont_inherit=True)

    @override
    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.AST]:
        """Make `from plugins.foo.x import y` relative."""
        if node.level or node.module is None:
            return node
        inside = self._inside(node.module)
        if inside is not None:
            node.module = inside or None
            node.level = self._level
            return node
        # What remains to be looked at names the folder above: `from plugins import foo`.
        own = [each for each in node.names if self._inside(f"{node.module}.{each.name}") == ""]
        if not own:
            return node
        statements: list[ast.AST] = [
            _binding(alias.asname or alias.name, "own_package(__name__)", node) for alias in own
        ]
        node.names = [alias for alias in node.names if alias not in own]
        return [*statements, node] if node.names else statements

    @override
    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.AST]:
        """Make `import plugins.foo.x`, with and without `as`, reach the generation."""
        statements: list[ast.AST] = []
        for alias in node.names:
            inside = self._inside(alias.name)
            if inside is None:
                statements.append(ast.copy_location(ast.Import(names=[alias]), node))
                continue
            if inside:
                parent, _, leaf = inside.rpartition(".")
                bound = alias.asname or "_nexus_own"
                relative = ast.ImportFrom(
                    module=parent or None,
                    names=[ast.alias(name=leaf, asname=bound)],
                    level=self._level,
                )
                statements.append(ast.copy_location(relative, node))
            elif alias.asname:
                statements.append(_binding(alias.asname, "own_package(__name__)", node))
            if not alias.asname:
                own = alias.name.removesuffix("." + inside) if inside else alias.name
                top = own.partition(".")[0]
                statements.append(_binding(top, f"own_root(__name__, {own!r})", node))
        return statements

    def _inside(self, module: str) -> str | None:
        for own in self._own_names:
            if module == own:
                return ""
            if module.startswith(own + "."):
                return module[len(own) + 1 :]
        return None


def own_package(module: str) -> ModuleType:
    """Give the package of the generation that a module belongs to."""
    return sys.modules[".".join(module.split(".")[:2])]


def own_root(module: str, own_name: str) -> Any:
    """Give what `import plugins.foo` binds: something in which `.foo` is the generation's package.

    Args:
        module: The name of the module that imports.
        own_name: The absolute name by which it imports its own package.
    """
    found: Any = own_package(module)
    for part in reversed(own_name.split(".")[1:]):
        found = SimpleNamespace(**{part: found})
    return found


def _binding(name: str, call: str, node: ast.stmt) -> ast.AST:
    function = call.partition("(")[0]
    source = f"{name} = __import__({__name__!r}, fromlist=['{function}']).{call}"
    statement = ast.parse(source).body[0]
    for each in ast.walk(statement):
        ast.copy_location(each, node)
    return statement
