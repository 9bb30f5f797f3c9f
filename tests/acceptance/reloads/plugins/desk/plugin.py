"""Depends on the plugin that is reloaded."""

from fastapi import APIRouter
from typing_extensions import override

from nexus.plugins import BasePlugin


class Desk(BasePlugin):
    """Asks for the price and sells."""

    @override
    async def initialize(self) -> bool:
        self.tariff = self.service_ref("tariff.price")
        return True

    @override
    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.get("/price")
        async def price() -> int:
            edition: int = await self.tariff.price()
            return edition

        @router.post("/sales/{number}")
        async def sell(number: int) -> int:
            await self.publish_event("desk.sold", {"number": number})
            return number

        return [router]
