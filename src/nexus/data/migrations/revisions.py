"""The migrations that a plugin's folder has, as far as their source says.

Nothing is imported: what a revision is called and what it follows stands in the file as plain text,
so that a start that finds nothing to do needs neither Alembic nor the files' own imports.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from nexus.errors import MigrationsInvalid

FOLDER: Final = "migrations"
VERSIONS: Final = "versions"

LONGEST_NAME: Final = 32
"""So many characters has the column in which Alembic keeps where it is."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.]+")
_NOT_REVISIONS: Final = frozenset({"env.py", "conftest.py"})
_VARIABLES: Final = ("revision", "down_revision", "depends_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One migration.

    Attributes:
        name: What it is called.
        follows: The ones that come right before it; none for the first.
        needs: Others that must have run before it.
        file: Where it is written.
        words: What it does, from the first line of its docstring.
    """

    name: str
    follows: tuple[str, ...]
    needs: tuple[str, ...]
    file: Path
    words: str


class Revisions:
    """The migrations of a plugin, in the order in which they run.

    Args:
        plugin: The plugin's name.
        revisions: They, in any order.

    Raises:
        MigrationsInvalid: They are no chain: one is there twice, follows one that is not there, or
            two follow the same one and nothing brings them together again.
    """

    def __init__(self, plugin: str, revisions: Iterable[Revision]) -> None:
        self._plugin = plugin
        self._by_name: dict[str, Revision] = {}
        for each in revisions:
            other = self._by_name.setdefault(each.name, each)
            if other is not each:
                raise _invalid(
                    plugin,
                    f"{other.file} and {each.file} are both called {each.name!r}",
                    "Give each revision a name of its own.",
                )
        self._check_links()
        self._order = self._sorted()
        self._check_head()

    def __iter__(self) -> Iterator[Revision]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Revision:
        return self._by_name[name]

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called, in their order."""
        return tuple(each.name for each in self._order)

    @property
    def head(self) -> str | None:
        """The last one; None where there are none."""
        heads = self._heads()
        return heads[0] if heads else None

    def pending(self, reached: Iterable[str]) -> list[Revision]:
        """Give those that have not run, in their order.

        Args:
            reached: Where the database is; all of them are known here.
        """
        done = self._with_those_before(reached)
        return [each for each in self._order if each.name not in done]

    def done(self, reached: Iterable[str]) -> list[Revision]:
        """Give those that have run, in their order."""
        done = self._with_those_before(reached)
        return [each for each in self._order if each.name in done]

    def _with_those_before(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [*self._by_name[name].follows, *self._by_name[name].needs]
        return found

    def _heads(self) -> list[str]:
        followed = {name for each in self._by_name.values() for name in each.follows}
        return [name for name in self._by_name if name not in followed]

    def _check_links(self) -> None:
        for each in self._by_name.values():
            for name in (*each.follows, *each.needs):
                if name not in self._by_name:
                    raise _invalid(
                        self._plugin,
                        f"{each.file} comes after {name!r}, which is not there",
                        "Put that file back, or correct down_revision.",
                    )

    def _sorted(self) -> list[Revision]:
        graph = {
            each.name: (*each.follows, *each.needs)
            for each in sorted(self._by_name.values(), key=lambda each: each.name)
        }
        try:
            return [self._by_name[name] for name in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise _invalid(
                self._plugin, f"they go round in a circle: {circle}", "Correct down_revision."
            ) from None

    def _check_head(self) -> None:
        heads = self._heads()
        if len(heads) > 1:
            files = " and ".join(str(self._by_name[name].file) for name in heads)
            raise _invalid(
                self._plugin,
                f"{files} are both the last one",
                "Let one follow the other: write the other's revision into its down_revision.",
            )


def has_migrations(folder: Path) -> bool:
    """Tell whether a plugin's folder has any."""
    return any(True for _ in migration_files(folder))


def migration_files(folder: Path) -> Iterator[Path]:
    """Give the files of a plugin's migrations: `migrations/versions/*.py`, `migrations/*.py`.

    An `env.py` is left out, since the platform supplies the environment; so are files whose names
    begin with an underscore.
    """
    for place in (folder / FOLDER / VERSIONS, folder / FOLDER):
        for file in sorted(place.glob("*.py")):
            if not file.name.startswith(("_", ".")) and file.name not in _NOT_REVISIONS:
                yield file


def read_revisions(plugin: str, folder: Path) -> Revisions:
    """Read what a plugin's migrations are called and how they follow each other.

    Args:
        plugin: The plugin's name.
        folder: Its folder.

    Raises:
        MigrationsInvalid: A file is no migration, or they are no chain.
    """
    return Revisions(plugin, [_read(plugin, file) for file in migration_files(folder)])


def _read(plugin: str, file: Path) -> Revision:
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        problem = f"syntax error in {file}, line {error.lineno}: {error.msg}"
        raise _invalid(plugin, problem, "Correct the file.") from error
    except (OSError, ValueError) as error:
        raise _invalid(plugin, f"{file} cannot be read ({error})", "Correct the file.") from error
    values = {name: _literal(plugin, file, tree, name) for name in _VARIABLES}
    name = values["revision"]
    if name is None:
        raise _invalid(
            plugin,
            f"{file} has no 'revision'",
            'Write revision = "..." and down_revision = "..." into it, or let its name begin'
            " with an underscore if it is no migration.",
        )
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        problem = f"{file} is called {name!r}"
        advice = f"A revision has at most {LONGEST_NAME} letters, digits, dots and underscores."
        raise _invalid(plugin, problem, advice)
    words = (ast.get_docstring(tree) or "").strip().splitlines()
    return Revision(
        name=name,
        follows=_names(values["down_revision"]),
        needs=_names(values["depends_on"]),
        file=file,
        words=words[0].rstrip(".") if words else "",
    )


def _literal(plugin: str, file: Path, tree: ast.Module, name: str) -> Any:
    for node in tree.body:
        targets: Sequence[ast.expr]
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        if not any(isinstance(each, ast.Name) and each.id == name for each in targets):
            continue
        try:
            return ast.literal_eval(node.value)  # type: ignore[arg-type]  # not None, see above
        except ValueError:
            problem = f"{name} in {file}, line {node.lineno}, is put together at run time"
            raise _invalid(plugin, problem, "Write it as plain text.") from None
    return None


def _names(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _invalid(plugin: str, problem: str, advice: str) -> MigrationsInvalid:
    return MigrationsInvalid(plugin=plugin, problem=problem, advice=advice)
