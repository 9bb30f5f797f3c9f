"""Errors about settings and secrets."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from nexus.errors.base import NexusError


class InvalidYaml(NexusError):
    """A YAML file cannot be used."""

    code = "invalid-yaml"

    def __init__(self, *, path: str, line: int | None, column: int | None, problem: str) -> None:
        super().__init__(path=path, line=line, column=column, problem=problem)

    @override
    def render(self) -> str:
        line, column = self.data["line"], self.data["column"]
        place = "" if line is None else f", line {line}, column {column}"
        return f"{self.data['path']}{place}: {self.data['problem']}. Correct the file."


class InvalidSettings(NexusError):
    """The application's settings have problems, all of which are told."""

    code = "invalid-settings"

    def __init__(self, *, problems: Sequence[Any]) -> None:
        super().__init__(problems=tuple(problems))

    @override
    def render(self) -> str:
        problems = self.data["problems"]
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem.render()}" for problem in problems)
        return f"The settings have {count}:{lines}\nThe reference of settings lists all of them."


class ConfigValueRefused(NexusError):
    """A value does not fit what a plugin's manifest declares."""

    code = "config-value-refused"

    def __init__(self, *, plugin: str, key: str, expected: str, found: str) -> None:
        super().__init__(plugin=plugin, key=key, expected=expected, found=found)

    @override
    def render(self) -> str:
        return (
            f"Setting {self.data['key']!r} of plugin {self.data['plugin']!r} expects"
            f" {self.data['expected']}, and found {self.data['found']}. Nothing was changed."
        )


class ConfigKeyFixed(NexusError):
    """A setting has its value from the environment, which no stored value can override."""

    code = "config-key-fixed"

    def __init__(self, *, plugin: str, key: str, variable: str) -> None:
        super().__init__(plugin=plugin, key=key, variable=variable)

    @override
    def render(self) -> str:
        return (
            f"Setting {self.data['key']!r} of plugin {self.data['plugin']!r} is fixed by the"
            f" environment variable {self.data['variable']}. Change it there, or unset it and"
            " restart."
        )


class SecretUndecryptable(NexusError):
    """A stored secret was encrypted with another key."""

    code = "secret-undecryptable"

    def __init__(self, *, plugin: str, key: str) -> None:
        super().__init__(plugin=plugin, key=key)

    @override
    def render(self) -> str:
        return (
            f"The stored value of {self.data['key']!r} of plugin {self.data['plugin']!r} was"
            " encrypted with another key. Bring back the secret.key file or NEXUS_SECRET_KEY it"
            f" was stored with, or set it again: nexus config set {self.data['plugin']}"
            f" {self.data['key']} (asks for it)"
        )


class SecretKeyUnusable(NexusError):
    """The key that encrypts stored secrets cannot be made or read."""

    code = "secret-key-unusable"

    def __init__(self, *, path: str, problem: str, advice: str) -> None:
        super().__init__(path=path, problem=problem, advice=advice)

    @override
    def render(self) -> str:
        return f"The key file {self.data['path']} {self.data['problem']}. {self.data['advice']}"


class ConfigInTransaction(NexusError):
    """A plugin set a setting inside a transaction."""

    code = "config-in-transaction"

    def __init__(self, *, plugin: str, key: str) -> None:
        super().__init__(plugin=plugin, key=key)

    @override
    def render(self) -> str:
        return (
            f"Plugin {self.data['plugin']!r} called set_config({self.data['key']!r}) inside"
            " db.transaction(). Settings are in force at once and are no part of a transaction."
            " Call it before or after the block; nothing was set."
        )
