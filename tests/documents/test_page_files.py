"""The plugins that the documents show, file by file, run as shown.

A block that follows a line such as "`plugins/hello/plugin.py`:" is that file. A later block for the
same path takes its place, as it does for the reader.
"""

import ast
import asyncio
import importlib.util
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from nexus import NexusApp
from nexus.errors import EventContractViolated
from nexus.plugins.state import PluginState
from nexus.testing import app_for, management_headers, settle_events

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"`(?P<path>[\w./-]+\.\w+)`:\n\n(?:<!---.*?-->\n)?```\w+\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def write_files(page: str, folder: Path, *, versions: int = 99) -> None:
    """Write the files of a page, up to so many versions of each."""
    seen: dict[str, int] = {}
    for match in BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")):
        path = match["path"]
        seen[path] = seen.get(path, 0) + 1
        if seen[path] <= versions:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(match["text"], encoding="utf-8")
    assert seen, page
    (folder / "nexus.yaml").write_text("name: Documents\n")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[NexusApp, httpx.AsyncClient]]:
    async with app_for(folder) as app:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield app, client


@pytest.mark.parametrize("versions", [1, 2])
async def test_the_guest_book_of_the_tutorial_keeps_entries(tmp_path: Path, versions: int) -> None:
    write_files("docs/tutorial/first-plugin.md", tmp_path, versions=versions)
    async with served(tmp_path) as (_, client):
        entry = {"visitor": "Ada", "text": "A fine place."}
        added = await client.post("/plugins/guestbook/entries", json=entry)
        assert (added.status_code, added.json()) == (201, entry)
        assert (await client.get("/plugins/guestbook/entries")).json() == [entry]


@contextmanager
def shown_tests(folder: Path, plugin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the tests that a page shows for a plugin, and forget the plugin afterwards."""
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in [name for name in sys.modules if name.split(".")[0] == "plugins"]:
        monkeypatch.delitem(sys.modules, name)
    path = folder / "plugins" / plugin / "tests" / "test_plugin.py"
    spec = importlib.util.spec_from_file_location("shown_test_plugin", path)
    assert spec is not None
    assert spec.loader is not None
    shown = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(shown)
        yield shown
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "plugins"]:
            sys.modules.pop(name)


async def test_the_tests_of_the_tutorial_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files("docs/tutorial/first-plugin.md", tmp_path)
    with shown_tests(tmp_path, "guestbook", monkeypatch) as shown:
        await shown.test_the_oldest_entries_make_room()
        async with served(tmp_path) as (_, client):
            await shown.test_an_entry_without_a_visitor_is_refused(client)


async def test_the_test_of_the_guide_to_settings_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files("docs/how-to/configure-a-plugin.md", tmp_path)
    with shown_tests(tmp_path, "mailer", monkeypatch) as shown:
        await shown.test_a_change_of_the_mode_counts_at_once()


async def test_the_guest_book_says_which_permission_it_lacks(tmp_path: Path) -> None:
    write_files("docs/tutorial/first-plugin.md", tmp_path, versions=1)
    manifest = tmp_path / "plugins" / "guestbook" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(', "database.write"', ""))
    async with served(tmp_path) as (_, client):
        entry = {"visitor": "Bob", "text": "Nice."}
        refused = await client.post("/plugins/guestbook/entries", json=entry)
        assert refused.status_code == 403
        assert refused.json()["code"] == "permission-denied"
        assert '"database.write"' in refused.json()["detail"]


async def test_the_two_plugins_of_the_tutorial_work_together(tmp_path: Path) -> None:
    write_files("docs/tutorial/two-plugins.md", tmp_path)
    async with served(tmp_path) as (app, client):
        statuses = [(await client.post("/plugins/shop/orders/tea")).status_code for _ in range(4)]
        assert statuses == [201, 201, 201, 409]
        await settle_events(app)
        assert (await client.get("/plugins/shop/sold-out")).json() == ["tea"]

        headers = management_headers(app)
        await client.post("/api/v1/plugins/stock/disable", headers=headers)
        blocked = app.manager.status("shop")
        assert blocked is not None
        assert blocked.state is PluginState.BLOCKED
        assert blocked.reason == (
            "It needs the plugin 'stock', which is disabled. Enable it with 'nexus plugin enable"
            " stock'."
        )
        away = await client.post("/plugins/shop/orders/coffee")
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")

        await client.post("/api/v1/plugins/stock/enable", headers=headers)
        await app.manager.settle()
        assert (await client.post("/plugins/shop/orders/coffee")).status_code == 201


async def test_the_service_of_the_guide_is_reached_through_reloads(tmp_path: Path) -> None:
    write_files("docs/how-to/share-a-service.md", tmp_path)
    async with served(tmp_path) as (app, client):
        assert (await client.get("/plugins/prices/tea/USD")).json() == 4.32
        await app.manager.reload("rates")
        assert (await client.get("/plugins/prices/tea/USD")).json() == 4.32


async def test_the_library_of_the_guide_to_models_lends_each_copy_once(tmp_path: Path) -> None:
    write_files("docs/how-to/use-models.md", tmp_path)
    async with served(tmp_path) as (_, client):
        added = await client.post("/plugins/library/books?title=Emma&author=Jane%20Austen")
        assert (added.status_code, added.json()) == (201, 1)
        shown = await client.get("/plugins/library/authors/Jane%20Austen")
        assert shown.json() == ["Emma"]
        loans = [client.post("/plugins/library/books/1/loans") for _ in range(3)]
        statuses = [answer.status_code for answer in await asyncio.gather(*loans)]
        assert sorted(statuses) == [201, 409, 409]


def test_the_migration_in_the_guide_to_models_is_what_the_command_writes(tmp_path: Path) -> None:
    write_files("docs/how-to/use-models.md", tmp_path)
    file = tmp_path / "plugins/library/migrations/versions/0001_first_tables.py"
    shown = file.read_text(encoding="utf-8")
    file.unlink()
    command = [sys.executable, "-m", "nexus.cli", "db", "revision", "library"]
    subprocess.run([*command, "-m", "First tables"], cwd=tmp_path, check=True, capture_output=True)
    # The page's code is formatted like all code of the project; Alembic breaks lines elsewhere.
    written = file.read_text(encoding="utf-8")
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(shown))


async def test_the_plugin_of_the_readme_counts_its_greetings(tmp_path: Path) -> None:
    write_files("README.md", tmp_path)
    async with served(tmp_path) as (_, client):
        await client.get("/plugins/greeter/greet/Ada")
        second = (await client.get("/plugins/greeter/greet/Bob")).json()
        assert second == {"text": "Hello, Bob!", "count": 2}


async def test_the_events_that_plugins_agree_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/how-to/agree-on-event-data.md").read_text(encoding="utf-8")
    write_files("docs/how-to/agree-on-event-data.md", tmp_path)
    monkeypatch.chdir(tmp_path)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "nexus", "plugin", "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    shown = page.split("$ nexus plugin check\n")[1].split("```")[0]
    assert done.returncode == 1
    assert done.stdout.split() == shown.split()
    async with served(tmp_path) as (app, _):
        generations: Any = [app.manager.controller(name).live for name in ("shop", "billing")]
        shop, billing = (each.hosted.plugin for each in generations)
        with pytest.raises(EventContractViolated) as caught:
            await shop.sell({"order_id": "A-1", "total": 12.5})
        assert str(caught.value) == page.split("```text\n")[1].split("\n```")[0]
        await shop.sell({"order_id": 1, "total": 12.5})
        while not billing.cents:  # it comes from the event log
            await asyncio.sleep(0.01)
        assert billing.cents == {1: 1250}
