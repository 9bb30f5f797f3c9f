import asyncio
import time as time_module

import pytest
from typing_extensions import override

from nexus.errors import DeadLetterNotFound, ReplayRefused
from nexus.events import DeadReason, Handler, SubscriptionOptions
from nexus.events.dead_letters import DeadLetters
from nexus.events.event import Event


def failing(error: BaseException, times: int, into: list[int]) -> Handler:
    left = [times]

    async def handler(event):
        if left[0]:
            left[0] -= 1
            raise error
        into.append(event.data.get("n"))

    return handler


async def test_a_failure_is_tried_again_in_place_with_growing_delays(bus, time):
    seen: list[int] = []
    bus.attach([bus.subscription("a", failing(ValueError("no"), 2, seen), owner="p")])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await time.retry(bus)
    await time.retry(bus)
    await bus.join()
    assert seen == [0, 1, 2]
    assert time.delays == [0.1, 0.2]
    (figures,) = bus.figures().subscriptions
    assert (figures.delivered, figures.failed, figures.retried) == (3, 2, 2)


async def test_what_keeps_failing_becomes_a_dead_letter_and_the_next_goes_on(bus, time):
    seen: list[int] = []
    bus.attach([bus.subscription("a.*", failing(ValueError("no"), 3, seen), owner="shop")])
    first = await bus.publish("a.b", {"n": 0}, source="p")
    await bus.publish("a.b", {"n": 1}, source="p")
    for _ in range(2):
        await time.retry(bus)
    await bus.join()
    assert seen == [1]
    (letter,) = bus.dead_letters.list()
    assert letter.event is first
    assert (letter.pattern, letter.owner, letter.attempts) == ("a.*", "shop", 3)
    assert letter.error == "ValueError: no"
    assert "in handler" in letter.traceback
    assert letter.reason is DeadReason.FAILED
    (figures,) = bus.figures().subscriptions
    assert (figures.delivered, figures.failed, figures.dead_lettered) == (1, 3, 1)


class Unspeakable(Exception):
    @override
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(1),
        KeyboardInterrupt(),
        GeneratorExit(),
        RecursionError(),
        asyncio.CancelledError(),
        StopIteration(),
        BaseException("odd"),
        Unspeakable(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("plain", [False, True], ids=["async", "plain"])
async def test_no_error_of_a_handler_reaches_the_loop(make_bus, error, plain):
    bus = make_bus(max_attempts=1)
    seen: list[int] = []

    async def raises(event):
        if event.data["n"] == 0:
            raise error
        seen.append(event.data["n"])

    def raises_plainly(event):
        if event.data["n"] == 0:
            raise error
        seen.append(event.data["n"])

    handler = raises_plainly if plain else raises
    bus.attach([bus.subscription("a", handler, owner="p")])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await bus.join()
    assert seen == [1, 2]
    assert bus.dead_letters.list()[0].reason is DeadReason.FAILED


async def test_a_runaway_recursion_is_a_failure(make_bus):
    bus = make_bus(max_attempts=1)

    async def endless(event: Event) -> None:
        await endless(event)

    bus.attach([bus.subscription("a", endless, owner="p")])
    await bus.publish("a", source="p")
    await bus.join()
    assert bus.dead_letters.list()[0].error.startswith("RecursionError")


async def test_a_handler_that_overruns_its_time_is_cancelled_and_tried_again(bus, time):
    attempts: list[int] = []
    started = asyncio.Event()

    async def slow_once(event):
        attempts.append(event.data["n"])
        if len(attempts) == 1:
            started.set()
            await asyncio.Event().wait()

    bus.attach([bus.subscription("a", slow_once, owner="p")])
    await bus.publish("a", {"n": 0}, source="p")
    await bus.publish("a", {"n": 1}, source="p")
    await started.wait()
    time.pass_by(bus, 29)
    await asyncio.sleep(0)
    assert bus.figures().subscriptions[0].timed_out == 0
    time.pass_by(bus, 2)
    await time.retry(bus)
    await bus.join()
    assert attempts == [0, 0, 1]
    (figures,) = bus.figures().subscriptions
    assert (figures.timed_out, figures.failed, figures.delivered) == (1, 1, 2)


async def test_a_subscription_may_have_its_own_time_limit_and_attempts(bus, time):
    started = asyncio.Event()

    async def hangs(_event):
        started.set()
        await asyncio.Event().wait()

    options = SubscriptionOptions(timeout=2.0, max_attempts=1)
    bus.attach([bus.subscription("a", hangs, owner="p", options=options)])
    await bus.publish("a", source="p")
    await started.wait()
    time.pass_by(bus, 2.1)
    await bus.join()
    assert bus.dead_letters.list()[0].reason is DeadReason.TIMEOUT


async def test_the_watchdogs_own_timer_cancels(bus, time):
    real = bus.watchdog
    real._clock = time_module.monotonic
    options = SubscriptionOptions(timeout=0.02, max_attempts=1)

    async def hangs(_event):
        await asyncio.Event().wait()

    bus.attach([bus.subscription("a", hangs, owner="p", options=options)])
    await bus.publish("a", source="p")
    await bus.join()
    assert bus.dead_letters.list()[0].reason is DeadReason.TIMEOUT


async def test_a_swallowed_cancellation_leaves_no_trace_in_the_worker(bus, time):
    started = asyncio.Event()
    cancelling: list[int] = []

    async def stubborn(event):
        if event.data["n"] == 0:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return
        task = asyncio.current_task()
        assert task is not None
        cancelling.append(task.cancelling())

    bus.attach([bus.subscription("a", stubborn, owner="p")])
    for n in range(2):
        await bus.publish("a", {"n": n}, source="p")
    await started.wait()
    time.pass_by(bus, 31)
    await bus.join()
    assert cancelling == [0]
    (figures,) = bus.figures().subscriptions
    assert (figures.timed_out, figures.delivered, figures.left_behind) == (1, 2, 0)


async def test_a_handler_that_ignores_cancellation_is_left_behind(bus, time, until):
    release, seen, started = asyncio.Event(), [], asyncio.Event()

    async def ignores(event):
        if event.data["n"] == 0:
            started.set()
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return
        seen.append(event.data["n"])

    bus.attach([bus.subscription("a", ignores, owner="p")])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await started.wait()
    time.pass_by(bus, 31)
    await asyncio.sleep(0)
    time.pass_by(bus, 1)
    await bus.join()
    assert seen == [1, 2]
    assert bus.dead_letters.list()[0].reason is DeadReason.ABANDONED
    (figures,) = bus.figures().subscriptions
    assert (figures.left_behind, figures.paused, figures.delivered) == (1, False, 2)
    release.set()
    await until(lambda: not (bus.figures().subscriptions[0].left_behind))
    assert bus.figures().subscriptions[0].delivered == 2


async def test_too_many_left_behind_pause_the_subscription_until_one_ends(make_bus, time, caplog):
    bus = make_bus(max_abandoned=2)
    release, started, seen = asyncio.Event(), asyncio.Semaphore(0), []

    async def ignores(event):
        if event.data["n"] >= 2:
            seen.append(event.data["n"])
            return
        started.release()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    bus.attach([bus.subscription("a", ignores, owner="p")])
    for n in range(4):
        await bus.publish("a", {"n": n}, source="p")
    for _ in range(2):
        await started.acquire()
        time.pass_by(bus, 31)
        await asyncio.sleep(0)
        time.pass_by(bus, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    (figures,) = bus.figures().subscriptions
    assert (figures.paused, figures.depth, seen) == (True, 2, [])
    assert "event subscription paused until a handler ends" in [r.msg for r in caplog.records]
    release.set()
    await bus.join()
    assert seen == [2, 3]


async def test_a_handler_that_cancels_its_own_task_does_not_stop_the_subscription(bus):
    seen: list[int] = []

    async def suicidal(event):
        if event.data["n"] == 0:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        seen.append(event.data["n"])

    bus.attach([bus.subscription("a", suicidal, owner="p")])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await bus.join()
    assert seen == [1, 2]
    assert bus.dead_letters.list()[0].reason is DeadReason.CANCELLED
    assert bus.figures().subscriptions[0].delivered == 2


async def test_a_dead_letter_is_replayed_to_the_live_subscription_of_its_owner(make_bus):
    bus = make_bus(max_attempts=1)
    seen: list[int] = []
    others: list[Event] = []
    old = bus.subscription("a", failing(ValueError("no"), 1, seen), owner="shop")
    bus.attach([old])

    async def other(event):
        others.append(event)

    bus.attach([bus.subscription("a", other, owner="other")])
    event = await bus.publish("a", {"n": 7}, source="p")
    await bus.join()
    (letter,) = bus.dead_letters.list()
    await bus.drain([old], 0)
    with pytest.raises(ReplayRefused, match="no live subscription"):
        await bus.replay(letter.id)
    assert len(bus.dead_letters) == 1
    bus.attach([bus.subscription("a", failing(ValueError("no"), 0, seen), owner="shop")])
    replayed = await bus.replay(letter.id)
    await bus.join()
    assert replayed.id == event.id
    assert seen == [7]
    assert len(others) == 1
    assert len(bus.dead_letters) == 0
    with pytest.raises(DeadLetterNotFound, match="replayed or dropped"):
        await bus.replay(letter.id)


def test_dead_letters_are_bounded_and_the_oldest_go_first():
    letters = DeadLetters(2)
    kept = [
        letters.add(
            Event(f"e.{n}"),
            pattern="**",
            owner="even" if n % 2 == 0 else "odd",
            reason=DeadReason.FAILED,
            error=None,
            attempts=1,
        )
        for n in range(3)
    ]
    assert [each.event.name for each in letters.list()] == ["e.2", "e.1"]
    assert letters.evicted == 1
    assert letters.list(owner="odd") == [kept[1]]
    assert letters.list(limit=1) == [kept[2]]
    assert letters.get(kept[1].id).dict()["event"]["name"] == "e.1"
    letters.drop(kept[1].id)
    with pytest.raises(DeadLetterNotFound):
        letters.get(kept[1].id)
    assert len(letters) == 1


async def test_a_dead_letter_shows_the_traceback_of_the_last_attempt_only(bus, time):
    attempts = iter(("first", "second", "third"))

    async def handler(_event):
        try:
            dict[str, int]()["inner"]
        except KeyError as error:
            raise ValueError(next(attempts)) from error

    bus.attach([bus.subscription("a", handler, owner="p")])
    await bus.publish("a", source="p")
    for _ in range(2):
        await time.retry(bus)
    await bus.join()
    (letter,) = bus.dead_letters.list()
    assert "ValueError: third" in letter.traceback
    assert "KeyError: 'inner'" in letter.traceback
    assert "first" not in letter.traceback
    assert "second" not in letter.traceback


async def test_the_log_says_where_a_handler_failed(bus, caplog):
    async def handler(_event):
        raise ValueError("broken")

    line = handler.__code__.co_firstlineno + 1
    subscription = bus.subscription(
        "a", handler, owner="p", options=SubscriptionOptions(max_attempts=1)
    )
    bus.attach([subscription])
    await bus.publish("a", source="p")
    await bus.join()
    [failed] = [each for each in caplog.records if each.getMessage() == "event handler failed"]
    assert failed.at == f"{__file__}:{line}"
