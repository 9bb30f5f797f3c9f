"""One answer to a scrape for all processes that share an address.

A scrape of workers that share a socket reaches whichever is free, and counters of another process
each time are no counters. So the one that is asked puts the figures of all of them together, each
with the label `worker`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from nexus.observability.siblings import Params, Siblings

PATIENCE: Final = 2.0
"""Seconds that another worker has to give its figures; a blocked one must not block the scrape."""

UP: Final = "nexus_worker_up"
_UP_HEADER: Final = f"# HELP {UP} 1 while the worker gives its figures.\n# TYPE {UP} gauge\n"

_NAME: Final = "metrics"
_find_name = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*").match


def share_figures(siblings: Siblings, own: Callable[[], Awaitable[str]]) -> None:
    """Have the workers give each other their figures.

    Args:
        siblings: The workers.
        own: Gives this process's exposition text.
    """

    async def answer(_params: Params) -> str:
        return await own()

    siblings.answers[_NAME] = answer


async def exposition(siblings: Siblings) -> str:
    """Give the exposition text of all workers; of a process that is alone its own."""
    found = await siblings.gather(_NAME, patience=PATIENCE)
    if not siblings.number:
        text: str = found.told[0].value
        return text
    up = {each.number: 1.0 for each in found.told} | dict.fromkeys(found.silent, 0.0)
    return merged({each.number: each.value for each in found.told}) + (
        _UP_HEADER
        + "".join(f'{UP}{{worker="{number}"}} {each}\n' for number, each in sorted(up.items()))
    )


def merged(texts: Mapping[str, str]) -> str:
    """Put expositions together by family, with the label `worker` in each sample."""
    families: dict[str, list[str]] = {}
    for worker, text in sorted(texts.items()):
        samples: list[str] = []
        is_new = True
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split(" ", 3)[2]
                is_new = name not in families
                samples = families.setdefault(name, [])
            if not line.startswith("#"):
                samples.append(_labelled(line, worker))
            elif is_new:
                samples.append(line)
    return "".join(f"{line}\n" for lines in families.values() for line in lines)


def _labelled(line: str, worker: str) -> str:
    found = _find_name(line)
    if found is None:
        return line
    name, rest = found[0], line[found.end() :]
    label = f'worker="{worker}"'
    return f"{name}{{{label},{rest[1:]}" if rest.startswith("{") else f"{name}{{{label}}}{rest}"
