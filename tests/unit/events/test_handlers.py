import asyncio
import functools
import threading
from contextvars import ContextVar
from unittest.mock import AsyncMock

from nexus.events import DeadReason, Event


async def test_a_plain_function_runs_in_a_thread_with_its_context(bus):
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    variable.set("set")
    seen: list[tuple[bool, str]] = []

    def plain(_event):
        seen.append((threading.current_thread() is threading.main_thread(), variable.get()))

    bus.attach([bus.subscription("a", plain, owner="p")])
    await bus.publish("a", source="p")
    await bus.join()
    assert seen == [(False, "set")]


async def test_plain_functions_keep_their_order(bus):
    seen: list[int] = []
    bus.attach([bus.subscription("a", lambda event: seen.append(event.data["n"]), owner="p")])
    for n in range(50):
        await bus.publish("a", {"n": n}, source="p")
    await bus.join()
    assert seen == list(range(50))


async def test_all_kinds_of_coroutine_functions_run_on_the_loop(bus):
    threads: list[threading.Thread] = []

    class Callable:
        async def __call__(self, _event):
            threads.append(threading.current_thread())

        async def method(self, _event):
            threads.append(threading.current_thread())

    async def with_more(_more, _event):
        threads.append(threading.current_thread())

    mock = AsyncMock(spec=[])
    handlers = [Callable(), Callable().method, functools.partial(with_more, 1), mock]
    bus.attach([bus.subscription("a", handler, owner="p") for handler in handlers])
    await bus.publish("a", source="p")
    await bus.join()
    assert threads == [threading.main_thread()] * 3
    mock.assert_awaited_once()


async def test_a_plain_function_around_a_coroutine_function_is_awaited(bus):
    seen: list[str] = []

    async def handler(event: Event) -> None:
        seen.append(event.name)

    bus.attach([bus.subscription("a", lambda event: handler(event), owner="p")])  # noqa: PLW0108
    await bus.publish("a", source="p")
    await bus.join()
    assert seen == ["a"]


async def test_a_hanging_plain_function_is_not_tried_again_and_holds_nothing_up(bus, time, until):
    release, started, calls = threading.Event(), asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def hangs(event):
        calls.append(event.data["n"])
        if event.data["n"] == 0:
            loop.call_soon_threadsafe(started.set)
            release.wait(60)

    bus.attach([bus.subscription("a", hangs, owner="p")])
    for n in range(2):
        await bus.publish("a", {"n": n}, source="p")
    await started.wait()
    time.pass_by(bus, 31)
    await bus.join()
    assert calls == [0, 1]
    assert [letter.reason for letter in bus.dead_letters.list()] == [DeadReason.TIMEOUT]
    assert bus.figures().subscriptions[0].left_behind == 1
    release.set()
    await until(lambda: not (bus.figures().subscriptions[0].left_behind))


async def test_too_many_hanging_plain_functions_pause_their_subscription(make_bus, time, until):
    bus = make_bus(max_abandoned=1)
    release, started, calls = threading.Event(), asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def hangs(event):
        calls.append(event.data["n"])
        if event.data["n"] == 0:
            loop.call_soon_threadsafe(started.set)
            release.wait(60)

    bus.attach([bus.subscription("a", hangs, owner="p")])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await started.wait()
    time.pass_by(bus, 31)
    await until(lambda: bool(bus.figures().subscriptions[0].paused))
    for _ in range(5):
        await asyncio.sleep(0)
    assert calls == [0]
    assert bus.figures().subscriptions[0].depth == 2
    release.set()
    await bus.join()
    assert calls == [0, 1, 2]
