"""A plugin's routes answer as they would had the application included them."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Form, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Route, Router
from typing_extensions import override

from nexus.web.application import NexusFastAPI
from nexus.web.errors import EXCEPTION_HANDLERS
from nexus.web.mount import build_mount


def say(text: str) -> Any:
    async def endpoint() -> str:
        return text

    return endpoint


def varied_routers() -> list[APIRouter]:
    first = APIRouter()
    first.add_api_route("/static", say("static"))
    first.add_api_route("/static", say("posted"), methods=["POST"])
    first.add_api_route("/items/{item}", say("item"))
    first.add_api_route("/items/special", say("hidden by the one above"))
    first.add_api_route("/slash/", say("slash"))
    first.add_api_route("/both", say("head and get"), methods=["GET", "HEAD"])
    inner = APIRouter(prefix="/inner")
    inner.add_api_route("/x", say("inner x"))
    inner.add_api_route("/{y}", say("inner y"), methods=["PUT"])
    first.include_router(inner)
    first.add_api_route("/inner/late", say("after the include"))
    second = APIRouter(prefix="/second")
    second.add_api_route("", say("bare prefix"))
    second.add_api_route("/x", say("second x"))
    third = APIRouter()
    third.add_api_route("/static", say("never"), methods=["GET", "DELETE"])
    third.add_api_route("/options", say("options"), methods=["OPTIONS"])
    third.routes.append(Route("/plain", lambda _request: PlainTextResponse("plain")))
    return [first, second, third]


PATHS = (
    *("/", "/static", "/static/", "/items/1", "/items/special", "/items/", "/items/1/2"),
    *("/slash", "/slash/", "/both", "/inner", "/inner/x", "/inner/y", "/inner/late"),
    *("/second", "/second/", "/second/x", "/options", "/plain", "/nothing", "/static%20"),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


async def test_every_method_and_path_answers_as_in_an_application_that_includes_the_routers() -> (
    None
):
    ours = NexusFastAPI()
    ours.dispatcher.publish(build_mount("foo", 1, varied_routers()))
    theirs = FastAPI(exception_handlers=dict(EXCEPTION_HANDLERS))
    for router in varied_routers():
        theirs.include_router(router, prefix="/plugins/foo")
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(ours), base_url="http://t") as here,
        httpx.AsyncClient(transport=httpx.ASGITransport(theirs), base_url="http://t") as there,
    ):
        # The second time, the static routes come out of the memory.
        for method, path in [(m, p) for _ in range(2) for m in METHODS for p in PATHS]:
            got = await here.request(method, f"/plugins/foo{path}")
            expected = await there.request(method, f"/plugins/foo{path}")
            assert _essence(got) == _essence(expected), (method, path)
    (mount,) = ours.dispatcher.live.values()
    assert ("GET", "/static") in mount._static
    assert ("GET", "/items/special") not in mount._static


def _essence(response: httpx.Response) -> tuple[Any, ...]:
    body: Any = response.text
    if response.status_code >= 400 and body:
        body = {key: value for key, value in response.json().items() if key != "request_id"}
    headers = response.headers
    allow = sorted(headers.get("allow", "").split(", "))
    return response.status_code, body, headers.get("location"), allow, headers.get("content-type")


async def test_a_path_of_a_bare_router_is_the_prefix_itself() -> None:
    router = APIRouter()
    router.routes.append(Route("/", lambda _request: PlainTextResponse("root")))
    app = NexusFastAPI()
    app.dispatcher.publish(build_mount("foo", 1, [router]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        moved = await http.get("/plugins/foo?a=1")
        assert (moved.status_code, moved.headers["location"]) == (307, "http://t/plugins/foo/?a=1")
        assert (await http.get("/plugins/foo/")).text == "root"


async def test_a_route_without_a_path_answers_at_the_prefix_without_a_slash() -> None:
    router = APIRouter()
    router.add_api_route("", say("bare"))
    app = NexusFastAPI()
    app.dispatcher.publish(build_mount("foo", 1, [router]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        assert (await http.get("/plugins/foo")).json() == "bare"
        moved = await http.get("/plugins/foo/")
        assert (moved.status_code, moved.headers["location"]) == (307, "http://t/plugins/foo")


async def get(path: str, *routers: APIRouter, **headers: str) -> httpx.Response:
    app = NexusFastAPI()
    app.dispatcher.publish(build_mount("foo", 1, routers))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        return await http.get(f"/plugins/foo{path}", headers=headers)


async def test_a_router_can_refuse_to_redirect_slashes() -> None:
    router = APIRouter(redirect_slashes=False)
    router.add_api_route("/x", say("x"))
    assert (await get("/x/", router)).status_code == 404
    assert (await get("/x", router)).status_code == 200


class Default:
    async def method(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("mine", 404)(scope, receive, send)


async def default_function(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("mine", 404)(scope, receive, send)


@pytest.mark.parametrize("default", [default_function, Default().method])
async def test_a_routers_default_answers_what_no_route_does(default: Any) -> None:
    first, second = APIRouter(), APIRouter(default=default)
    second.add_api_route("/x", say("x"))
    assert (await get("/other", first, second)).text == "mine"
    assert (await get("/other", second)).text == "mine"
    assert (await get("/x", first, second)).json() == "x"


async def test_a_routers_frontend_answers_what_no_route_does(tmp_path: Any) -> None:
    (tmp_path / "index.html").write_text("<p>front</p>")
    first, second = APIRouter(), APIRouter()
    first.add_api_route("/x", say("x"))
    second.frontend("/app", directory=tmp_path)
    assert (await get("/app/", first, second)).text == "<p>front</p>"
    assert (await get("/app/", second)).text == "<p>front</p>"


@pytest.mark.parametrize("host", ["a.test", "b.test"])
async def test_a_route_after_one_that_looks_at_the_host_is_not_remembered(host: str) -> None:
    app = NexusFastAPI()
    router = APIRouter()
    by_host = Router([Route("/x", lambda _request: PlainTextResponse("a"))])
    router.routes.append(Host("a.test", by_host))
    router.routes.append(Route("/x", lambda _request: PlainTextResponse("other")))
    app.dispatcher.publish(build_mount("foo", 1, [router]))
    other = "a.test" if host == "b.test" else "b.test"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        for asked in (host, other, host):
            answer = await http.get("/plugins/foo/x", headers={"host": asked})
            assert answer.text == ("a" if asked == "a.test" else "other")


async def test_a_custom_route_class_does_its_own_thing_every_time() -> None:
    handled: list[str] = []

    class Noting(APIRoute):
        @override
        def get_route_handler(self) -> Any:
            original = super().get_route_handler()

            async def handler(request: Request) -> Response:
                response: Response = await original(request)
                response.headers["x-custom"] = "yes"
                return response

            return handler

        @override
        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            handled.append(scope["path"])
            await super().handle(scope, receive, send)

    router = APIRouter(route_class=Noting)
    router.add_api_route("/x", say("x"))
    for _ in range(2):
        assert (await get("/x", router)).headers["x-custom"] == "yes"
    app = NexusFastAPI()
    app.dispatcher.publish(build_mount("foo", 1, [router]))
    handled.clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        for _ in range(3):
            await http.get("/plugins/foo/x")
    assert handled == ["/plugins/foo/x"] * 3


async def post(path: str, router: APIRouter, **content: Any) -> httpx.Response:
    app = NexusFastAPI()
    app.dispatcher.publish(build_mount("foo", 1, [router]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
        await http.post(f"/plugins/foo{path}", **content)  # the second time from the memory
        return await http.post(f"/plugins/foo{path}", **content)


async def count(scope: Any, receive: Any, send: Any) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


@pytest.mark.parametrize("path", ["/route", "/mounted/x"])
async def test_a_routers_own_body_limit_holds(path: str) -> None:
    router = APIRouter(max_body_size=4)
    router.mount("/mounted", count)

    @router.post("/route")
    async def route(request: Request) -> int:
        return len(await request.body())

    assert (await post(path, router, content=b"1234")).text == "4"
    assert (await post(path, router, content=b"12345")).status_code == 413


async def test_a_routers_own_form_limits_hold() -> None:
    router = APIRouter(form_limits={"max_fields": 1})

    @router.post("/form")
    async def form(a: Annotated[str, Form()], b: Annotated[str, Form()] = "") -> str:
        return a + b

    assert (await post("/form", router, data={"a": "1"})).json() == "1"
    assert (await post("/form", router, data={"a": "1", "b": "2"})).status_code == 400


async def test_what_a_kind_of_router_adds_around_its_routes_happens_every_time() -> None:
    entered: list[str] = []

    class Noting(APIRouter):
        @override
        async def app(self, scope: Any, receive: Any, send: Any) -> None:
            entered.append(scope["path"])
            await super().app(scope, receive, send)

    router = Noting()
    router.add_api_route("/x", say("x"), methods=["POST"])
    assert (await post("/x", router)).json() == "x"
    assert entered == ["/plugins/foo/x"] * 2
