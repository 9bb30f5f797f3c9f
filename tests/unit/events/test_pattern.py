import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.errors import EventNameInvalid, EventPatternInvalid
from nexus.events import EventBus, check_name, check_pattern, matches
from nexus.events.event import Event
from nexus.events.routes import MEMO_LIMIT, Routes


async def ignore(_event: Event) -> None: ...


SEGMENTS = st.sampled_from(["a", "b", "c"])
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.tuples(
    st.lists(st.sampled_from(["a", "b", "*"]), max_size=3), st.sampled_from(["a", "c", "*", "**"])
).map(lambda parts: ".".join([*parts[0], parts[1]]))


def naive(pattern: str, name: str) -> bool:
    parts = {"*": r"[^.]+", "**": r"[^.]+(\.[^.]+)*"}
    return re.fullmatch(r"\.".join(parts.get(p, p) for p in pattern.split(".")), name) is not None


@pytest.mark.parametrize("name", ["a", "user.created", "A-1._x.9"])
def test_a_name_is_dot_separated_segments(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a\n", "ä", "a/b", "x" * 256, 7, None]
)
def test_what_is_no_name_is_refused_with_an_explanation(name):
    with pytest.raises(EventNameInvalid, match=r"user\.created"):
        check_name(name)


@pytest.mark.parametrize("pattern", ["a", "*", "**", "a.*", "*.b", "a.**", "*.*.**"])
def test_a_pattern_is_a_name_with_wildcards(pattern):
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "a.", "a*", "**.a", "a.**.b", "***", "a..b", "*" * 300, 1])
def test_what_is_no_pattern_is_refused_with_an_explanation(pattern):
    with pytest.raises(EventPatternInvalid, match="whole segment"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "name", "selected"),
    [
        ("user.*", "user.created", True),
        ("user.*", "user", False),
        ("user.*", "user.role.added", False),
        ("user.**", "user.created", True),
        ("user.**", "user.role.added", True),
        ("user.**", "user", False),
        ("*.created", "user.created", True),
        ("**", "anything.at.all", True),
    ],
)
def test_one_star_is_one_segment_and_two_are_the_rest(pattern, name, selected):
    assert matches(pattern, name) is selected


@given(PATTERNS, NAMES)
def test_matching_agrees_with_a_naive_model(pattern, name):
    assert matches(pattern, name) is naive(pattern, name)


@given(st.lists(PATTERNS, max_size=12), st.lists(NAMES, max_size=6), st.data())
def test_the_trie_agrees_with_a_naive_model_as_subscriptions_come_and_go(patterns, names, data):
    bus, routes = EventBus(), Routes()
    routes.open = True
    made = [bus.subscription(each, ignore, owner="p") for each in patterns]
    routes.add(made)
    gone = set(data.draw(st.sets(st.sampled_from(range(len(made)))) if made else st.just(set())))
    for name in names:
        expected = [each.mailbox for each in made if naive(each.pattern, name)]
        assert list(routes[name]) == expected
    routes.remove([made[index] for index in gone])
    left = [each for index, each in enumerate(made) if index not in gone]
    for name in names:
        assert list(routes[name]) == [e.mailbox for e in left if naive(e.pattern, name)]
    routes.remove(left)
    assert routes._trie.is_empty


def test_remembered_names_are_bounded():
    routes = Routes()
    routes.open = True
    for number in range(MEMO_LIMIT + 10):
        assert routes[f"name.{number}"] == ()
    assert len(routes) <= MEMO_LIMIT
