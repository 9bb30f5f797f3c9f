"""Loads a plugin's migrations for Alembic."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from alembic.script import Script, ScriptDirectory
from typing_extensions import override

from nexus.data.migrations.revisions import FOLDER, Revisions
from nexus.errors import MigrationsInvalid


class PluginScripts(ScriptDirectory):
    """A plugin's migrations as Alembic knows them.

    Alembic would leave bytecode beside the files; here they are compiled anew.

    Args:
        plugin: The plugin's name.
        folder: Its folder.
        revisions: What is in there.
    """

    def __init__(self, plugin: str, folder: Path, revisions: Revisions) -> None:
        super().__init__(str(folder / FOLDER))
        self._plugin = plugin
        self._revisions = revisions

    @override
    def _load_revisions(self) -> Iterator[Script]:
        for each in self._revisions:
            yield Script(_load(self._plugin, each.file), each.name, str(each.file))


def _load(plugin: str, file: Path) -> ModuleType:
    module = ModuleType(f"nexus_migrations.{file.stem}")
    module.__file__ = str(file)
    try:
        code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - the plugin's own code, as its modules are
    except Exception as error:
        raise MigrationsInvalid(
            plugin=plugin,
            problem=f"{file} raised {type(error).__name__}: {error}",
            advice="A migration is run by itself: it imports what is installed, and none of the"
            " plugin's own modules.",
        ) from error
    if not callable(getattr(module, "upgrade", None)):
        raise MigrationsInvalid(
            plugin=plugin,
            problem=f"{file} defines no function upgrade()",
            advice="Write 'def upgrade() -> None:' with what it does, or 'pass'.",
        )
    vars(module).setdefault("downgrade", _no_way_back)
    return module


def _no_way_back() -> None:
    message = "it has no downgrade(), so that there is no way back"
    raise NotImplementedError(message)
