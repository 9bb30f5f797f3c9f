"""A plugin's settings in the environment: `NEXUS_PLUGINS__<NAME>__<KEY>`."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from nexus.data.json_text import JSON, check_json
from nexus.errors import NexusError

if TYPE_CHECKING:
    from nexus.manifest import ConfigField

_PREFIX: Final = "NEXUS_PLUGINS__"
_OTHERS: Final = re.compile(r"[^a-z0-9_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginVariable:
    """One environment variable for one plugin.

    Attributes:
        variable: Its name.
        key: The setting it belongs to.
        members: Where inside the setting's object it points, empty for the setting as a whole.
        text: Its text.
    """

    variable: str
    key: str
    members: tuple[str, ...]
    text: str


def variable_name(plugin: str, key: str) -> str:
    """Give the name of the variable that sets this key of this plugin."""
    return f"{_PREFIX}{plugin}__{_plain(key)}".upper()


def variables_of_plugins(environ: Mapping[str, str]) -> dict[str, str]:
    """Give what an environment holds for plugins, for hundreds of them to look through."""
    return {name: text for name, text in environ.items() if name.upper().startswith(_PREFIX)}


def plugin_variables(
    plugin: str, declared: Iterable[str], environ: Mapping[str, str]
) -> list[PluginVariable]:
    """Find a plugin's variables, those for a setting as a whole first.

    Upper and lower case are one, and a character of a key that no variable can have is `_`. What is
    left after a declared key names members of its object, and a key that is not declared is taken
    in lower case up to the next `__`.
    """
    prefix = f"{_PREFIX}{plugin}__".upper()
    names = [name for name in environ if name[: len(prefix)].upper() == prefix]
    if not names:
        return []
    keys = {_plain(key): key for key in declared}
    found: list[PluginVariable] = []
    for name in names:
        parts = name[len(prefix) :].lower().split("__")
        key, members = parts[0], parts[1:]
        for length in range(len(parts), 0, -1):
            known = keys.get("__".join(parts[:length]))
            if known is not None:
                key, members = known, parts[length:]
                break
        if key:
            found.append(
                PluginVariable(variable=name, key=key, members=tuple(members), text=environ[name])
            )
    return sorted(found, key=lambda one: (len(one.members), one.variable))


def parse_variable(one: PluginVariable, field: "ConfigField | None") -> JSON:
    """Turn a variable's text into a value.

    A declared setting's text is read by its type; any other text is JSON if it can be read as JSON,
    else text.

    Raises:
        ValueError: The text is not of the declared form; the message says what is expected.
    """
    if field is None or one.members:
        return _json_or_text(one.text)
    return field.parse_text(one.text)


def with_member(value: JSON, members: tuple[str, ...], member: JSON) -> JSON:
    """Give a copy of an object in which one member, however deep, has another value.

    Raises:
        ValueError: What is there is no object.
    """
    if not members:
        return member
    if value is not None and not isinstance(value, dict):
        raise ValueError("an object, since the variable names a member of one")
    name = next((key for key in value or {} if _plain(key) == members[0]), members[0])
    return {**(value or {}), name: with_member((value or {}).get(name), members[1:], member)}


def _plain(key: str) -> str:
    return _OTHERS.sub("_", key.lower())


def _json_or_text(text: str) -> JSON:
    try:
        value = json.loads(text, parse_constant=_refuse)
        check_json(value)
    except (ValueError, RecursionError, NexusError):
        return text
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
