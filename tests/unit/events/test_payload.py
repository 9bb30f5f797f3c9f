import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.data.json_text import decode, encode
from nexus.errors import EventDataInvalid, EventDataReadOnly, NotJson
from nexus.events.event import Event, new_event
from nexus.events.payload import MAX_DEPTH, freeze, plain

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


@given(OBJECTS)
def test_data_reads_like_the_dictionary_that_was_published(data):
    for event in (Event("a", data), new_event("a", data, "p", None, None)):
        assert event.data == data
        assert json.loads(json.dumps(event.data)) == json.loads(json.dumps(data))
        assert plain(event.data) == data
        assert pickle.loads(pickle.dumps(event.data)) == data  # noqa: S301 - our own


def test_changing_the_published_dictionary_later_changes_no_event():
    data = {"user": {"roles": ["admin"]}, "id": 1}
    event = Event("a", data)
    data["user"]["roles"].append("root")  # type: ignore[index]  # a nested list
    data["id"] = 2
    assert event.data == {"user": {"roles": ["admin"]}, "id": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(a=1),
        lambda d: d.pop("list"),
        lambda d: d.clear(),
        lambda d: d.setdefault("new", 1),
        lambda d: d.__setitem__("a", 1),
        lambda d: d.__delitem__("list"),
        lambda d: d["list"].append(1),
        lambda d: d["list"].sort(),
        lambda d: d["list"].__setitem__(0, 1),
        lambda d: d["deep"]["er"].update(a=1),
    ],
)
def test_a_handler_that_changes_the_data_is_told_to_take_a_copy(change):
    event = Event("a", {"list": [3, 1], "deep": {"er": {}}})
    with pytest.raises(EventDataReadOnly, match=r"copy\.deepcopy") as caught:
        change(event.data)
    assert isinstance(caught.value, TypeError)
    assert event.data == {"list": [3, 1], "deep": {"er": {}}}


def test_copies_can_be_changed():
    data = freeze({"list": [1], "a": 1})
    for shallow in (dict(data), data.copy(), copy.copy(data)):
        shallow["a"] = 2
    deep = copy.deepcopy(data)
    deep["list"].append(2)
    assert data == {"list": [1], "a": 1}


def test_no_data_is_an_empty_mapping():
    assert Event("a").data == {}


def test_an_events_data_is_forwarded_without_a_copy():
    first = Event("a", {"b": [1]})
    assert Event("c", first.data).data is first.data
    assert new_event("c", first.data, "p", None, None).data is first.data


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([1], r"\$ is list"),
        ("text", r"\$ is str"),
        ({"a": object()}, r"\$\.a is object"),
        ({"a": [1, {"b": {1, 2}}]}, r"\$\.a\[1\]\.b is set"),
        ({"a": float("nan")}, r"\$\.a is nan"),
        ({1: 2}, "key of type int"),
        ({"a": {None: 2}}, r"\$\.a is a key of type NoneType"),
    ],
)
def test_what_is_not_json_is_refused_with_its_path(data, path):
    with pytest.raises(EventDataInvalid, match=path):
        Event("a", data)
    with pytest.raises(EventDataInvalid, match=path):
        new_event("a", data, "p", None, None)


def test_data_that_contains_itself_is_refused():
    data: dict[str, object] = {}
    data["self"] = data
    with pytest.raises(EventDataInvalid, match=f"at most {MAX_DEPTH} levels"):
        Event("a", data)


@pytest.mark.parametrize("data", [{"tags": []}, {"of": {"a": 1}}])
def test_who_stores_the_data_of_an_event_is_told_how(data: dict[str, Any]) -> None:
    frozen = freeze(data)
    with pytest.raises(NotJson, match=r"copy\.deepcopy"):
        encode(frozen)
    with pytest.raises(NotJson, match=r"copy\.deepcopy"):
        encode(dict(frozen))
    assert decode(encode(copy.deepcopy(frozen))) == data
