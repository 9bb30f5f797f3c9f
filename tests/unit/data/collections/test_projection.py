"""Documents are cut down to fields."""

from nexus.data.collections.order import read_fields
from nexus.data.collections.projection import make_projection

DOCUMENT = {"a": 1, "b": {"c": {"d": 2, "e": 3}, "f": [4]}, "g": None, "h": {}}


def cut(*fields: str) -> dict[str, object]:
    return make_projection(read_fields(fields) or ())(DOCUMENT)


def test_what_is_there_is_kept() -> None:
    assert cut("a", "b.c.d", "g") == {"a": 1, "b": {"c": {"d": 2}}, "g": None}
    assert cut("b.f", "h") == {"b": {"f": [4]}, "h": {}}


def test_what_is_not_there_leaves_nothing_behind() -> None:
    assert cut("x", "a.b", "b.x", "b.f.0", "g.x", "h.x") == {}
    assert cut() == {}


def test_a_path_takes_all_that_is_below_it() -> None:
    assert cut("b.c.d", "b.c", "b.c.e") == cut("b.c") == {"b": {"c": {"d": 2, "e": 3}}}
    assert cut("b.c.d.x", "b") == cut("b")
