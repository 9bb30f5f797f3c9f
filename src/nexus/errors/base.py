"""The root of the platform's errors."""

from collections.abc import Sequence
from typing import Any, ClassVar

from typing_extensions import override


class NexusError(Exception):
    """The root of the platform's errors.

    Keyword arguments become attributes, so that a caller can act on them without parsing text.
    """

    code: ClassVar[str] = "nexus-error"

    def __init__(self, **data: Any) -> None:
        super().__init__()
        self.data = data

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(name) from None

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.data)

    def render(self) -> str:
        """Say what happened, what was expected, and what to do next."""
        return (type(self).__doc__ or self.code).strip().splitlines()[0]

    @override
    def __str__(self) -> str:
        return self.render()

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.render()!r})"


def _rebuild(kind: type[NexusError], data: dict[str, Any]) -> NexusError:
    error = kind.__new__(kind)
    NexusError.__init__(error, **data)
    return error


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Give the known spelling closest to `name`, or None when nothing is close."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1, cutoff=0.6)), None)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Give a question that names the closest known spelling, or nothing when none is close."""
    close = nearest(name, known)
    return f" Did you mean {close!r}?" if close else ""
