"""Errors about a plugin's models, their tables, and the migrations between them."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError


class ModelsInvalid(NexusError):
    """A plugin's models cannot be used."""

    code = "models-invalid"

    def __init__(self, *, plugin: str, problem: str, advice: str) -> None:
        super().__init__(plugin=plugin, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return (
            f"The models of plugin {self.data['plugin']!r} cannot be used: {self.data['problem']}."
            f" {self.data['advice']}"
        )


class SessionInterrupted(NexusError):
    """A session was told to commit or roll back inside a transaction that began after it."""

    code = "session-interrupted"

    def __init__(self, *, call: str) -> None:
        super().__init__(call=call)

    @override
    def render(self) -> str:
        return (
            f"session.{self.data['call']}() was called in a db.transaction() block that began after"
            " the session. Call it outside of that block, or open the session inside."
        )


class MigrationsInvalid(NexusError):
    """The files of a plugin's migrations cannot be used."""

    code = "migrations-invalid"

    def __init__(self, *, plugin: str, problem: str, advice: str) -> None:
        super().__init__(plugin=plugin, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return (
            f"The migrations of plugin {self.data['plugin']!r} cannot be used:"
            f" {self.data['problem']}. {self.data['advice']}"
        )


class MigrationsMissing(NexusError):
    """A plugin has models and no migrations, in production."""

    code = "migrations-missing"

    def __init__(self, *, plugin: str, tables: Sequence[str]) -> None:
        super().__init__(plugin=plugin, tables=list(tables))

    @override
    def render(self) -> str:
        plugin, tables = self.data["plugin"], ", ".join(self.data["tables"])
        return (
            f"Plugin {plugin!r} has models ({tables}) and no migrations. In production tables are"
            " made and changed by migrations only: write the first one while developing with"
            f" 'nexus db revision {plugin} -m \"first tables\"', and ship it with the plugin."
        )


class TablesDiffer(NexusError):
    """Tables that were made without migrations are not what the migrations lead to."""

    code = "tables-differ"

    def __init__(self, *, plugin: str, tables: Sequence[str], differences: Sequence[str]) -> None:
        super().__init__(plugin=plugin, tables=list(tables), differences=list(differences))

    @override
    def render(self) -> str:
        plugin, tables = self.data["plugin"], ", ".join(self.data["tables"])
        return (
            f"The migrations of plugin {plugin!r} would make tables that are there already,"
            f" without a migration: {tables}. They could be taken over if they were as the models"
            f" are, and they differ: {' '.join(self.data['differences'])} To keep their rows, have"
            " the models and the first migration be as the tables are, and start once; then change"
            " the models, and write a second one. Or remove all that the plugin has stored, with"
            f" 'nexus plugin purge {plugin}', and start. Nothing was changed."
        )


class RevisionUnknown(NexusError):
    """The files of a plugin's migrations have no such revision."""

    code = "revision-unknown"

    def __init__(self, *, plugin: str, revision: str, known: Sequence[str]) -> None:
        super().__init__(plugin=plugin, revision=revision, known=list(known))

    @override
    def render(self) -> str:
        known = ", ".join(self.data["known"]) or "none"
        return (
            f"Plugin {self.data['plugin']!r} has no migration {self.data['revision']!r}. Its files"
            f" have: {known}."
        )


class RevisionNotReached(NexusError):
    """A migration is not to be gone back to, since the tables are not behind it."""

    code = "revision-not-reached"

    def __init__(self, *, plugin: str, revision: str, done: Sequence[str]) -> None:
        super().__init__(plugin=plugin, revision=revision, done=list(done))

    @override
    def render(self) -> str:
        done = ", ".join(self.data["done"]) or "none"
        return (
            f"The tables of plugin {self.data['plugin']!r} cannot go back to"
            f" {self.data['revision']!r}: these migrations have run: {done}. To go forward use"
            " 'nexus db upgrade'. Nothing was changed."
        )


class DatabaseAhead(NexusError):
    """The tables of a plugin were changed by migrations that its files do not have."""

    code = "database-ahead"

    def __init__(self, *, plugin: str, revision: str, head: str | None) -> None:
        super().__init__(plugin=plugin, revision=revision, head=head)

    @override
    def render(self) -> str:
        last = f"end with {self.data['head']}" if self.data["head"] else "have none"
        return (
            f"The tables of plugin {self.data['plugin']!r} are at the revision"
            f" {self.data['revision']}, which its files do not know: they {last}. A newer version"
            " of the plugin has been here. Install that version again; or, with its files, take the"
            " tables back with 'nexus db downgrade' first. Nothing was changed."
        )


class MigrationFailed(NexusError):
    """A migration of a plugin failed."""

    code = "migration-failed"

    def __init__(
        self,
        *,
        plugin: str,
        revision: str,
        engine: str,
        problem: str,
        rolled_back: bool,
        reached: str | None,
    ) -> None:
        super().__init__(
            plugin=plugin,
            revision=revision,
            engine=engine,
            problem=problem,
            rolled_back=rolled_back,
            reached=reached,
        )

    @override
    def render(self) -> str:
        failed = (
            f"The migration {self.data['revision']} of plugin {self.data['plugin']!r} failed:"
            f" {self.data['problem']}."
        )
        reached = self.data["reached"] or "the state before the first one"
        if self.data["rolled_back"]:
            return f"{failed} Everything was rolled back: the tables are at {reached}, as before."
        return (
            f"{failed} {self.data['engine']} cannot roll back changes of tables: those before it"
            f" are complete, the tables are at {reached}, and what {self.data['revision']} did"
            " before it failed has stayed. Undo that by hand, correct the file, and start again."
        )
