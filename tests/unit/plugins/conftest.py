import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PluginWriter = Callable[..., Path]


@pytest.fixture
def write_plugin(tmp_path: Path) -> PluginWriter:
    """Write a plugin's folder; files by path, and manifest keys by name."""

    def write(place: str, files: dict[str, str] | None = None, **manifest: Any) -> Path:
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        stated = {"name": folder.name, "version": "1.0.0", **manifest}
        (folder / "manifest.json").write_text(json.dumps(stated))
        for path, text in {"plugin.py": "", **(files or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return write
