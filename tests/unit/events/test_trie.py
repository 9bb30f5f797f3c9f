import pytest

from nexus.events.pattern import matches
from nexus.events.trie import PatternTrie

PATTERNS = ["a", "a.b", "a.*", "*", "**", "a.**", "*.b", "a.*.c", "*.*.**", "b.**", "a.b.c"]
NAMES = ["a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "x.y.z.w", "b.a.b.c"]


@pytest.fixture
def trie() -> PatternTrie[str]:
    made: PatternTrie[str] = PatternTrie()
    for pattern in PATTERNS:
        made.add(pattern, pattern)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_it_finds_exactly_what_matches(trie: PatternTrie[str], name: str) -> None:
    assert sorted(trie.find(name)) == sorted(each for each in PATTERNS if matches(each, name))


def test_what_was_removed_is_not_found_and_leaves_nothing_behind(trie: PatternTrie[str]) -> None:
    assert not trie.is_empty
    for pattern in PATTERNS:
        trie.remove(pattern, pattern)
        assert all(pattern not in trie.find(name) for name in NAMES)
    assert trie.is_empty


def test_removing_one_of_two_with_the_same_pattern_leaves_the_other() -> None:
    trie: PatternTrie[int] = PatternTrie()
    trie.add("a.*", 1)
    trie.add("a.*", 2)
    trie.remove("a.*", 1)
    assert list(trie.find("a.b")) == [2]


def test_what_was_added_twice_is_found_twice() -> None:
    trie: PatternTrie[int] = PatternTrie()
    trie.add("a", 1)
    trie.add("a", 1)
    assert list(trie.find("a")) == [1, 1]
