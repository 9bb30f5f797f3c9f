"""Services in the management API."""

from fastapi import APIRouter
from pydantic import BaseModel

from nexus.web.management.closed_route import closed_route
from nexus.web.management.context import ManagementContext


class ServiceView(BaseModel):
    """One live service."""

    name: str
    plugin: str
    generation: int
    type: str


class ServiceList(BaseModel):
    """Services by name."""

    items: list[ServiceView]


def service_router(context: ManagementContext) -> APIRouter:
    """Give the routes under `/services`."""
    router = APIRouter(
        prefix="/services", tags=["management: services"], route_class=closed_route(context.tokens)
    )

    @router.get("", summary="List the live services")
    async def list_services() -> ServiceList:
        return ServiceList(
            items=[
                ServiceView(
                    name=offer.name,
                    plugin=offer.owner,
                    generation=offer.generation,
                    type=type(offer.service).__qualname__,
                )
                for offer in context.services.offers()
            ]
        )

    return router
