import json
from typing import Any

import pytest
from fastapi import HTTPException
from starlette.requests import Request

from nexus.errors import NexusError, PermissionDenied
from nexus.observability.request_id import current_request_id
from nexus.web.errors import STATUS_OF_CODE, http_exception_problem, nexus_error_problem
from nexus.web.problems import PROBLEM_MEDIA_TYPE, problem_response


def request() -> Request:
    return Request({"type": "http", "path": "/x/y", "headers": []})


def body(response: Any) -> dict[str, Any]:
    assert response.media_type == PROBLEM_MEDIA_TYPE
    found: dict[str, Any] = json.loads(response.body)
    return found


def test_a_problem_has_the_members_of_the_standard() -> None:
    assert body(problem_response(404)) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
    }
    headers: Any = {"Retry-After": 5}  # a number, as plugins write it
    token = current_request_id.set("abc")
    try:
        response = problem_response(
            422,
            "T",
            "D",
            "some-code",
            instance="/x",
            headers=headers,
            more=[1],
        )
    finally:
        current_request_id.reset(token)
    assert response.headers["retry-after"] == "5"
    assert body(response) == {
        "type": "urn:nexus:some-code",
        "title": "T",
        "status": 422,
        "detail": "D",
        "code": "some-code",
        "instance": "/x",
        "request_id": "abc",
        "more": [1],
    }


def test_an_unusual_status_and_odd_text_still_make_a_document() -> None:
    assert body(problem_response(599, detail="\ud800"))["title"] == "Error"


@pytest.mark.parametrize(
    ("detail", "member"),
    [("text", {"detail": "text"}), ({"a": 1}, {"errors": {"a": 1}}), ([1], {"errors": [1]})],
)
async def test_a_detail_that_is_no_text_goes_under_errors(detail: Any, member: Any) -> None:
    response = await http_exception_problem(request(), HTTPException(400, detail))
    found = body(response)
    assert {key: found[key] for key in member} == member
    assert ("detail" in found) == isinstance(detail, str)


async def test_a_status_without_a_body_gets_none() -> None:
    response = await http_exception_problem(request(), HTTPException(304, headers={"ETag": "x"}))
    assert (response.body, response.headers["etag"]) == (b"", "x")


async def test_a_platform_error_says_what_to_do() -> None:
    error = PermissionDenied(plugin="foo", permission="database.read", attempt="read data")
    response = await nexus_error_problem(request(), error)
    assert response is not None
    assert response.status_code == 403
    assert '"database.read" to "permissions"' in body(response)["detail"]
    assert body(response)["instance"] == "/x/y"


async def test_an_error_of_another_kind_is_passed_on() -> None:
    with pytest.raises(NexusError):
        await nexus_error_problem(request(), NexusError())


def test_every_status_belongs_to_an_error_that_exists() -> None:
    def codes(kind: type[NexusError]) -> set[str]:
        return {kind.code}.union(*map(codes, kind.__subclasses__()))

    assert set(STATUS_OF_CODE) <= codes(NexusError)
