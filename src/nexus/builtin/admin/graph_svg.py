"""The picture of plugins as SVG.

It is put together here and not by a template, each of whose values is an object of its own: with
two hundred plugins the garbage collector ran twice as often, and now and then for a long time.
"""

from collections.abc import Iterable
from html import escape

from nexus.builtin.admin.graph import HEIGHT, WIDTH, Box, Line, Picture
from nexus.builtin.admin.wording import state_kind


def svg(picture: Picture, kinds: Iterable[str], base: str) -> str:
    """Give the picture as it stands in a page.

    Args:
        picture: The picture.
        kinds: All kinds of lines.
        base: The path that the pages are below.
    """
    ends = "".join(
        f'<marker id="end-{kind}" class="end {kind}" viewBox="0 0 8 8" refX="7.5" refY="4"'
        ' markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>'
        for kind in kinds
    )
    lines = "\n".join(map(_line, picture.lines))
    address = escape(base)
    boxes = "\n".join(_box(each, address) for each in picture.boxes)
    size = f"{picture.width} {picture.height}"
    return (
        f'<svg class="graph" viewBox="0 0 {size}" width="{picture.width}"'
        f' height="{picture.height}" role="group"'
        ' aria-label="Plugins, and lines to those that make use of them">'
        f"<defs>{ends}</defs>\n{lines}\n{boxes}\n</svg>"
    )


def _line(line: Line) -> str:
    return (
        f'<path class="edge {line.kind}" d="{line.path}" marker-end="url(#end-{line.kind})">'
        f"<title>{escape(line.label)}</title></path>"
    )


def _box(box: Box, base: str) -> str:
    whole, focus = escape(box.whole), " focus" if box.is_focus else ""
    return (
        f'<a href="{base}/plugins/{escape(box.name)}" aria-label="{whole}, {box.state}">'
        f'<g class="node {state_kind(box.state)}{focus}"><title>{whole}: {box.state}</title>'
        f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEIGHT}" rx="9"/>'
        f'<circle cx="{box.x + 16}" cy="{box.y + 20}" r="5"/>'
        f'<text x="{box.x + 29}" y="{box.y + 25}">{escape(box.title)}</text></g></a>'
    )
