"""Errors about stored data."""

from typing_extensions import override

from nexus.errors.base import NexusError


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


class DatabaseUnavailable(NexusError):
    """The database cannot be opened, read or written."""

    code = "database-unavailable"

    def __init__(self, *, path: str, problem: str, advice: str) -> None:
        super().__init__(path=path, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return (
            f"The database {self.data['path']} is not available: {self.data['problem']}."
            f" {self.data['advice']}"
        )


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
