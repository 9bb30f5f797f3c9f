"""Whatever happens in whatever order: nothing is lost, nothing comes twice, all is in order."""

import asyncio
import os
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from nexus.data.database import DEFAULT_LIMITS, Database
from nexus.data.engines.opening import make_database
from nexus.data.url import DatabaseUrl
from nexus.events.durable import DurableLog
from nexus.events.durable import stream as stream_module
from nexus.events.engines.sql import SqlJournal
from nexus.events.engines.sql import searching as searching_module
from nexus.events.event import Event
from nexus.events.log import LogSettings, SubscriptionKey

KEY = SubscriptionKey("mail", "user.*")
FEW = 7


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have streams fall behind and read pages after a few events already."""
    monkeypatch.setattr(stream_module, "_READY", FEW)
    monkeypatch.setattr(searching_module, "_PAGE", FEW)


class LogMachine(RuleBasedStateMachine):
    """A subscription against a model: which events are handled, in hand, or still to come."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.published = 0
        self.waiting: deque[int] = deque()
        self.in_hand: dict[int, Event] = {}
        self.handled: set[int] = set()
        self.replayed_from = 0

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    def now(self, function: Callable[[Event], None], event: Event) -> None:
        """Call what needs a running loop."""

        async def call() -> None:
            function(event)

        self.run(call())

    @initialize()
    def begin(self) -> None:
        self.database: Database
        self.log: DurableLog
        self.run(self._open())
        self.run(self.log.declare("mail", ["user.*"]))
        self.run(self.log.declare("other", ["order.*"]))

    async def _open(self) -> None:
        path = Path(self.folder.name) / "nexus.db"
        url = DatabaseUrl(engine="sqlite", path=str(path))
        self.database = make_database(url, limits=DEFAULT_LIMITS)
        await self.database.open()
        self.log = DurableLog(
            self.database, SqlJournal(self.database), LogSettings(max_crashes=1000)
        )
        await self.log.open()
        self.stream = self.log.stream(KEY)

    # What publishers do

    def _event(self) -> Event:
        event = Event("user.created", {"n": self.published})
        self.waiting.append(self.published)
        self.published += 1
        return event

    @rule(count=st.integers(1, 3 * FEW), others=st.booleans())
    def publish_at_once(self, count: int, others: bool) -> None:
        async def publish() -> None:
            events = []
            for number in range(count):
                events.append(self._event())
                if others:
                    events.append(Event("order.made", {"n": number}))
            await asyncio.gather(*(self.log.append(each) for each in events))

        self.run(publish())

    @rule(count=st.integers(1, FEW), commits=st.booleans())
    def publish_in_a_transaction(self, count: int, commits: bool) -> None:
        async def publish() -> None:
            before, waiting = self.published, self.waiting.copy()
            try:
                async with self.database.transaction():
                    for _ in range(count):
                        await self.log.append(self._event())
                    if not commits:
                        raise KeyError  # noqa: TRY301 - what a publisher may do
            except KeyError:
                self.published, self.waiting = before, waiting

        self.run(publish())

    # What a subscriber does

    @precondition(lambda self: self.waiting)
    @rule(limit=st.integers(1, 2 * FEW))
    def fetch(self, limit: int) -> None:
        careful = bool(self.stream._careful or self.stream.claim is None)
        if careful and self.in_hand:
            return  # It may be one by one, and then nothing would come.
        events = self.run(self.stream.fetch(limit))
        assert 0 < len(events) <= limit
        for event in events:
            assert event.data["n"] == self.waiting.popleft()
            self.in_hand[event.data["n"]] = event

    @rule()
    def fetch_and_give_up(self) -> None:
        async def give_up() -> None:
            task = asyncio.create_task(self.stream.fetch(1))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                for event in task.result():
                    self.stream.release(event)

        self.run(give_up())

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.in_hand)))
        self.now(self.stream.acknowledge, self.in_hand.pop(number))
        self.handled.add(number)

    @precondition(lambda self: self.in_hand)
    @rule()
    def acknowledge_all(self) -> None:
        for number in sorted(self.in_hand):
            self.now(self.stream.acknowledge, self.in_hand.pop(number))
            self.handled.add(number)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.in_hand)))
        self.now(self.stream.release, self.in_hand.pop(number))
        self._comes_again({number})

    def _comes_again(self, numbers: set[int]) -> None:
        self.waiting = deque(sorted({*self.waiting, *numbers}))

    # What happens to processes

    def _give_all_back(self) -> None:
        self._comes_again(set(self.in_hand))
        self.in_hand.clear()

    @rule()
    def leave(self) -> None:
        self.run(self.stream.leave())
        self._give_all_back()

    @rule()
    def restart(self) -> None:
        async def restart() -> None:
            await self.log.close()
            await self.database.close()
            await self._open()

        self.run(restart())
        self._give_all_back()

    @rule()
    def die(self) -> None:
        """What was acknowledged is stored before, so that the model knows it."""

        async def die() -> None:
            await self.log.acknowledgements.flush()
            await self.log._keeper.stop()
            await self.log.acknowledgements.close()
            await self.log.tail.close()
            await self.log.claims.close()
            await self.database.close()
            await self._open()

        self.run(die())
        self._give_all_back()

    @rule()
    def lose_the_lease(self) -> None:
        async def lose() -> None:
            await self.log.acknowledgements.flush()
            await self.database.execute("UPDATE nexus_event_subscriptions SET epoch = epoch + 1")
            await self.log.claims.renew()

        self.run(lose())
        self._give_all_back()

    @rule()
    def tidy(self) -> None:
        self.run(self.log._keeper.tidy())

    @precondition(lambda self: self.published)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, self.published - 1))

        async def replay() -> int:
            await self.log.acknowledgements.flush()
            events = await self.log.read(pattern="user.*", limit=10_000)
            return await self.log.replay(KEY, events[number].time_ns)

        again = {each for each in self.handled if each >= number}
        count = self.run(replay())
        # Events of one moment cannot be told apart.
        if count == len(again):
            self.handled -= again
            self._comes_again(again)
        else:
            assert count > len(again)
            earlier = sorted(self.handled)[-count:]
            self.handled.difference_update(earlier)
            self._comes_again(set(earlier))
        self._give_all_back()

    @rule()
    def look_at_the_lag(self) -> None:
        other_or_mail = self.run(self.log.lag())
        [mail] = [each for each in other_or_mail if each.key == KEY]
        assert mail.waiting == len(self.waiting) + len(self.in_hand)

    @override
    def teardown(self) -> None:
        async def rest() -> list[int]:
            self._give_all_back()
            await self.stream.leave()
            found: list[int] = []
            while len(found) < len(self.waiting):
                for event in await self.stream.fetch(100):
                    found.append(event.data["n"])
                    self.stream.acknowledge(event)
            mark = Event("user.created", {"n": -1})
            await self.log.append(mark)
            [last] = await self.stream.fetch(10)
            assert last.id == mark.id
            return found

        try:
            if hasattr(self, "log"):
                assert self.run(rest()) == list(self.waiting)
                self.run(self.log.close())
                self.run(self.database.close())
        finally:
            self.loop.close()
            self.folder.cleanup()


def test_a_subscription_does_as_its_model_does() -> None:
    run_state_machine_as_test(
        LogMachine,
        settings=settings(
            max_examples=int(os.environ.get("NEXUS_TEST_EXAMPLES", "20")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
