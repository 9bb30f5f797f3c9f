import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from nexus import create_nexus_app
from nexus.cli.output import Output
from nexus.cli.reloading import bring_in, concerns_plugins, reload_on_change
from nexus.errors import DatabaseUnavailable

PLUGINS = Path("/srv/tests/.hidden/plugins")


@pytest.mark.parametrize(
    "name",
    [
        "hello/plugin.py",
        "hello/manifest.json",
        "hello/config/default.yaml",
        "tools/hello/schemas/models.py",
        "hello/templates/page.html",
        "hello",
    ],
)
def test_files_of_a_plugin_concern_it(name: str) -> None:
    assert concerns_plugins(PLUGINS / name, [PLUGINS])


@pytest.mark.parametrize(
    "name",
    [
        "hello/__pycache__/plugin.cpython-311.pyc",
        "hello/plugin.pyc",
        "hello/tests/test_plugin.py",
        "hello/migrations/versions/0001_first_tables.py",
        "hello/data/cache.db",
        "hello/.git/index",
        "hello/.plugin.py.swp",
        "hello/plugin.py~",
        "hello/plugin.py.tmp",
        "hello/#plugin.py#",
        "hello/.#plugin.py",
        "hello/4913",
        "hello/__pycache__",
        "../elsewhere/plugin.py",
    ],
)
def test_other_files_do_not(name: str) -> None:
    path = Path("/srv/elsewhere/plugin.py") if name.startswith("..") else PLUGINS / name
    assert not concerns_plugins(path, [PLUGINS])


async def test_trouble_with_the_database_does_not_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "nexus.yaml").write_text("name: Test\n", encoding="utf-8")
    app = create_nexus_app(tmp_path, environ={}, configure_logging=False)
    rescans: asyncio.Queue[None] = asyncio.Queue()
    change = {(watchfiles.Change.added, str((tmp_path / "plugins" / "new").resolve()))}

    async def changes(*folders: Path, **options: Any) -> AsyncIterator[Any]:
        if options.get("recursive", True):
            yield change
            yield change
        await asyncio.Event().wait()

    async def rescan() -> list[str]:
        await rescans.put(None)
        raise DatabaseUnavailable(path="x", problem="it is away", advice="Bring it back.")

    monkeypatch.setattr(watchfiles, "awatch", changes)
    monkeypatch.setattr(app.manager, "rescan", rescan)
    watching = asyncio.ensure_future(reload_on_change(Output(), app))
    async with asyncio.timeout(30):
        await rescans.get()
        await rescans.get()
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert "it is away" in capsys.readouterr().out
    assert not logging.getLogger("watchfiles.main").isEnabledFor(logging.INFO)


PLUGIN = """
from nexus.plugins import BasePlugin
class Made(BasePlugin):
    async def initialize(self):
        return True
"""


def write_plugin(folder: Path, name: str, version: str = "1.0.0", **manifest: Any) -> list[Path]:
    plugin = folder / "plugins" / name
    plugin.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "version": version, **manifest}
    (plugin / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    (plugin / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    return [plugin / "manifest.json"]


async def test_starts_stops_and_reloads_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nexus.yaml").write_text("name: Test\n", encoding="utf-8")
    required = {"key": {"type": "string", "required": True}}
    write_plugin(tmp_path, "stock", configuration=required)
    write_plugin(tmp_path, "shop", dependencies=["stock<2"])
    app = create_nexus_app(tmp_path, environ={}, configure_logging=False)

    async def told(paths: list[Path]) -> list[str]:
        await bring_in(Output(), app, paths)
        return [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]

    async with app.running():
        await app.manager.settle()
        started = await told(write_plugin(tmp_path, "stock"))
        reloaded = await told(write_plugin(tmp_path, "stock"))
        too_new = await told(write_plugin(tmp_path, "stock", "2.0.0"))
    assert re.fullmatch(r"stock started in \d+ ms \(generation 1\)", started[0])
    assert started[1:] == ["shop started (generation 1)"]
    assert len(reloaded) == 1
    assert re.fullmatch(r"stock reloaded in \d+ ms \(generation 2\)", reloaded[0])
    assert too_new[1] == (
        "shop stopped; it is blocked: It needs stock<2, and version 2.0.0 is there."
    )
