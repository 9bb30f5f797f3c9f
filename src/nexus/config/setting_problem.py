"""One thing that is wrong with the application's settings, and how it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from nexus.config.settings import Settings
from nexus.errors import InvalidYaml, nearest
from nexus.manifest.problems import describe

_PRIVATE: Final = ("security", "plugins", "database.url", "events.engine")
"""Where a value may be a secret, also where its key is misspelled."""

_EXPECTED: Final = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "int_type": "an integer",
    "list_type": "a list",
    "model_type": "a mapping",
    "path_type": "a path",
    "string_type": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """One finding about the settings.

    Attributes:
        path: The setting, such as `server.port`; empty when the file as a whole cannot be used.
        source: The file and line, the environment variable, or `override`.
        found: What stands there; what may be a secret is masked.
        expected: What should stand there; empty when `found` says it all.
        nearest: The closest setting that exists, None when nothing is close.
    """

    path: str
    source: str
    found: str
    expected: str
    nearest: str | None = None

    def render(self) -> str:
        """Tell the problem in one line."""
        hint = f" Did you mean {self.nearest}?" if self.nearest else ""
        if not self.path:
            return f"{self.source}: {self.found}."
        return f"{self.path} ({self.source}): found {self.found}; expected {self.expected}.{hint}"

    __str__ = render

    @classmethod
    def of_file(cls, error: InvalidYaml) -> "SettingProblem":
        """Tell that the file itself cannot be used."""
        place = "" if error.line is None else f", line {error.line}, column {error.column}"
        return cls(path="", source=f"{error.path}{place}", found=error.problem, expected="")

    @classmethod
    def unknown_variable(cls, variable: str, close: str | None) -> "SettingProblem":
        """Tell that an environment variable sets nothing."""
        return cls(
            path=variable,
            source="environment",
            found="an unknown variable",
            expected="a setting's name such as NEXUS_SERVER__PORT",
            nearest=close,
        )


def problems_of(
    error: ValidationError,
    source_of: Callable[[tuple[str | int, ...]], str],
    is_private: Callable[[tuple[str | int, ...]], bool],
) -> list[SettingProblem]:
    """Give the problems that validation found.

    Args:
        error: What validation raised.
        source_of: Names where a value was given.
        is_private: Tells whether a value must not be shown, whatever setting it is for.
    """
    return [
        _problem(
            details["type"],
            details["loc"],
            details["msg"],
            _Private() if is_private(details["loc"]) else details["input"],
            source_of,
        )
        for details in error.errors(include_url=False, include_context=False)
    ]


def _problem(
    kind: str,
    place: tuple[str | int, ...],
    message: str,
    value: Any,
    source_of: Callable[[tuple[str | int, ...]], str],
) -> SettingProblem:
    path = ".".join(str(part) for part in place)
    source = source_of(place)
    if kind == "extra_forbidden":
        return SettingProblem(
            path=path,
            source=source,
            found="an unknown setting",
            expected="one of " + ", ".join(_known(place)),
            nearest=_nearest(place),
        )
    together = kind == "value_error" and len(place) == 1  # a rule between a section's settings
    expected = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return SettingProblem(
        path=path,
        source=source,
        found="these values" if together else _found(path, value),
        expected=_EXPECTED.get(kind, expected[:1].lower() + expected[1:]),
    )


def _found(path: str, value: Any) -> str:
    if isinstance(value, _Private):
        return "what the reference stands for"
    return describe(value, secret=path.startswith(_PRIVATE))


class _Private:
    """Stands for a value that must not be shown."""


def _known(place: Sequence[str | int]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in place[:-1]:
        default = model.model_fields[str(part)].default
        model = type(default)
    return list(model.model_fields)


def _nearest(place: Sequence[str | int]) -> str | None:
    name = str(place[-1])
    close = nearest(name, _known(place))
    if close is None:  # a setting in the wrong section, or in none
        return next((s for s in _all_paths() if s.endswith(f".{name}") or s == name), None)
    return ".".join([*(str(part) for part in place[:-1]), close])


def _all_paths() -> list[str]:
    from nexus.config.settings import describe_settings

    return [setting.path for setting in describe_settings()]
