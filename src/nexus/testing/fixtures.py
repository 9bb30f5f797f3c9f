"""The fixtures, and the marker that says what they are to make."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nexus.testing.surroundings import Surroundings, surroundings_of

if TYPE_CHECKING:
    import httpx

    from nexus.app import NexusApp
    from nexus.plugins import BasePlugin
    from nexus.testing.harness import Wishes

    MakePlugin = Callable[..., Awaitable[BasePlugin]]

FIXTURES = ("make_plugin", "nexus_app", "nexus_client", "nexus_plugin", "running_plugin")
MARKER = (
    "nexus(plugin=None, plugins=(), config={}, settings={}, require_running=True): what the"
    " fixtures of nexus.testing are to make; see docs/reference/testing.md."
)


def around(path: Path) -> Surroundings | None:
    """Say what a file or folder belongs to."""
    return surroundings_of(path if path.is_dir() else path.parent)


@pytest.fixture
async def make_plugin(request: pytest.FixtureRequest) -> "AsyncIterator[MakePlugin]":
    """Give a function that makes detached plugins.

    It is used as `await make_plugin(MyPlugin, config={...}, data={...})`. The first argument is a
    plugin's class or its name. `config` comes above the plugin's `config/` files, `data` is what
    is stored already. The plugins' background tasks end with the test.
    """
    from nexus.testing.detached import detached_plugins

    async with detached_plugins(around(request.path)) as plugins:
        yield plugins.make


@pytest.fixture
async def nexus_plugin(request: pytest.FixtureRequest, make_plugin: "MakePlugin") -> "BasePlugin":
    """Give the plugin that the test lies in, detached: constructed, not initialized."""
    name = _plugin_name(request)
    return await make_plugin(name, config=_wishes(request).config.get(name))


@pytest.fixture
async def nexus_app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "AsyncIterator[NexusApp]":
    """Give a running application, on a temporary data folder.

    It runs the plugin that the test lies in with what it depends on; in a test that lies in no
    plugin, all plugins of the application.
    """
    from nexus.errors import NexusError
    from nexus.testing.harness import running

    surroundings = around(request.path)
    if surroundings is None:
        surroundings = Surroundings(root=None, plugin_paths=(), plugin=None)
    scratch = tmp_path_factory.mktemp("nexus")
    application = running(surroundings, _wishes(request), scratch, scratch / "data")
    app: NexusApp | None = None
    problem = ""
    try:
        app = await application.__aenter__()
    except NexusError as error:
        problem = str(error)
    if app is None:  # outside the handler, so that pytest shows the sentence and no traceback
        pytest.fail(problem, pytrace=False)
    try:
        yield app
    finally:
        await application.__aexit__(None, None, None)


@pytest.fixture
async def running_plugin(request: pytest.FixtureRequest, nexus_app: "NexusApp") -> "BasePlugin":
    """Give the plugin that the test lies in as it runs in `nexus_app`."""
    from nexus.errors import NexusError
    from nexus.testing.harness import plugin_in

    name = _plugin_name(request)
    try:
        return plugin_in(nexus_app, name)
    except NexusError as error:
        problem = str(error)
    pytest.fail(problem, pytrace=False)


@pytest.fixture
async def nexus_client(nexus_app: "NexusApp") -> "AsyncIterator[httpx.AsyncClient]":
    """Give an HTTP client of `nexus_app`, without a network; its base URL is http://nexus.test."""
    import httpx

    # An unexpected error in a route is an answer with the status 500, as it is for any client.
    transport = httpx.ASGITransport(app=nexus_app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as client:
        yield client


def _plugin_name(request: pytest.FixtureRequest) -> str:
    named = _arguments(request)["plugin"]
    surroundings = around(request.path)
    if named is None and surroundings is not None and surroundings.plugin is not None:
        return surroundings.plugin.name
    if named is None:
        message = (
            f"The fixture {request.fixturename!r} needs to know the plugin, and {request.path.name}"
            " lies in none. Say it: @pytest.mark.nexus(plugin='...')."
        )
        pytest.fail(message, pytrace=False)
    return str(named)


def _wishes(request: pytest.FixtureRequest) -> "Wishes":
    from nexus.testing.harness import Wishes

    arguments = _arguments(request)
    surroundings = around(request.path)
    plugins = list(arguments["plugins"])
    if arguments["plugin"] is not None:
        plugins.insert(0, arguments["plugin"])
    elif surroundings is not None and surroundings.plugin is not None:
        plugins.insert(0, surroundings.plugin.name)
    return Wishes(
        plugins=tuple(dict.fromkeys(plugins)),
        config=arguments["config"],
        settings=arguments["settings"],
        require_running=arguments["require_running"],
    )


def marker_defaults() -> dict[str, Any]:
    """Give the arguments of the marker as they are where no marker gives them."""
    return {"plugin": None, "plugins": [], "config": {}, "settings": {}, "require_running": True}


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Put the markers of a test together, those of its class and module below its own."""
    result = marker_defaults()
    for marker in reversed(list(request.node.iter_markers("nexus"))):
        unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in result)]
        if unknown:
            expected = ", ".join(result)
            message = f"The marker 'nexus' takes {expected} by name, and was given {unknown[0]}."
            pytest.fail(message, pytrace=False)
        given = marker.kwargs
        result["plugin"] = given.get("plugin", result["plugin"])
        result["plugins"] = [*result["plugins"], *given.get("plugins", ())]
        result["config"] = _two_levels(result["config"], given.get("config", {}))
        result["settings"] = _two_levels(result["settings"], given.get("settings", {}))
        result["require_running"] = given.get("require_running", result["require_running"])
    return result


def _two_levels(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = {**below, **value} if both else value  # type: ignore[dict-item] # both are
    return merged
