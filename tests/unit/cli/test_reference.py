"""The reference names every command, option and error of the command line."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from nexus.cli import errors
from nexus.cli.exit_codes import ExitCode
from nexus.cli.main import app

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/cli.md").read_text(encoding="utf-8")
ROOT = typer.main.get_command(app)


def commands(command: Any, words: tuple[str, ...] = ("nexus",)) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield " ".join(words), command
        return
    for name, one in inner.items():
        yield from commands(one, (*words, name))


COMMANDS = dict(commands(ROOT))


def section(name: str) -> str:
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_reference_with_its_options(name: str) -> None:
    text = section(name)
    assert f"`{name}" in text
    for parameter in COMMANDS[name].params:
        if parameter.name == "help":
            continue
        options = [*parameter.opts, *parameter.secondary_opts]
        if parameter.param_type_name == "argument":
            options = re.findall(r"[A-Z]+", parameter.metavar or "")
        for option in options:
            assert re.search(rf"`{option}\b", text), f"{option} of {name}"


def test_the_reference_has_no_command_that_is_gone() -> None:
    assert set(re.findall(r"^## (nexus .*)$", PAGE, re.MULTILINE)) == set(COMMANDS)


def test_every_option_of_the_outermost_command_is_in_the_reference() -> None:
    for parameter in ROOT.params:
        for option in parameter.opts:
            assert option in PAGE


def test_every_error_is_in_the_reference_with_its_exit_code() -> None:
    for kind in vars(errors).values():
        if not inspect.isclass(kind) or not issubclass(kind, errors.CommandError):
            continue
        if kind is errors.CommandError:
            continue
        row = re.search(rf"^\| `{kind.code}` \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
        assert row is not None, kind.code
        assert str(int(kind.exit_code)) in row[1]
        assert row[2] == (kind.__doc__ or "").strip().splitlines()[0]


def test_every_exit_code_is_in_the_reference() -> None:
    for code in ExitCode:
        assert f"| {int(code)} | " in PAGE


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(nexus: Any, name: str) -> None:
    said = nexus(*name.split()[1:], "--help")
    assert said.code == 0
    assert len(COMMANDS[name].help or "") > 20
    assert max(len(line) for line in said.out.splitlines()) <= 80
