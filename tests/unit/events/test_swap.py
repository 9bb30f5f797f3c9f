import asyncio
import gc
from itertools import pairwise

import pytest

from nexus.errors import SubscriptionClosed
from nexus.events import DeadReason, EventBus, Handler, Subscription, SubscriptionOptions
from nexus.events.event import Event
from nexus.events.mailbox import Mailbox
from nexus.events.runs import RUN_LIMIT
from nexus.events.worker import Worker


def note(into: list[tuple[str, int]], who: str) -> Handler:
    async def handler(event):
        into.append((who, event.data["n"]))

    return handler


class Gated:
    def __init__(self, into: list[tuple[str, int]], who: str) -> None:
        self.into, self.who = into, who
        self.started, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, event):
        self.started.set()
        await self.gate.wait()
        self.into.append((self.who, event.data["n"]))


async def test_the_new_one_takes_what_waits_and_begins_when_the_old_one_is_done(bus):
    seen: list[tuple[str, int]] = []
    handler = Gated(seen, "old")
    old = bus.subscription("a.*", handler, owner="p")
    bus.attach([old])
    for n in range(5):
        await bus.publish("a.b", {"n": n}, source="p")
    await handler.started.wait()
    new = bus.subscription("a.*", note(seen, "new"), owner="p")
    bus.replace([old], [new])
    await bus.publish("a.b", {"n": 5}, source="p")
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen == []
    assert (old.live, new.live) == (False, True)
    (figures,) = bus.figures().subscriptions
    assert (figures.in_hand, figures.depth, figures.delivered) == (1, 5, 0)
    handler.gate.set()
    assert await bus.drain([old], 30) == 0
    await bus.join()
    assert seen == [("old", 0), *(("new", n) for n in range(1, 6))]
    (figures,) = bus.figures().subscriptions
    assert (figures.in_hand, figures.depth, figures.delivered) == (0, 0, 6)


async def test_a_chain_of_replacements_keeps_the_order(bus):
    seen: list[tuple[str, int]] = []
    handler = Gated(seen, "0")
    current = bus.subscription("a", handler, owner="p")
    made = [current]
    bus.attach([current])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await handler.started.wait()
    for generation in range(1, 4):
        following = bus.subscription("a", note(seen, str(generation)), owner="p")
        bus.replace([current], [following])
        await bus.publish("a", {"n": 2 + generation}, source="p")
        current = following
        made.append(current)
    handler.gate.set()
    await bus.join()
    assert seen == [("0", 0), *(("3", n) for n in range(1, 6))]
    assert await bus.drain(made, 30) == 0


async def test_an_event_that_waits_to_be_tried_again_goes_to_the_new_one(bus, time):
    seen: list[tuple[str, int]] = []

    async def broken(_event):
        raise ValueError

    old = bus.subscription("a", broken, owner="p")
    bus.attach([old])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await time.naps.acquire()
    bus.replace([old], [bus.subscription("a", note(seen, "new"), owner="p")])
    await bus.join()
    assert seen == [("new", n) for n in range(3)]
    assert await bus.drain([old], 30) == 0
    assert bus.figures().subscriptions[0].delivered == 3


async def test_an_event_that_fails_after_the_swap_goes_to_the_new_one(bus):
    seen: list[tuple[str, int]] = []
    started, gate = asyncio.Event(), asyncio.Event()

    async def broken(_event):
        started.set()
        await gate.wait()
        raise ValueError

    old = bus.subscription("a", broken, owner="p")
    bus.attach([old])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    await started.wait()
    bus.replace([old], [bus.subscription("a", note(seen, "new"), owner="p")])
    gate.set()
    await bus.join()
    assert seen == [("new", n) for n in range(3)]


async def test_an_old_one_without_successor_keeps_what_waits(bus):
    seen: list[tuple[str, int]] = []
    old = bus.subscription("a", note(seen, "old"), owner="p")
    bus.attach([old])
    for n in range(3):
        await bus.publish("a", {"n": n}, source="p")
    bus.replace([old], [bus.subscription("b", note(seen, "new"), owner="p")])
    await bus.publish("a", {"n": 3}, source="p")
    assert await bus.drain([old], 30) == 0
    assert seen == [("old", n) for n in range(3)]


async def test_publishers_in_line_move_to_the_new_one(make_bus, until):
    bus = make_bus(mailbox_size=1, publish_timeout=60)
    seen: list[tuple[str, int]] = []
    handler = Gated(seen, "old")
    old = bus.subscription("a", handler, owner="p")
    bus.attach([old])
    await bus.publish("a", {"n": 0}, source="p")
    await handler.started.wait()
    await bus.publish("a", {"n": 1}, source="p")
    blocked = [asyncio.create_task(bus.publish("a", {"n": n}, source="p")) for n in (2, 3)]
    await until(lambda: not (bus.figures().subscriptions[0].blocked < 2))
    bus.replace([old], [bus.subscription("a", note(seen, "new"), owner="p")])
    handler.gate.set()
    await asyncio.gather(*blocked)
    await bus.join()
    assert seen == [("old", 0), *(("new", n) for n in range(1, 4))]


async def test_a_publisher_that_moved_in_line_may_still_give_up(make_bus, until):
    bus = make_bus(mailbox_size=1, publish_timeout=60)
    handler = Gated([], "old")
    old = bus.subscription("a", handler, owner="p")
    bus.attach([old])
    await bus.publish("a", {"n": 0}, source="p")
    await handler.started.wait()
    await bus.publish("a", {"n": 1}, source="p")
    blocked = asyncio.create_task(bus.publish("a", {"n": 2}, source="p"))
    await until(lambda: bus.figures().subscriptions[0].blocked == 1)
    bus.replace([old], [bus.subscription("a", note([], "new"), owner="p")])
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked
    assert [letter.event.data["n"] for letter in bus.dead_letters.list()] == [2]
    assert bus.figures().subscriptions[0].blocked == 0
    handler.gate.set()
    await bus.join()


async def test_a_long_inheritance_lets_others_have_the_loop(bus):
    seen: list[tuple[str, int]] = []
    handler = Gated(seen, "old")
    old = bus.subscription("a", handler, owner="p")
    bus.attach([old])
    for n in range(4 * RUN_LIMIT):
        await bus.publish("a", {"n": n}, source="p")
    new = bus.subscription("a", note(seen, "new"), owner="p")
    bus.replace([old], [new])
    assert new.figures().depth == 4 * RUN_LIMIT - 1
    handler.gate.set()
    done = [0]
    while done[-1] < 4 * RUN_LIMIT:
        await asyncio.sleep(0)
        done.append(len(seen))
    assert seen == [("old", 0), *(("new", n) for n in range(1, 4 * RUN_LIMIT))]
    steps = [after - before for before, after in pairwise(done)]
    assert max(steps) <= 2 * RUN_LIMIT


async def test_the_new_one_keeps_the_place_of_the_old_one(bus):
    seen: list[tuple[str, int]] = []
    first = bus.subscription("a", note(seen, "first"), owner="p")
    bus.attach([first, bus.subscription("a", note(seen, "second"), owner="p")])
    bus.replace([first], [bus.subscription("a", note(seen, "first again"), owner="p")])
    await bus.publish("a", {"n": 0}, source="p")
    await bus.join()
    assert [who for who, _ in seen] == ["first again", "second"]


async def test_several_at_once_do_not_wait_for_the_old_one(bus, until):
    seen: list[tuple[str, int]] = []
    handler = Gated(seen, "old")
    options = SubscriptionOptions(concurrency=2)
    old = bus.subscription("a", handler, owner="p", options=options)
    bus.attach([old])
    await bus.publish("a", {"n": 0}, source="p")
    await handler.started.wait()
    bus.replace([old], [bus.subscription("a", note(seen, "new"), owner="p", options=options)])
    await bus.publish("a", {"n": 1}, source="p")
    await until(lambda: bool(seen))
    assert seen == [("new", 1)]
    handler.gate.set()
    await bus.drain([old], 30)
    assert bus.figures().subscriptions[0].delivered == 2


async def test_draining_over_time_dead_letters_what_is_left_and_says_so(bus):
    handler = Gated([], "old")
    old = bus.subscription("a", handler, owner="p")
    bus.attach([old])
    events = [await bus.publish("a", {"n": n}, source="p") for n in range(3)]
    await handler.started.wait()
    assert await bus.drain([old], 0.001) == 3
    letters = bus.dead_letters.list()
    assert {each.event.id for each in letters} == {event.id for event in events}
    assert {each.reason for each in letters} == {DeadReason.SHUTDOWN}
    assert bus.figures().subscriptions == ()


async def test_draining_does_not_wait_for_ever_for_a_handler_that_ignores_it(bus, caplog, until):
    release, started = asyncio.Event(), asyncio.Event()

    async def ignores(_event):
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    old = bus.subscription("a", ignores, owner="p")
    bus.attach([old])
    await bus.publish("a", source="p")
    await started.wait()
    await bus.drain([old], 0)
    assert "event handlers ignored their cancellation and still run" in [
        record.msg for record in caplog.records
    ]
    release.set()
    await until(lambda: not (old.mailbox.workers))


async def test_a_handler_may_drain_its_own_subscription(bus, until):
    drained: list[int] = []

    async def ends_itself(_event):
        drained.append(await bus.drain([own], 600))

    own = bus.subscription("a", ends_itself, owner="p")
    bus.attach([own])
    for _ in range(2):
        await bus.publish("a", source="p")
    await until(lambda: not bus.figures().subscriptions)
    await bus.publish("a", source="p")
    assert drained == [0, 0]
    assert own.mailbox.workers == set()
    assert len(bus.dead_letters) == 0


async def test_a_detached_subscription_can_go_live_again_and_a_drained_one_cannot(bus):
    seen: list[tuple[str, int]] = []
    one = bus.subscription("a", note(seen, "one"), owner="p")
    bus.attach([one])
    bus.detach([one])
    await bus.publish("a", {"n": 0}, source="p")
    bus.attach([one])
    await bus.publish("a", {"n": 1}, source="p")
    await bus.join()
    assert seen == [("one", 1)]
    await bus.drain([one], 30)
    other = bus.subscription("a", note(seen, "other"), owner="p")
    with pytest.raises(SubscriptionClosed, match="drained"):
        bus.attach([other, one])
    assert not other.live


async def test_stopping_lets_handlers_publish_and_finish(time):
    bus = EventBus()
    await bus.start()
    seen: list[str] = []

    async def first(_event):
        await asyncio.sleep(0)
        await bus.publish("second", source="p")

    async def second(event):
        await asyncio.sleep(0)
        seen.append(event.name)

    bus.attach(
        [bus.subscription("first", first, owner="p"), bus.subscription("second", second, owner="p")]
    )
    before = asyncio.all_tasks()
    for _ in range(10):
        await bus.publish("first", source="p")
    assert await bus.stop() == 0
    assert seen == ["second"] * 10
    assert asyncio.all_tasks() == before


async def test_stopping_gives_up_what_waits_to_be_tried_again(bus, time):
    async def broken(_event):
        raise ValueError("broken")

    bus.attach([bus.subscription("a", broken, owner="p")])
    for _ in range(3):
        await bus.publish("a", source="p")
    await time.naps.acquire()
    assert await bus.stop(0.001) == 3
    letters = bus.dead_letters.list()
    assert {each.reason for each in letters} == {DeadReason.SHUTDOWN}
    assert "ValueError: broken" in {each.error for each in letters}


def count(*kinds: type) -> list[int]:
    gc.collect()
    return [sum(type(each) is kind for each in gc.get_objects()) for kind in kinds]


async def test_a_thousand_swaps_leave_tasks_and_memory_where_they_were(make_bus):
    bus = make_bus(recent_limit=0)
    kinds = (Subscription, Mailbox, Worker, Event)
    seen: list[tuple[str, int]] = []
    current = bus.subscription("a.*", note(seen, "x"), owner="p")
    bus.attach([current])
    tasks, objects = len(asyncio.all_tasks()), count(*kinds)
    for n in range(1000):
        following = bus.subscription("a.*", note(seen, "x"), owner="p")
        await bus.publish("a.b", {"n": n}, source="p")
        bus.replace([current], [following])
        await bus.drain([current], 30)
        current, following = following, current
        del following
    await bus.join()
    assert [n for _, n in seen] == list(range(1000))
    # One worker and its task belong to the subscription that is live.
    assert len(asyncio.all_tasks()) <= tasks + 1
    assert [now - then for now, then in zip(count(*kinds), objects, strict=True)] == [0, 0, 1, 0]
    assert len(bus._undrained) == 1
