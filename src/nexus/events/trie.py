"""Which of many patterns match an event name, whatever their number."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from nexus.events.pattern import ONE, REST

T = TypeVar("T")


class _Node(Generic[T]):
    """One place in the trie: what follows it, and what ends here or takes all the rest."""

    __slots__ = ("ending", "following", "rest")

    def __init__(self) -> None:
        self.following: dict[str, _Node[T]] = {}
        self.ending: list[T] = []
        self.rest: list[T] = []

    @property
    def is_empty(self) -> bool:
        return not (self.following or self.ending or self.rest)


class PatternTrie(Generic[T]):
    """Things that are found by every event name that matches their pattern."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left in it."""
        return self._root.is_empty

    def add(self, pattern: str, item: T) -> None:
        """Have an item found; one that is added twice is found twice."""
        *path, last = pattern.split(".")
        node = self._root
        for segment in path if last == REST else (*path, last):
            node = node.following.setdefault(segment, _Node())
        (node.rest if last == REST else node.ending).append(item)

    def remove(self, pattern: str, item: T) -> None:
        """Have an item found no more, which was added with this pattern."""
        _remove(self._root, pattern.split("."), item)

    def find(self, name: str) -> Iterator[T]:
        """Give what matches a name, in no order that means anything."""
        return _find(self._root, name.split("."))


def _find(node: _Node[T], segments: list[str], at: int = 0) -> Iterator[T]:
    if at == len(segments):
        yield from node.ending
        return
    yield from node.rest
    for segment in (segments[at], ONE):
        following = node.following.get(segment)
        if following is not None:
            yield from _find(following, segments, at + 1)


def _remove(node: _Node[T], segments: list[str], item: T) -> None:
    if not segments:
        node.ending.remove(item)
    elif segments == [REST]:
        node.rest.remove(item)
    else:
        following = node.following[segments[0]]
        _remove(following, segments[1:], item)
        if following.is_empty:
            del node.following[segments[0]]
