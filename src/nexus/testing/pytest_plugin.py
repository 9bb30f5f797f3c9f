"""The pytest plugin that comes with the package.

pytest loads it in every run of an environment that has Nexus installed. So importing it costs next
to nothing, and it acts only on tests that lie in a Nexus application or plugin (see
`nexus.testing.surroundings`), and on tests that use one of its fixtures.
"""

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from nexus.testing import fixtures
from nexus.testing.async_hooks import belongs_to_the_kit, prepare_class
from nexus.testing.async_tests import (
    close_loop,
    has_pytest_asyncio,
    is_async,
    is_left_to_anyio,
    mark_fixture,
    mark_test,
    own_loop_for_fixture,
    own_loop_for_test,
)
from nexus.testing.background import failures_become_warnings
from nexus.testing.fixtures import (
    FIXTURES,
    MARKER,
    around,
    make_plugin,
    nexus_app,
    nexus_client,
    nexus_plugin,
    running_plugin,
)
from nexus.testing.namespace import PluginNamespace
from nexus.testing.surroundings import surroundings_of

__all__ = ["make_plugin", "nexus_app", "nexus_client", "nexus_plugin", "running_plugin"]

_namespace = PluginNamespace()
_installed = pytest.StashKey[bool]()
_watching = pytest.StashKey[ExitStack]()


def _concerns(item: pytest.Item) -> bool:
    """Tell whether a test is one that this plugin acts on."""
    names = getattr(item, "fixturenames", ())
    return any(name in names for name in FIXTURES) or around(item.path) is not None


# Importing an application's plugins


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Make `plugins` importable before pytest imports the first conftest.py files."""
    _install(early_config)
    here = early_config.invocation_params.dir
    named = early_config.known_args_namespace.file_or_dir
    for argument in named or ["."]:
        path = (here / str(argument).partition("::")[0]).absolute()
        surroundings = around(path)
        if surroundings is not None:
            _namespace.enter(surroundings)
            return


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    _install(config)
    config.addinivalue_line("markers", MARKER)


def _install(config: pytest.Config) -> None:
    # Twice, since a run that does not load conftest.py files does not call the first hook.
    if not config.stash.get(_installed, False):
        config.stash[_installed] = True
        _namespace.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave Python's import system as it was."""
    if config.stash.get(_installed, False):
        del config.stash[_installed]
        _namespace.uninstall()
        surroundings_of.cache_clear()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a folder's conftest.py and its test modules import their application's plugins."""
    if isinstance(collector, (pytest.Directory, pytest.File)):
        surroundings = around(collector.path)
        _namespace.enter(surroundings)
        if surroundings is not None and isinstance(collector, pytest.Module):
            _namespace.make_way(collector.path)
    return (yield)


# Running tests


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """See to asynchronous tests, and to asynchronous methods of test classes.

    Last among the wrappers is next to pytest itself, so that pytest-asyncio finds the marker.
    """
    made = yield
    for node in made if isinstance(made, list) else [made]:
        if isinstance(node, pytest.Class):
            if around(collector.path) is not None:
                prepare_class(node.obj)
        elif isinstance(node, pytest.Function):
            beside = has_pytest_asyncio(node.config) and not is_left_to_anyio(node.fixturenames)
            if beside and _concerns(node):
                mark_test(node)
    return made


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item,
) -> Generator[None, object, object]:
    """Have the test's application be the one whose plugins are imported."""
    _namespace.enter(around(item.path))
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Generator[None, object, object]:
    """Have asynchronous fixtures run."""
    function = fixturedef.func
    with ExitStack() as stack:
        if is_async(function) and not is_left_to_anyio(request.fixturenames):
            ours = function.__module__ == fixtures.__name__ or belongs_to_the_kit(function)
            if ours or around(request.node.path) is not None:
                if has_pytest_asyncio(request.config):
                    mark_fixture(function, request, on_the_tests_loop=ours)
                else:
                    stack.enter_context(own_loop_for_fixture(fixturedef, request))
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Have asynchronous tests run where pytest-asyncio is not active."""
    with ExitStack() as stack:
        alone = not has_pytest_asyncio(pyfuncitem.config)
        if alone and not is_left_to_anyio(pyfuncitem.fixturenames) and _concerns(pyfuncitem):
            stack.enter_context(own_loop_for_test(pyfuncitem))
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Begin to watch the background tasks of plugins."""
    if _concerns(item):
        item.stash[_watching] = stack = ExitStack()
        stack.enter_context(failures_become_warnings(item))
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Close the test's event loop, and tell which background tasks failed."""
    with item.stash.get(_watching, None) or ExitStack():
        try:
            return (yield)
        finally:
            close_loop(item)
