from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, WebSocket
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.unit.web.conftest import owner_var

from nexus.errors import CredentialsRefused, RoutesNotDeclared
from nexus.manifest.endpoint import ApiEndpoint
from nexus.security import Credentials, User, current_user, require_permission, require_user
from nexus.security.gate import IdentityGate
from nexus.web.application import NexusFastAPI
from nexus.web.exposure import HttpExposure
from nexus.web.mount import PluginMount
from nexus.web.route_guard import RouteGuard

USERS = {
    "ada": User(id="1", username="ada", permissions=frozenset({"reports.*"})),
    "bob": User(id="2", username="bob"),
}


class Directory:
    """Knows two users by tokens that are their names."""

    def __init__(self) -> None:
        self.asked = 0

    async def identify(self, credentials: Credentials) -> User | None:
        self.asked += 1
        if credentials.session is not None:
            return USERS.get(credentials.session)
        try:
            return USERS[credentials.bearer or credentials.api_key or ""]
        except KeyError:
            raise CredentialsRefused from None


def endpoints(*lines: str) -> tuple[ApiEndpoint, ...]:
    parts = [line.split() for line in lines]
    return tuple(ApiEndpoint(method=method, path=path, auth=auth) for method, path, auth in parts)


class Guarded:
    """A site whose plugin declares who may use what."""

    def __init__(self, provider: Any, **exposure: Any) -> None:
        gate = IdentityGate(lambda: provider)
        self.app = NexusFastAPI(title="Test", version="1", identity=gate)
        self.exposure = HttpExposure(
            self.app.dispatcher,
            metrics=self.app.metrics,
            current=owner_var,
            app=self.app,
            gate=gate,
            **exposure,
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://nexus.test"
        )

    async def install(self, router: APIRouter, declared: Sequence[ApiEndpoint]) -> PluginMount:
        mount = await self.exposure.stage("foo", 1, [router], owner=None, endpoints=declared)
        self.exposure.commit(mount)
        return mount

    async def status(self, method: str, path: str, token: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = await self.http.request(method, f"/plugins/foo{path}", headers=headers)
        return response.status_code


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def guarded(directory: Directory) -> AsyncIterator[Guarded]:
    made = Guarded(directory)
    async with made.http:
        yield made


def secrets_router(seen: list[str]) -> APIRouter:
    router = APIRouter()

    async def answer(request: Request) -> dict[str, str]:
        seen.append(f"{request.method} {request.url.path}")
        return {}

    for path, methods in {
        "/open": ["GET"],
        "/items/public": ["GET"],
        "/items/{item_id}": ["GET", "HEAD", "DELETE"],
        "/deep/{rest:path}": ["GET"],
        "/undeclared": ["GET"],
    }.items():
        router.add_api_route(path, answer, methods=methods)
    inner = APIRouter(prefix="/inner")
    inner.add_api_route("/one", answer, methods=["GET"])
    router.include_router(inner)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        seen.append(f"{scope['method']} {scope['path']}")
        await PlainTextResponse("mounted")(scope, receive, send)

    router.mount("/files", mounted)
    router.mount("/half", mounted)
    return router


DECLARED = endpoints(
    "GET /open public",
    "GET /items/public public",
    "GET /items/{id} user",
    "DELETE /items/{id} permission:reports.delete",
    "GET /deep/{rest} user",
    "GET /inner/one user",
    "GET /files user",
    "GET /half/secret user",
)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/items/7"),
        ("HEAD", "/items/7"),
        ("DELETE", "/items/7"),
        ("GET", "/items/%37"),
        ("GET", "/items/publi%63x"),
        ("GET", "/deep/a/b/c"),
        ("GET", "/inner/one"),
        ("GET", "/files"),
        ("POST", "/files/x"),
        ("GET", "/files/../files/x"),
        ("GET", "/half/secret"),
        ("GET", "/half/secret/"),
        ("GET", "/half//secret"),
        ("GET", "/half/x/..%2fsecret"),
        ("HEAD", "/half/secret"),
    ],
)
async def test_a_declared_route_is_closed_to_strangers_however_it_is_asked_for(
    guarded: Guarded, method: str, path: str
) -> None:
    seen: list[str] = []
    await guarded.install(secrets_router(seen), DECLARED)
    assert await guarded.status(method, path) == 401
    assert seen == []
    assert await guarded.status(method, path, "wrong") == 401
    assert seen == []
    assert await guarded.status(method, path, "ada") in {200, 307}


@pytest.mark.parametrize("path", ["/open", "/items/public", "/undeclared", "/half/open"])
async def test_what_is_public_or_not_declared_is_open_and_asks_nobody(
    guarded: Guarded, directory: Directory, path: str
) -> None:
    await guarded.install(secrets_router([]), DECLARED)
    assert await guarded.status("GET", path) == 200
    assert directory.asked == 0


async def test_the_route_that_serves_decides_and_not_one_that_also_fits(guarded: Guarded) -> None:
    router = APIRouter()

    async def answer() -> dict[str, str]:
        return {}

    router.add_api_route("/items/{item_id}", answer)
    router.add_api_route("/items/public", answer)
    await guarded.install(router, endpoints("GET /items/{id} user", "GET /items/public public"))
    assert await guarded.status("GET", "/items/public") == 401


async def test_a_trailing_slash_leads_to_the_guarded_route_only(guarded: Guarded) -> None:
    seen: list[str] = []
    await guarded.install(secrets_router(seen), DECLARED)
    assert await guarded.status("GET", "/items/7/") in {307, 401}
    assert seen == []


async def test_a_permission_is_needed_where_the_manifest_names_one(guarded: Guarded) -> None:
    await guarded.install(secrets_router([]), DECLARED)
    assert await guarded.status("DELETE", "/items/7", "bob") == 403
    assert await guarded.status("DELETE", "/items/7", "ada") == 200


async def test_a_route_that_comes_later_is_guarded_too(guarded: Guarded) -> None:
    router = APIRouter()
    await guarded.install(router, endpoints("GET /late/{rest} user"))
    assert await guarded.status("GET", "/late/x") == 401

    async def answer(rest: str) -> None: ...

    router.add_api_route("/late/{rest:path}", answer)
    assert await guarded.status("GET", "/late/x/y") == 401


async def test_a_refusal_is_a_problem_that_says_how_to_sign_in(guarded: Guarded) -> None:
    await guarded.install(secrets_router([]), DECLARED)
    response = await guarded.http.get("/plugins/foo/items/7")
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["code"] == "sign-in-needed"


def test_a_web_socket_is_guarded_and_wants_an_origin_with_a_session(directory: Directory) -> None:
    site = Guarded(directory)
    router = APIRouter()

    @router.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    mount_of = site.exposure.stage(
        "foo", 1, [router], owner=None, endpoints=endpoints("WEBSOCKET /live user")
    )
    with TestClient(site.app) as client:
        assert client.portal is not None
        site.exposure.commit(client.portal.call(lambda: mount_of))

        def hello(headers: dict[str, str]) -> str:
            with client.websocket_connect("/plugins/foo/live", headers=headers) as socket:
                return socket.receive_text()

        cookie = {"Cookie": "nexus_session=ada"}
        for refused in ({}, cookie, {**cookie, "Origin": "http://evil.test"}):
            with pytest.raises((WebSocketDisconnect, Exception)):
                hello(refused)
        assert hello({"Authorization": "Bearer ada"}) == "hello"
        assert hello({**cookie, "Origin": "http://testserver"}) == "hello"


async def test_without_a_provider_a_guarded_route_says_so_and_stays_closed() -> None:
    site = Guarded(None)
    seen: list[str] = []
    async with site.http:
        await site.install(secrets_router(seen), DECLARED)
        for token in (None, "ada"):
            assert await site.status("GET", "/items/7", token) == 503
        response = await site.http.get("/plugins/foo/items/7")
        assert "no identity provider is running" in response.json()["detail"]
        assert seen == []
        assert await site.status("GET", "/open") == 200


async def test_a_provider_that_breaks_lets_nobody_in() -> None:
    class Broken:
        async def identify(self, _credentials: Credentials) -> User | None:
            raise RuntimeError

    site = Guarded(Broken())
    seen: list[str] = []
    async with site.http:
        await site.install(secrets_router(seen), DECLARED)
        transport = httpx.ASGITransport(site.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://nexus.test") as client:
            headers = {"Authorization": "Bearer ada"}
            response = await client.get("/plugins/foo/items/7", headers=headers)
    assert response.status_code == 500
    assert seen == []


async def test_a_plugin_that_guards_nothing_has_the_plain_mount(guarded: Guarded) -> None:
    mount = await guarded.install(secrets_router([]), endpoints("GET /items/{id} public"))
    assert type(mount) is PluginMount


async def test_routes_that_are_not_declared_are_refused_where_the_application_says_so() -> None:
    site = Guarded(None, require_declared=True)
    async with site.http:
        with pytest.raises(RoutesNotDeclared) as refused:
            await site.install(secrets_router([]), DECLARED)
        assert refused.value.routes == ("GET /undeclared", "MOUNT /half")
        router = APIRouter()

        @router.get("/items/{item_id:int}/")
        async def answer(item_id: int) -> None: ...

        await site.install(router, endpoints("GET /items/{id} public"))


def signed_router() -> APIRouter:
    router = APIRouter()

    @router.get("/me")
    async def me(user: Annotated[User, Depends(require_user)]) -> str:
        return user.username

    @router.get("/perhaps")
    async def perhaps(user: Annotated[User | None, Depends(current_user)]) -> str:
        return user.username if user else "nobody"

    @router.get("/reports")
    async def reports(
        user: Annotated[User, Depends(require_permission("reports.read"))],
    ) -> str:
        return user.username

    @router.get("/manifest")
    async def manifest() -> None: ...

    return router


async def test_the_dependencies_give_the_user_and_ask_once(
    guarded: Guarded, directory: Directory
) -> None:
    await guarded.install(signed_router(), endpoints("GET /me user"))
    assert await guarded.status("GET", "/me") == 401
    assert await guarded.status("GET", "/me", "ada") == 200
    assert directory.asked == 1
    assert await guarded.status("GET", "/perhaps") == 200
    assert await guarded.status("GET", "/perhaps", "wrong") == 401
    assert await guarded.status("GET", "/reports") == 401
    assert await guarded.status("GET", "/reports", "bob") == 403
    assert await guarded.status("GET", "/reports", "ada") == 200


async def test_the_dependencies_are_closed_without_a_provider() -> None:
    site = Guarded(None)
    async with site.http:
        await site.install(signed_router(), ())
        assert await site.status("GET", "/me") == 503
        assert await site.status("GET", "/me", "ada") == 503
        assert await site.status("GET", "/perhaps") == 200


async def test_openapi_shows_who_may_use_a_route_and_where_to_sign_in(guarded: Guarded) -> None:
    await guarded.install(signed_router(), endpoints("GET /manifest user"))
    document = (await guarded.http.get("/openapi.json")).json()
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"nexus.password", "nexus.token", "nexus.apiKey"}
    flow = schemes["nexus.password"]["flows"]["password"]
    assert flow["tokenUrl"] == "/plugins/auth/token"
    every: list[dict[str, list[str]]] = [
        {"nexus.password": []},
        {"nexus.token": []},
        {"nexus.apiKey": []},
    ]
    assert document["paths"]["/plugins/foo/me"]["get"]["security"] == every
    assert document["paths"]["/plugins/foo/manifest"]["get"]["security"] == every


def test_what_is_remembered_does_not_grow_with_what_is_asked() -> None:
    router = APIRouter()
    for path in ("/all", "/items/{item}"):
        router.add_api_route(path, lambda: None, methods=["GET"])
    endpoints = [
        ApiEndpoint(method="GET", path="/all", auth="user"),
        ApiEndpoint(method="GET", path="/items/{item}", auth="permission:items.read"),
    ]
    guard = RouteGuard([router], endpoints)
    for number in range(100):
        assert guard.needs("GET", f"/items/{number}") == {"permission:items.read"}
        assert guard.needs("GET", "/all") == {"user"}
        assert guard.needs("GET", f"/nothing{number}") == frozenset()
    assert guard._known == {("GET", "/all"): {"user"}}
    router.add_api_route("/more", lambda: None, methods=["GET"])
    guard.needs("GET", "/more")
    assert guard._known == {("GET", "/more"): frozenset()}
