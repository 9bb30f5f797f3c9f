import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from fastapi import APIRouter

from nexus.errors import PluginExited


def living(log: list[str], name: str, *, fails: BaseException | None = None) -> Any:
    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        if fails is not None:
            raise fails
        log.append(f"+{name}")
        try:
            yield
        finally:
            log.append(f"-{name}")

    return APIRouter(lifespan=lifespan)


async def test_a_failing_start_leaves_what_was_entered_and_is_not_served(site: Any) -> None:
    log: list[str] = []
    routers = [living(log, "one"), living(log, "two", fails=ValueError("no port"))]
    with pytest.raises(ValueError, match="no port"):
        await site.exposure.stage("foo", 1, routers, owner=None)
    assert log == ["+one", "-one"]
    assert site.app.dispatcher.live == {}


async def test_an_exit_in_a_lifespan_does_not_end_the_server(site: Any) -> None:
    with pytest.raises(PluginExited):
        await site.exposure.stage("foo", 1, [living([], "one", fails=SystemExit())], owner=None)


async def test_start_and_stop_may_come_from_different_tasks(site: Any) -> None:
    running = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            running.set()
            yield
            group.cancel_scope.cancel()

    stage = site.exposure.stage("foo", 1, [APIRouter(lifespan=lifespan)], owner=None)
    mount = await asyncio.create_task(stage)
    assert running.is_set()
    await asyncio.create_task(site.exposure.close(mount))


async def test_a_lifespan_runs_in_the_plugins_name_in_a_task_that_is_not_the_plugins(
    site: Any,
) -> None:
    owners: list[Any] = []
    loop = asyncio.get_running_loop()

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        context = options.get("context")
        owners.append(site.current.get() if context is None else context.get(site.current))
        return asyncio.Task(coroutine, loop=loop, **options)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        owners.append(site.current.get())
        yield

    token = site.current.set("staging")
    loop.set_task_factory(factory)
    try:
        routers = [APIRouter(lifespan=lifespan)]
        mount = await site.exposure.stage("foo", 1, routers, owner="generation 1")
    finally:
        loop.set_task_factory(None)
        site.current.reset(token)
    await site.exposure.close(mount)
    assert owners == [None, "generation 1"]


async def test_startup_and_shutdown_handlers_run(site: Any) -> None:
    log: list[str] = []

    async def up() -> None:
        log.append("up")

    router = APIRouter(on_startup=[up], on_shutdown=[lambda: log.append("down")])
    mount = await site.exposure.stage("foo", 1, [router], owner=None)
    await site.exposure.close(mount)
    assert log == ["up", "down"]


async def test_a_plain_router_needs_no_task(site: Any) -> None:
    before = asyncio.all_tasks()
    await site.exposure.stage("foo", 1, [APIRouter()], owner=None)
    assert asyncio.all_tasks() == before


async def test_a_cancelled_start_is_unwound(site: Any) -> None:
    log: list[str] = []
    reached = asyncio.Event()

    @asynccontextmanager
    async def hanging(_app: Any) -> AsyncIterator[None]:
        reached.set()
        await asyncio.Event().wait()
        yield

    routers = [living(log, "one"), APIRouter(lifespan=hanging)]
    start = asyncio.create_task(site.exposure.stage("foo", 1, routers, owner=None))
    await reached.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert log == ["+one", "-one"]


async def test_a_failure_at_the_end_is_logged_and_the_rest_is_left(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def bad_end(_app: Any) -> AsyncIterator[None]:
        yield
        message = "bad end"
        raise ValueError(message)

    routers = [living(log, "one"), APIRouter(lifespan=bad_end)]
    mount = await site.exposure.stage("foo", 1, routers, owner=None)
    with caplog.at_level(logging.ERROR):
        await site.exposure.close(mount)
    assert log == ["+one", "-one"]
    assert "bad end" in caplog.text


async def test_a_lifespan_that_does_not_end_is_cancelled(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def endless(_app: Any) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    mount = await site.exposure.stage("foo", 1, [APIRouter(lifespan=endless)], owner=None)
    with caplog.at_level(logging.WARNING):
        await mount.stop(0)
    assert "take too long to end" in caplog.text
    assert not [task for task in asyncio.all_tasks() if "lifespan" in task.get_name()]


async def test_more_routers_with_lifespans_than_the_stack_is_deep(site: Any) -> None:
    log: list[str] = []
    mount = await site.exposure.stage(
        "foo", 1, [living(log, str(number)) for number in range(1100)], owner=None
    )
    await site.exposure.close(mount)
    assert len(log) == 2200
