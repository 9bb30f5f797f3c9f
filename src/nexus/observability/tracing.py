"""Spans of OpenTelemetry: what a plugin publishes, handles, calls and asks the database.

`active` is None unless the process traces. Whoever could make a span looks at that, and does what
it always does: not tracing costs one look.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from nexus.data import statement_watch

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, Tracer

    from nexus.data.database import Database

PLUGIN: Final = "nexus.plugin"
GENERATION: Final = "nexus.generation"

_STATEMENTS: Final = ("execute", "execute_many", "fetch_one", "fetch_all", "read", "write")
_LONGEST: Final = 1000

active: "Tracing | None" = None
"""What makes spans; None while nobody wants any."""


class TracedEvent(Protocol):
    """What tracing asks of an event."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def traceparent(self) -> str | None:
        """The span in which it was published."""


class Tracing:
    """Makes spans, each with the plugin whose work it is.

    What went wrong is told by its kind alone: the text of an error may have a secret in it.

    Args:
        tracer: Makes them.
    """

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer

    @contextmanager
    def publishing(self, plugin: str, name: str) -> Iterator[str | None]:
        """Make a span of publishing an event; gives what the event carries of it, as W3C has it."""
        from opentelemetry.trace import SpanKind

        attributes = {PLUGIN: plugin, **_messaging("send", name)}
        with self._span(f"publish {name}", SpanKind.PRODUCER, attributes):
            yield carried()

    @contextmanager
    def asking(self, plugin: str, name: str) -> Iterator[str | None]:
        """Make a span of a request and its reply; gives what the request carries of it."""
        from opentelemetry.trace import SpanKind

        attributes = {PLUGIN: plugin, **_messaging("send", name)}
        with self._span(f"request {name}", SpanKind.CLIENT, attributes):
            yield carried()

    def handler(
        self, plugin: str, pattern: str, handler: Callable[[Any], Any]
    ) -> Callable[[Any], Any]:
        """Give a handler that makes a span of each event, below that of whoever published it."""
        from opentelemetry.trace import SpanKind

        @contextmanager
        def handling(event: TracedEvent) -> Iterator[None]:
            attributes = {
                PLUGIN: plugin,
                **_messaging("process", event.name),
                "messaging.message.id": event.id,
                "messaging.destination.subscription.name": f"{plugin}:{pattern}",
            }
            around = continued(event.traceparent)
            with self._span(f"handle {event.name}", SpanKind.CONSUMER, attributes, around):
                yield

        if not _is_async(handler):

            def plain(event: TracedEvent) -> Any:
                with handling(event):
                    return handler(event)

            return plain

        async def traced(event: TracedEvent) -> Any:
            with handling(event):
                return await handler(event)

        return traced

    def call(self, plugin: str, service: str, attribute: str, call: Any) -> Any:
        """Give an attribute of a service whose calls make spans, each under its provider."""
        if not callable(call):
            return call
        attributes = {PLUGIN: plugin, "nexus.service": service, "code.function.name": attribute}
        return self._calling(f"{service}.{attribute}", attributes, call)

    def job(self, plugin: str, job: str, method: Callable[[], Any]) -> Callable[[], Any]:
        """Give a scheduled method whose runs make spans."""
        return self._calling(f"job {plugin}.{job}", {PLUGIN: plugin, "nexus.job": job}, method)

    def _calling(
        self, name: str, attributes: Mapping[str, str], call: Callable[..., Any]
    ) -> Callable[..., Any]:
        from opentelemetry.trace import SpanKind

        if not inspect.iscoroutinefunction(call):

            def plain(*arguments: Any, **named: Any) -> Any:
                with self._span(name, SpanKind.INTERNAL, attributes):
                    return call(*arguments, **named)

            return plain

        async def traced(*arguments: Any, **named: Any) -> Any:
            with self._span(name, SpanKind.INTERNAL, attributes):
                return await call(*arguments, **named)

        return traced

    def watch(self, database: "Database", plugin: Callable[[], str | None]) -> Callable[[], None]:
        """Have statements make spans that are run inside of one; gives what ends that.

        What the platform does by itself, such as looking for changes, is no part of anybody's
        work and makes none.

        Args:
            database: The database.
            plugin: Gives the plugin whose code runs.
        """
        wrapped = [each for each in _STATEMENTS if hasattr(database, each)]
        for each in wrapped:
            setattr(
                database, each, self._statement(database.engine, getattr(database, each), plugin)
            )

        def unwatch() -> None:
            for each in wrapped:
                delattr(database, each)
            statement_watch.watcher = before

        before = statement_watch.watcher
        statement_watch.watcher = self._watcher(database.engine, plugin)

        return unwatch

    def _statement(
        self, engine: str, run: Callable[..., Awaitable[Any]], plugin: Callable[[], str | None]
    ) -> Callable[..., Awaitable[Any]]:
        from opentelemetry.trace import SpanKind, get_current_span

        def statement(what: Any, *arguments: Any, **named: Any) -> Awaitable[Any]:
            if not get_current_span().is_recording():
                return run(what, *arguments, **named)
            return traced(what, *arguments, **named)

        async def traced(what: Any, *arguments: Any, **named: Any) -> Any:
            name, attributes = _described(engine, what, plugin())
            with self._span(name, SpanKind.CLIENT, attributes):
                return await run(what, *arguments, **named)

        return statement

    def _watcher(self, engine: str, plugin: Callable[[], str | None]) -> statement_watch.Watcher:
        """Make what SQLAlchemy's statements are told to, whose ends are told apart."""
        from opentelemetry.trace import SpanKind, StatusCode, get_current_span

        def begun(statement: str) -> statement_watch.Ended | None:
            if not get_current_span().is_recording():
                return None
            name, attributes = _described(engine, statement, plugin())
            span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

            def ended(error: BaseException | None) -> None:
                if error is not None:
                    span.set_attribute("error.type", type(error).__qualname__)
                    span.set_status(StatusCode.ERROR)
                span.end()

            return ended

        return begun

    @contextmanager
    def _span(
        self,
        name: str,
        kind: "SpanKind",
        attributes: Mapping[str, str],
        around: "Context | None" = None,
    ) -> Iterator[None]:
        from opentelemetry.trace import StatusCode

        with self._tracer.start_as_current_span(
            name,
            context=around,
            kind=kind,
            attributes=dict(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise


@contextmanager
def activated(tracing: Tracing) -> Iterator[None]:
    """Have the process trace, as long as the block lasts."""
    global active  # noqa: PLW0603  # what is traced is the process
    before, active = active, tracing
    try:
        yield
    finally:
        active = before


def carried() -> str | None:
    """Give the current span as the W3C header `traceparent` has it; None outside of one."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def continued(traceparent: str | None) -> "Context":
    """Give a context below the span that a `traceparent` tells of, or below none."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {} if traceparent is None else {"traceparent": traceparent}
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


def trace_fields() -> Mapping[str, str]:
    """Give what a log line says of the current span: `trace_id` and `span_id`."""
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

    found = get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    return {"trace_id": format_trace_id(found.trace_id), "span_id": format_span_id(found.span_id)}


def _described(engine: str, what: object, plugin: str | None) -> tuple[str, dict[str, str]]:
    """Give a statement's span its name and attributes; a function has no text."""
    attributes = {"db.system.name": engine, PLUGIN: plugin or "nexus"}
    words = what.split(maxsplit=1) if isinstance(what, str) else []
    if not words:
        return engine, attributes
    return f"{words[0].upper()} {engine}", {**attributes, "db.query.text": str(what)[:_LONGEST]}


def _messaging(operation: str, name: str) -> dict[str, str]:
    return {
        "messaging.system": "nexus",
        "messaging.operation.type": operation,
        "messaging.destination.name": name,
    }


def _is_async(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - its kind is asked for, not its presence
    )
