"""One mailbox takes over from another, as when a plugin is reloaded."""

from typing import TYPE_CHECKING

from nexus.events.event import Event

if TYPE_CHECKING:
    from nexus.events.mailbox import Mailbox


def hand_over(old: "Mailbox", successor: "Mailbox") -> None:
    """Move all that waits to another mailbox, which begins when the event in hand is done."""
    moving = old.queue.clear()
    old.counters.taken += old.queue.taken
    old.queue.finished = 0
    old.inherited = True
    successor.counters = old.counters
    successor.queue.push_front(moving)
    successor.asks += old.asks
    old.asks = 0
    while old.line:
        waiting, _ = old.line.popitem(last=False)
        waiting.mailbox = successor
        successor.line[waiting] = None
    old.notice()
    if not old.quiet:
        old.successor = successor
        successor.predecessor = old
        # Several at once promise no order, so there is nothing to wait for.
        successor.held = successor.concurrency == 1
        for worker in old.workers:
            worker.cut_nap()
    successor.refill()
    successor.wake_all()


def give_back(mailbox: "Mailbox", event: Event) -> bool:
    """Put an event that is to be tried again before those of the heir, if there is one."""
    heir = mailbox.successor
    while heir is not None and heir.successor is not None:
        heir = heir.successor
    if heir is None or heir.closed:
        return False
    mailbox.counters.spoiled += 1
    heir.queue.push_front([event])
    heir.wake()
    return True
