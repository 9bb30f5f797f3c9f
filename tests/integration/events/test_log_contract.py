"""What every engine of the durable log promises a single process."""

import asyncio

import pytest

from nexus.errors import SubscriptionUnknown
from nexus.events.event import Event
from nexus.events.log import SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")


async def test_events_come_in_the_order_of_their_appending(log, hands):
    await log.declare("mail", ["user.*"])
    given = await hands.append(log, *range(50))
    events = await hands.fetch(log.stream(KEY), 50)
    assert [each.id for each in events] == [each.id for each in given]
    assert [each.position for each in events] == sorted(each.position for each in events)


async def test_everything_of_an_event_is_kept(store, log, hands):
    await log.declare("mail", ["user.*"])
    event = Event("user.created", {"a": [1, {"b": None}]}, "accounts", "work", "cause")
    event.ordering_key = "user-1"
    event.version = 2
    await log.append(event)
    await log.close()
    [found] = await hands.fetch((await store.open(alone=True)).stream(KEY), 1)
    assert found.dict() == event.dict()
    assert (found.time_ns, found.ordering_key) == (event.time_ns, "user-1")
    assert found.version == 2


async def test_what_was_appended_before_a_subscription_was_declared_is_not_delivered(log, hands):
    await log.declare("other", ["**"])
    await hands.append(log, 1)
    await log.declare("mail", ["user.*"])
    await hands.append(log, 2)
    assert hands.numbers(await hands.fetch(log.stream(KEY), 1)) == [2]


async def test_what_is_appended_while_nobody_fetches_is_delivered_later(store, log, hands):
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    await log.close()
    again = await store.open(alone=True)
    await hands.append(again, 2)
    assert hands.numbers(await hands.fetch(again.stream(KEY), 2)) == [1, 2]


async def test_only_events_that_a_pattern_matches_are_delivered(log, hands):
    await log.declare("mail", ["user.*", "order.**", "*.made", "exact"])
    for name in ("user.a", "user.a.b", "order.x.made", "thing.made", "exact", "users.a", "user"):
        await log.append(Event(name, {"n": name}))
    expected = {
        "user.*": ["user.a"],
        "order.**": ["order.x.made"],
        "*.made": ["thing.made"],
        "exact": ["exact"],
    }
    for pattern, names in expected.items():
        events = await hands.fetch(log.stream(SubscriptionKey("mail", pattern)), len(names))
        assert hands.numbers(events) == names
        assert log.wants(names[0])
    assert not log.wants("users.a")


async def test_each_subscription_has_each_event(log, hands):
    keys = [SubscriptionKey("mail", "user.*"), SubscriptionKey("audit", "**")]
    for plugin, pattern in keys:
        await log.declare(plugin, [pattern])
    await hands.append(log, 1, 2, 3)
    for key in keys:
        assert hands.numbers(await hands.fetch(log.stream(key), 3)) == [1, 2, 3]


async def test_what_was_acknowledged_is_not_delivered_after_a_restart(store, log, hands):
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1, 2, 3)
    await hands.fetch(log.stream(KEY), 3, acknowledge=True)
    await log.close()
    again = await store.open(alone=True)
    assert await hands.nothing_comes(again.stream(KEY), again)


async def test_what_was_not_acknowledged_comes_again_with_the_same_id(store, log, hands):
    await log.declare("mail", ["user.*"])
    given = await hands.append(log, 1, 2, 3)
    events = await hands.fetch(log.stream(KEY), 3)
    log.stream(KEY).acknowledge(events[0])
    await log.close()
    again = await store.open(alone=True)
    found = await hands.fetch(again.stream(KEY), 2)
    assert [each.id for each in found] == [each.id for each in given[1:]]


async def test_acknowledgments_out_of_order_are_remembered_over_a_restart(store, log, hands):
    await log.declare("mail", ["user.*"])
    await hands.append(log, *range(10))
    stream = log.stream(KEY)
    for event in await hands.fetch(stream, 10):
        if event.data["n"] % 3:
            stream.acknowledge(event)
    await log.close()
    again = await store.open(alone=True)
    assert hands.numbers(await hands.fetch(again.stream(KEY), 4, acknowledge=True)) == [0, 3, 6, 9]
    assert await hands.nothing_comes(again.stream(KEY), again)


async def test_what_is_released_comes_again_before_what_follows(log, hands):
    await log.declare("mail", ["user.*"])
    await hands.append(log, *range(6))
    stream = log.stream(KEY)
    events = await hands.fetch(stream, 4)
    for event in (events[2], events[0]):
        stream.release(event)
    assert hands.numbers(await hands.fetch(stream, 4)) == [0, 2, 4, 5]


async def test_a_fetch_that_is_cancelled_loses_nothing(log, hands):
    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    numbers: list[int] = []
    for number in range(40):
        fetching = asyncio.create_task(stream.fetch(10))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        await hands.append(log, number)
        if not fetching.done():
            fetching.cancel()
        await asyncio.wait({fetching})
        if not fetching.cancelled():
            numbers += hands.numbers(fetching.result())
    numbers += hands.numbers(await hands.fetch(stream, 40 - len(numbers)))
    assert numbers == list(range(40))


async def test_what_a_plugin_has_retracted_is_forgotten(log, hands):
    await log.declare("mail", ["user.*", "order.*"])
    await hands.append(log, 1)
    await log.retract("mail", but=["order.*"])
    assert not log.wants("user.created")
    assert log.wants("order.made")
    await log.declare("mail", ["user.*"])
    assert await hands.nothing_comes(log.stream(KEY), log)


async def test_a_stream_goes_on_when_its_subscription_was_retracted_and_declared_again(log, hands):
    await log.declare("mail", ["user.*"])
    await hands.append(log, 1)
    [old] = await hands.fetch(log.stream(KEY), 1)
    await log.retract("mail")
    await log.declare("mail", ["user.*"])
    log.stream(KEY).acknowledge(old)
    await hands.append(log, 2)
    async with hands.fetching(log.stream(KEY)) as found:
        async with asyncio.timeout(20):
            while 2 not in hands.numbers(found):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "data",
    [
        {"text": "ü€😀" * 10},
        {"text": "lone \ud800 surrogate"},
        {"text": "nul \x00 and \x1f"},
        {"\x00": {"\udfff": "key"}},
        {"n": 2**70, "f": 1e300, "deep": [[[[]]]]},
        {"big": "é" * 400_000},
        {},
    ],
    ids=["unicode", "surrogate", "nul", "keys", "numbers", "big", "empty"],
)
async def test_all_json_data_comes_as_it_was_given(store, log, hands, data):
    await log.declare("mail", ["user.*"])
    await log.append(Event("user.created", data))
    await log.close()
    [event] = await hands.fetch((await store.open(alone=True)).stream(KEY), 1)
    assert event.dict()["data"] == data


@pytest.mark.parametrize("key", ["", "\x00", "\ud800", '"quoted"', "ü", "k" * 2000])
async def test_any_text_is_an_ordering_key(store, log, hands, key):
    await log.declare("mail", ["user.*"])
    event = Event("user.created", {}, "x", "c" * 300, "\x00")
    event.ordering_key = key
    await log.append(event)
    await log.close()
    [found] = await hands.fetch((await store.open(alone=True)).stream(KEY), 1)
    assert found.ordering_key == key


async def test_events_are_found_by_position_name_id_and_work(log, hands):
    await log.declare("mail", ["**"])
    first = Event("user.created", {"n": 0})
    second = Event("order.made", {"n": 1}, "shop", first.correlation_id, first.id)
    for event in (first, second, Event("user.left", {"n": 2})):
        await log.append(event)
    assert hands.numbers(await log.read()) == [0, 1, 2]
    assert hands.numbers(await log.read(pattern="user.*")) == [0, 2]
    assert hands.numbers(await log.read(newest=True, limit=2)) == [2, 1]
    after = (await log.read(limit=1))[0].position
    assert hands.numbers(await log.read(after=after)) == [1, 2]
    found = await log.find(second.id)
    assert found is not None
    assert found.dict() == second.dict()
    assert await log.find("none") is None
    assert hands.numbers(await log.related(first.id)) == [0, 1]


async def test_the_lag_counts_what_is_not_handled(log, hands):
    await log.declare("mail", ["user.*"])
    await log.declare("audit", ["**"])
    await hands.append(log, *range(5))
    await hands.append(log, 9, name="order.made")
    stream = log.stream(KEY)
    events = await hands.fetch(stream, 5)
    for event in (events[0], events[2]):
        stream.acknowledge(event)
    audit, mail = await log.lag()
    assert (audit.key.plugin, audit.waiting, audit.worker) == ("audit", 6, "")
    assert (mail.key, mail.waiting, mail.enabled) == (KEY, 3, True)
    assert mail.worker
    assert mail.oldest > 0
    assert mail.size > 0


async def test_the_lag_is_right_after_a_restart_with_gaps(store, log, hands):
    await log.declare("mail", ["user.*"])
    await hands.append(log, 0, 1)
    stream = log.stream(KEY)
    stream.acknowledge((await hands.fetch(stream, 2))[1])
    await log.close()
    again = await store.open(alone=True)
    await hands.fetch(again.stream(KEY), 1)
    [mail] = await again.lag()
    assert mail.waiting == 1


async def test_a_replay_delivers_once_more_what_was_had_since_a_time(log, hands):
    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    given = await hands.append(log, *range(5))
    await hands.append(log, 9, name="order.made")
    await hands.fetch(stream, 5, acknowledge=True)
    assert await log.replay(KEY, given[2].time_ns) == 3
    assert hands.numbers(await hands.fetch(stream, 3, acknowledge=True)) == [2, 3, 4]
    assert await hands.nothing_comes(stream, log)


async def test_a_replay_includes_what_was_acknowledged_out_of_order(log, hands):
    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    given = await hands.append(log, *range(6))
    events = await hands.fetch(stream, 6)
    for event in events[2:]:
        stream.acknowledge(event)
    assert await log.replay(KEY, given[3].time_ns) == 3
    assert hands.numbers(await hands.fetch(stream, 5)) == [0, 1, 3, 4, 5]


async def test_acknowledgments_from_before_a_replay_do_not_undo_it(log, hands):
    await log.declare("mail", ["user.*"])
    stream = log.stream(KEY)
    given = await hands.append(log, *range(3))
    events = await hands.fetch(stream, 3)
    stream.acknowledge(events[0])
    await log.replay(KEY, given[0].time_ns)
    for event in events:
        stream.release(event)
    assert hands.numbers(await hands.fetch(stream, 3, acknowledge=True)) == [0, 1, 2]
    assert await hands.nothing_comes(stream, log)


async def test_a_replay_of_what_is_not_declared_is_refused(log):
    await log.declare("mail", ["user.*"])
    with pytest.raises(SubscriptionUnknown) as refusal:
        await log.replay(SubscriptionKey("mail", "order.*"), 0)
    assert "mail:user.*" in str(refusal.value)
