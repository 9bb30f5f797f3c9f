"""The events that wait for one subscription, and the workers that handle them.

A mailbox is a bounded queue. Publishers put events in without suspending while there is room, and
stand in line (`Waiting`) when there is none. Workers are tasks that are made when they are first
needed, and park when the queue is empty. What happens on every delivery is in `Worker`; whatever
else a delivery may meet (publishers in line, requests, handlers left behind) sets `attention`, so
that the usual delivery pays one test for all of it.
"""

import asyncio
import logging
from collections import OrderedDict
from contextvars import Context, copy_context

from nexus.events.ask import Ask
from nexus.events.dead_letters import DeadReason, describe
from nexus.events.event import Event
from nexus.events.figures import Counters
from nexus.events.handlers import AsyncHandler, Handler, ThreadedHandler, is_async
from nexus.events.ledger import Ledger
from nexus.events.left_behind import LeftBehind
from nexus.events.line import Waiting
from nexus.events.retry import RetryPolicy
from nexus.events.runs import RunQueue
from nexus.events.settings import SubscriptionOptions
from nexus.events.surroundings import Surroundings
from nexus.events.worker import Worker

logger = logging.getLogger(__name__)


class Mailbox:
    """One subscription's queue and workers.

    Attributes:
        pattern: The subscription's pattern.
        owner: The plugin that subscribed.
        handler: What workers await.
        plain: Whether the plugin gave a plain function, which runs in a thread.
        limit: How many events may wait.
        timeout: Seconds for one attempt.
        policy: How failures are tried again.
        ledger: What hears of a durable subscription's events; None for all others.
        counters: What has happened so far.
        queue: The events that wait.
        line: The publishers that wait, the first in line first.
        asks: How many requests wait.
        workers: The workers, those that are parked among them.
        parked: The workers that have nothing to do.
        left_behind: Handlers that do not end.
        late: How many workers the watchdog has cancelled and not heard of since.
        attention: Whether a delivery has more to look at than the event.
        live: Whether the bus puts events in.
        held: Whether a predecessor must first finish its event in hand.
        inherited: Whether a successor has taken the events and counters over.
        closed: Whether it has been drained.
        unhandled: How many events were given up by closing it.
        successor: The mailbox that waits for this one to be quiet.
        predecessor: The mailbox that this one waits for.
    """

    __slots__ = (
        "_context",
        "_quiet",
        "asks",
        "attention",
        "closed",
        "concurrency",
        "counters",
        "handler",
        "held",
        "inherited",
        "late",
        "ledger",
        "left_behind",
        "limit",
        "line",
        "live",
        "owner",
        "parked",
        "pattern",
        "plain",
        "policy",
        "predecessor",
        "queue",
        "successor",
        "surroundings",
        "timeout",
        "unhandled",
        "workers",
    )

    def __init__(
        self,
        *,
        pattern: str,
        owner: str,
        handler: Handler,
        options: SubscriptionOptions,
        surroundings: Surroundings,
        context: Context | None,
        ledger: Ledger | None = None,
    ) -> None:
        settings = surroundings.settings
        self.pattern = pattern
        self.owner = owner
        self.surroundings = surroundings
        self.plain = not is_async(handler)
        self.ledger = ledger
        usual: AsyncHandler = ThreadedHandler(handler, self) if self.plain else handler
        self.handler = usual if ledger is None else ledger.watching(usual)
        self.concurrency = options.concurrency
        self.limit = options.mailbox_size or settings.mailbox_size
        self.timeout = options.timeout or settings.handler_timeout
        self.policy = RetryPolicy(
            max_attempts=options.max_attempts or settings.max_attempts,
            delay=settings.retry_delay,
            max_delay=settings.retry_max_delay,
        )
        self.counters = Counters()
        self.queue = RunQueue(surroundings.open_run)
        self.line: OrderedDict[Waiting, None] = OrderedDict()
        self.asks = 0
        self.workers: set[Worker] = set()
        self.parked: list[Worker] = []
        self.left_behind = LeftBehind(settings.max_abandoned)
        self.late = 0
        self.attention = options.concurrency > 1
        self.live = False
        self.held = False
        self.inherited = False
        self.closed = False
        self.unhandled = 0
        self.successor: Mailbox | None = None
        self.predecessor: Mailbox | None = None
        self._context = copy_context() if context is None else context
        self._quiet: asyncio.Future[None] | None = None

    def has_from_log(self, _name: str) -> bool:
        """Say whether events of a name that is in the log come to it from there."""
        return self.ledger is not None

    # Publishers

    @property
    def room(self) -> int:
        """How many more events may be put in."""
        return self.limit - len(self.queue)

    def accept(self, run: list[Event]) -> None:
        """Put the beginning of a run in, for which there is room."""
        self.queue.append(run)
        self.wake()

    def put(self, event: Event) -> bool:
        """Put an event in, if there is room."""
        if self.room <= 0:
            return False
        self.queue.append_event(event)
        self.wake()
        return True

    def stand_in_line(self, event: Event) -> Waiting:
        """Put an event in as soon as there is room for it."""
        waiting = Waiting(self, event)
        self.line[waiting] = None
        self.attention = True
        return waiting

    def withdraw(self, waiting: Waiting) -> bool:
        """Take a publisher out of the line; False if its event is in the mailbox already."""
        if waiting not in self.line:
            return False
        del self.line[waiting]
        self.notice()
        self.settle()
        return True

    def refill(self) -> None:
        """Let publishers in, the first in line first."""
        while self.line and self.room > 0:
            waiting, _ = self.line.popitem(last=False)
            self.queue.append_event(waiting.event)
            waiting.settle()
        self.notice()

    def notice(self) -> None:
        """Work out whether deliveries have more to look at than the event."""
        self.attention = bool(
            self.concurrency > 1
            or self.line
            or self.asks
            or self.left_behind
            or self.late
            or self.closed
        )

    # Workers

    @property
    def in_hand(self) -> int:
        """How many events are being handled, or wait to be tried again."""
        own = sum(worker.current is not None for worker in self.workers)
        return own + (self.predecessor.in_hand if self.predecessor else 0)

    @property
    def delivered(self) -> int:
        """How many events have been handled, by predecessors too."""
        counters = self.counters
        return counters.taken + self.queue.taken - counters.spoiled - self.in_hand

    def is_worked_by(self, task: "asyncio.Task[object] | None") -> bool:
        """Say whether the task is one of the workers'."""
        return any(worker.task is task for worker in self.workers)

    def wake(self) -> None:
        """Get one more worker to work, if there may be one."""
        if self.held or self.closed or self.left_behind.too_many:
            return
        if self.parked:
            worker = self.parked.pop()
            worker.unpark()
        elif len(self.workers) < self.concurrency:
            worker = Worker(self)
            self.workers.add(worker)
            worker.task = asyncio.get_running_loop().create_task(
                worker.run(),
                name=f"nexus-events:{self.owner}:{self.pattern}",
                context=self._context.copy(),
            )
            worker.task.add_done_callback(worker.end, context=Context())
        else:
            return
        self.surroundings.watchdog.watch(worker)

    def wake_all(self) -> None:
        """Get as many workers to work as there are events for."""
        for _ in range(min(self.concurrency, len(self.queue))):
            self.wake()

    def worker_ended(self, worker: Worker) -> None:
        """Forget a worker whose task is done."""
        self.surroundings.watchdog.forget(worker)
        if worker in self.workers:
            self.workers.discard(worker)
            if worker in self.parked:
                self.parked.remove(worker)
        self.left_behind.workers.discard(worker)
        self.notice()
        self.wake_all()
        self.settle()

    def abandon(self, worker: Worker) -> None:
        """Leave a worker behind whose handler does not end, and go on without it."""
        self.workers.discard(worker)
        self.left_behind.workers.add(worker)
        self.counters.spoiled += 1
        self.notice()
        self.left_behind.log(self.owner, self.pattern)
        self.wake_all()
        self.settle()

    def thread_left_behind(self) -> None:
        """Note that a plain handler overran its time; its thread cannot be stopped."""
        self.left_behind.threads += 1
        self.notice()
        self.left_behind.log(self.owner, self.pattern)

    def thread_returned(self) -> None:
        """Note that such a thread has ended after all."""
        self.left_behind.threads -= 1
        self.notice()
        self.wake_all()

    # Failure

    def bury(
        self,
        event: Event,
        reason: DeadReason,
        error: BaseException | None = None,
        attempts: int = 0,
    ) -> None:
        """Give an event up for this subscription."""
        if reason is DeadReason.SHUTDOWN:
            self.unhandled += 1
        if isinstance(event, Ask):
            event.refuse(describe(error) or f"it was given up ({reason})")
            return
        if self.ledger is not None:
            self.ledger.give_up(event, reason, error, attempts)
            if reason is DeadReason.SHUTDOWN:
                return  # It is not dead: it is delivered again.
            self._tell(event, reason, describe(error), attempts)
            return
        letter = self.surroundings.dead_letters.add(
            event,
            pattern=self.pattern,
            owner=self.owner,
            reason=reason,
            error=error,
            attempts=attempts,
        )
        self._tell(event, reason, letter.error, attempts)

    def _tell(self, event: Event, reason: DeadReason, error: str, attempts: int) -> None:
        self.counters.dead_lettered += 1
        logger.error(
            "event became a dead letter",
            extra={
                "plugin": self.owner,
                "pattern": self.pattern,
                "event_name": event.name,
                "event_id": event.id,
                "reason": str(reason),
                "attempts": attempts,
                "error": error,
            },
        )

    # The end

    @property
    def quiet(self) -> bool:
        """Whether nothing waits and nothing is in hand."""
        return not (self.queue or self.line or self.held or len(self.workers) > len(self.parked))

    def settle(self) -> None:
        """Tell those who wait for it that the mailbox is quiet, if it is."""
        if not self.quiet:
            return
        if self._quiet is not None:
            if not self._quiet.done():
                self._quiet.set_result(None)
            self._quiet = None
        successor, self.successor = self.successor, None
        if successor is not None:
            successor.predecessor = None
            successor.held = False
            successor.wake_all()
            successor.settle()

    def when_quiet(self) -> "asyncio.Future[None]":
        """Give a future that is done when the mailbox is next quiet."""
        if self._quiet is None or self._quiet.done():
            self._quiet = asyncio.get_running_loop().create_future()
            self.settle()
            if self._quiet is None:
                return _done()
        return self._quiet

    def detach(self) -> None:
        """Take no more events; workers end when those that wait are handled."""
        self.live = False
        for worker in list(self.parked):
            worker.unpark()
        self.parked.clear()

    async def close(self) -> int:
        """End the workers, and make dead letters of all that was not handled.

        Returns:
            How many events were not handled.
        """
        self.closed = True
        self.live = self.held = False
        self.attention = True
        waiting = [*self.queue.clear(), *(entry.event for entry in self.line)]
        for entry in self.line:
            entry.settle()
        self.line.clear()
        for event in waiting:
            self.bury(event, DeadReason.SHUTDOWN)
        tasks = [worker.stop() for worker in self.workers | self.left_behind.workers]
        if tasks:
            _, hanging = await asyncio.wait(tasks, timeout=self.surroundings.settings.handler_grace)
            if hanging:
                told = {"plugin": self.owner, "pattern": self.pattern, "left_behind": len(hanging)}
                logger.error("event handlers ignored their cancellation and still run", extra=told)
        # A task that a handler started may keep a worker in its context, and must not keep a
        # plugin's code in memory with it.
        self.handler = _closed
        self._context = Context()
        self.settle()
        return self.unhandled


def _done() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


async def _closed(event: Event) -> None:
    """Stand in for the handler of a mailbox that was drained."""
