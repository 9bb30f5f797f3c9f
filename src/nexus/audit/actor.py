"""Who is at work: a person with a token, somebody at the command line, a plugin, the platform."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, as the audit log names them.

    Attributes:
        name: A kind and a name, such as `token:stored`, `cli:ann`, `user:ann` or `plugin:shop`;
            `system` is the platform by itself. Never a secret.
        address: The network address that they come from; empty where there is none.
    """

    name: str
    address: str = ""


SYSTEM: Final = Actor(name="system")

_current: ContextVar[Actor] = ContextVar("nexus_audit_actor", default=SYSTEM)


def current_actor() -> Actor:
    """Give who is at work in this context; the platform itself unless somebody was named."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Name who is at work while the block runs, in this context and in tasks that begin in it."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)
