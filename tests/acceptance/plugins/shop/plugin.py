"""Sells things, and keeps them in every way that a plugin can."""

from decimal import Decimal
from typing import Any

from fastapi import APIRouter, HTTPException
from plugins.shop.schemas.models import Line, Order
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from nexus.errors import DuplicateKey
from nexus.plugins import BasePlugin


class Product(BaseModel):
    sku: str
    price: int
    tags: list[str] = Field(default_factory=list)


class Purchase(BaseModel):
    customer: str
    sku: str
    fail: bool = False


class Shop(BasePlugin):
    async def initialize(self) -> bool:
        self.products = self.db.collection("products")
        return True

    def get_database_schema(self) -> dict[str, Any]:
        return {
            "collections": {
                "products": {"indexes": [{"field": "sku", "unique": True}, {"field": "price"}]}
            },
            "initial_data": {
                "products": [{"sku": "pen", "price": 2, "stock": 10, "tags": ["desk"]}],
                "sold": 0,
            },
        }

    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.post("/products", status_code=201)
        async def add(product: Product) -> dict[str, str]:
            try:
                return {"id": await self.products.insert({**product.model_dump(), "stock": 10})}
            except DuplicateKey as error:
                raise HTTPException(409, str(error)) from error

        @router.get("/products")
        async def products(below: int = 1000) -> list[dict[str, Any]]:
            return await self.products.find({"price": {"$lt": below}}, sort="-price")

        @router.post("/purchases", status_code=201)
        async def buy(purchase: Purchase) -> dict[str, int]:
            async with self.db.transaction():
                product = await self.products.find_one({"sku": purchase.sku})
                if product is None:
                    raise HTTPException(404, "No such product")
                await self.products.update(
                    product["_id"],
                    {"stock": product["stock"] - 1},
                    expected_version=product["_version"],
                )
                await self.set_data("sold", await self.get_data("sold", 0) + 1)
                async with self.db.session() as session:
                    order = Order(
                        customer=purchase.customer,
                        lines=[Line(product=purchase.sku, price=Decimal(product["price"]))],
                    )
                    session.add(order)
                    await session.flush()
                    number = order.id
                await self.publish_event("shop.sold", {"sku": purchase.sku})
                if purchase.fail:
                    raise HTTPException(402, "The card was refused")
            return {"order": number}

        @router.get("/totals")
        async def totals() -> dict[str, Any]:
            async with self.db.session(read_only=True) as session:
                orders = await session.scalar(select(func.count()).select_from(Order))
                turnover = await session.scalar(select(func.sum(Line.price)))
            pen = await self.products.find_one({"sku": "pen"})
            return {
                "orders": orders,
                "turnover": str(turnover or 0),
                "sold": await self.get_data("sold"),
                "pens": pen and pen["stock"],
            }

        return [router]
