import pytest

from nexus.config.event_engine import parse_engine


@pytest.mark.parametrize(
    ("text", "kind", "url", "location"),
    [
        ("sql", "sql", "", ""),
        ("nats", "nats", "nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
        ("redis", "redis", "redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("nats://broker", "nats", "nats://broker", "nats://broker:4222"),
        ("tls://me:word@broker:1", "nats", "tls://me:word@broker:1", "tls://broker:1"),
        ("nats://a:1,nats://b:2", "nats", "nats://a:1,nats://b:2", "nats://a:1,nats://b:2"),
        ("redis://:word@[::1]/3", "redis", "redis://:word@[::1]/3", "redis://[::1]:6379/3"),
        ("rediss://cache:7/", "redis", "rediss://cache:7/", "rediss://cache:7"),
    ],
)
def test_an_engine_is_a_word_or_a_url(text: str, kind: str, url: str, location: str) -> None:
    found = parse_engine(text)
    assert (found.kind, found.url, found.location) == (kind, url, location)
    assert "word" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        *("", "kafka", "postgres://secret@host", "nats://", "redis://h:port", "nats://a\0"),
        *("redis://a,redis://b", "nats://a,redis://b", "NATS", "redis://a/b", "redis://a/1/2"),
    ],
)
def test_anything_else_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="nats://host:4222") as refusal:
        parse_engine(text)
    assert "secret" not in str(refusal.value)
