"""Is reloaded over and over; every part of it says of which edition it is."""

import asyncio
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter
from plugins.tariff.parts.edition import EDITION as OF_THE_MODULE
from plugins.tariff.schemas.answers import EDITION as OF_THE_ANSWERS
from pydantic import BaseModel
from typing_extensions import override

from nexus.events import Event
from nexus.plugins import BasePlugin, every

EDITION = 0
TEMPLATE = Path(__file__).parent / "templates" / "edition.txt"


class Editions(BaseModel):
    """The edition of each part."""

    code: int = EDITION
    module: int = OF_THE_MODULE
    answers: int = OF_THE_ANSWERS
    template: int


class Sells(Protocol):
    """Nobody does; it is looked up by this class all the same."""

    def sell(self) -> None: ...


class Tariff(BasePlugin):
    """Offers a route, a service, a handler, a task and a job."""

    @override
    async def initialize(self) -> bool:
        self.is_shut = False
        self.template = int(TEMPLATE.read_text())
        self.notes = Path(await self.get_config("notes"))
        await asyncio.sleep(await self.get_config("slow"))
        await self.subscribe_to_event("desk.sold", self.on_sold)
        self.register_service("tariff.price", self)
        self.create_task(asyncio.Event().wait(), name="waits")
        self.get_service(Sells)
        return True

    @override
    async def shutdown(self) -> None:
        self.is_shut = True

    @every("1h")
    async def hourly(self) -> None:
        """Is only there."""

    async def price(self) -> int:
        await asyncio.sleep(0.01)
        if self.is_shut:
            raise RuntimeError("the service was called after the plugin had been shut down")
        return EDITION

    async def on_sold(self, event: Event) -> None:
        await asyncio.sleep(0.001)
        with self.notes.open("a") as notes:
            notes.write(f"{event.data['number']}\n")

    @override
    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.get("/")
        async def editions() -> Editions:
            await asyncio.sleep(0.005)
            if self.is_shut:
                raise RuntimeError("a request is served after the plugin had been shut down")
            return Editions(template=self.template)

        @router.get("/plain")
        def plain(word: str = "x") -> dict[str, Any]:
            return {"word": word}

        return [router]
