"""One trace from a request through events, handlers, services and the database."""

import asyncio
import gzip
import logging
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.util._once import Once
from typing_extensions import override

from nexus.events.event import Event
from nexus.observability import tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

DURABLE = {"messaging.destination.subscription.name": "mailer:shop.ordered"}

SHOP = """
    async def initialize(self):
        self.till = self.service_ref("till")
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/orders/{number}")
        async def order(number: int):
            self.logger.warning("an order")
            await self.till.charge(number)
            await self.publish_event("shop.ordered", {"number": number})

        return [router]
"""
TILL = """
    async def initialize(self):
        self.register_service("till", self)
        return True

    async def charge(self, number):
        await self.set_data("last", number)
        if number == 13:
            raise ValueError("a-secret-in-words")
"""
MAILER = """
    async def initialize(self):
        await self.subscribe_to_event("shop.ordered", self.send)
        await self.subscribe_to_event("shop.*", self.note)
        return True

    async def send(self, event):
        await self.set_data("sent", event.data["number"])
        await self.publish_event("mailer.sent")

    def note(self, event):
        pass
"""


class Spans:
    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> Sequence[ReadableSpan]:
        return [each for each in self.all() if each.name == name]

    def one(self, name: str, **attributes: str) -> ReadableSpan:
        found = [
            each
            for each in self.all()
            if each.name == name and attributes.items() <= dict(each.attributes or {}).items()
        ]
        assert len(found) == 1, sorted(each.name for each in self.all())
        return found[0]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Set up a provider for the process, as an operator would, and take it away again."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    trace.set_tracer_provider(provider)
    yield Spans(exporter)
    provider.shutdown()


MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
"""
KEEPER = """
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.post("/{name}")
        async def add(name: str):
            async with self.db.session() as session:
                session.add(Item(name=name))

        return [router]
"""


class Collector(BaseHTTPRequestHandler):
    """Takes spans as a collector does."""

    had: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:  # the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.had.append(body)
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def plugins(workshop: Any) -> None:
    workshop.plugin("shop", SHOP)
    workshop.plugin("till", TILL)
    workshop.plugin("mailer", MAILER, events={"subscribes": ["shop.ordered"]})


def above(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    found: int = span.context.span_id
    return found


def plugin_of(span: ReadableSpan) -> Any:
    return (span.attributes or {})["nexus.plugin"]


async def test_a_request_is_followed_to_the_end(
    workshop: Any, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plugins(workshop)
    async with workshop.running() as site:
        answer = await site.http.post(
            "/plugins/shop/orders/7", headers={"traceparent": TRACEPARENT}
        )
        assert answer.status_code == 200
        assert await site.app.bus.join(60)
        [line] = (await site.api("GET", "/plugins/shop/logs")).json()["items"][-1:]
        assert (line["event"], line["trace_id"]) == ("an order", TRACE)
        [event] = (await site.api("GET", "/events?name=shop.ordered")).json()["items"]
        assert event["causation_id"] is None
        [sent] = (await site.api("GET", "/events?name=mailer.sent")).json()["items"]
        assert sent["causation_id"] == event["id"]

    request = spans.one("POST /plugins/shop/orders/{number}")
    charged = spans.one("till.charge")
    published = spans.one("publish shop.ordered")
    handled = spans.one("handle shop.ordered", **DURABLE)
    assert above(handled) == id_of(published)
    noted = [each for each in spans.named("handle shop.ordered") if each is not handled]
    stored = [each for each in spans.all() if (each.attributes or {}).get("db.system.name")]
    again = spans.one("publish mailer.sent")
    every = [request, charged, published, handled, *noted, *stored, again]
    assert {f"{each.context.trace_id:032x}" for each in every} == {TRACE}
    assert [plugin_of(each) for each in (request, charged, published, handled, again)] == [
        *("shop", "till", "shop", "mailer", "mailer")
    ]
    assert (request.attributes or {})["nexus.generation"] == 1
    assert [each.kind for each in (published, handled)] == [SpanKind.PRODUCER, SpanKind.CONSUMER]
    assert len(noted) == 1, "the plain handler, in its thread"
    assert above(again) == id_of(handled)
    assert {above(each) for each in stored} >= {id_of(charged), id_of(handled)}


async def test_the_durable_log_carries_the_trace_to_another_process(
    workshop: Any, spans: Spans
) -> None:
    plugins(workshop)
    shared = {"database": {"shared": True}}
    async with workshop.running(**shared) as one:
        await one.api("POST", "/plugins/mailer/disable")
        await one.http.post("/plugins/shop/orders/8", headers={"traceparent": TRACEPARENT})
        assert "handle shop.ordered" not in {each.name for each in spans.all()}
    async with workshop.running(**shared) as two:
        await two.api("POST", "/plugins/mailer/enable")
        await two.app.bus.join(60)
        async with asyncio.timeout(60):
            await workshop.until(lambda: spans.named("publish mailer.sent"))
    handled = spans.one("handle shop.ordered", **DURABLE)
    assert f"{handled.context.trace_id:032x}" == TRACE
    assert above(handled) == id_of(spans.one("publish shop.ordered"))


async def test_an_error_is_told_by_its_kind_and_not_by_its_words(
    workshop: Any, spans: Spans
) -> None:
    plugins(workshop)
    async with workshop.running() as site:
        assert (await site.http.post("/plugins/shop/orders/13")).status_code == 500
    charged = spans.one("till.charge")
    assert (charged.attributes or {})["error.type"] == "ValueError"
    assert not charged.status.is_ok
    assert "a-secret-in-words" not in "".join(each.to_json() for each in spans.all())


ASKING = """
    async def initialize(self):
        return True

    def get_api_routes(self):
        router = APIRouter()

        @router.get("/")
        async def ask():
            return await self.request("asker.price", {"article": 1})

        return [router]
"""
ANSWERING = """
    async def initialize(self):
        await self.subscribe_to_event("asker.price", self.price)
        return True

    async def price(self, event):
        return 42
"""


async def test_a_request_to_a_provider_and_its_answer_are_one_trace(
    workshop: Any, spans: Spans
) -> None:
    workshop.plugin("asker", ASKING)
    workshop.plugin("answerer", ANSWERING)
    async with workshop.running() as site:
        assert (await site.http.get("/plugins/asker/")).json() == 42
    [served] = spans.named("GET /plugins/asker/")
    [asked] = spans.named("request asker.price")
    [answered] = spans.named("handle asker.price")
    assert above(answered) == id_of(asked)
    assert [plugin_of(asked), plugin_of(answered)] == ["asker", "answerer"]
    assert {each.context.trace_id for each in (asked, answered)} == {served.context.trace_id}


NIGHTLY = """
    async def initialize(self):
        return True

    @every("1h")
    async def clean(self):
        await self.set_data("cleaned", True)

    @every("1h")
    def count(self):
        pass
"""


async def test_a_scheduled_run_begins_a_trace(workshop: Any, spans: Spans) -> None:
    workshop.plugin("nightly", NIGHTLY, top="from nexus.plugins import every")
    async with workshop.running() as site, asyncio.timeout(60):
        for job in ("clean", "count"):
            answer = await site.api("POST", f"/jobs/nightly/{job}/run")
            assert answer.status_code == 202
            await workshop.until(lambda name=f"job nightly.{job}": spans.named(name))
    [clean] = spans.named("job nightly.clean")
    assert (above(clean), plugin_of(clean)) == (None, "nightly")
    assert id_of(clean) in {above(each) for each in spans.all()}, "what it has stored"


async def test_settings_alone_send_spans_to_a_collector(
    workshop: Any, collector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    plugins(workshop)
    for _ in range(2):
        Collector.had.clear()
        async with workshop.running(tracing={"enabled": True, "endpoint": collector}) as site:
            await site.http.post("/plugins/shop/orders/1")
        told = b"".join(gunzipped(each) for each in Collector.had)
        assert b"till.charge" in told
        assert b"POST /plugins/shop/orders/{number}" in told
    provider: Any = trace.get_tracer_provider()
    provider.shutdown()


def gunzipped(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


async def test_without_a_provider_nothing_is_wrapped(workshop: Any) -> None:
    plugins(workshop)
    async with workshop.running() as site:
        assert tracing.active is None
        assert "execute" not in vars(site.app.database)
        await site.http.post("/plugins/shop/orders/1")
        [event] = site.app.bus.recent.list(pattern="shop.ordered")
        assert event.traceparent is None


async def test_statements_of_sessions_are_told_without_their_values(
    workshop: Any, spans: Spans
) -> None:
    top = "from plugins.keeper.schemas.models import Item"
    workshop.plugin("keeper", KEEPER, top=top, files={"schemas/models.py": MODELS})
    async with workshop.running() as site:
        assert (await site.http.post("/plugins/keeper/a-name")).status_code == 200
        assert (await site.http.post("/plugins/keeper/a-name")).status_code == 500
    added, refused = spans.named("INSERT sqlite")
    asked, again = spans.named("POST /plugins/keeper/{name}")
    trace_ids = [each.context.trace_id for each in (added, refused)]
    assert trace_ids == [each.context.trace_id for each in (asked, again)]
    assert plugin_of(added) == "keeper"
    assert str((added.attributes or {})["db.query.text"]).startswith("INSERT INTO ")
    assert (refused.attributes or {})["error.type"] == "IntegrityError"
    assert "a-name" not in added.to_json() + refused.to_json()


async def test_the_database_is_left_as_it_was(workshop: Any, spans: Spans) -> None:
    app = workshop.app()
    async with app.running():
        assert "execute" in vars(app.database)
    assert "execute" not in vars(app.database)
    assert tracing.active is None


def test_an_event_keeps_its_cause_beside_its_span() -> None:
    event = Event("a.b", causation_id="before")
    event.traceparent = TRACEPARENT
    assert (event.causation_id, event.traceparent) == ("before", TRACEPARENT)
    alone = Event("a.b")
    assert (alone.causation_id, alone.traceparent) == (None, None)
    alone.traceparent = TRACEPARENT
    assert (alone.causation_id, alone.traceparent) == (None, TRACEPARENT)
    assert alone.correlation_id == alone.id
