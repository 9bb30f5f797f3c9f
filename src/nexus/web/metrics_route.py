"""`/metrics`, for Prometheus."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from nexus.observability.metrics import content_type, render
from nexus.observability.siblings import Siblings
from nexus.observability.worker_scrapes import exposition, share_figures
from nexus.web.http_metrics import HttpMetrics


def metrics_router(
    collectors: Iterable[Any],
    http: HttpMetrics,
    look: Callable[[], Awaitable[None]] | None = None,
    siblings: Siblings | None = None,
) -> APIRouter:
    """Give `/metrics` with the figures of these collectors, of HTTP and of the process.

    Args:
        collectors: Custom collectors of the Prometheus client library.
        http: The counts of HTTP requests.
        look: Called before the collectors are asked, to measure what takes waiting.
        siblings: The workers whose figures are put together.
    """
    router = APIRouter(tags=["health"])
    registry: Any = None

    def make_registry() -> Any:
        from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

        made = CollectorRegistry()
        ProcessCollector(registry=made)
        GCCollector(registry=made)
        http.register(made)
        for collector in collectors:
            made.register(collector)
        return made

    async def own() -> str:
        nonlocal registry
        registry = registry or make_registry()
        if look is not None:
            await look()
        return render(registry).decode()

    shared = siblings or Siblings()
    share_figures(shared, own)

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        headers = {"Cache-Control": "no-store"}
        return Response(await exposition(shared), media_type=content_type(), headers=headers)

    return router
