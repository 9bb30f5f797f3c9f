"""Gives the tables of a MetaData, and all that is named with them, the names of their plugin.

A plugin's author writes `__tablename__ = "items"`; in the database it is `tasks__items`, since two
plugins may both have items. The objects themselves are renamed, before anything was compiled from
them: what refers to them by object follows, and what refers to them by name, such as
`ForeignKey("items.id")` or `relationship(secondary="item_tags")`, finds them by either name.

SQLAlchemy has no public way to rename; what is touched here is that of SQLAlchemy 2.1.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.schema import Constraint
from sqlalchemy.sql.elements import conv, quoted_name
from sqlalchemy.sql.naming import _constraint_name_for_table
from sqlalchemy.sql.sqltypes import SchemaType
from sqlalchemy.util import FacadeDict
from typing_extensions import override

from nexus.data.models.declared import adopted_by
from nexus.data.names import LONGEST_IDENTIFIER, fitting, table_prefix
from nexus.errors import ModelsInvalid

VERSION_TABLE: Final = "alembic_version"

CONVENTION: Final[Mapping[str, str]] = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
"""Names for what an author leaves unnamed. A constraint without one cannot be dropped by a
migration that is to run on every engine."""


class TablesByEitherName(FacadeDict[str, Table]):
    """`MetaData.tables` by the names in the database, found by the names in the source too."""

    by_source: Mapping[str, str]

    @override
    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or name in self.by_source

    def __missing__(self, name: str) -> Table:
        return dict.__getitem__(self, self.by_source[name])

    @override
    def get(self, name: str, default: Any = None) -> Any:
        """Give a table by either of its names."""
        try:
            return self[name]
        except KeyError:
            return default


class Prefixing:
    """Renames what one MetaData describes.

    Args:
        metadata: What describes it.
        plugin: The plugin's name.
        package: The package that adopts it.
    """

    def __init__(self, metadata: MetaData, plugin: str, package: str) -> None:
        self._metadata = metadata
        self._plugin = plugin
        self._package = package
        self._prefix = table_prefix(plugin)
        self._types: set[int] = set()

    def apply(self) -> None:
        """Rename everything that has not the plugin's name yet.

        Raises:
            ModelsInvalid: A table names a schema, or a name cannot be one of this plugin.
        """
        metadata = self._metadata
        tables = [each for each in metadata.tables.values() if each not in adopted_by]
        names = self._new_names(tables)
        derived = {id(each): self._is_derived(each) for each in _named_parts(tables)}
        if "uq" not in metadata.naming_convention and "fk" not in metadata.naming_convention:
            convention: dict[Any, Any] = {**CONVENTION, **metadata.naming_convention}
            metadata.naming_convention = convention
        for table in tables:
            self._rename_table(table, names[table.name])
        self._rename_keys(names)
        for fk in _foreign_keys(metadata.tables.values()):
            _point(fk, names)
        for part in _named_parts(tables):
            self._rename_part(part, derived=derived[id(part)])
        for column in _columns(tables):
            for type_ in _schema_types(column.type):
                self._rename_type(type_, column)
        for type_ in metadata.get_schema_objects(SchemaType):
            self._rename_type(type_, None)
        self._rename_sequences()
        adopted_by[metadata] = self._package

    # Tables

    def _new_names(self, tables: Iterable[Table]) -> dict[str, str]:
        names: dict[str, str] = {}
        for table in tables:
            if table.schema is not None:
                problem = f"the table {table.name!r} has the schema {table.schema!r}"
                advice = "Leave it out: a plugin's tables are told apart by their prefix."
                raise self._invalid(problem, advice)
            names[table.name] = self._prefixed(table.name, "a table")
        taken: dict[str, str] = {self._prefix + VERSION_TABLE: "the table of its migrations"}
        for old, new in names.items():
            if new in taken:
                problem = f"the table {old!r} and {taken[new]} would both be called {new!r}"
                raise self._invalid(problem, "Give it another name.")
            taken[new] = f"the table {old!r}"
        return names

    def _rename_table(self, table: Table, name: str) -> None:
        adopted_by[table] = self._package
        if name == table.name:
            return
        table.name = quoted_name(name, table.name.quote)  # type: ignore[attr-defined]  # it is one
        table.fullname = table.name
        for column in table.columns:
            column._reset_memoizations()  # noqa: SLF001 - labels that were made of the old name

    def _rename_keys(self, names: Mapping[str, str]) -> None:
        metadata = self._metadata
        before = metadata.tables
        tables = TablesByEitherName()
        for table in before.values():
            tables._insert_item(table.name, table)  # noqa: SLF001
        by_source = {**getattr(before, "by_source", {}), **names}
        vars(tables)["by_source"] = by_source  # it guards itself against plain assignment
        metadata.tables = tables
        memos = metadata._fk_memos  # noqa: SLF001 - foreign keys by what they refer to
        for (name, column), waiting in list(memos.items()):
            if name in names and names[name] != name:
                del memos[name, column]
                memos[names[name], column].extend(waiting)

    # What belongs to tables

    def _is_derived(self, part: Constraint | Index) -> bool:
        """Tell whether a name was made from the table's and the columns' names."""
        name = part.name
        if name is None or isinstance(part.table, Column):
            return name is None
        part.name = None
        try:
            return bool(_conventional(part) == name)
        except (InvalidRequestError, AttributeError):  # made with the constraint's own name
            return False
        finally:
            part.name = name

    def _rename_part(self, part: Constraint | Index, *, derived: bool) -> None:
        if not derived:
            if isinstance(part.name, str):
                part.name = conv(self._prefixed(part.name, "an index or a constraint"))
            return
        part.name = None
        try:
            name = _conventional(part)
        except InvalidRequestError:  # an unnamed one of a kind that the author's convention names
            return
        if isinstance(name, str):
            part.name = conv(fitting(name))

    def _rename_type(self, type_: SchemaType, column: "Column[Any] | None") -> None:
        if id(type_) in self._types or type_.name is None:
            return
        self._types.add(id(type_))
        if getattr(type_, "schema", None) is not None:
            place = "" if column is None else f" of {column}"
            problem = f"the type {type_.name!r}{place} has the schema {type_.schema!r}"
            raise self._invalid(problem, "Leave it out: a plugin's types carry its prefix.")
        type_.name = quoted_name(self._prefixed(type_.name, "a type"), None)

    def _rename_sequences(self) -> None:
        sequences = self._metadata._sequences  # noqa: SLF001 - there is no other list of them
        for sequence in list(sequences.values()):
            if sequence.schema is not None:
                problem = f"the sequence {sequence.name!r} has the schema {sequence.schema!r}"
                raise self._invalid(problem, "Leave it out: a plugin's sequences carry its prefix.")
            del sequences[sequence._key]  # noqa: SLF001
            sequence.name = quoted_name(self._prefixed(sequence.name, "a sequence"), None)
            sequence._key = sequence.name  # noqa: SLF001
            sequences[sequence._key] = sequence  # noqa: SLF001

    def _prefixed(self, name: str, kind: str) -> str:
        if name.startswith(self._prefix):
            return name
        new = self._prefix + name
        if len(new) > LONGEST_IDENTIFIER:
            room = LONGEST_IDENTIFIER - len(self._prefix)
            problem = (
                f"the name {name!r} of {kind} is too long: with the plugin's prefix it has"
                f" {len(new)} characters, and databases take {LONGEST_IDENTIFIER}"
            )
            raise self._invalid(problem, f"Give it a name of at most {room} characters.")
        return new

    def _invalid(self, problem: str, advice: str) -> ModelsInvalid:
        return ModelsInvalid(plugin=self._plugin, problem=problem, advice=advice)


def _conventional(part: Any) -> Any:
    """Give the name that the convention makes, if it makes one."""
    return _constraint_name_for_table(part, part.table)  # type: ignore[no-untyped-call]


def _named_parts(tables: Iterable[Table]) -> Iterator[Any]:
    for table in tables:
        yield from table.constraints
        yield from table.indexes


def _columns(tables: Iterable[Table]) -> "Iterator[Column[Any]]":
    for table in tables:
        yield from table.columns


def _foreign_keys(tables: Iterable[Table]) -> Iterator[ForeignKey]:
    for table in tables:
        yield from table.foreign_keys


def _point(fk: ForeignKey, names: Mapping[str, str]) -> None:
    """Have a foreign key that names its target name it as it is called now."""
    given = fk._given_tokens  # noqa: SLF001 - what the author wrote
    if given is not None and given.table_name in names:
        fk._given_tokens = given._replace(table_name=names[given.table_name])  # noqa: SLF001


def _schema_types(type_: Any) -> Iterator[SchemaType]:
    """Give the types with a name of their own that a column's type consists of."""
    if isinstance(type_, SchemaType):
        yield type_
    for part in (
        *getattr(type_, "_variant_mapping", {}).values(),
        getattr(type_, "item_type", None),
        getattr(type_, "impl", None),
    ):
        if part is not None and part is not type_:
            yield from _schema_types(part)
