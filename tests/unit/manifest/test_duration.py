import pytest

from nexus.manifest.duration import seconds_of, written


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1.5h", 5400.0),
        ("2D", 172_800.0),
        ("1w", 604_800.0),
        (30, 30.0),
        (0.5, 0.5),
    ],
)
def test_a_span_is_read(span: object, seconds: float) -> None:
    assert seconds_of(span) == seconds


@pytest.mark.parametrize("span", ["", "5", "m", "5x", "5m extra", "-5m", True, None, object()])
def test_what_is_no_span_is_refused(span: object) -> None:
    with pytest.raises(ValueError):
        seconds_of(span)


@pytest.mark.parametrize("text", ["5m", "1h30m", "30s", "1d", "1w2d3h4m5s", "0s", "1.5s"])
def test_a_span_is_written_as_it_was_read(text: str) -> None:
    assert written(seconds_of(text)) == text
