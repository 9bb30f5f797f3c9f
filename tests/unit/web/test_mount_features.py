"""What an APIRouter can do, a plugin's router can do."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    File,
    Form,
    Header,
    HTTPException,
    Request,
    UploadFile,
    WebSocket,
)
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient


class Thing(BaseModel):
    name: str
    secret: str = "hidden"


async def test_response_models_shape_the_answer(site: Any) -> None:
    router = APIRouter()

    @router.post("/things", response_model_exclude={"secret"})
    async def create(thing: Thing) -> Thing:
        return thing

    await site.install("foo", router)
    answer = await site.http.post("/plugins/foo/things", json={"name": "a", "secret": "s"})
    assert answer.json() == {"name": "a"}


async def test_a_refused_body_is_told_without_its_content(site: Any) -> None:
    router = APIRouter()

    @router.post("/things")
    async def create(thing: Thing) -> Thing:
        return thing

    await site.install("foo", router)
    answer = await site.http.post("/plugins/foo/things", json={"name": 1, "secret": ["hunter2"]})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
    problem = answer.json()
    assert problem["code"] == "validation-error"
    assert [error["loc"] for error in problem["errors"]] == [["body", "name"], ["body", "secret"]]
    assert set(problem["errors"][0]) == {"loc", "msg", "type"}
    broken = await site.http.post(
        "/plugins/foo/things", content=b"{", headers={"content-type": "application/json"}
    )
    assert broken.json()["errors"][0]["type"] == "json_invalid"


async def test_dependencies_of_router_route_and_include_run_and_clean_up(site: Any) -> None:
    log: list[str] = []

    def note(text: str) -> Any:
        async def dependency() -> AsyncIterator[str]:
            log.append(f"+{text}")
            yield text
            log.append(f"-{text}")

        return dependency

    inner = APIRouter(dependencies=[Depends(note("inner"))])

    @inner.get("/x", dependencies=[Depends(note("route"))])
    async def x(value: Annotated[str, Depends(note("value"))]) -> str:
        log.append("x")
        return value

    outer = APIRouter(dependencies=[Depends(note("outer"))])
    outer.include_router(inner, dependencies=[Depends(note("include"))])
    await site.install("foo", outer)
    assert (await site.http.get("/plugins/foo/x")).json() == "value"
    assert log[:6] == ["+outer", "+include", "+inner", "+route", "+value", "x"]
    assert sorted(log[6:]) == ["-include", "-inner", "-outer", "-route", "-value"]


async def test_dependency_overrides_of_the_application_reach_plugins(site: Any) -> None:
    def actual() -> str:
        return "actual"

    inner, outer = APIRouter(), APIRouter()

    @inner.get("/inner")
    async def in_inner(value: Annotated[str, Depends(actual)]) -> str:
        return value

    @outer.get("/outer")
    async def in_outer(value: Annotated[str, Depends(actual)]) -> str:
        return value

    outer.include_router(inner)
    await site.install("foo", outer)
    for replaced in (False, True, False):
        site.app.dependency_overrides = {actual: lambda: "other"} if replaced else {}
        for path in ("inner", "outer"):
            answer = await site.http.get(f"/plugins/foo/{path}")
            assert answer.json() == ("other" if replaced else "actual")


def test_dependency_overrides_reach_websockets(new_site: Any) -> None:
    def actual() -> str:
        return "actual"

    router = APIRouter()

    @router.websocket("/ws")
    async def talk(websocket: WebSocket, value: Annotated[str, Depends(actual)]) -> None:
        await websocket.accept()
        await websocket.send_text(value)
        await websocket.close()

    site = new_site()
    site.app.dependency_overrides[actual] = lambda: "other"
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", router)
        with client.websocket_connect("/plugins/foo/ws") as session:
            assert session.receive_text() == "other"


def test_websockets_talk_and_know_their_parameters(new_site: Any) -> None:
    router = APIRouter()

    @router.websocket("/rooms/{room}")
    async def talk(websocket: WebSocket, room: int) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_json([room, text])

    site = new_site()
    with TestClient(site.app) as client:
        assert client.portal is not None
        client.portal.call(site.install, "foo", router)
        with client.websocket_connect("/plugins/foo/rooms/7") as session:
            assert site.app.dispatcher.live["foo"].in_flight == 1
            session.send_text("hello")
            assert session.receive_json() == [7, "hello"]
            headers: Any = session.extra_headers
            assert b"x-request-id" in dict(headers)
    assert site.app.dispatcher.live["foo"].in_flight == 0


async def test_streams_and_server_sent_events_arrive_whole(site: Any) -> None:
    router = APIRouter()

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return StreamingResponse(parts(), media_type="text/plain")

    @router.get("/events", response_class=EventSourceResponse)
    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(data={"n": 1}, event="count", id="1")

    @router.get("/lines")
    def lines() -> Iterator[Thing]:
        yield Thing(name="a")
        yield Thing(name="b")

    await site.install("foo", router)
    assert (await site.http.get("/plugins/foo/stream")).text == "ab"
    events_answer = await site.http.get("/plugins/foo/events")
    assert events_answer.headers["content-type"].startswith("text/event-stream")
    assert "event: count" in events_answer.text
    assert len((await site.http.get("/plugins/foo/lines")).text.splitlines()) == 2


async def test_uploads_forms_headers_and_background_tasks(site: Any) -> None:
    done: list[str] = []
    files: list[UploadFile] = []
    router = APIRouter()

    @router.post("/upload")
    async def upload(
        file: Annotated[UploadFile, File()],
        title: Annotated[str, Form()],
        user_agent: Annotated[str, Header()],
        later: BackgroundTasks,
    ) -> list[Any]:
        files.append(file)
        later.add_task(done.append, title)
        return [file.filename, len(await file.read()), title, user_agent]

    await site.install("foo", router)
    answer = await site.http.post(
        "/plugins/foo/upload",
        files={"file": ("a.txt", b"x" * 100)},
        data={"title": "t"},
        headers={"user-agent": "test"},
    )
    assert answer.json() == ["a.txt", 100, "t", "test"]
    assert done == ["t"]
    assert files[0].file.closed


async def test_sync_endpoints_and_several_bodies(site: Any) -> None:
    router = APIRouter()

    @router.put("/x")
    def x(a: Annotated[int, Body()], b: Annotated[int, Body()]) -> int:
        return a + b

    await site.install("foo", router)
    assert (await site.http.put("/plugins/foo/x", json={"a": 1, "b": 2})).json() == 3


async def test_static_files_and_mounted_applications(site: Any, tmp_path: Any) -> None:
    from fastapi import FastAPI

    (tmp_path / "a.txt").write_text("file")
    sub = FastAPI()

    @sub.get("/x", name="sub-x")
    async def x(request: Request) -> str:
        return str(request.scope["root_path"])

    router = APIRouter()
    router.mount("/files", StaticFiles(directory=tmp_path), name="files")
    router.mount("/sub", sub)

    @router.get("/link")
    async def link(request: Request) -> str:
        return str(request.url_for("files", path="a.txt"))

    await site.install("foo", router)
    assert (await site.http.get("/plugins/foo/files/a.txt")).text == "file"
    assert (await site.http.get("/plugins/foo/files/../../a.txt")).status_code == 404
    missing = await site.http.get("/plugins/foo/files/b.txt")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    assert (await site.http.get("/plugins/foo/sub/x")).json() == "/plugins/foo/sub"
    address = (await site.http.get("/plugins/foo/link")).json()
    assert address == "http://nexus.test/plugins/foo/files/a.txt"


async def test_lifespan_state_is_seen_by_requests_and_left_at_the_end(site: Any) -> None:
    log: list[str] = []

    def living(name: str) -> Any:
        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
            assert app is site.app
            log.append(f"+{name}")
            yield {name: f"value of {name}"}
            log.append(f"-{name}")

        return lifespan

    first, second = APIRouter(lifespan=living("one")), APIRouter(lifespan=living("two"))

    @second.get("/x")
    async def x(request: Request) -> list[str]:
        return [request.state.one, request.state.two, request.state.request_id]

    mount = await site.install("foo", first, second)
    answer = await site.http.get("/plugins/foo/x", headers={"x-request-id": "abc"})
    assert answer.json() == ["value of one", "value of two", "abc"]
    site.exposure.withdraw(mount)
    await site.exposure.close(mount)
    assert log == ["+one", "+two", "-two", "-one"]


async def test_a_plugins_code_runs_in_the_name_of_its_generation(site: Any) -> None:
    seen: list[Any] = []
    router = APIRouter()

    @router.get("/x")
    async def x() -> None:
        seen.append(site.current.get())

    @router.get("/sync")
    def sync() -> None:
        seen.append(site.current.get())

    await site.install("foo", router, owner="generation 1")
    await site.http.get("/plugins/foo/x")
    await site.http.get("/plugins/foo/sync")
    assert seen == ["generation 1", "generation 1"]
    assert site.current.get() is None


async def test_http_exceptions_and_the_builders_handlers_apply(site: Any) -> None:
    from starlette.responses import PlainTextResponse

    class OurError(Exception):
        pass

    async def handle(_request: Request, _error: OurError) -> PlainTextResponse:
        return PlainTextResponse("handled", 409)

    site.app.add_exception_handler(OurError, handle)

    def pay(_request: Request, _error: HTTPException) -> PlainTextResponse:
        return PlainTextResponse("pay", 402)

    site.app.add_exception_handler(402, pay)

    router = APIRouter()

    @router.get("/refused")
    async def refused() -> None:
        raise HTTPException(401, "no", headers={"WWW-Authenticate": "Bearer"})

    @router.get("/ours")
    async def ours() -> None:
        raise OurError

    @router.get("/paid")
    async def paid() -> None:
        raise HTTPException(402)

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        raise OurError

    router.mount("/raw", raw)
    await site.install("foo", router)
    answer = await site.http.get("/plugins/foo/refused")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"] == "no"
    assert (await site.http.get("/plugins/foo/ours")).text == "handled"
    assert (await site.http.get("/plugins/foo/raw/x")).text == "handled"
    assert (await site.http.get("/plugins/foo/paid")).text == "pay"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_an_endpoint_cannot_end_the_server(
    site: Any, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()

    @router.get("/async")
    async def in_loop() -> None:
        raise error

    @router.get("/sync")
    def in_thread() -> None:
        raise error

    await site.install("foo", router)
    for path in ("async", "sync"):
        caplog.clear()
        answer = await site.http.get(f"/plugins/foo/{path}")
        assert answer.status_code == 500
        assert answer.json()["code"] == "internal-error"
        (record,) = caplog.records
        assert record.__dict__["plugin"] == "foo"
        assert error.__name__ in caplog.text
    assert site.app.metrics.series("foo").requests == {("GET", 500): 2}
