"""Where plugins stand in the picture of all of them, and the lines between them.

Plugins stand in layers from left to right, each to the right of all that it depends on or listens
to; those that have to do with nobody stand below, in rows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH, HEIGHT = 172, 40
_ACROSS, _DOWN = 84, 16
_MARGIN: Final = 16
_APART: Final = 9
"""Between lines that connect the same two plugins."""
_TALLEST: Final = 16
"""So many plugins stand one above another at most; a larger layer takes several columns."""
_IN_A_ROW: Final = 5
_SWEEPS: Final = 4
_LONGEST: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A plugin in the picture.

    Attributes:
        name: Its name.
        title: What stands in the box.
        whole: The title, whole.
        state: Its state.
        x: Its left end.
        y: Its upper end.
        is_focus: Whether the picture is about it.
    """

    name: str
    title: str
    whole: str
    state: str
    x: int
    y: int
    is_focus: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line from one box to another.

    Attributes:
        kind: `dependency`, `service` or `event`.
        path: Its course, as SVG has it.
        label: What it stands for, in words.
    """

    kind: str
    path: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The whole picture.

    Attributes:
        boxes: The plugins.
        lines: The lines between them.
        width: Of the picture.
        height: Of the picture.
    """

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: int
    height: int


def around(focus: str, edges: Iterable[Mapping[str, Any]]) -> set[str]:
    """Give a plugin and those that it has to do with directly."""
    found = {focus}
    for each in edges:
        if focus in (each["source"], each["target"]):
            found |= {each["source"], each["target"]}
    return found


def drawn(
    nodes: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], focus: str = ""
) -> Picture:
    """Draw plugins and the lines between them.

    Args:
        nodes: The plugins, each with `name`, `title` and `state`.
        edges: The lines, each with `kind`, `source`, `target` and `label`.
        focus: The plugin that the picture is about, if it is about one.
    """
    names = [each["name"] for each in nodes]
    known = set(names)
    edges = [each for each in edges if each["source"] in known and each["target"] in known]
    pairs = {(each["source"], each["target"]) for each in edges}
    linked = {name for pair in pairs for name in pair}
    columns = _columns(_layers([name for name in names if name in linked], pairs), pairs)
    places = _placed(columns, [name for name in names if name not in linked])
    boxes = [_box(each, places[each["name"]], focus) for each in nodes]
    return Picture(
        boxes=boxes,
        lines=_lines(edges, places),
        width=max((each.x for each in boxes), default=0) + WIDTH + _MARGIN,
        height=max((each.y for each in boxes), default=0) + HEIGHT + _MARGIN,
    )


def _layers(names: Sequence[str], pairs: Collection[tuple[str, str]]) -> list[list[str]]:
    """Give plugins in layers, each behind all that it follows; in circles, as far as possible."""
    follows = defaultdict(set)
    for source, target in pairs:
        follows[target].add(source)
    left, layers = list(names), []
    placed: set[str] = set()
    while left:
        ready = [name for name in left if follows[name] <= placed]
        if not ready:  # everybody waits for somebody else: the one with the fewest goes first
            ready = [min(left, key=lambda name: (len(follows[name] - placed), name))]
        layers.append(ready)
        placed.update(ready)
        left = [name for name in left if name not in placed]
    return layers


def _columns(
    layers: Sequence[Sequence[str]], pairs: Collection[tuple[str, str]]
) -> list[list[str]]:
    """Order each layer so that lines cross little, and cut what is too tall."""
    beside = defaultdict(list)
    for source, target in pairs:
        beside[source].append(target)
        beside[target].append(source)
    rank: dict[str, float] = {}
    ordered = [sorted(layer) for layer in layers]
    _rank(ordered, rank)
    for sweep in range(_SWEEPS):
        for layer in ordered if sweep % 2 == 0 else reversed(ordered):
            layer.sort(
                key=lambda name: sum(rank[each] for each in beside[name]) / len(beside[name])
            )
            _rank([layer], rank)
    return [
        layer[start : start + _TALLEST]
        for layer in ordered
        for start in range(0, len(layer), _TALLEST)
    ]


def _rank(layers: Iterable[Sequence[str]], rank: dict[str, float]) -> None:
    for layer in layers:
        for index, name in enumerate(layer):
            rank[name] = (index + 0.5) / len(layer)


def _placed(columns: Sequence[Sequence[str]], alone: Sequence[str]) -> dict[str, tuple[int, int]]:
    places = {}
    tallest = max((len(column) for column in columns), default=0)
    for across, column in enumerate(columns):
        above = (tallest - len(column)) * (HEIGHT + _DOWN) // 2
        for down, name in enumerate(column):
            places[name] = (
                _MARGIN + across * (WIDTH + _ACROSS),
                _MARGIN + above + down * (HEIGHT + _DOWN),
            )
    below = _MARGIN + tallest * (HEIGHT + _DOWN) + (_DOWN if tallest else 0)
    in_a_row = max(_IN_A_ROW, len(columns) * (WIDTH + _ACROSS) // (WIDTH + _DOWN))
    for index, name in enumerate(alone):
        row, place = divmod(index, in_a_row)
        places[name] = (_MARGIN + place * (WIDTH + _DOWN), below + row * (HEIGHT + _DOWN))
    return places


def _box(node: Mapping[str, Any], place: tuple[int, int], focus: str) -> Box:
    title = node["title"]
    return Box(
        name=node["name"],
        title=title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…",
        whole=title,
        state=node["state"],
        x=place[0],
        y=place[1],
        is_focus=node["name"] == focus,
    )


def _lines(edges: Sequence[Mapping[str, Any]], places: Mapping[str, tuple[int, int]]) -> list[Line]:
    """Give one line for all edges of a kind between two plugins."""
    labels = defaultdict(list)
    beside: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in edges:
        kind, source, target = each["kind"], each["source"], each["target"]
        labels[kind, source, target].append(each["label"])
        if kind not in beside[source, target]:
            beside[source, target].append(kind)
    return [
        Line(
            kind=kind,
            path=_course(places[source], places[target], _aside(beside[source, target], kind)),
            label=f"{target}: {kind} of {source} {', '.join(filter(None, found))}".strip(),
        )
        for (kind, source, target), found in labels.items()
    ]


def _aside(kinds: Sequence[str], kind: str) -> int:
    """Give how far below the middle a line is drawn, so that none hides another."""
    return (2 * kinds.index(kind) - len(kinds) + 1) * _APART // 2


def _course(start: tuple[int, int], end: tuple[int, int], aside: int) -> str:
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2 + aside
    to_x, to_y = end[0], end[1] + HEIGHT // 2 + aside
    if to_x > x:
        half = (x + to_x) // 2
        return f"M{x} {y}C{half} {y} {half} {to_y} {to_x} {to_y}"
    # Backwards, or within a column: around the right-hand side.
    to_x = end[0] + WIDTH
    out = max(x, to_x) + _ACROSS // 2
    return f"M{x} {y}C{out} {y} {out} {to_y} {to_x} {to_y}"
