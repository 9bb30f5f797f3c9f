import functools
import gc
import weakref
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import _endpoint_context_cache, _extract_endpoint_context
from pydantic import BaseModel


class Plugin:
    """Stands for a plugin object that its endpoints keep alive."""

    def router(self) -> APIRouter:
        class Query(BaseModel):
            limit: int = 1

        router, inner = APIRouter(), APIRouter()
        router.add_api_route("/x", self.x)
        router.add_api_route("/things/{n}", self.things, methods=["POST"], response_model=Query)
        inner.add_api_route("/y", self.x)
        router.include_router(inner, prefix="/inner")
        return router

    async def x(self, _request: Request) -> str:
        return type(self).__name__

    async def things(self, n: int) -> Any:
        return {"limit": n}


async def test_replaced_generations_do_not_stay_in_memory(site: Any) -> None:
    remains: list[weakref.ref[Plugin]] = []
    for generation in range(10):
        plugin = Plugin()
        remains.append(weakref.ref(plugin))
        old = site.app.dispatcher.live.get("foo")
        await site.install("foo", plugin.router(), generation=generation)
        for path in ("/plugins/foo/x", "/plugins/foo/inner/y"):
            assert (await site.http.get(path)).json() == "Plugin"
        await site.http.post("/plugins/foo/things/3")
        if generation < 9:  # the last change is one that no document has seen yet
            await site.http.get("/openapi.json")
        if old is not None:
            await site.exposure.drain(old, 0)
            await site.exposure.close(old)
        del old, plugin
    gc.collect()
    assert sum(ref() is not None for ref in remains) == 1


async def test_what_fastapi_remembers_by_number_is_dropped(site: Any) -> None:
    before = set(_endpoint_context_cache)
    mount = await site.install("foo", Plugin().router())
    await site.http.get("/plugins/foo/x")
    await site.http.get("/plugins/foo/inner/y")
    assert set(_endpoint_context_cache) - before
    site.exposure.withdraw(mount)
    await site.exposure.close(mount)
    assert set(_endpoint_context_cache) == before


async def test_fastapi_knows_an_endpoint_as_if_it_had_looked_itself(site: Any) -> None:
    router = APIRouter()

    @router.get("/x")
    @router.get(
        "/also",
    )
    async def endpoint() -> str:
        return "x"

    mount = await site.install("foo", router)
    remembered = dict(_endpoint_context_cache[id(endpoint)])
    del _endpoint_context_cache[id(endpoint)]
    assert remembered == _extract_endpoint_context(endpoint)
    site.exposure.withdraw(mount)
    await site.exposure.close(mount)


async def test_what_fastapi_would_unwrap_is_left_to_it(site: Any) -> None:
    router = APIRouter()

    async def endpoint() -> str:
        return "x"

    @functools.wraps(endpoint)
    async def wrapper() -> str:
        return await endpoint()

    router.add_api_route("/x", wrapper)
    router.add_api_route("/y", Plugin().x)
    before = set(_endpoint_context_cache)
    await site.install("foo", router)
    assert set(_endpoint_context_cache) == before
