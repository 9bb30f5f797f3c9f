"""Runs migrations with Alembic, on a connection of ours and without an `env.py`."""

import logging
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep, RevisionStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from nexus.data.database import EngineName
from nexus.data.migrations.implementations import TypesByColumn, use_own_implementation
from nexus.data.migrations.position import version_table
from nexus.data.migrations.revisions import Revision, Revisions
from nexus.data.migrations.scripts import PluginScripts
from nexus.data.models import Models
from nexus.data.models.prefixing import CONVENTION
from nexus.data.names import table_prefix
from nexus.errors import DatabaseAhead, MigrationFailed, NexusError

logger = logging.getLogger(__name__)

# What it says at INFO (the implementation's name, each step) is told below in the platform's words.
logging.getLogger("alembic").setLevel(logging.WARNING)

_ROLLS_BACK: Final[frozenset[EngineName]] = frozenset({"sqlite", "postgresql"})
_LONGEST_STATEMENT: Final = 200


class Execution:
    """One run of a plugin's migrations, up or down.

    Args:
        plugin: The plugin's name.
        folder: Its folder.
        revisions: Its migrations.
        models: Its models; they give the naming convention for constraints.
        engine: The kind of database.
        remembered: Where the types of columns are remembered, on SQLite.
    """

    def __init__(
        self,
        plugin: str,
        folder: Path,
        revisions: Revisions,
        models: Models | None,
        engine: EngineName,
        *,
        remembered: TypesByColumn | None = None,
    ) -> None:
        self._plugin = plugin
        self._revisions = revisions
        self._scripts = PluginScripts(plugin, folder, revisions)
        self._models = models
        self._engine = engine
        self._remembered = remembered
        self._start: str | None = None
        self._reached: str | None = None
        self._current: Revision | None = None
        self.done: list[Revision] = []

    def upgrade(self, connection: Connection) -> None:
        """Run what has not run yet.

        Raises:
            MigrationFailed: One of them failed.
            DatabaseAhead: The database is where the files do not lead.
        """
        self._run(connection, self._revisions.pending, MigrationStep.upgrade_from_script)

    def downgrade(self, connection: Connection, going: Sequence[Revision]) -> None:
        """Take migrations back, as far as they have run.

        Args:
            connection: The connection.
            going: They, the last one first.

        Raises:
            MigrationFailed: One of them failed.
            DatabaseAhead: The database is where the files do not lead.
        """

        def plan(heads: Iterable[str]) -> list[Revision]:
            done = self._revisions.done(heads)
            return [each for each in going if each in done]

        self._run(connection, plan, MigrationStep.downgrade_from_script)

    def stamp(self, connection: Connection) -> None:
        """Note that all of them have run."""
        with self._environment(connection, lambda *_: iter(())) as context:
            context.stamp(self._scripts, "heads")

    def _run(
        self,
        connection: Connection,
        plan: Callable[[Iterable[str]], list[Revision]],
        step: Callable[[RevisionMap, Script], RevisionStep],
    ) -> None:
        scripts = self._scripts
        scripts.get_revisions("heads")  # all files are loaded before anything is changed

        def steps(heads: tuple[str, ...], _context: Any) -> Iterator[RevisionStep]:
            self._check_known(heads)
            self._start = self._reached = ", ".join(heads) or None
            for revision in plan(heads):
                self._current = revision
                yield step(scripts.revision_map, scripts.get_revision(revision.name))

        with self._environment(connection, steps) as context:
            try:
                context.run_migrations()
            except Exception as error:
                raise self._failed(error) from error

    @contextmanager
    def _environment(
        self, connection: Connection, steps: Callable[..., Iterator[RevisionStep]]
    ) -> Iterator[MigrationContext]:
        """Be to the migrations what an `env.py` would be."""
        environment = EnvironmentContext(Config(), self._scripts, fn=steps)
        with environment:
            if not connection.in_transaction():
                connection.begin()  # so that Alembic takes it for somebody else's to end
            environment.configure(
                connection=connection,
                version_table=version_table(self._plugin),
                target_metadata=self._naming(),
                on_version_apply=self._applied,
            )
            context = environment.get_context()
            context.autocommit_block = _refuse_autocommit  # type: ignore[method-assign]
            use_own_implementation(context, table_prefix(self._plugin), self._remembered)
            with Operations.context(context):
                yield context

    def _check_known(self, heads: tuple[str, ...]) -> None:
        for name in heads:
            if name not in self._revisions:
                raise DatabaseAhead(plugin=self._plugin, revision=name, head=self._revisions.head)

    def _naming(self) -> MetaData:
        """Give what unnamed constraints in the migrations are named by."""
        if self._models is not None and self._models.metadata:
            return MetaData(naming_convention=self._models.metadata[0].naming_convention)
        return MetaData(naming_convention=dict(CONVENTION))

    def _applied(
        self, ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Any
    ) -> None:
        del run_args
        revision = self._revisions[step.up_revision_ids[0]]
        if self._engine not in _ROLLS_BACK:
            # The engine has committed the changes of tables already; so that where it is said to
            # be is where it is, the note of it must not be rolled back either.
            commit: Any = ctx.connection
            commit.exec_driver_sql("COMMIT")
        self._reached = ", ".join(sorted(heads)) or None
        self.done.append(revision)
        logger.info(
            "A migration has run" if step.is_upgrade else "A migration has been taken back",
            extra={"plugin": self._plugin, "revision": revision.name},
        )

    def _failed(self, error: Exception) -> NexusError:
        rolls_back = self._engine in _ROLLS_BACK
        if isinstance(error, NexusError) and (rolls_back or self._current is None):
            return error
        return MigrationFailed(
            plugin=self._plugin,
            revision="?" if self._current is None else self._current.name,
            engine={"mariadb": "MariaDB", "postgresql": "PostgreSQL"}.get(self._engine, "SQLite"),
            problem=_problem(error, None if self._current is None else self._current.file),
            rolled_back=rolls_back,
            reached=self._start if rolls_back else self._reached,
        )


def _refuse_autocommit() -> NoReturn:
    message = (
        "autocommit_block() cannot be used: all migrations run in one transaction, so that none of"
        " them has run if one fails"
    )
    raise RuntimeError(message)


def _problem(error: Exception, file: Path | None) -> str:
    if isinstance(error, DBAPIError):
        cause: Any = error.orig
        text = str(getattr(cause, "__cause__", None) or cause)
        if error.statement:
            text += f" (in: {' '.join(error.statement.split())[:_LONGEST_STATEMENT]})"
    elif isinstance(error, NexusError):
        text = str(error).rstrip(".")
    else:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if file is not None and frame.filename == str(file)
    ]
    place = f"{file}, line {lines[-1]}: " if lines else ""
    return f"{place}{text.rstrip('.')}"
