"""The layers of a plugin's configuration, and what comes of laying one over the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nexus.config.plugin_variables import (
    PluginVariable,
    parse_variable,
    variable_name,
    with_member,
)
from nexus.data.json_text import JSON
from nexus.manifest.problems import describe

if TYPE_CHECKING:
    from nexus.manifest import ConfigField


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The values of one source.

    Attributes:
        source: What an operator calls it, such as `config/default.yaml`.
        values: The values by key; None stands for no value.
    """

    source: str
    values: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One thing that is wrong with a plugin's configuration.

    Attributes:
        key: The setting, None when a whole file cannot be used.
        source: Where the value comes from.
        message: What is wrong and how to put it right, in words an operator understands.
        blocking: Whether the plugin cannot start because of it; a bad value that a higher layer
            overrides does no harm.
    """

    key: str | None
    source: str
    message: str
    blocking: bool = True


@dataclass(slots=True, kw_only=True)
class Effective:
    """The outcome: the value of each key, where it comes from, and what is wrong.

    Attributes:
        values: The values by key.
        sources: Where each value comes from.
        fixed: The variable that fixes a key, by key.
        problems: What is wrong with the values in any layer.
    """

    values: dict[str, JSON] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)


def lay(
    plugin: str,
    fields: "Mapping[str, ConfigField]",
    layers: Sequence[Layer],
    variables: Sequence[PluginVariable],
) -> Effective:
    """Lay the layers over each other, the lowest first, and the variables on top.

    A higher layer replaces a key's value as a whole, an object's too; only a variable can change a
    single member of an object.
    """
    effective = Effective()
    for layer in layers:
        for key, value in layer.values.items():
            if value is not None:
                effective.values[key] = value
                effective.sources[key] = layer.source
    _add_variables(effective, fields, variables)
    for layer in layers:
        _judge(effective, fields, layer)
    _judge_variables(effective, fields)
    _find_missing(effective, plugin, fields)
    return effective


def _add_variables(
    effective: Effective,
    fields: "Mapping[str, ConfigField]",
    variables: Sequence[PluginVariable],
) -> None:
    for one in variables:
        declared = fields.get(one.key)
        try:
            value = parse_variable(one, declared)
            value = with_member(effective.values.get(one.key), one.members, value)
        except ValueError as error:
            value = one.text
            expected = str(error).removeprefix("expected ")
            effective.problems.append(
                _refused(one.key, declared, value, expected, one.variable, blocking=True)
            )
        effective.values[one.key] = value
        effective.sources[one.key] = one.variable
        effective.fixed[one.key] = one.variable


def _judge(effective: Effective, fields: "Mapping[str, ConfigField]", layer: Layer) -> None:
    for key, declared in fields.items():
        value = layer.values.get(key)
        expected = None if value is None else declared.check(value)
        if expected is not None:
            blocking = effective.sources[key] == layer.source
            effective.problems.append(
                _refused(key, declared, value, expected, layer.source, blocking=blocking)
            )


def _judge_variables(effective: Effective, fields: "Mapping[str, ConfigField]") -> None:
    unreadable = {problem.source for problem in effective.problems}
    for key, variable in effective.fixed.items():
        declared = fields.get(key)
        if declared is None or variable in unreadable:
            continue
        value = effective.values[key]
        expected = declared.check(value)
        if expected is not None:
            effective.problems.append(
                _refused(key, declared, value, expected, variable, blocking=True)
            )


def _refused(
    key: str,
    declared: "ConfigField | None",
    value: JSON,
    expected: str,
    source: str,
    *,
    blocking: bool,
) -> ConfigProblem:
    found = describe(value, secret=declared is not None and declared.secret)
    message = f"Setting {key!r} in {source} is {found}; expected {expected}."
    return ConfigProblem(key=key, source=source, message=message, blocking=blocking)


def _find_missing(effective: Effective, plugin: str, fields: "Mapping[str, ConfigField]") -> None:
    for key, declared in fields.items():
        if declared.required and effective.values.get(key) in (None, ""):
            meaning = f" ({declared.description})" if declared.description else ""
            # The shell keeps what stands on the command line, so a secret is asked for.
            value, asks = ("", " (asks for it)") if declared.secret else (" <value>", "")
            message = (
                f"Setting {key!r}{meaning} is required and has no value. Set it with"
                f" 'nexus config set {plugin} {key}{value}'{asks}, with the environment variable"
                f" {variable_name(plugin, key)}, or as plugins.{plugin}.{key} in nexus.yaml."
            )
            source = effective.sources.get(key, "nowhere")
            effective.problems.append(ConfigProblem(key=key, source=source, message=message))
