"""One burst on a public bus: `python -P rival_bus.py SUBSCRIBERS EVENTS`.

The public Nexus brings a package that is called `nexus` too, so it lives in an environment of its
own and nothing of this project is imported here. Prints microseconds of CPU time for one event.
"""

import asyncio
import gc
import logging
import sys
import time

from nexus.core import EventBus


class Tally:
    def __init__(self, expected: int) -> None:
        self.count = 0
        self.total = 0
        self.expected = expected
        self.done = asyncio.Event()

    async def take(self, event: object) -> None:
        self.count += 1
        self.total += event.data["n"]
        if self.count == self.expected:
            self.done.set()


async def burst(subscribers: int, events: int) -> float:
    tallies = [Tally(events) for _ in range(subscribers)]
    bus = EventBus()
    for tally in tallies:
        bus.subscribe("user.created", tally.take)
    await bus.start()
    start = time.process_time()
    for number in range(events):
        await bus.publish("user.created", {"n": number}, source="bench")
    for tally in tallies:
        await tally.done.wait()
    spent = time.process_time() - start
    await bus.shutdown()
    return spent / events * 1e6


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    gc.collect()
    print(asyncio.run(burst(int(sys.argv[1]), int(sys.argv[2]))))
