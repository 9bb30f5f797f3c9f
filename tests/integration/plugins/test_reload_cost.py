"""What a reload costs does not grow with the plugins that there are."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

BUSY = """
    async def initialize(self):
        self.register_service(f"{self.name}.api", self)
        await self.subscribe_to_event("order.*", self.on_order)
        await self.set_config("seen", SAYS)
        return True

    async def on_order(self, event):
        pass
"""
MANIFEST: dict[str, Any] = {
    "events": {"subscribes": ["order.*"]},
    "configuration": {"seen": {"type": "integer"}, "key": {"type": "string", "secret": True}},
}
SPARE = 100
"""Calls that may be more: the loop may happen to do other work, too."""


async def calls_of_a_reload(workshop: Any, plugins: int) -> Counter[str]:
    """Give the Python functions that a reload and a first request call on the event loop."""
    names = [f"plugin_{number}" for number in range(plugins)]
    for name in names:
        workshop.plugin(name, BUSY, says=0, **MANIFEST)
    fewest: Counter[str] = Counter()
    async with workshop.running(logging={"level": "ERROR"}) as site:
        for says in range(1, 8):
            workshop.plugin("plugin_0", BUSY, says=says, **MANIFEST)
            calls: Counter[str] = Counter()

            def count(frame: FrameType, event: str, _: object, calls: Any = calls) -> None:
                if event == "call":
                    calls[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1

            sys.setprofile(count)
            try:
                await site.app.manager.reload("plugin_0")
                found = await site.says("plugin_0")
            finally:
                sys.setprofile(None)
            assert found == says
            if says > 2 and (not fewest or calls.total() < fewest.total()):
                fewest = calls
    return fewest


async def test_a_reload_among_many_does_no_more_than_one_among_few(workshop: Any) -> None:
    few = await calls_of_a_reload(workshop, 2)
    many = await calls_of_a_reload(workshop, 150)
    more = {name: (few[name], count) for name, count in many.items() if count > few[name] + 10}
    assert many.total() <= few.total() + SPARE, more
    assert few.total() > 1000, "nothing was counted"
