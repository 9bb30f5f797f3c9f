import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.events import matches
from nexus.manifest.event_patterns import covers, overlap

SEGMENTS = ("a", "b")
NAMES = [
    ".".join(parts)
    for parts in (
        *((one,) for one in SEGMENTS),
        *((one, two) for one in SEGMENTS for two in SEGMENTS),
        *((one, two, three) for one in SEGMENTS for two in SEGMENTS for three in (*SEGMENTS, "c")),
    )
]
patterns = st.builds(
    lambda parts, rest: ".".join([*parts, *rest]),
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=2),
    st.sampled_from([[], ["**"], ["a"]]),
)


@given(patterns, patterns)
def test_they_relate_as_the_names_that_they_select(one: str, other: str):
    ours = {name for name in NAMES if matches(one, name)}
    theirs = {name for name in NAMES if matches(other, name)}

    assert covers(one, other) is (theirs <= ours)
    assert overlap(one, other) is bool(ours & theirs)


@pytest.mark.parametrize("pattern", ["order.placed", "order.*", "order.**", "*"])
def test_everything_covers_all_and_each_covers_itself(pattern: str):
    assert covers("**", pattern)
    assert covers(pattern, pattern)
    assert not covers(pattern, "**")
