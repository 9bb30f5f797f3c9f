import asyncio
import contextvars
from typing import Any

import pytest

from nexus.errors import HookFailed, PermissionDenied
from nexus.plugins.hooks import call_hook, call_plain_hook


async def run(call: Any, timeout: float = 5.0) -> Any:
    return await call_hook(
        "foo", "initialize", call, timeout=timeout, context=contextvars.copy_context()
    )


def run_plain(call: Any) -> Any:
    return call_plain_hook("foo", "get_info", call, context=contextvars.copy_context())


async def test_a_hooks_result_comes_back() -> None:
    async def hook() -> str:
        return "fine"

    assert await run(hook) == "fine"
    assert run_plain(lambda: "fine") == "fine"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "initialize() raised ValueError: no"),
        (ValueError(), "initialize() raised ValueError."),
        (SystemExit(3), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "initialize() was cancelled by its own code."),
        (
            PermissionDenied(plugin="foo", permission="p", attempt="a"),
            "initialize() failed: Plugin 'foo' may not",
        ),
    ],
)
async def test_whatever_a_hook_raises_is_told(error: BaseException, text: str) -> None:
    async def hook() -> None:
        raise error

    with pytest.raises(HookFailed) as caught:
        await run(hook)
    assert text in str(caught.value)


async def test_a_hook_has_a_time_limit_and_is_cancelled() -> None:
    seen: list[str] = []

    async def hook() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    with pytest.raises(HookFailed, match=r"did not end within 0\.01 s"):
        await run(hook, 0.01)
    assert seen == ["cancelled"]


async def test_a_hook_ends_with_its_caller() -> None:
    seen: list[str] = []
    began = asyncio.Event()

    async def hook() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    caller = asyncio.create_task(run(hook))
    await began.wait()
    caller.cancel()
    await asyncio.wait({caller})
    assert caller.cancelled()
    assert seen == ["cancelled"]


async def test_a_hook_of_the_wrong_kind_is_told_what_to_write() -> None:
    with pytest.raises(HookFailed, match=r"write 'async def initialize\(self\)'"):
        await run(lambda: True)

    async def late() -> None: ...

    with pytest.raises(HookFailed, match=r"write 'def get_info\(self\)'"):
        run_plain(late)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(), GeneratorExit()])
def test_a_plain_hook_may_raise_anything(error: BaseException) -> None:
    def hook() -> None:
        raise error

    with pytest.raises(HookFailed, match=type(error).__name__):
        run_plain(hook)
