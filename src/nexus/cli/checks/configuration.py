"""Holds the files in a plugin's `config/` against its manifest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nexus.cli.checks.finding import Finding, Level
from nexus.config.yaml_file import read_yaml
from nexus.errors import InvalidYaml, nearest
from nexus.manifest import Manifest
from nexus.manifest.problems import describe


def check_configuration(folder: Path, manifest: Manifest) -> list[Finding]:
    """Find values that do not fit, settings that are not declared, and secrets in files."""
    findings: list[Finding] = []
    given: set[str] = set()
    for path in sorted((folder / "config").glob("*.y*ml")):
        place = f"config/{path.name}"
        if path.suffix != ".yaml":
            message = "is not read. Expected the ending .yaml; rename it."
            findings.append(Finding(level=Level.WARNING, place=place, message=message))
            continue
        try:
            values = read_yaml(path)
        except InvalidYaml as error:
            message = error.render().removeprefix(f"{path}").lstrip(",: ")
            findings.append(Finding(level=Level.ERROR, place=place, message=message))
            continue
        given |= {key for key, value in values.items() if value is not None}
        findings += _judge(place, values, manifest)
    for key, declared in manifest.configuration.items():
        if declared.required and not declared.has_default and key not in given:
            value = " (asks for it)" if declared.secret else " VALUE"
            message = (
                f"{key!r} is required and has no value of its own: the plugin is blocked until an"
                f" operator sets it: nexus config set {manifest.name} {key}{value}"
            )
            place = f"manifest.json $.configuration.{key}"
            findings.append(Finding(level=Level.NOTE, place=place, message=message))
    return findings


def _judge(place: str, values: dict[str, Any], manifest: Manifest) -> Iterator[Finding]:
    for key, value in values.items():
        declared = manifest.configuration.get(key)
        if declared is None:
            close = nearest(key, tuple(manifest.configuration))
            hint = f" Did you mean {close!r}?" if close else ""
            message = f"{key!r} is not declared in the manifest, so nothing checks it.{hint}"
            yield Finding(level=Level.NOTE, place=place, message=message)
            continue
        if value is None:
            continue
        expected = declared.check(value)
        if expected is not None:
            found = describe(value, secret=declared.secret)
            message = f"{key!r} is {found}; expected {expected}."
            yield Finding(level=Level.ERROR, place=place, message=message)
        if declared.secret:
            message = (
                f"{key!r} is a secret, and here it stands in a file in plain text. Set it in the"
                " environment or with 'nexus config set'."
            )
            yield Finding(level=Level.NOTE, place=place, message=message)
