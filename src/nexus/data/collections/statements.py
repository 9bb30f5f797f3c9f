"""The statements that a collection runs over and over, written once."""

from nexus.data.collections.dialects.dialect import Dialect
from nexus.data.collections.sql import Sql
from nexus.data.collections.table import CollectionTable


class Statements:
    """Statements for one table, with the placeholders of its engine.

    Attributes:
        get: Version and document; id.
        get_locked: As `get`, for a transaction that is going to change it.
        insert: Id, version, shape, keys and document.
        update: Shape, keys, document, id: and the version goes up by one.
        update_version: As `update`, for one version only, which comes last.
        update_same: As `update_version`, and for one text only, which comes last: a document that
            was removed and added anew may have the version that another had before it.
        delete: Id.
        delete_version: Id and version.
    """

    def __init__(self, table: CollectionTable, dialect: Dialect) -> None:
        def statement(text: str) -> str:
            return dialect.finish(Sql(text, (None,) * text.count("?")))[0]

        name = table.name
        columns = ["id", "version", "shape", *table.columns.values(), "doc"]
        values = ", ".join("?" * len(columns))
        changed = ", ".join(f"{column} = ?" for column in columns[2:])
        update = f"UPDATE {name} SET version = version + 1, {changed} WHERE id = ?"  # noqa: S608  our names, here and below
        get = f"SELECT version, doc FROM {name} WHERE id = ?"  # noqa: S608
        delete = f"DELETE FROM {name} WHERE id = ?"  # noqa: S608
        self.get = statement(get)
        self.get_locked = statement(get + dialect.lock)
        self.insert = statement(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({values})")  # noqa: S608
        self.update = statement(update)
        self.update_version = statement(f"{update} AND version = ?")
        self.update_same = statement(f"{update} AND version = ? AND {dialect.same_text}")
        self.delete = statement(delete)
        self.delete_version = statement(f"{delete} AND version = ?")
