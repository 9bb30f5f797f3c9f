"""Lets a test class have `async def setup_method` and `async def teardown_method`.

pytest calls these methods and drops the coroutines. So each is replaced by a plain function whose
result does nothing unless it is awaited (`await super().setup_method()` still works), and the class
gets a fixture that awaits the real ones, on the event loop of the test.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import pytest

_NAMES = ("setup_method", "teardown_method")
_REAL = "_nexus_real"
"""The attribute in which a replacement keeps the method that it stands for."""


class LazyCall:
    """Calls a coroutine function when it is awaited, and never when it is not."""

    def __init__(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        self._function = function
        self._args = args

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._function(*self._args).__await__()


def prepare_class(cls: type) -> None:
    """Replace the asynchronous setup and teardown methods of a test class."""
    for name in _NAMES:
        for klass in cls.__mro__:
            function = vars(klass).get(name)
            if function is not None:
                if inspect.iscoroutinefunction(function):
                    setattr(klass, name, _stub(function))
                break
    if any(_real(getattr(cls, name, None)) for name in _NAMES):
        # pytest goes by the alphabet within a class, so this comes before the class's own fixtures.
        cls._nexus_async_hooks = _async_hooks  # type: ignore[attr-defined] # made here


async def _run_hooks(self: Any, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    setup = _real(getattr(type(self), "setup_method", None))
    teardown = _real(getattr(type(self), "teardown_method", None))
    if setup is not None:
        await _call(setup, self, request.function)
    yield
    if teardown is not None:
        await _call(teardown, self, request.function)


_async_hooks = pytest.fixture(autouse=True)(_run_hooks)


def belongs_to_the_kit(function: Callable[..., Any]) -> bool:
    """Tell whether a fixture is the one that awaits these methods."""
    return getattr(function, "__func__", function) is _run_hooks


def _stub(function: Callable[..., Awaitable[Any]]) -> Callable[..., LazyCall]:
    @functools.wraps(function)
    def stub(self: Any, *args: Any) -> LazyCall:
        return LazyCall(function, self, *args)

    setattr(stub, _REAL, function)
    return stub


def _real(attribute: Any) -> Callable[..., Awaitable[Any]] | None:
    real: Callable[..., Awaitable[Any]] | None = getattr(attribute, _REAL, None)
    return real


def _call(function: Callable[..., Awaitable[Any]], instance: Any, method: Any) -> Awaitable[Any]:
    """Call a method as pytest does: with the test's function where it wants it."""
    takes_method = len(inspect.signature(function).parameters) > 1
    return function(instance, method) if takes_method else function(instance)
