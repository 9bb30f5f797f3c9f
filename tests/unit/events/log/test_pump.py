import asyncio

import pytest

from nexus.events import Event, SubscriptionOptions


class Hands:
    """A handler whose events a test lets go one by one."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.fails: set[int] = set()

    async def __call__(self, event: Event) -> None:
        number = event.data["n"]
        self.begun.append(number)
        await self.gates.setdefault(number, asyncio.Event()).wait()
        if number in self.fails:
            raise ValueError(number)

    def let_go(self, *numbers: int) -> None:
        for number in numbers:
            self.gates.setdefault(number, asyncio.Event()).set()


@pytest.fixture
def subscribe(bus):
    def subscribe(handler, **options):
        subscription = bus.subscription(
            "a.*",
            handler,
            owner="p",
            options=SubscriptionOptions(**options),
            durable=True,
        )
        bus.attach([subscription])
        return subscription

    return subscribe


async def test_what_is_handled_is_acknowledged(stream, subscribe, event, until):
    hands = Hands()
    subscribe(hands)
    stream.give(*(event(n) for n in range(3)))
    await until(lambda: hands.begun == [0])
    assert stream.acknowledged == []
    hands.let_go(0, 1, 2)
    await until(lambda: stream.acknowledged == [0, 1, 2])


async def test_events_that_arrive_while_it_waits_go_straight_to_the_mailbox(
    stream, subscribe, event, until
):
    hands = Hands()
    subscribe(hands)
    await until(lambda: stream._waits)
    fetches = stream.fetches
    stream.give(event(0), event(1))
    hands.let_go(0, 1)
    await until(lambda: stream.acknowledged == [0, 1])
    assert stream.fetches == fetches


async def test_no_more_events_are_taken_than_there_is_room_for(stream, subscribe, event, until):
    hands = Hands()
    subscription = subscribe(hands, mailbox_size=2)
    stream.give(*(event(n) for n in range(1000)))
    await until(lambda: bool(subscription.mailbox.line))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(subscription.mailbox.queue) <= 2
    assert len(subscription.mailbox.line) == 1
    assert len(stream.ready) >= 1000 - 128
    hands.let_go(*range(1000))
    await until(lambda: stream.acknowledged == list(range(1000)))


async def test_an_event_is_acknowledged_when_all_mailboxes_are_through(
    stream, subscribe, event, until
):
    first, second = Hands(), Hands()
    subscribe(first)
    subscribe(second)
    stream.give(event(0))
    first.let_go(0)
    await until(lambda: first.begun == second.begun == [0])
    for _ in range(20):
        await asyncio.sleep(0)
    assert stream.acknowledged == []
    second.let_go(0)
    await until(lambda: stream.acknowledged == [0])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_one_letter_is_kept_where_one_of_several_mailboxes_fails(
    stream, subscribe, event, until, order
):
    hands = [Hands(), Hands()]
    hands[0].fails.add(0)
    for each in hands:
        subscribe(each)
    stream.give(event(0))
    await until(lambda: all(each.begun for each in hands))
    hands[order[0]].let_go(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert stream.buried == []
    hands[order[1]].let_go(0)
    await until(lambda: bool(stream.buried))
    [letter] = stream.buried
    assert (letter.error, letter.attempts) == ("ValueError: 0", 2)
    assert stream.acknowledged == []


async def test_what_one_of_several_mailboxes_has_not_handled_comes_again(
    bus, stream, subscribe, event, until
):
    first, second = Hands(), Hands()
    gone = subscribe(first)
    subscribe(second)
    stream.give(event(0))
    await until(lambda: first.begun == second.begun == [0])
    await bus.drain([gone], 0)
    assert stream.released == []
    second.let_go(0)
    await until(lambda: stream.acknowledged == [0])
    assert stream.released == [0]
    assert second.begun == [0, 0]


async def test_events_with_one_key_are_handled_one_after_another(stream, subscribe, event, until):
    hands = Hands()
    subscribe(hands, concurrency=4)
    stream.give(event(0, "x"), event(1, "x"), event(2, "y"), event(3), event(4, "x"))
    await until(lambda: len(hands.begun) == 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert sorted(hands.begun) == [0, 2, 3]
    hands.let_go(0)
    await until(lambda: 1 in hands.begun)
    assert 4 not in hands.begun
    hands.let_go(1, 2, 3, 4)
    await until(lambda: len(stream.acknowledged) == 5)
    assert [each for each in stream.acknowledged if each in (0, 1, 4)] == [0, 1, 4]


async def test_a_failure_lets_the_next_event_with_the_key_have_its_turn(
    stream, subscribe, event, until
):
    hands = Hands()
    hands.fails.add(0)
    subscribe(hands, concurrency=2)
    stream.give(event(0, "x"), event(1, "x"))
    hands.let_go(0, 1)
    await until(lambda: stream.acknowledged == [1])
    assert [each.event.data["n"] for each in stream.buried] == [0]


async def test_events_that_are_held_behind_a_key_come_again_after_a_detachment(
    bus, stream, subscribe, event, until
):
    hands = Hands()
    old = subscribe(hands, concurrency=2)
    stream.give(event(0, "x"), event(1, "x"), event(2, "x"))
    await until(lambda: hands.begun == [0])
    await until(lambda: stream._waits)
    bus.detach([old])
    hands.let_go(0)
    await until(lambda: stream.acknowledged == [0])
    assert sorted(stream.released) == [1, 2]
    later = Hands()
    later.let_go(1, 2, 3)
    stream.ready.sort(key=lambda each: each.data["n"])
    subscribe(later, concurrency=2)
    stream.give(event(3, "x"))
    await until(lambda: stream.acknowledged == [0, 1, 2, 3])


async def test_a_fetch_that_breaks_does_not_end_the_delivery(
    stream, subscribe, event, until, monkeypatch, caplog
):
    monkeypatch.setattr("nexus.events.log.pump._PAUSE", 0.0)
    stream.fails = ZeroDivisionError()
    hands = Hands()
    hands.let_go(0)
    subscribe(hands)
    stream.give(event(0))
    await until(lambda: stream.acknowledged == [0])
    assert "cannot be fetched" in caplog.text


async def test_a_drained_subscription_is_given_back_with_what_waits(
    bus, stream, subscribe, event, until
):
    hands = Hands()
    old = subscribe(hands)
    stream.give(*(event(n) for n in range(3)))
    await until(lambda: hands.begun == [0])
    assert await bus.drain([old], 0) == 3
    assert sorted(stream.released) == [0, 1, 2]
    assert stream.acknowledged == stream.buried == []
    assert stream.left == 1


async def test_a_request_is_no_event_of_the_log(bus, stream, subscribe, event, until):
    async def answer(event):
        return event.data["n"]

    subscription = bus.subscription("a.b", answer, owner="p", durable=True)
    bus.attach([subscription])
    assert await bus.request("a.b", {"n": 7}, source="q") == 7
    assert stream.acknowledged == []
    assert bus.durable.log.appended == []
