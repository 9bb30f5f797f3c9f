"""Runs `async def` tests and fixtures that carry no marker.

Where pytest-asyncio is active it does the work, whatever its mode; this module only tells it which
tests and fixtures are meant. Where it is not, an event loop for each test does.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asyncio import Runner

_runner_key = pytest.StashKey["Runner"]()


def is_async(function: object) -> bool:
    """Tell whether a fixture's function needs an event loop."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def is_left_to_anyio(names: "list[str] | tuple[str, ...]") -> bool:
    """Tell by a test's fixtures whether the test asks anyio's own pytest plugin to run it."""
    return "anyio_backend" in names


def coroutine_test(item: pytest.Function) -> tuple[Any, str] | None:
    """Give the object and its attribute that hold a test's coroutine function, None for others."""
    if inspect.iscoroutinefunction(item.obj):
        return item, "obj"
    hypothesis = getattr(item.obj, "hypothesis", None)
    if inspect.iscoroutinefunction(getattr(hypothesis, "inner_test", None)):
        return hypothesis, "inner_test"
    return None


# Beside pytest-asyncio


def has_pytest_asyncio(config: pytest.Config) -> bool:
    """Tell whether pytest-asyncio is active in this run."""
    return config.pluginmanager.has_plugin("asyncio")


def mark_test(item: pytest.Function) -> None:
    """Have pytest-asyncio run a test."""
    if coroutine_test(item) is not None and item.get_closest_marker("asyncio") is None:
        item.add_marker("asyncio")


def mark_fixture(function: Callable[..., Any], request: Any, *, on_the_tests_loop: bool) -> None:
    """Have pytest-asyncio run a fixture.

    Args:
        function: The fixture's function.
        request: The request for it.
        on_the_tests_loop: Whether it must share the loop of the test; else pytest-asyncio's
            setting decides.
    """
    import pytest_asyncio

    function = getattr(function, "__func__", function)
    if on_the_tests_loop:
        pytest_asyncio.fixture(function, loop_scope=_loop_scope(request.node))
    elif not hasattr(function, "_force_asyncio_fixture"):  # what pytest_asyncio.fixture leaves
        pytest_asyncio.fixture(function)


def _loop_scope(node: pytest.Item) -> Any:
    marker = node.get_closest_marker("asyncio")
    asked = None if marker is None else marker.kwargs.get("loop_scope")
    return asked or node.config.getini("asyncio_default_test_loop_scope")


# Without pytest-asyncio


@contextmanager
def own_loop_for_test(item: pytest.Function) -> Iterator[None]:
    """Let pytest call a coroutine test like a plain one, inside the block."""
    place = coroutine_test(item)
    if place is None:
        yield
        return
    holder, attribute = place
    original = getattr(holder, attribute)
    setattr(holder, attribute, _plain(original, _runner_of(item)))
    try:
        yield
    finally:
        setattr(holder, attribute, original)


@contextmanager
def own_loop_for_fixture(fixturedef: Any, request: Any) -> Iterator[None]:
    """Let pytest call an asynchronous fixture like a plain one, inside the block."""
    if fixturedef.scope != "function":
        message = (
            f"The async fixture {fixturedef.argname!r} has the scope {fixturedef.scope!r}, and each"
            " test has an event loop of its own. Give it the scope 'function', or install"
            " pytest-asyncio and choose a loop_scope."
        )
        pytest.fail(message, pytrace=False)
    original = fixturedef.func
    function = _bound(original, request.instance)
    runner = _runner_of(request.node)
    wrap = _plain_generator if inspect.isasyncgenfunction(function) else _plain
    fixturedef.func = wrap(function, runner)
    try:
        yield
    finally:
        fixturedef.func = original


def close_loop(item: pytest.Item) -> None:
    """Cancel what a test has left on its loop, and close the loop."""
    runner = item.stash.get(_runner_key, None)
    if runner is not None:
        del item.stash[_runner_key]
        runner.close()


def _runner_of(item: pytest.Item) -> "Runner":
    from asyncio import Runner

    runner = item.stash.get(_runner_key, None)
    if runner is None:
        item.stash[_runner_key] = runner = Runner()
    return runner


def _bound(function: Any, instance: Any) -> Callable[..., Any]:
    """Bind a fixture that is a method to the test's own instance of the class, as pytest does."""
    owner = getattr(function, "__self__", None)
    if instance is None or owner is None or not isinstance(instance, type(owner)):
        bound: Callable[..., Any] = function
    else:
        bound = function.__func__.__get__(instance)
    return bound


def _plain(
    function: Callable[..., Coroutine[Any, Any, Any]], runner: "Runner"
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return runner.run(function(*args, **kwargs))

    return call


def _plain_generator(
    function: Callable[..., AsyncIterator[Any]], runner: "Runner"
) -> Callable[..., Iterator[Any]]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Iterator[Any]:
        generator = function(*args, **kwargs)
        yield runner.run(_next(generator))
        if runner.run(_has_more(generator)):
            message = f"The fixture {function.__name__!r} yields more than once."
            raise ValueError(message)

    return call


async def _next(generator: AsyncIterator[Any]) -> Any:
    return await anext(generator)


async def _has_more(generator: AsyncIterator[Any]) -> bool:
    async for _ in generator:
        return True
    return False
