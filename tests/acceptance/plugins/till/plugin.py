"""Publishes an event for each sale."""

from typing import Any

from fastapi import APIRouter

from nexus.plugins import BasePlugin


class Till(BasePlugin):
    async def initialize(self) -> bool:
        return True

    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.post("/sales", status_code=201)
        async def sell(numbers: list[int]) -> list[int]:
            for number in numbers:
                await self.publish_event("till.sold", {"number": number})
            return numbers

        @router.post("/orders", status_code=201)
        async def order(numbers: list[int]) -> list[int]:
            async with self.db.transaction():
                for number in numbers:
                    await self.set_data(f"order.{number}", number)
                    await self.publish_event("till.sold", {"number": number})
            return numbers

        @router.get("/orders")
        async def orders(numbers: str) -> list[Any]:
            wanted = map(int, numbers.split(","))
            return [each for each in wanted if await self.get_data(f"order.{each}") is not None]

        return [router]
