"""What a data file holds: its parts, in the order in which they stand in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final, TypeAlias, TypeGuard

from nexus.errors import DataFileDamaged, DataFileRefused
from nexus.transfer.lines import FORMAT, MAGIC, Line, read_lines


@dataclass(slots=True, kw_only=True)
class Counts:
    """How much of everything a data file has; its last line.

    Attributes:
        settings: Stored settings.
        secrets: Names of those whose values are not in the file.
        seeded: Notes that first data was stored.
        data: Values of `set_data`.
        collections: Documents by collection.
        tables: Rows by table, without the plugin's prefix.
    """

    settings: int = 0
    secrets: list[str] = field(default_factory=list)
    seeded: int = 0
    data: int = 0
    collections: dict[str, int] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Give them as they are written."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line.

    Attributes:
        plugin: Whose data it is.
        plugin_version: By the manifest; empty when there was none to read.
        nexus_version: The platform that wrote it.
        engine: The kind of database that it comes from.
        exported_at: When, in ISO 8601 and UTC.
        revisions: The migrations that the tables were at, none without migrations.
    """

    plugin: str
    plugin_version: str
    nexus_version: str
    engine: str
    exported_at: str
    revisions: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Give the line as it is written."""
        return {"nexus": MAGIC, "format": FORMAT, **asdict(self)}

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        # It is not counted.


@dataclass(frozen=True, slots=True)
class Setting:
    """A stored setting; the value of a secret is not in the file."""

    line: int
    key: str
    value: Any
    secret: bool

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        counts.settings += 1
        if self.secret:
            counts.secrets.append(self.key)


@dataclass(frozen=True, slots=True)
class Mark:
    """A note that first data was stored; its name is without the plugin's."""

    line: int
    name: str
    value: Any

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        counts.seeded += 1


@dataclass(frozen=True, slots=True)
class Datum:
    """A value that `set_data` has stored."""

    line: int
    size: int
    key: str
    value: Any

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        counts.data += 1


@dataclass(frozen=True, slots=True)
class CollectionStart:
    """The documents of a collection follow."""

    line: int
    name: str

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        counts.collections[self.name] = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A document, as it is stored."""

    line: int
    size: int
    id: str
    version: int
    document: dict[str, Any]

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        # Of the collection that began last.
        counts.collections[next(reversed(counts.collections))] += 1


@dataclass(frozen=True, slots=True)
class TableStart:
    """The rows of a table follow; its name is without the plugin's prefix."""

    line: int
    name: str
    columns: tuple[str, ...]

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        counts.tables[self.name] = 0


@dataclass(frozen=True, slots=True)
class RowPart:
    """A row, its values in the forms of `nexus.transfer.values`."""

    line: int
    size: int
    values: list[Any]

    def add_to(self, counts: Counts) -> None:
        """Add it to what came before."""
        counts.tables[next(reversed(counts.tables))] += 1


Part: TypeAlias = (
    Header | Setting | Mark | Datum | CollectionStart | Document | TableStart | RowPart
)


def read_parts(stream: BinaryIO, path: str) -> Iterator[Part]:
    """Give the parts of a file; once all have come, the file is known to be whole.

    Args:
        stream: The file, not compressed.
        path: Its name, for messages.

    Raises:
        DataFileDamaged: It is not as it was written.
        DataFileRefused: It is of a format that is not known here, or a line is too long.
    """
    counts = Counts()
    place = _Place()
    for line in read_lines(stream, path):
        if line.number == 1:
            yield _header(line.record, path)
        elif "end" in line.record:
            if line.record["end"] != counts.record():
                problem = "its counts are not those of the lines before"
                raise DataFileDamaged(path=path, line=line.number, problem=problem)
        else:
            part = _part(line, place)
            if isinstance(part, str):
                raise DataFileDamaged(path=path, line=line.number, problem=part)
            place.enter(part)
            part.add_to(counts)
            yield part


class _Place:
    """In which collection or table the reading is."""

    def __init__(self) -> None:
        self.collection: str | None = None
        self.table: TableStart | None = None

    def enter(self, part: Part) -> None:
        """Go into the collection or table that a part begins."""
        if isinstance(part, CollectionStart):
            self.collection, self.table = part.name, None
        elif isinstance(part, TableStart):
            self.collection, self.table = None, part


def _header(record: Mapping[str, Any], path: str) -> Header:
    if record.get("nexus") != MAGIC:
        raise DataFileDamaged(path=path, line=1, problem="this is no data file of Nexus")
    version = record.get("format")
    if version != FORMAT:
        raise DataFileRefused(
            path=path,
            line=1,
            problem=f"it is of the format {version!r}, and this Nexus reads the format {FORMAT}",
            advice="Use the Nexus that wrote it, or one that is newer.",
        )
    texts = ("plugin", "plugin_version", "nexus_version", "engine", "exported_at")
    revisions = record.get("revisions")
    if not all(type(record.get(name)) is str for name in texts) or not _are_texts(revisions):
        raise DataFileDamaged(path=path, line=1, problem="the first line lacks what it should tell")
    return Header(**{name: record[name] for name in texts}, revisions=tuple(revisions))


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return type(value) is list and all(type(each) is str for each in value)


def _part(line: Line, place: _Place) -> Part | str:
    """Give the part that a line is, or what is wrong with it."""
    kind = next(iter(line.record), "")
    read = _READERS.get(kind)
    if read is None:
        return f"a line of the unknown kind {kind!r}"
    return read(line, place)


def _document(line: Line, place: _Place) -> Part | str:
    document, version = line.record.get("document"), line.record.get("version")
    if place.collection is None:
        return "a document that is in no collection"
    if type(line.record["id"]) is not str or type(version) is not int or type(document) is not dict:
        return "a document without a text as id, a number as version, or an object as document"
    return Document(line.number, line.size, line.record["id"], version, document)


def _row(line: Line, place: _Place) -> Part | str:
    values = line.record["row"]
    if place.table is None:
        return "a row that is in no table"
    expected = len(place.table.columns)
    if type(values) is not list or len(values) != expected:
        return f"a row that does not have {expected} values, one for each column"
    return RowPart(line.number, line.size, values)


def _mark(line: Line, _place: _Place) -> Part | str:
    name = line.record["seeded"]
    # Anything else would be a note about another plugin.
    if (
        type(name) is not str
        or not (name == "" or name.startswith("/"))
        or "value" not in line.record
    ):
        return "a note about first data without its name or its value"
    return Mark(line.number, name, line.record["value"])


def _setting(line: Line, _place: _Place) -> Part | str:
    if type(line.record["setting"]) is not str or not (line.record.get("secret") is True) ^ (
        "value" in line.record
    ):
        return "a setting that has neither a value nor the note that it is secret"
    return Setting(
        line.number, line.record["setting"], line.record.get("value"), "secret" in line.record
    )


def _datum(line: Line, _place: _Place) -> Part | str:
    if type(line.record["data"]) is not str or "value" not in line.record:
        return "a value without its key, or a key without its value"
    return Datum(line.number, line.size, line.record["data"], line.record["value"])


def _collection(line: Line, _place: _Place) -> Part | str:
    if type(line.record["collection"]) is not str:
        return "a collection without a name"
    return CollectionStart(line.number, line.record["collection"])


def _table(line: Line, _place: _Place) -> Part | str:
    columns: Sequence[Any] = line.record.get("columns") or ()
    names = [each.get("name") if type(each) is dict else None for each in columns]
    if type(line.record["table"]) is not str or not names or not _are_texts(names):
        return "a table without a name or without columns"
    return TableStart(line.number, line.record["table"], tuple(names))


_READERS: Final[Mapping[str, Callable[[Line, _Place], Part | str]]] = {
    "setting": _setting,
    "seeded": _mark,
    "data": _datum,
    "collection": _collection,
    "id": _document,
    "table": _table,
    "row": _row,
}
