"""Writes types of columns so that every kind of database takes them."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import types
from sqlalchemy.types import TypeDecorator, TypeEngine

from nexus.errors import ModelsInvalid

RenderItem: TypeAlias = Callable[[str, Any, Any], "str | Literal[False]"]

_ONLY_THERE: Final = (
    types.BINARY,
    types.BLOB,
    types.CLOB,
    types.DATETIME,
    types.DOUBLE,
    types.NCHAR,
    types.NVARCHAR,
    types.VARBINARY,
)
"""What is called so on some engines only."""


def render_type(plugin: str) -> RenderItem:
    """Give Alembic's hook that writes types; it leaves all other things to Alembic.

    Args:
        plugin: The plugin's name, for messages.
    """

    def render(kind: str, thing: Any, context: Any) -> "str | Literal[False]":
        if kind != "type":
            return False
        portable = _portable(thing)
        if not _is_sqlalchemy(portable):
            name = type(portable).__name__
            raise ModelsInvalid(
                plugin=plugin,
                problem=f"the type {name} is the plugin's own, and a migration must not import it",
                advice="Make it a TypeDecorator, of which the type that it decorates is written, or"
                " write the migration by hand: 'nexus db revision --empty'.",
            )
        if portable is thing:
            return False
        return _repr(portable, context)

    return render


def _portable(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    while isinstance(type_, TypeDecorator) and not _is_sqlalchemy(type_):
        type_ = type_.impl_instance
    is_sqlite = type(type_).__module__.startswith("sqlalchemy.dialects.sqlite")
    if is_sqlite or isinstance(type_, _ONLY_THERE):
        return type_.as_generic(allow_nulltype=True)
    return type_


def _is_sqlalchemy(type_: object) -> bool:
    return type(type_).__module__.partition(".")[0] == "sqlalchemy"


def _repr(type_: TypeEngine[Any], context: Any) -> str:
    from alembic.autogenerate.render import _repr_type

    text: str = _repr_type(type_, context)
    return text
