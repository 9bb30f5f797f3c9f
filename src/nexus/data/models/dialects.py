"""SQLAlchemy's dialects, on connections that are lent to it for one transaction."""

from typing import Any, Final

from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mysql.asyncmy import (
    AsyncAdapt_asyncmy_connection,
    MySQLDialect_asyncmy,
)
from sqlalchemy.dialects.mysql.base import MySQLIdentifierPreparer
from sqlalchemy.dialects.postgresql.asyncpg import (
    AsyncAdapt_asyncpg_connection,
    PGDialect_asyncpg,
    PGIdentifierPreparer_asyncpg,
)
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    SQLiteDialect_aiosqlite,
)
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer
from sqlalchemy.engine.reflection import cache
from sqlalchemy.exc import InvalidRequestError
from typing_extensions import override

from nexus.data.database import EngineName
from nexus.data.models.lent import LentConnection
from nexus.data.models.sqlite_indexes import index_of_expressions

_INDEX: Final = "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?"


class _RenamedTables:
    """Writes a table's name as it is now.

    A statement that was built before the tables were renamed, when the module was imported, may
    hold a copy of the table with its old name; the copy knows the original.
    """

    def format_table(self, table: Any, *args: Any, **kwargs: Any) -> str:
        """Write the name of a table."""
        original = table._deannotate()  # noqa: SLF001 - there is no public way
        text: str = super().format_table(original, *args, **kwargs)  # type: ignore[misc]  # a mixin
        return text


class _SqlitePreparer(_RenamedTables, SQLiteIdentifierPreparer):
    pass


class _PostgresqlPreparer(_RenamedTables, PGIdentifierPreparer_asyncpg):
    pass


class _MariadbPreparer(_RenamedTables, MySQLIdentifierPreparer):
    pass


class _Lent:
    """What all dialects do the same way on a lent connection; the first base of each."""

    adapter: Any

    def on_connect(self) -> None:
        """Set nothing up: whoever lends the connection has, and each trip would cost."""

    def adapt(self, driver: Any) -> Any:
        """Show a driver's connection as SQLAlchemy wants it."""
        return self.adapter(self.dbapi, driver)  # type: ignore[attr-defined]  # a mixin

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a stretch of the transaction."""
        dbapi_connection.participant.begin()

    def do_commit(self, dbapi_connection: Any) -> None:
        """Keep it."""
        dbapi_connection.participant.commit()

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Undo it."""
        dbapi_connection.participant.rollback()

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement."""
        _admit(context, statement)
        super().do_execute(cursor, statement, parameters, context)  # type: ignore[misc]  # a mixin

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Run a statement without parameters."""
        _admit(context, statement)
        super().do_execute_no_params(cursor, statement, context)  # type: ignore[misc]  # a mixin

    def do_executemany(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:
        """Run a statement for each row."""
        _admit(context, statement)
        super().do_executemany(cursor, statement, parameters, context)  # type: ignore[misc]

    def set_isolation_level(self, _connection: Any, level: str) -> None:
        """Refuse: the transaction has begun."""
        message = (
            f"The isolation level cannot become {level!r}: a session is part of a transaction that"
            " has begun, as its parts in collections and data are."
        )
        raise InvalidRequestError(message)


class SqliteDialect(_Lent, SQLiteDialect_aiosqlite):  # type: ignore[misc]  # no on_connect
    """SQLite."""

    supports_statement_cache = True
    preparer = _SqlitePreparer
    adapter = AsyncAdapt_aiosqlite_connection

    @override
    @cache
    def get_indexes(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        """Give all indexes of a table, those of expressions included."""
        base: Any = super()
        more = []
        for _, name, unique, *_ in self._told(connection, "index_list", table_name):
            columns = self._columns_of(connection, name)
            if None in columns:
                statement = connection.exec_driver_sql(_INDEX, (name,)).scalar()
                index = index_of_expressions(
                    name, unique=bool(unique), columns=columns, statement=statement
                )
                more.append(index)
        return [*base.get_indexes(connection, table_name, schema=schema, **kw), *more]

    @override
    def _get_table_pragma(
        self, connection: Any, pragma: str, table_name: str, schema: str | None = None
    ) -> Any:
        rows = self._told(connection, pragma, table_name, schema)
        if pragma != "index_list":
            return rows
        # Its reader can do nothing with the others but warn.
        return [row for row in rows if None not in self._columns_of(connection, row[1])]

    def _columns_of(self, connection: Any, index: str) -> list[str | None]:
        return [row[2] for row in self._told(connection, "index_info", index)]

    def _told(self, connection: Any, pragma: str, name: str, schema: str | None = None) -> Any:
        return super()._get_table_pragma(connection, pragma, name, schema=schema)  # type: ignore[no-untyped-call]


class PostgresqlDialect(_Lent, PGDialect_asyncpg):
    """PostgreSQL.

    The dialect would have the driver decode JSON, for whoever uses the connection; collections
    want its text. So the column types decode it.
    """

    supports_statement_cache = True
    supports_native_json_deserialization = False
    dialect_injects_custom_json_deserializer = False
    preparer = _PostgresqlPreparer
    adapter = AsyncAdapt_asyncpg_connection

    @override
    def adapt(self, driver: Any) -> Any:
        adapted = super().adapt(driver)
        adapted.isolation_level = "autocommit"  # it begins no transaction of its own
        return adapted


class MariadbDialect(_Lent, MySQLDialect_asyncmy):  # type: ignore[misc]  # no on_connect
    """MariaDB and MySQL; which of them, the server tells."""

    supports_statement_cache = True
    preparer = _MariadbPreparer  # type: ignore[assignment]  # as its base has it
    adapter = AsyncAdapt_asyncmy_connection


URLS: Final[dict[EngineName, URL]] = {
    "sqlite": URL.create("sqlite+nexus"),
    "postgresql": URL.create("postgresql+nexus"),
    "mariadb": URL.create("mysql+nexus"),
}
"""By which SQLAlchemy knows these dialects."""

registry.register("sqlite.nexus", __name__, "SqliteDialect")
registry.register("postgresql.nexus", __name__, "PostgresqlDialect")
registry.register("mysql.nexus", __name__, "MariadbDialect")


def _admit(context: Any, statement: str) -> None:
    connection = context.root_connection.connection
    if isinstance(connection, LentConnection):
        connection.participant.admit(statement)
