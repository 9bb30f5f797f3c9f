"""Errors about stored data."""

from typing_extensions import override

from nexus.errors.base import NexusError
from nexus.errors.unavailable import Unavailable


class NotJson(NexusError):
    """A value has a part that JSON cannot carry."""

    code = "not-json"

    def __init__(self, *, path: str, found: str, hint: str) -> None:
        super().__init__(path=path, found=found, hint=hint)

    @override
    def render(self) -> str:
        return (
            f"Only JSON can be stored, and {self.data['path']!s:.80} is {self.data['found']}."
            f" {self.data['hint']} Nothing was stored."
        )


class InvalidKey(NexusError):
    """A namespace or key is not a text that every store takes."""

    code = "invalid-key"

    def __init__(self, *, key: object, limit: int) -> None:
        super().__init__(key=key, limit=limit)

    @override
    def render(self) -> str:
        return (
            f"The key {self.data['key']!r:.60} cannot be used. A key is a str of 1 to"
            f" {self.data['limit']} characters, without NUL and without lone surrogates."
        )


class ValueTooLarge(NexusError):
    """A value is larger than a store takes."""

    code = "value-too-large"

    def __init__(self, *, size: int | None, limit: int) -> None:
        super().__init__(size=size, limit=limit)

    @override
    def render(self) -> str:
        size = "more" if self.data["size"] is None else f"{self.data['size']} bytes"
        return (
            f"The value takes {size} as JSON; a value has at most {self.data['limit']} bytes."
            " Split it over several keys, or keep a file and store its path."
        )


class DatabaseUnavailable(Unavailable):
    """The database cannot be opened, read or written.

    `passing` tells whether that may be over without anybody changing anything here, as when a
    server is restarted; `refused`, whether a server was reached and let nobody in.
    """

    code = "database-unavailable"
    what = "The database"

    def __init__(
        self,
        *,
        path: str,
        problem: str,
        advice: str,
        passing: bool = False,
        refused: bool = False,
    ) -> None:
        super().__init__(
            path=path, problem=problem, advice=advice, passing=passing, refused=refused
        )

    @override
    def render(self) -> str:
        what = f"The database {self.data['path']} is not available"
        if self.data["refused"]:
            what = f"The database server was reached, but {self.data['path']} cannot be used"
        return f"{what}: {self.data['problem']}. {self.data['advice']}"


class DatabaseInUse(NexusError):
    """Another process uses the database."""

    code = "database-in-use"

    def __init__(
        self,
        *,
        path: str,
        pid: int | None,
        advice: str = "Stop the other one, or give this one a database of its own (database.url).",
    ) -> None:
        super().__init__(path=path, pid=pid, advice=advice)

    @override
    def render(self) -> str:
        holder = "" if self.data["pid"] is None else f" (process {self.data['pid']})"
        return (
            f"The database {self.data['path']} is in use by another application or command"
            f"{holder}. One at a time can use a database. {self.data['advice']}"
        )


class DatabaseClosed(NexusError):
    """The database was used before it was opened or after it was closed."""

    code = "database-closed"

    def __init__(self, *, path: str) -> None:
        super().__init__(path=path)

    @override
    def render(self) -> str:
        return (
            f"The database {self.data['path']} is not open. Use it between open() and close(), and"
            " finish background work before the application stops."
        )


class BackupRefused(NexusError):
    """A backup was not written, or not taken back."""

    code = "backup-refused"

    def __init__(self, *, path: str, problem: str, advice: str) -> None:
        super().__init__(path=path, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return f"{self.data['path']}: {self.data['problem']}. {self.data['advice']}"


class UniqueViolation(NexusError):
    """A unique index refused a row."""

    code = "unique-violation"

    def __init__(self, *, constraint: str) -> None:
        super().__init__(constraint=constraint)

    @override
    def render(self) -> str:
        same = self.data["constraint"]
        return f"There is a row with the same {same} already. Nothing was stored."


class TransactionEnded(NexusError):
    """A transaction was used after its block had ended."""

    code = "transaction-ended"

    @override
    def render(self) -> str:
        return (
            "This transaction has ended. Use what 'async with' gives inside its block only, and"
            " await there whatever is to be part of it."
        )


class TransactionExpired(NexusError):
    """A transaction was open for too long and was rolled back."""

    code = "transaction-expired"

    def __init__(self, *, limit: float) -> None:
        super().__init__(limit=limit)

    @override
    def render(self) -> str:
        return (
            f"The transaction was open for more than {self.data['limit']:g} s and was rolled back;"
            " nothing of it was stored. Do what takes long outside the block, or set"
            " database.transaction_timeout."
        )


class TransactionReadOnly(NexusError):
    """A transaction that only reads was asked to change something."""

    code = "transaction-read-only"

    @override
    def render(self) -> str:
        return (
            "This transaction was opened with read_only=True, so it changes nothing. Leave that out"
            " of the outermost block."
        )


class DatabaseDriverMissing(NexusError):
    """The driver for a kind of database is not installed."""

    code = "database-driver-missing"

    def __init__(self, *, engine: str, driver: str) -> None:
        super().__init__(engine=engine, driver=driver)

    @override
    def render(self) -> str:
        return (
            f"database.url names a {self.data['engine']} database, and its driver"
            f" {self.data['driver']} is not installed. Install Nexus with the extra"
            f" {self.data['engine']!r} (in a copy of the project: pip install"
            f" '.[{self.data['engine']}]')."
        )


class DataNotReady(NexusError):
    """A plugin used its database before it was prepared."""

    code = "data-not-ready"

    def __init__(self, *, plugin: str) -> None:
        super().__init__(plugin=plugin)

    @override
    def render(self) -> str:
        return (
            f"The database of plugin {self.data['plugin']!r} is not prepared yet. Use self.db from"
            " initialize() on, and not in __init__() or get_database_schema()."
        )


class ModelsMissing(NexusError):
    """A plugin asked for a session and has no models."""

    code = "models-missing"

    def __init__(self, *, plugin: str) -> None:
        super().__init__(plugin=plugin)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} has no models. Write SQLAlchemy classes in its"
            " schemas/models.py, or use self.db.collection()."
        )


class TransactionLost(NexusError):
    """A transaction was committed after a statement in it had failed unheard."""

    code = "transaction-lost"

    @override
    def render(self) -> str:
        return (
            "A statement of this transaction failed and its error was not passed on, so nothing of"
            " the transaction was stored. Let the error leave the block, or run the statement in a"
            " nested transaction and catch it around that."
        )


class TransactionCollided(DatabaseUnavailable):
    """A transaction had to give way to another one, each of which waited for the other."""

    code = "transaction-collided"
