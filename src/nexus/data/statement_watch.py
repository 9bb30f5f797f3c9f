"""Who wants to know of the statements that SQLAlchemy runs: tracing does, while somebody traces.

All other statements go through the methods of `Database`, which can be watched from outside.
"""

from collections.abc import Callable
from typing import TypeAlias

Ended: TypeAlias = Callable[[BaseException | None], None]
"""Called when a statement has ended, with the error that it ended in."""

Watcher: TypeAlias = Callable[[str], Ended | None]
"""Called with a statement before it runs; gives what is to be called after it, None for nothing."""

watcher: Watcher | None = None
"""Looked at when a plugin's engine is made; None while nobody wants to know."""
