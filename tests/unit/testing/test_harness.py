"""Running a plugin in a real application."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nexus.errors import PluginNotFound, PluginNotRunning
from nexus.testing import app_for, management_headers
from nexus.testing.harness import plugin_in

if TYPE_CHECKING:
    from nexus.app import NexusApp


async def get(app: "NexusApp", path: str, **options: Any) -> Any:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as client:
        return (await client.get(path, **options)).json()


def add(greeter: Path, name: str, **manifest: Any) -> Path:
    folder = greeter.parent / name
    folder.mkdir()
    (folder / "plugin.py").write_text(
        (greeter / "plugin.py").read_text().replace("greeter.", f"{name}.")
    )
    own = json.loads((greeter / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**own, "name": name, **manifest}))
    return folder


async def test_the_plugin_serves_on_a_data_folder_of_its_own(greeter: Path) -> None:
    async with app_for(greeter) as app:
        assert await get(app, "/plugins/greeter/greet/Ada") == {"text": "Hello, Ada"}
        assert plugin_in(app, "greeter").initialized
        assert not app.settings.data_folder.is_relative_to(greeter.parent.parent)
        folder = app.settings.data_folder
    assert not folder.exists()
    assert not (greeter.parent.parent / "data").exists()


async def test_data_in_a_given_folder_survives(greeter: Path, tmp_path: Path) -> None:
    async with app_for(greeter, data_dir=tmp_path / "kept") as app:
        await get(app, "/plugins/greeter/greet/Ada")
    async with app_for(greeter, data_dir=tmp_path / "kept") as app:
        assert await get(app, "/plugins/greeter/last") == {"name": "Ada"}


async def test_dependencies_run_too_and_neighbors_do_not(greeter: Path) -> None:
    needy = add(greeter, "needy", dependencies=["greeter"])
    add(greeter, "neighbor")
    async with app_for(needy) as app:
        states = {each.name: str(each.status.state) for each in app.manager.controllers()}
    assert states == {"greeter": "running", "needy": "running", "neighbor": "disabled"}
    async with app_for(greeter, plugins=["neighbor"]) as app:
        assert str(app.manager.controller("neighbor").status.state) == "running"


async def test_an_applications_folder_runs_all_its_plugins(greeter: Path) -> None:
    root = greeter.parent.parent
    (root / "nexus.yaml").write_text("name: Here\nplugins: {greeter: {word: Bonjour, more: 1}}\n")
    add(greeter, "neighbor")
    async with app_for(root, config={"greeter": {"more": 2}}) as app:
        assert app.settings.name == "Here"
        assert await get(app, "/plugins/greeter/greet/Ada") == {"text": "Bonjour, Ada"}
        assert await plugin_in(app, "greeter").get_config("more") == 2
        assert plugin_in(app, "neighbor").initialized


async def test_a_plugin_by_itself_gets_an_application_around_it(
    greeter: Path, tmp_path: Path
) -> None:
    alone = greeter.rename(tmp_path / "nexus-greeter")
    async with app_for(alone) as app:
        assert await get(app, "/plugins/greeter/greet/Ada") == {"text": "Hello, Ada"}


async def test_a_plugin_that_does_not_run_is_an_error_that_says_why(greeter: Path) -> None:
    add(greeter, "needy", dependencies=["missing"])
    with pytest.raises(PluginNotRunning, match=r"'needy' is blocked: .*missing"):
        async with app_for(greeter.parent / "needy"):
            pass
    async with app_for(greeter.parent / "needy", require_running=False) as app:
        assert str(app.manager.controller("needy").status.state) == "blocked"
        with pytest.raises(PluginNotRunning):
            plugin_in(app, "needy")
    with pytest.raises(PluginNotFound):
        async with app_for(greeter, plugins=["absent"]):
            pass


async def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no plugin's folder"):
        async with app_for(tmp_path / "empty"):
            pass


async def test_the_environment_reaches_plugins_only_and_below_what_the_test_says(
    greeter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXUS_DATABASE__URL", "sqlite:////nowhere/precious.db")
    monkeypatch.setenv("NEXUS_PLUGINS__GREETER__WORD", "Moin")
    async with app_for(greeter) as app:
        assert Path(app.database.location).is_relative_to(app.settings.data_folder)
        assert await plugin_in(app, "greeter").get_config("word") == "Moin"
    async with app_for(greeter, config={"greeter": {"word": "Ahoy"}}) as app:
        assert await plugin_in(app, "greeter").get_config("word") == "Ahoy"


async def test_the_applications_own_database_is_left_alone(greeter: Path) -> None:
    root = greeter.parent.parent
    (root / "nexus.yaml").write_text("database: {url: 'sqlite:///precious.db'}\ndata_dir: own\n")
    async with app_for(greeter) as app:
        await get(app, "/plugins/greeter/greet/Ada")
    assert not (root / "precious.db").exists()
    assert not (root / "own").exists()


async def test_settings_of_the_application_can_be_given(greeter: Path) -> None:
    async with app_for(greeter, settings={"name": "Mine", "startup": {"timeout": 7}}) as app:
        assert app.settings.name == "Mine"
        assert app.settings.startup.timeout == 7
        assert app.settings.startup.plugins == ["greeter"]


async def test_the_management_api_opens_with_the_headers(greeter: Path) -> None:
    async with app_for(greeter) as app:
        answer = await get(app, "/api/v1/plugins", headers=management_headers(app))
    assert [plugin["name"] for plugin in answer["items"]] == ["greeter"]
