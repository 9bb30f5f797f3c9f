"""What came of what: events of one piece of work as a tree."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from nexus.web.management.event_views import EventView

DEEPEST: Final = 100
"""So deep the tree is nested. Who is further down stands beside the others at the bottom."""


def causation_tree(events: Iterable[EventView]) -> list[dict[str, Any]]:
    """Give events as `{"event": ..., "caused": [...]}`, those without a known cause on top.

    Args:
        events: The events, each once, as `event_view` shows them.
    """
    in_order = sorted(events, key=lambda each: (each["timestamp"], each["id"]))
    nodes = {each["id"]: _node(each) for each in in_order}
    caused: dict[str, list[EventView]] = defaultdict(list)
    tops = []
    for event in in_order:
        if event["causation_id"] in nodes and event["causation_id"] != event["id"]:
            caused[event["causation_id"]].append(event)
        else:
            tops.append(event)
    placed: set[str] = set()
    tree: list[dict[str, Any]] = []
    # Whoever is in a circle of causes has none on top: it is put there when the others are done.
    for top in (*tops, *in_order):
        if top["id"] not in placed:
            placed.add(top["id"])
            tree.append(nodes[top["id"]])
            _place(top, nodes, caused, placed)
    return tree


def _node(event: EventView) -> dict[str, Any]:
    return {"event": event, "caused": []}


def _place(
    top: EventView,
    nodes: dict[str, dict[str, Any]],
    caused: dict[str, list[EventView]],
    placed: set[str],
) -> None:
    """Put all that an event has caused below it; not recursive, since chains may be long."""
    waiting = [(top, nodes[top["id"]]["caused"], 1)]
    while waiting:
        event, below, depth = waiting.pop()
        for each in caused[event["id"]]:
            if each["id"] in placed:
                continue
            placed.add(each["id"])
            below.append(nodes[each["id"]])
            is_bottom = depth >= DEEPEST
            waiting.append(
                (each, below if is_bottom else nodes[each["id"]]["caused"], depth + (not is_bottom))
            )
