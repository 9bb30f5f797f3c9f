import logging

import pytest
from fastapi import APIRouter, FastAPI

from nexus.errors import InvalidRouter, RouteOutsidePrefix
from nexus.web.route_paths import accepted_routers, path_problem, walk_routers


async def nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (None, "is None; expected a list"),
        (APIRouter(), "is an object of type fastapi.routing.APIRouter; expected a list"),
        ("router", "is an object of type str"),
        ([FastAPI()], "Item 0 of get_api_routes() of plugin 'foo' is an object of type fastapi"),
        ([APIRouter(), None], "Item 1 of get_api_routes() of plugin 'foo' is None"),
    ],
)
def test_what_is_no_router_is_named_with_what_is_expected(offered: object, words: str) -> None:
    with pytest.raises(InvalidRouter) as caught:
        accepted_routers("foo", offered)
    assert words in caught.value.render()
    assert "Return [router]" in caught.value.render()


@pytest.mark.parametrize(
    "path",
    [
        "/../bar",
        "/a/../../bar",
        "/./a",
        "//a",
        "/a//b",
        "/a\\b",
        "/a\nb",
        "/a\x00",
        "/%2e%2e/bar",
        "/a/%2E",
        "/a%2fb",
        "bar",
    ],
)
def test_a_path_that_leaves_the_prefix_is_refused(path: str) -> None:
    router = APIRouter()
    router.add_api_route(path, nothing)
    with pytest.raises(RouteOutsidePrefix) as caught:
        accepted_routers("foo", [router])
    assert caught.value.path == path
    assert "'/items/{item_id}'" in caught.value.render()


@pytest.mark.parametrize(
    "path", ["", "/", "/a", "/a/{b}", "/a/{b:path}", "/.well-known/x", "/a..b"]
)
def test_an_ordinary_path_is_accepted(path: str) -> None:
    assert path_problem(path) is None


def test_an_included_router_cannot_lead_out_either() -> None:
    inner = APIRouter()
    inner.add_api_route("/..", nothing)
    outer = APIRouter()
    outer.include_router(inner, prefix="/deep")
    with pytest.raises(RouteOutsidePrefix) as caught:
        accepted_routers("foo", [outer])
    assert caught.value.path == "/deep/.."


def test_walking_gives_included_routes_with_their_whole_path() -> None:
    innermost, inner, outer = APIRouter(prefix="/c"), APIRouter(prefix="/b"), APIRouter(prefix="/a")
    innermost.add_api_route("/x", nothing)
    inner.include_router(innermost)
    outer.include_router(inner, prefix="/more")
    assert [path for path, _ in walk_routers([outer])] == ["/a/more/b/c/x"]


def test_a_router_given_twice_serves_once_and_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = APIRouter()
    with caplog.at_level(logging.WARNING):
        assert accepted_routers("foo", [router, router]) == (router,)
    assert "given twice" in caplog.text


def test_a_route_that_is_never_reached_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    first, second = APIRouter(), APIRouter()
    first.add_api_route("/x", nothing)
    second.add_api_route("/x", nothing)
    second.add_api_route("/x", nothing, methods=["POST"])
    with caplog.at_level(logging.WARNING):
        accepted_routers("foo", [first, second])
    (record,) = caplog.records
    assert record.__dict__["method"] == "GET"
    assert record.__dict__["path"] == "/x"
