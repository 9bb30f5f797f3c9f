"""Ways to read a path that must not lead past what a manifest asks for."""

import pytest
from fastapi import APIRouter
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from tests.unit.web.test_route_guard import Directory, Guarded, endpoints
from typing_extensions import override

ADA = {"Authorization": "Bearer ada"}


async def test_a_path_that_is_not_below_the_root_path_is_guarded_as_it_is_served() -> None:
    site = Guarded(Directory())
    router = APIRouter()

    @router.get("/secret")
    async def secret() -> str:
        return "secret"

    site.app.root_path = "/app"
    async with site.http:
        await site.install(router, endpoints("GET /secret user"))
        # Whoever may use it has the route remembered by its path.
        answer = await site.http.get("/app/plugins/foo/secret", headers=ADA)
        assert answer.status_code == 200
        assert (await site.http.get("/plugins/foo/abc/secret")).status_code == 404
        assert (await site.http.get("/app/plugins/foo/secret")).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "FOO"])
async def test_what_is_mounted_is_guarded_by_any_method(method: str) -> None:
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("secret")(scope, receive, send)

    site = Guarded(Directory())
    router = APIRouter()
    router.mount("/half", mounted)
    async with site.http:
        await site.install(router, endpoints("GET /half/secret user"))
        assert await site.status(method, "/half/secret") == 401
        assert await site.status(method, "/half/other") == 200


class Rest(Convertor[str]):
    regex = ".+"

    @override
    def convert(self, value: str) -> str:
        return value

    @override
    def to_string(self, value: str) -> str:
        return value


async def test_a_parameter_of_a_kind_of_ones_own_is_guarded_for_all_that_it_takes() -> None:
    register_url_convertor("rest", Rest())
    site = Guarded(Directory())
    router = APIRouter()

    @router.get("/files/{name:rest}")
    async def file(name: str) -> str:
        return name

    async with site.http:
        await site.install(router, endpoints("GET /files/{name} user"))
        assert await site.status("GET", "/files/a") == 401
        assert await site.status("GET", "/files/a/b") == 401
