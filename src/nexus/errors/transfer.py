"""Errors about removing a plugin's stored things, and about moving them."""

from collections.abc import Sequence

from typing_extensions import override

from nexus.errors.base import NexusError


class PluginDataInUse(NexusError):
    """What a plugin has stored is not removed while it may be using it."""

    code = "plugin-data-in-use"

    def __init__(self, *, plugin: str, state: str) -> None:
        super().__init__(plugin=plugin, state=state)

    @override
    def render(self) -> str:
        name = self.data["plugin"]
        return (
            f"Plugin {name!r} is enabled and {self.data['state']}, so it could be using what would"
            f" be removed. Run 'nexus plugin disable {name}' first. Nothing was removed."
        )


class PurgeFailed(NexusError):
    """What a plugin has stored could not be removed, or not all of it."""

    code = "purge-failed"

    def __init__(self, *, plugin: str, problem: str, left: Sequence[str] = ()) -> None:
        super().__init__(plugin=plugin, problem=problem, left=tuple(left))

    @override
    def render(self) -> str:
        name, left = self.data["plugin"], ", ".join(self.data["left"])
        problem = f"What plugin {name!r} has stored could not be removed: {self.data['problem']}."
        if not left:
            return f"{problem} Remove the cause, and try again. Nothing was removed."
        return (
            f"{problem} Its settings and data are removed, and left are: {left}. MariaDB removes"
            f" tables one by one and cannot take it back. Run 'nexus plugin purge {name}' again"
            " before the plugin is enabled; it goes on where this one ended."
        )


class NotExportable(NexusError):
    """A plugin has something in its tables that a data file cannot hold."""

    code = "not-exportable"

    def __init__(
        self,
        *,
        place: str,
        found: str,
        expected: str = "numbers, text, bytes, booleans, dates, times, intervals, UUIDs, JSON, and"
        " lists of them",
    ) -> None:
        super().__init__(place=place, found=found, expected=expected)

    @override
    def render(self) -> str:
        return (
            f"{self.data['place']} holds {self.data['found']}, which a data file cannot hold. It"
            f" holds {self.data['expected']}. The file was not written."
        )


class DataFileDamaged(NexusError):
    """A data file is not as 'nexus data export' wrote it."""

    code = "data-file-damaged"

    def __init__(self, *, path: str, line: int | None, problem: str) -> None:
        super().__init__(path=path, line=line, problem=problem)

    @override
    def render(self) -> str:
        line = self.data["line"]
        place = self.data["path"] if line is None else f"{self.data['path']}, line {line}"
        return (
            f"{place}: {self.data['problem']}. Expected a file as 'nexus data export' wrote it,"
            " whole and unchanged; export again, or copy it again. Nothing was imported."
        )


class DataFileRefused(NexusError):
    """A data file is whole, and does not fit here."""

    code = "data-file-refused"

    def __init__(self, *, path: str, line: int | None, problem: str, advice: str) -> None:
        super().__init__(path=path, line=line, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        line = self.data["line"]
        place = self.data["path"] if line is None else f"{self.data['path']}, line {line}"
        return f"{place}: {self.data['problem']}. {self.data['advice']} Nothing was imported."


class PluginHasData(NexusError):
    """A data file is not imported over what a plugin has stored already."""

    code = "plugin-has-data"

    def __init__(self, *, plugin: str, found: str) -> None:
        super().__init__(plugin=plugin, found=found)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} has data already: {self.data['found']}. With --replace"
            " the import removes that first, in the same transaction. Nothing was imported."
        )
