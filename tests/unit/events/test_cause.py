import asyncio
import gc
import weakref

from nexus.events import Event, EventBus, correlation_scope, current_cause, pinned_context


async def test_what_a_handler_publishes_carries_its_cause(bus):
    chain: list[Event] = []

    async def relay(event):
        chain.append(event)
        if len(chain) < 3:
            await bus.publish(f"step.{len(chain)}", source="p")

    bus.attach([bus.subscription("step.*", relay, owner="p")])
    await bus.publish("step.0", source="p", correlation_id="order-7")
    await bus.join()
    assert [event.correlation_id for event in chain] == ["order-7"] * 3
    assert [event.causation_id for event in chain] == [None, chain[0].id, chain[1].id]


async def test_an_event_that_begins_something_gives_its_id_to_all_that_follows(bus):
    chain: list[Event] = []

    async def relay(event):
        chain.append(event)
        if event.name == "a":
            await bus.publish("b", source="p")

    bus.attach([bus.subscription("*", relay, owner="p")])
    first = await bus.publish("a", source="p")
    await bus.join()
    assert chain[1].correlation_id == chain[1].causation_id == first.id


async def test_what_the_caller_says_wins(bus):
    with correlation_scope("scope"):
        event = await bus.publish("a", source="p", correlation_id="own", causation_id="cause")
    assert (event.correlation_id, event.causation_id) == ("own", "cause")


async def test_a_scope_gives_its_correlation_id_and_ends(bus):
    with correlation_scope("request-1"):
        inside = await bus.publish("a", source="p")
    outside = await bus.publish("a", source="p")
    assert (inside.correlation_id, inside.causation_id) == ("request-1", None)
    assert outside.correlation_id == outside.id


async def test_workers_do_not_inherit_the_scope_in_which_they_were_made(bus):
    chain: list[Event] = []

    async def relay(event):
        chain.append(event)
        if event.name == "a":
            await bus.publish("b", source="p")

    with correlation_scope("setup"):
        bus.attach([bus.subscription("*", relay, owner="p")])
    await bus.publish("a", source="p", correlation_id="work")
    await bus.join()
    assert [event.correlation_id for event in chain] == ["work", "work"]


async def test_a_task_that_outlives_its_event_claims_no_cause_unless_it_was_pinned(bus: EventBus):
    gate, busy, in_hand, release = (asyncio.Event() for _ in range(4))
    tasks: list[asyncio.Task[Event]] = []

    async def late() -> Event:
        await gate.wait()
        return await bus.publish("late", source="p")

    async def starts(event):
        if not tasks:
            tasks.append(asyncio.create_task(late()))
            tasks.append(asyncio.create_task(late(), context=pinned_context()))
        if busy.is_set():
            in_hand.set()
            await release.wait()

    bus.attach([bus.subscription("a", starts, owner="p")])
    first = await bus.publish("a", source="p")
    await bus.publish("a", source="p")
    await bus.join()
    # The handler has another event in hand when the tasks publish.
    busy.set()
    await bus.publish("a", source="p")
    await in_hand.wait()
    gate.set()
    loose, pinned = await asyncio.gather(*tasks)
    busy.clear()
    release.set()
    assert loose.causation_id is None
    assert pinned.causation_id == pinned.correlation_id == first.id
    assert current_cause() is None


async def test_a_task_of_a_drained_handler_does_not_keep_its_code(bus):
    class Plugin:
        async def handle(self, _event):
            task.append(asyncio.create_task(gate.wait()))

    gate, task, plugin = asyncio.Event(), list[asyncio.Task[bool]](), Plugin()
    gone = weakref.ref(plugin)
    subscription = bus.subscription("a", plugin.handle, owner="p")
    bus.attach([subscription])
    await bus.publish("a", source="p")
    await bus.join()
    await bus.drain([subscription], 1)
    del subscription, plugin
    gc.collect()
    assert gone() is None
    gate.set()
    await asyncio.gather(*task)
