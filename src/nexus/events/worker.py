"""The task that takes events out of a mailbox and calls the handler."""

import asyncio
import logging
from typing import TYPE_CHECKING

from nexus.events.ask import Ask
from nexus.events.cause import origin
from nexus.events.dead_letters import DeadReason, describe, place
from nexus.events.event import Event
from nexus.events.succession import give_back

if TYPE_CHECKING:
    from nexus.events.mailbox import Mailbox

logger = logging.getLogger(__name__)

_TURN = 64
"""After how many events, at least, a worker lets others have the loop."""


class Worker:
    """One task of a mailbox.

    Attributes:
        current: The event in hand.
        task: Its task.
        abandoned: Whether the mailbox goes on without it, since its handler does not end.
    """

    __slots__ = (
        "_mailbox",
        "_mark",
        "_marked_at",
        "_nap",
        "_parking",
        "_stopping",
        "_timed_out",
        "abandoned",
        "current",
        "task",
    )

    def __init__(self, mailbox: "Mailbox") -> None:
        self._mailbox = mailbox
        self._mark: Event | None = None
        self._marked_at = 0.0
        self._nap: asyncio.Future[object] | None = None
        self._parking: asyncio.Future[None] | None = None
        self._stopping = False
        self._timed_out = False
        self.abandoned = False
        self.current: Event | None = None
        self.task: asyncio.Task[None] | None = None

    # The loop

    async def run(self) -> None:
        """Handle events until the subscription is over."""
        self.task = asyncio.current_task()
        origin.set(self)
        # Resting is not a part of a turn, lest the frame of one keep its last event in memory.
        while await self._turn() or await self._rest():
            pass

    async def _turn(self) -> bool:
        """Handle some events; False when there are none to take."""
        mailbox = self._mailbox
        queue, handler = mailbox.queue, mailbox.handler
        events = 0
        while events < _TURN:
            for event in queue.remaining:
                if mailbox.attention:
                    if await self._attend(event):
                        continue
                    return False
                self.current = event
                try:
                    await handler(event)
                except BaseException as error:  # noqa: BLE001 - the border of a plugin's code
                    failure = error
                else:
                    continue
                # Not inside the `except`, where the next attempt's error would get this one as
                # its context.
                try:
                    await self._recover(event, failure)
                finally:
                    del failure
            more = queue.advance()
            if not more:
                return False
            events += more
        self.current = None
        await asyncio.sleep(0)
        return True

    async def _rest(self) -> bool:
        """Park until there is an event; False when the worker is to end."""
        self.current = self._mark = None
        mailbox = self._mailbox
        if self._timed_out and not self.abandoned:
            self._forgive()
        if self._stopping or self.abandoned or not (mailbox.live or mailbox.queue):
            return False
        self._parking = asyncio.get_running_loop().create_future()
        mailbox.parked.append(self)
        mailbox.settle()
        try:
            await self._parking
        finally:
            self._parking = None
        return True

    async def _attend(self, event: Event) -> bool:
        """Handle an event while there is more to look at; False when it was put back."""
        mailbox = self._mailbox
        if self._timed_out and not self.abandoned:
            self._forgive()
        if self.abandoned or mailbox.left_behind.too_many:
            mailbox.queue.put_back(event)
            return False
        mailbox.refill()
        if mailbox.queue:
            mailbox.wake()  # Where several work at once, each one wakes the next.
        if isinstance(event, Ask):
            await self._answer(event)
        else:
            error = await self._try(event)
            if error is not None:
                await self._recover(event, error)
        return True

    async def _try(self, event: Event) -> BaseException | None:
        self._mark = None
        self.current = event
        try:
            await self._mailbox.handler(event)
        except BaseException as error:  # noqa: BLE001 - the border of a plugin's code
            return error
        return None

    async def _answer(self, ask: Ask) -> None:
        mailbox = self._mailbox
        mailbox.asks -= 1
        mailbox.notice()
        if ask.reply.done():
            mailbox.counters.spoiled += 1
            return  # Who asked has gone.
        self._mark = None
        self.current = ask
        try:
            value = await mailbox.handler(ask)
        except BaseException as error:
            self._mark = None
            if self._must_end(error):
                mailbox.bury(ask, DeadReason.SHUTDOWN, error)
                raise
            if not self.abandoned:
                mailbox.counters.spoiled += 1
                self._count(ask, error, 1)
                ask.refuse(describe(error))
        else:
            ask.answer(value)

    # Failure

    async def _recover(self, event: Event, failure: BaseException | None) -> None:
        """Try an event again that has failed, until it succeeds or is given up."""
        mailbox = self._mailbox
        attempt = 0
        try:
            while failure is not None and not self.abandoned:
                attempt += 1
                self._mark = None
                if self._must_end(failure):
                    self._bury_at_end(event, failure, attempt)
                    raise failure
                reason = self._count(event, failure, attempt)
                if self._is_final(attempt, reason):
                    mailbox.counters.spoiled += 1
                    mailbox.bury(event, reason, failure, attempt)
                    return
                if not await self._back_off(event, failure, attempt):
                    return
                mailbox.counters.retried += 1
                failure = await self._try(event)
        finally:
            # Its traceback refers to this frame: without this, only the cycle collector frees it.
            failure = None
            self._mark = None

    def _is_final(self, attempt: int, reason: DeadReason) -> bool:
        mailbox = self._mailbox
        # A thread cannot be stopped: a second one would run beside the first.
        unstoppable = mailbox.plain and reason is DeadReason.TIMEOUT
        return unstoppable or mailbox.closed or attempt >= mailbox.policy.max_attempts

    def _count(self, event: Event, error: BaseException, attempt: int) -> DeadReason:
        mailbox = self._mailbox
        reason = DeadReason.FAILED
        if self._timed_out:
            self._forgive()
            reason = DeadReason.TIMEOUT
        mailbox.counters.failed += 1
        logger.warning(
            "event handler timed out" if reason is DeadReason.TIMEOUT else "event handler failed",
            extra={
                "plugin": mailbox.owner,
                "pattern": mailbox.pattern,
                "event_name": event.name,
                "event_id": event.id,
                "attempt": attempt,
                "error": describe(error),
                "at": place(error),
            },
        )
        return reason

    async def _back_off(self, event: Event, failure: BaseException, attempt: int) -> bool:
        """Wait before the next attempt; False when a successor has taken the event over."""
        mailbox = self._mailbox
        if give_back(mailbox, event):
            return False
        surroundings = mailbox.surroundings
        delay = mailbox.policy.delay_after(attempt, surroundings.random)
        self._nap = asyncio.ensure_future(surroundings.sleep(delay))
        try:
            await asyncio.wait((self._nap,))
        except asyncio.CancelledError:
            self._nap.cancel()
            self._bury_at_end(event, failure, attempt)
            raise
        finally:
            self._nap = None
        return not give_back(mailbox, event)

    def _bury_at_end(self, event: Event, failure: BaseException, attempt: int) -> None:
        reason = DeadReason.SHUTDOWN if self._stopping else DeadReason.CANCELLED
        self._mailbox.counters.spoiled += 1
        self._mailbox.bury(event, reason, failure, attempt)

    def _must_end(self, error: BaseException) -> bool:
        """Say whether the error is for the worker, and not the handler's own."""
        if isinstance(error, GeneratorExit):
            return not _is_running(self.task)
        if not isinstance(error, asyncio.CancelledError) or self._timed_out:
            return False
        return self._stopping or (self.task is not None and self.task.cancelling() > 0)

    # The watchdog

    @property
    def timeout(self) -> float:
        """The seconds that one attempt may take."""
        return self._mailbox.timeout

    def check(self, now: float) -> bool:
        """Cancel the handler if it has taken too long, and give it up if that does not help.

        The event in hand tells whether it is the same delivery as before, since each is
        delivered once; what begins another attempt takes the mark away.
        """
        if self._parking is not None or self.task is None or self.task.done() or self.abandoned:
            return False
        if self.current is None or self._nap is not None:
            self._mark = None
            return True
        if self._mark is not self.current:
            self._mark, self._marked_at = self.current, now
            return True
        mailbox = self._mailbox
        grace = mailbox.surroundings.settings.handler_grace
        if now - self._marked_at < (grace if self._timed_out else mailbox.timeout):
            return True
        self._marked_at = now
        if self._timed_out:
            self._abandon()
            return False
        self._time_out()
        return True

    def _time_out(self) -> None:
        mailbox = self._mailbox
        self._timed_out = True
        mailbox.late += 1
        mailbox.counters.timed_out += 1
        mailbox.notice()
        if self.task is not None:
            self.task.cancel()

    def _forgive(self) -> None:
        """Take back the watchdog's cancellation, which has done its work."""
        self._timed_out = False
        self._mailbox.late -= 1
        self._mailbox.notice()
        if self.task is not None and not self._stopping:
            while self.task.cancelling():
                self.task.uncancel()

    def _abandon(self) -> None:
        event = self.current
        self.abandoned = True
        self._mailbox.late -= 1
        self._mailbox.abandon(self)
        if event is not None:
            self._mailbox.bury(event, DeadReason.ABANDONED, attempts=1)

    # The mailbox

    def unpark(self) -> None:
        """Go on; the mailbox has taken it off its list."""
        if self._parking is not None and not self._parking.done():
            self._parking.set_result(None)
        # Awake from here on in the watchdog's eyes, although the task has not run yet.
        self._parking = None

    def cut_nap(self) -> bool:
        """End the wait before the next attempt now; False when there is none."""
        return self._nap is not None and self._nap.cancel()

    def stop(self) -> "asyncio.Task[None]":
        """Cancel what it does, and give its task to wait for."""
        if self.task is None:
            raise RuntimeError("a worker in a mailbox has a task")
        self._stopping = True
        self.task.cancel()
        return self.task

    def end(self, task: "asyncio.Task[None]") -> None:
        """Tell the mailbox that the task is done."""
        self.current = None
        if not task.cancelled() and task.exception() is not None:
            logger.critical("event worker broke", exc_info=task.exception())
        self._mailbox.worker_ended(self)


def _is_running(task: "asyncio.Task[None] | None") -> bool:
    """Say whether the caller runs inside the task, and not in the clean-up of its frames."""
    try:
        return asyncio.current_task() is task
    except RuntimeError:
        return False
