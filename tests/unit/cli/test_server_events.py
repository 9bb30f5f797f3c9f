"""Server-sent events out of lines."""

from nexus.cli.server_events import ServerEvent, server_events


def read(text: str) -> list[tuple[str, str]]:
    return [(each.kind, each.data) for each in server_events(text.split("\n"))]


def test_an_event_has_its_kind_and_all_its_lines_of_data() -> None:
    text = "event: end\ndata: one\ndata:two\nid: 7\n\ndata: three\n\n"
    assert read(text) == [("end", "one\ntwo"), ("message", "three")]


def test_remarks_are_given_as_they_come() -> None:
    assert read(": ping\n\ndata: x\n\n") == [("remark", "ping"), ("message", "x")]


def test_an_event_that_was_cut_off_does_not_count() -> None:
    assert read("data: x\n\ndata: y") == [("message", "x")]
    assert list(server_events([])) == list[ServerEvent]()
