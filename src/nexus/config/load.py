"""Loads the application's settings from nexus.yaml and the environment."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from nexus.config.environment import PLUGIN_PREFIX, read_environment
from nexus.config.references import BrokenReference, References
from nexus.config.setting_problem import SettingProblem, problems_of
from nexus.config.settings import Settings, describe_settings
from nexus.config.yaml_file import line_of, read_yaml
from nexus.errors import InvalidSettings, InvalidYaml, nearest
from nexus.manifest.problems import describe

FILE_NAME: Final = "nexus.yaml"
_OF_THE_COMMAND: Final = frozenset({"NEXUS_APP", "NEXUS_URL"})
"""Variables that the `nexus` command reads, and that are no settings."""

_PRIVATE_GROUPS: Final = frozenset({"security", "plugins"})
"""Where a value may be a secret."""

_MISSPELLED: Final = 0.9
"""How alike an unknown variable and a setting's are when it can only be a misspelling."""


def load_settings(
    root: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Load the settings of the application in a folder.

    Lowest to highest: the defaults, `nexus.yaml`, environment variables such as
    `NEXUS_SERVER__PORT`, and the overrides. Lists in variables are JSON or separated by commas; an
    empty variable counts as unset.

    Args:
        root: The application's folder.
        environ: The environment.
        overrides: Values from the command line, shaped like the file.

    Raises:
        InvalidSettings: Something is wrong; the error has all problems.
    """
    root = root.absolute()
    references = References(environ=environ, root=root)
    inputs = _Inputs(file=root / FILE_NAME, references=references)
    problems = inputs.read(environ, overrides or {})
    settings = Settings()
    try:
        settings = Settings.model_validate(inputs.merged())
    except ValidationError as error:
        told = {problem.path for problem in problems}  # a broken reference says it all
        found = problems_of(error, inputs.source_of, inputs.is_private)
        problems += [problem for problem in found if problem.path not in told]
    if problems:
        raise InvalidSettings(problems=problems)
    settings._root = root  # noqa: SLF001  what only loading knows
    settings._sources = inputs.sources()  # noqa: SLF001
    settings._warnings = tuple(inputs.warnings)  # noqa: SLF001
    settings._file_contents = tuple(inputs.references.contents)  # noqa: SLF001
    return settings


@dataclass(slots=True, kw_only=True)
class _Inputs:
    """What was given where."""

    file: Path
    references: References
    from_file: dict[str, Any] = field(default_factory=dict)
    from_environment: dict[str, Any] = field(default_factory=dict)
    variables: dict[tuple[str, ...], str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def read(
        self, environ: Mapping[str, str], overrides: Mapping[str, Any]
    ) -> list[SettingProblem]:
        problems: list[SettingProblem] = []
        self.overrides = overrides
        try:
            written = _without_empty_sections(read_yaml(self.file))
            self.from_file = self.references.replaced(written)
            problems += [self._told(broken) for broken in self.references.broken]
        except FileNotFoundError:
            pass
        except InvalidYaml as error:
            problems.append(SettingProblem.of_file(error))
        self.variables, self.from_environment = read_environment(environ)
        for path, variable in list(self.variables.items()):
            if path[0] not in Settings.model_fields or path[0] == "plugins":
                del self.variables[path]
                problems += self._judge_unknown(variable)
        for values in (self.from_file, self.from_environment):
            problems += self._without_misshapen(values)
        return problems

    def _without_misshapen(self, values: dict[str, Any]) -> list[SettingProblem]:
        """Take out what is no mapping where one belongs; merging would hide it."""
        problems = []
        for name, value in list(values.items()):
            if not _is_group(name) or isinstance(value, Mapping):
                continue
            problems.append(
                SettingProblem(
                    path=name,
                    source=self._source_below((name,)),
                    found=describe(value, secret=name in _PRIVATE_GROUPS),
                    expected="a mapping",
                )
            )
            del values[name]
        return problems

    def _judge_unknown(self, variable: str) -> list[SettingProblem]:
        if variable.upper() in _OF_THE_COMMAND:
            return []
        from difflib import SequenceMatcher

        known = [setting.variable for setting in describe_settings()]
        known += ["NEXUS_SECRET_KEY", "NEXUS_ADMIN_TOKEN"]
        close = nearest(variable.upper(), known)
        alike = close and SequenceMatcher(None, variable.upper(), close).ratio() > _MISSPELLED
        if "__" in variable or alike or variable.upper() == PLUGIN_PREFIX.rstrip("_"):
            return [SettingProblem.unknown_variable(variable, close)]
        # Others name variables NEXUS_ too, and container platforms make such ones by themselves.
        hint = f" Did you mean {close}?" if close else ""
        self.warnings.append(f"The environment variable {variable} is no setting.{hint}")
        return []

    def merged(self) -> dict[str, Any]:
        return _merge(_merge(self.from_file, self.from_environment), self.overrides)

    def is_private(self, place: tuple[str | int, ...]) -> bool:
        """Tell whether a value of the file, which a reference stands for, is the one in force."""
        return self.references.covers(place)

    def _told(self, broken: BrokenReference) -> SettingProblem:
        return SettingProblem(
            path=".".join(map(str, broken.place)),
            source=self._source_below(broken.place),
            found=broken.found,
            expected=broken.expected,
            nearest=broken.nearest,
        )

    def source_of(self, path: tuple[str | int, ...]) -> str:
        """Name the override, variable or line that gave a value."""
        if _contains(self.overrides, path[:1]) and _contains(self.overrides, path):
            return "override"
        return self._source_below(path)

    def _source_below(self, path: tuple[str | int, ...]) -> str:
        keys = tuple(str(part) for part in path)
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.variables:
                return self.variables[keys[:length]]
        if not self.from_file:
            return FILE_NAME
        line = line_of(self.file, path)
        return FILE_NAME if line is None else f"{FILE_NAME}, line {line}"

    def sources(self) -> dict[str, str]:
        sources = dict.fromkeys(_leaves(self.from_file), FILE_NAME)
        for path in _leaves(self.from_environment):
            sources[path] = self.source_of(tuple(path.split(".")))
        sources.update(dict.fromkeys(_leaves(self.overrides), "override"))
        return sources


def _without_empty_sections(data: dict[str, Any]) -> dict[str, Any]:
    """A section whose lines are all commented out reads as null and means nothing."""
    kept = {key: value for key, value in data.items() if value is not None}
    plugins = kept.get("plugins")
    if isinstance(plugins, dict):
        kept["plugins"] = {
            name: {} if values is None else values for name, values in plugins.items()
        }
    return kept


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = {**below, **value}
        else:
            merged[key] = value
    return merged


def _is_group(name: str) -> bool:
    known = Settings.model_fields.get(name)
    return known is not None and isinstance(known.default, (BaseModel, dict))


def _contains(data: Any, path: tuple[str | int, ...]) -> bool:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True


def _leaves(data: Mapping[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if key != "plugins" and _is_group(key) and isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in value)
        else:
            yield key
