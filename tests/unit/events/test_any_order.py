import asyncio

from hypothesis import given
from hypothesis import strategies as st

from nexus.events import BusSettings, Event, EventBus, Subscription, matches

NAMES = ("a", "b", "c.d")
YIELDS = {"a": 0, "*": 1, "**": 2}


class Play:
    """Does random things to a bus and keeps book of what every subscription is to have."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        self.seen: dict[str, list[int]] = {pattern: [] for pattern in YIELDS}
        self.sent: dict[str, list[int]] = {pattern: [] for pattern in YIELDS}
        self.live = {pattern: self.make(pattern) for pattern in YIELDS}
        self.old: list[Subscription] = []
        self.count = 0
        bus.attach(self.live.values())

    def make(self, pattern: str) -> Subscription:
        async def handler(event: Event) -> None:
            for _ in range(YIELDS[pattern]):
                await asyncio.sleep(0)
            self.seen[pattern].append(event.data["n"])

        return self.bus.subscription(pattern, handler, owner="p")

    async def publish(self, name: str) -> None:
        self.count += 1
        for pattern in self.live:
            if matches(pattern, name):
                self.sent[pattern].append(self.count)
        await self.bus.publish(name, {"n": self.count}, source="p")

    async def turn(self) -> None:
        await asyncio.sleep(0)

    async def settle(self) -> None:
        assert await self.bus.join(30)

    async def swap(self) -> None:
        new = {pattern: self.make(pattern) for pattern in self.live}
        self.old.extend(self.live.values())
        self.bus.replace(tuple(self.live.values()), tuple(new.values()))
        self.live = new

    async def come_or_go(self) -> None:
        if "*" in self.live:
            assert await self.bus.drain([self.live.pop("*")], 30) == 0
        else:
            self.live["*"] = self.make("*")
            self.bus.attach([self.live["*"]])


ACTIONS = st.sampled_from([*NAMES, *NAMES, "turn", "settle", "swap", "come_or_go"])


@given(st.lists(ACTIONS, max_size=60))
def test_whatever_happens_every_subscription_has_its_events_once_and_in_order(actions):
    async def play() -> None:
        async with EventBus(BusSettings(mailbox_size=7)) as bus:
            game = Play(bus)
            for action in actions:
                if action in NAMES:
                    await game.publish(action)
                else:
                    await getattr(game, action)()
            await game.settle()
            assert game.seen == game.sent
            for figures in bus.figures().subscriptions:
                assert figures.depth == figures.in_hand == figures.blocked == 0
                if figures.pattern != "*":
                    assert figures.delivered == len(game.sent[figures.pattern])
            assert await bus.drain(game.old, 30) == 0

    asyncio.run(play())
