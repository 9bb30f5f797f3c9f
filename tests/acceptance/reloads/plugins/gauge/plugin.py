"""Counts what is there in its process."""

import asyncio
import gc
import os
import sys
import threading
from pathlib import Path

from fastapi import APIRouter, Request
from typing_extensions import override

from nexus.plugins import BasePlugin

SELF = Path("/proc/self")
POOLS = ("asyncio_", "AnyIO worker", "nexus-import")
"""How the threads begin that come and go with the work that there is."""


class Gauge(BasePlugin):
    """Counts on request."""

    @override
    async def initialize(self) -> bool:
        return True

    @override
    def get_api_routes(self) -> list[APIRouter]:
        router = APIRouter()

        @router.get("/")
        async def count(request: Request) -> dict[str, int]:
            gc.collect()
            threads = [each.name for each in threading.enumerate()]
            pooled = sum(each.startswith(POOLS) for each in threads)
            pages = int((SELF / "statm").read_text().split()[1])
            return {
                "rss": pages * os.sysconf("SC_PAGE_SIZE"),
                "threads": len(threads) - pooled,
                "pooled": pooled,
                "tasks": len(asyncio.all_tasks()),
                "files": len(os.listdir(SELF / "fd")),  # noqa: PTH208 - the names are enough
                "modules": len(sys.modules),
                "finders": len(sys.meta_path),
                "routes": len(request.app.routes),
                "classes": sum(
                    isinstance(each, type) and each.__name__ == "Tariff"
                    for each in gc.get_objects()
                ),
            }

        return [router]
