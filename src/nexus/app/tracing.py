"""Sets up OpenTelemetry for an application, where somebody wants traces."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from nexus._version import __version__
from nexus.errors import TracingExtraMissing
from nexus.observability.tracing import Tracing, activated
from nexus.plugins.current import current_owner

if TYPE_CHECKING:
    from nexus.config import Settings
    from nexus.data.database import Database


_FLUSH_SECONDS: Final = 5.0
"""How long a stop waits for a collector; what is left then is tried once more at the very end."""


@asynccontextmanager
async def traced(settings: "Settings", database: "Database") -> AsyncIterator[None]:
    """Trace as long as the block lasts, if the settings say so or a provider has been set up.

    Raises:
        TracingExtraMissing: The settings say so, and the extra is not installed.
    """
    from opentelemetry import trace

    async with AsyncExitStack() as stack:
        if settings.tracing.enabled and not _has_provider():
            # It is the process's, and OpenTelemetry shuts it down when that ends.
            trace.set_tracer_provider(_provider(settings))
        if settings.tracing.enabled or _has_provider():
            stack.push_async_callback(_flush, trace.get_tracer_provider())
            tracing = Tracing(trace.get_tracer("nexus", __version__))
            stack.enter_context(activated(tracing))
            stack.callback(tracing.watch(database, _running_plugin))
        yield


async def _flush(provider: Any) -> None:
    flush = getattr(provider, "force_flush", None)  # not every provider keeps anything
    if flush is not None:
        # In a thread: a collector that is away takes its time.
        await asyncio.to_thread(flush, int(_FLUSH_SECONDS * 1000))


def _running_plugin() -> str | None:
    owner = current_owner.get()
    return None if owner is None else owner.plugin


def _has_provider() -> bool:
    from opentelemetry import trace

    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _provider(settings: "Settings") -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as error:
        raise TracingExtraMissing(missing=error.name or str(error)) from error
    wanted = settings.tracing
    endpoint = None if wanted.endpoint is None else f"{wanted.endpoint.rstrip('/')}/v1/traces"
    provider = TracerProvider(
        # What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say comes first.
        resource=Resource({"service.name": settings.name}).merge(_from_environment(Resource)),
        sampler=ParentBasedTraceIdRatio(wanted.sample),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


def _from_environment(resource: Any) -> Any:
    found = resource.create()
    if found.attributes.get("service.name", "").startswith("unknown_service"):
        kept = {key: value for key, value in found.attributes.items() if key != "service.name"}
        return resource(kept)
    return found
