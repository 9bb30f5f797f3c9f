"""Where plugins stand in the picture, and the lines between them."""

import itertools
from typing import Any
from xml.etree import ElementTree as ET

from nexus.builtin.admin.graph import HEIGHT, WIDTH, around, drawn
from nexus.builtin.admin.graph_svg import svg


def nodes(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "title": name.title(), "state": "running"} for name in names]


def edges(*pairs: str, kind: str = "dependency") -> list[dict[str, Any]]:
    return [{"kind": kind, "source": pair[0], "target": pair[1], "label": ">=1"} for pair in pairs]


def test_each_stands_to_the_right_of_what_it_depends_on_and_no_two_overlap() -> None:
    names = [f"{letter}{number}" for letter in "abcd" for number in range(50)]
    pairs = [
        {"kind": "dependency", "source": names[index // 3], "target": names[index], "label": ""}
        for index in range(3, 120)
    ]
    picture = drawn(nodes(*names), pairs)
    places = {each.name: each for each in picture.boxes}
    assert len(places) == 200
    for pair in pairs:
        assert places[pair["source"]].x + WIDTH < places[pair["target"]].x
    for one, other in itertools.combinations(picture.boxes, 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
    assert all(each.x + WIDTH < picture.width for each in picture.boxes)
    assert all(each.y + HEIGHT < picture.height for each in picture.boxes)


def test_circles_of_events_are_drawn_too() -> None:
    picture = drawn(nodes("a", "b", "c"), edges("ab", "bc", "ca", kind="event"))
    assert len(picture.lines) == 3
    assert len({(each.x, each.y) for each in picture.boxes}) == 3


def test_edges_of_one_kind_between_two_are_one_line_and_those_to_nobody_are_none() -> None:
    picture = drawn(nodes("a", "b"), [*edges("ab", "ab"), *edges("ab", kind="event"), *edges("zb")])
    assert sorted(each.kind for each in picture.lines) == ["dependency", "event"]
    assert len({each.path for each in picture.lines}) == 2, "beside each other"


def test_around_a_plugin_are_those_it_has_to_do_with() -> None:
    assert around("b", edges("ab", "bc", "cd")) == {"a", "b", "c"}


def test_nothing_that_plugins_say_is_taken_for_markup() -> None:
    said = [{"name": "a", "title": '"><b>', "state": "running"}, *nodes("b")]
    picture = drawn(said, [{"kind": "event", "source": "a", "target": "b", "label": "<i>"}])
    text = svg(picture, ("event",), "/admin")
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert "<b>" not in text
    assert "<i>" not in text
    titles = [each.text for each in root.iter() if each.tag.endswith("title")]
    assert titles == ["b: event of a <i>", '"><b>: running', "B: running"]


def test_nothing_at_all_is_a_picture_as_well() -> None:
    assert drawn([], []).boxes == []
