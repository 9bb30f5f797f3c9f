"""Runs a plugin in a real application that lives in a temporary folder."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus.config import load_settings, variable_name
from nexus.errors import PluginNotRunning
from nexus.plugins import PluginState
from nexus.plugins.discovery import DiscoveredPlugin, discover
from nexus.testing.databases import database_for
from nexus.testing.surroundings import Surroundings, surroundings_of

if TYPE_CHECKING:
    from nexus.app import NexusApp
    from nexus.plugins import BasePlugin

_SHORT_LIMITS = {"drain_timeout": 2.0, "timeout": 5.0}
"""A test that leaves a stream open or a plugin that hangs must not hold up the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a test asks of its application.

    Attributes:
        plugins: The plugins to run, those that they depend on come by themselves; empty for all.
        config: Settings of plugins, by plugin and key, above the files and the environment.
        settings: Settings of the application, shaped like nexus.yaml.
        require_running: Whether each named plugin must be running.
    """

    plugins: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    require_running: bool = True


@asynccontextmanager
async def app_for(
    folder: Path | str,
    *,
    plugins: Iterable[str] = (),
    config: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    data_dir: Path | None = None,
    require_running: bool = True,
) -> AsyncIterator["NexusApp"]:
    """Run a plugin in a real application, with the plugins that it depends on.

    The application reads its own nexus.yaml where there is one, but keeps its data in a folder of
    its own, and takes nothing from the environment but the settings of plugins.

    Args:
        folder: The plugin's folder; or an application's, which runs all its plugins unless some
            are named.
        plugins: Further plugins to run.
        config: Settings of plugins, by plugin and key, above the files and the environment.
        settings: Settings of the application, shaped like nexus.yaml.
        data_dir: Where data is kept; a temporary folder unless given. Give the same folder twice
            to test what survives a restart.
        require_running: Whether the plugin, and those in `plugins`, must be running.

    Yields:
        The application, with every plugin settled.

    Raises:
        FileNotFoundError: The folder holds neither a plugin nor an application.
        PluginNotRunning: A plugin is not running; the error says why.
        PluginNotFound: There is no plugin of a name in `plugins`.
        InvalidSettings: Something in the settings is wrong.
    """
    path = Path(folder).absolute()
    surroundings = surroundings_of(path)
    if surroundings is None:
        message = f"{path} is no plugin's folder (manifest.json) and no application's (nexus.yaml)."
        raise FileNotFoundError(message)
    names = dict.fromkeys(plugins)
    if surroundings.plugin is not None:
        names = dict.fromkeys((surroundings.plugin.name, *names))
    wishes = Wishes(
        plugins=tuple(names),
        config=config or {},
        settings=settings or {},
        require_running=require_running,
    )
    temporary = Path(tempfile.mkdtemp(prefix="nexus-test-"))
    try:
        application = running(
            surroundings,
            wishes,
            temporary,
            data_dir or temporary / "data",
            again=data_dir is not None,
        )
        async with application as app:
            yield app
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@asynccontextmanager
async def running(
    surroundings: Surroundings,
    wishes: Wishes,
    scratch: Path,
    data_dir: Path,
    *,
    again: bool = False,
) -> AsyncIterator["NexusApp"]:
    """Run the application that a test asks for; see `app_for`.

    Args:
        surroundings: Where its plugins are.
        wishes: What the test asks for.
        scratch: A folder for what is only needed meanwhile.
        data_dir: Where its data is kept.
        again: Whether another application may be run on the same data later.
    """
    from nexus.app import create_nexus_app

    root, paths = _places(surroundings, scratch)
    overrides = _overrides(root, paths, wishes, data_dir)
    environ = _environment(wishes)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_for(data_dir, again=again))
        if url is not None and overrides["database"].get("url") is None:
            overrides["database"] = {**overrides["database"], "url": url}
        app = create_nexus_app(root, overrides=overrides, environ=environ, configure_logging=False)
        app.show_first_token = _keep_quiet
        await stack.enter_async_context(app.running())
        if wishes.require_running:
            for name in wishes.plugins:
                _require_running(app, name)
        yield app


def _keep_quiet(_token: str) -> None:
    """Show nobody the token of an application that is gone with the test."""


def plugin_in(app: "NexusApp", name: str) -> "BasePlugin":
    """Give the live object of a running plugin.

    Raises:
        PluginNotFound: There is no such plugin.
        PluginNotRunning: It is not running; the error says why.
    """
    _require_running(app, name)
    live = app.manager.controller(name).live
    plugin: BasePlugin = live.hosted.plugin  # type: ignore[union-attr] # running means live, in-process
    return plugin


def management_headers(app: "NexusApp") -> dict[str, str]:
    """Give the headers that open the management API of a running application."""
    return {"Authorization": f"Bearer {app.tokens.issue_for_run()}"}


def _require_running(app: "NexusApp", name: str) -> None:
    status = app.manager.controller(name).status
    if status.state is not PluginState.RUNNING:
        raise PluginNotRunning(name=name, state=str(status.state), reason=status.reason)


def _places(surroundings: Surroundings, scratch: Path) -> tuple[Path, tuple[Path, ...]]:
    """Give the application's folder and its folders of plugins.

    A plugin that lies by itself gets an application around it, which links to the plugin's folder.
    """
    if surroundings.root is not None:
        return surroundings.root, surroundings.plugin_paths
    plugins = scratch / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    if surroundings.plugin is not None:
        (plugins / surroundings.plugin.name).symlink_to(surroundings.plugin.folder)
    return scratch, (plugins,)


def _overrides(
    root: Path, paths: tuple[Path, ...], wishes: Wishes, data_dir: Path
) -> dict[str, Any]:
    own = load_settings(root, environ={})
    plugins = {name: dict(values) for name, values in own.plugins.items()}
    for name, values in wishes.config.items():
        plugins[name] = {**plugins.get(name, {}), **values}
    overrides: dict[str, Any] = {
        "environment": os.environ.get("NEXUS_ENVIRONMENT") or "development",
        "data_dir": data_dir,
        "plugin_paths": list(paths),
        "database": {"url": None},
        "shutdown": dict(_SHORT_LIMITS),
        "startup": {"on_failure": "continue"},
        "plugins": plugins,
    }
    if wishes.plugins:
        names = _with_dependencies(wishes.plugins, discover(paths))
        overrides["startup"] |= {"enable": "listed", "plugins": names}
    for key, value in wishes.settings.items():
        below = overrides.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        overrides[key] = {**below, **value} if both else value  # type: ignore[dict-item] # both are mappings
    return overrides


def _with_dependencies(names: Iterable[str], found: Iterable[DiscoveredPlugin]) -> list[str]:
    manifests = {plugin.name: plugin.manifest for plugin in found}
    wanted = list(dict.fromkeys(names))
    for name in wanted:  # grows while it is walked
        manifest = manifests.get(name)
        if manifest is not None:
            wanted += [need.name for need in manifest.dependencies if need.name not in wanted]
    return wanted


def _environment(wishes: Wishes) -> dict[str, str]:
    """Keep the settings of plugins that the test does not give, and nothing else.

    A developer's own NEXUS_DATABASE__URL must not reach a test.
    """
    given = {variable_name(name, key) for name, keys in wishes.config.items() for key in keys}
    return {
        variable: text
        for variable, text in os.environ.items()
        if variable.upper().startswith("NEXUS_PLUGINS__")
        and not any(
            variable.upper() == name or variable.upper().startswith(f"{name}__") for name in given
        )
    }
