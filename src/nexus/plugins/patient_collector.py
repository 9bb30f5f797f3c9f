"""Fewer passes of the garbage collector while many plugins start.

What a start makes is there to stay: modules, classes, models, routes. The collector looks for
garbage in it again and again, which takes a third of the time that hundreds of plugins need.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 500_000
"""How many new objects wait for a pass; Python's own number is 700."""

_before: list[tuple[int, int, int]] = []


@contextmanager
def patient_collector() -> Iterator[None]:
    """Have the collector wait for more objects inside the block.

    It still works: what the block leaves behind is bounded by some tens of megabytes. A process
    that has turned the collector off, or made it wait longer, is left alone. Blocks may overlap;
    the process has its own setting back when the last one ends.
    """
    _before.append(gc.get_threshold())
    if 0 < _before[0][0] < _OBJECTS:
        gc.set_threshold(_OBJECTS, *_before[0][1:])
    try:
        yield
    finally:
        first = _before[0]
        _before.pop()
        if not _before and gc.get_threshold()[0] == _OBJECTS:
            _age()
            gc.set_threshold(*first)


def _age() -> None:
    """Move all objects to the oldest generation, where the next full pass looks at them.

    Otherwise the next object that somebody makes would have all of them looked at as new ones.
    """
    if gc.get_freeze_count() == 0:
        gc.freeze()
        gc.unfreeze()
