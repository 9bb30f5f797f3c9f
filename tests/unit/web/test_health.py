"""What the health page tells of the event log."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from nexus.events.log import LogCondition
from nexus.web.health import HealthContext, health_router

TOKEN = "a-token"
Ask = Callable[..., Any]


def condition(**more: Any) -> LogCondition:
    usual = {"trouble": "", "size": 900, "limit": 1000, "is_nearly_full": False, "is_full": False}
    return LogCondition(**{**usual, **more})


@pytest.fixture
def ask() -> Ask:
    """Ask how an application does whose log is in some condition."""

    async def health(found: LogCondition, token: str = TOKEN) -> Any:
        async def check() -> float:
            return 0.001

        anything: Any = SimpleNamespace
        context = HealthContext(
            manager=anything(controllers=list),
            tokens=anything(accepts=TOKEN.__eq__),
            has_settled=lambda: True,
            check_database=check,
            engine="sqlite",
            log=anything(condition=found),
        )
        app = FastAPI()
        app.include_router(health_router(context))
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/health", headers=headers)
        assert answer.status_code == 200
        return answer.json()

    return health


async def test_a_log_with_room_is_healthy(ask: Ask) -> None:
    answer = await ask(condition())
    assert answer["status"] == "healthy"
    assert answer["events"] == {
        "status": "healthy",
        "message": "",
        "size": 900,
        "limit": 1000,
        "engine": "sql",
        "risk": "",
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (condition(is_nearly_full=True), ("nearly full", "900 of 1000", "nexus events lag")),
        (condition(is_nearly_full=True, is_full=True), ("publishing fails", "events.log_limit")),
        (condition(lost="The event log has lost its end."), ("has lost its end",)),
        (condition(trouble="No server."), ("cannot be worked with", "No server.")),
    ],
)
async def test_a_log_that_needs_an_operator_degrades_and_says_what_to_do(
    ask: Ask, found: LogCondition, words: tuple[str, ...]
) -> None:
    answer = await ask(found)
    assert answer["status"] == answer["events"]["status"] == "degraded"
    assert [each for each in words if each not in answer["events"]["message"]] == []


async def test_particulars_of_the_log_need_a_token(ask: Ask) -> None:
    answer = await ask(condition(trouble="No server at 10.0.0.1."), token="wrong")
    assert answer["events"] == {"status": "degraded"}
