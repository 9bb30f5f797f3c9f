"""How events that caused each other become a tree."""

import json
from typing import Any

from nexus.events.event import restored_event
from nexus.web.management.causation import DEEPEST, causation_tree
from nexus.web.management.event_views import EventView, event_view


def event(number: int, cause: int | None = None) -> EventView:
    return event_view(
        restored_event(
            event_id=f"e{number}",
            name=f"n{number}",
            data={},
            source="test",
            time_ns=number * 1000,
            cause=("work", None if cause is None else f"e{cause}", None, None),
        )
    )


def ids(tree: list[dict[str, Any]]) -> Any:
    return [(each["event"]["id"], ids(each["caused"])) for each in tree]


def test_each_event_stands_below_its_cause_in_the_order_of_time() -> None:
    events = [event(4, 2), event(1), event(3, 1), event(2, 1)]
    assert ids(causation_tree(events)) == [("e1", [("e2", [("e4", [])]), ("e3", [])])]


def test_an_event_whose_cause_is_not_there_stands_on_top() -> None:
    assert ids(causation_tree([event(2, 1), event(3, 2)])) == [("e2", [("e3", [])])]


def test_events_that_name_each_other_as_causes_are_all_shown() -> None:
    [(top, below)] = ids(causation_tree([event(1, 2), event(2, 1)]))
    assert (top, below) == ("e1", [("e2", [])])
    assert ids(causation_tree([event(1, 1)])) == [("e1", [])]


def test_a_long_chain_is_shown_whole_and_no_deeper_than_can_be_written() -> None:
    length = 1000
    tree = causation_tree([event(1), *(event(each, each - 1) for each in range(2, length + 1))])
    text = json.dumps(tree)
    assert all(f'"e{each}"' in text for each in range(1, length + 1))
    depth, level, bottom = 0, tree, tree
    while level:
        depth, bottom, level = depth + 1, level, level[-1]["caused"]
    assert depth == DEEPEST + 1
    assert [each["event"]["causation_id"] for each in bottom[:2]] == [
        f"e{DEEPEST}",
        f"e{DEEPEST + 1}",
    ]
