import ast
import re
from pathlib import Path

import pytest

from nexus.cli.errors import CannotWrite
from nexus.cli.template import template_text
from nexus.config import load_settings


def test_an_application_is_made(nexus, tmp_path: Path) -> None:
    said = nexus("init", str(tmp_path / "my-shop"), "--json")

    folder = tmp_path / "my-shop"
    made = ["nexus.yaml", "main.py", "plugins/__init__.py", ".gitignore"]
    assert said.json == {"folder": str(folder), "made": made, "kept": []}
    assert load_settings(folder, environ={}).name == "My shop"
    ast.parse((folder / "main.py").read_text(encoding="utf-8"))
    assert "data/" in (folder / ".gitignore").read_text(encoding="utf-8").split()


def test_the_current_folder_is_the_default(nexus, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = nexus("init")
    assert said.code == 0
    assert (tmp_path / "nexus.yaml").is_file()
    assert "nexus plugin create hello" in said.out


def test_nothing_is_overwritten(nexus, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("mine", encoding="utf-8")

    said = nexus("init", str(tmp_path), "--json")

    assert said.json["kept"] == ["main.py"]
    assert (tmp_path / "main.py").read_text(encoding="utf-8") == "mine"
    again = nexus("init", str(tmp_path))
    assert again.code == 0
    assert "Nothing to do" in again.out


def test_a_place_that_cannot_be_written_is_told(nexus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    said = nexus("init", str(tmp_path / "file"), "--json")
    assert said.code == 1
    assert said.error["code"] == CannotWrite.code


def test_every_setting_in_the_file_stands_there_with_its_default(tmp_path: Path) -> None:
    text = template_text("nexus.yaml.txt", name='"Test"')
    examples = r"secret_key|admin_token|hello|greeting|url"
    shown = re.findall(rf"^ *# (?!(?:{examples}):)(\w+: \S.*)$", text, re.MULTILINE)
    assert len(shown) > 15
    live = re.sub(rf"^( *)# (?!(?:{examples}):)(\w+: \S.*)$", r"\1\2", text, flags=re.MULTILINE)
    (tmp_path / "nexus.yaml").write_text(live, encoding="utf-8")

    settings = load_settings(tmp_path, environ={})

    (tmp_path / "nexus.yaml").write_text("name: Test\n", encoding="utf-8")
    assert settings.model_dump() == load_settings(tmp_path, environ={}).model_dump()


@pytest.mark.parametrize("name", ["Ünï: #1", "a'b\"c", "{x}", "- y"])
def test_any_folder_name_makes_a_valid_file(nexus, tmp_path: Path, name: str) -> None:
    nexus("init", str(tmp_path / name))
    assert load_settings(tmp_path / name, environ={}).name
