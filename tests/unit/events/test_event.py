import json
import uuid
from datetime import UTC, datetime, timedelta

from nexus.events import Event
from nexus.events.event import new_event


def test_ids_are_version_7_uuids_that_sort_by_time():
    events = [Event("a") for _ in range(1000)]
    ids = [event.id for event in events]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert {uuid.UUID(each).variant for each in ids} == {uuid.RFC_4122}


def test_an_id_stays_what_it_was():
    event = Event("a")
    assert event.id == event.id


def test_the_timestamp_is_aware_and_now():
    event = Event("a")
    assert event.timestamp.tzinfo is UTC
    assert abs(datetime.now(UTC) - event.timestamp) < timedelta(minutes=1)


def test_an_event_that_begins_something_correlates_to_itself():
    event = Event("a")
    assert event.correlation_id == event.id
    assert event.causation_id is None


def test_an_event_can_be_shown_as_json():
    event = new_event("a.b", {"list": [1]}, "shop", "work", "cause")
    shown = event.dict()
    assert json.loads(json.dumps(shown)) == shown
    assert shown == {
        "id": event.id,
        "name": "a.b",
        "data": {"list": [1]},
        "source": "shop",
        "version": None,
        "timestamp": event.timestamp.isoformat(),
        "correlation_id": "work",
        "causation_id": "cause",
    }
    shown["data"]["list"].append(2)
    assert event.data == {"list": [1]}
    assert event.id in repr(event)


def test_an_event_has_a_version_where_it_was_given_one() -> None:
    event = new_event("a.b", {}, "shop", "work", "cause")
    assert event.version is None
    event.ordering_key = "key"
    event.version = 2
    assert (event.version, event.ordering_key) == (2, "key")
    assert (event.correlation_id, event.causation_id) == ("work", "cause")
    event.ordering_key = "other"
    assert event.version == 2
    assert event.dict()["version"] == 2
