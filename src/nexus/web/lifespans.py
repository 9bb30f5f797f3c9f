"""The lifespans of a plugin's routers."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar, copy_context
from typing import Any

from fastapi import APIRouter, routing

from nexus.errors import HookFailed, PluginExited

logger = logging.getLogger(__name__)

_GRACE = 2.0
"""Seconds that lifespans have to end after they were cancelled."""


class RouterLifespans:
    """Enters the routers' lifespans one after the other, and leaves them in reverse.

    They run in a task of their own: a lifespan may hold a task group or a cancel scope, which must
    be left by the task that entered it, and a plugin is started and stopped by different ones.
    FastAPI would nest them, which ends in a RecursionError at some hundreds of routers.

    Attributes:
        state: What the lifespans yielded, shared by all routers.
    """

    def __init__(
        self,
        plugin: str,
        routers: Sequence[APIRouter],
        *,
        current: ContextVar[Any],
        owner: object,
    ) -> None:
        self._plugin = plugin
        self._routers = [router for router in routers if _has_lifespan(router)]
        self._current = current
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self.state: dict[str, Any] = {}

    async def start(self, app: object) -> None:
        """Enter all lifespans.

        Args:
            app: The application, which a lifespan function takes as its argument.

        Raises:
            Exception: What a lifespan raised; the ones before it have been left again.
        """
        if not self._routers:
            return
        entered = asyncio.get_running_loop().create_future()
        # The task is this object's: in the plugin's own name it would be cancelled with the
        # plugin's tasks, before the lifespans have been left.
        context = copy_context()
        context.run(self._current.set, None)
        self._task = asyncio.create_task(
            self._live(app, entered),
            name=f"nexus:{self._plugin}:router-lifespans",
            context=context,
        )
        try:
            await entered
        except BaseException:
            self._task.cancel()
            _, late = await asyncio.wait([self._task], timeout=_GRACE)
            if late:
                logger.error(  # noqa: TRY400 - the caller tells what was raised
                    "router lifespans go on although they were cancelled",
                    extra={"plugin": self._plugin},
                )
            self._task = None
            raise

    async def stop(self, timeout: float) -> None:
        """Leave all lifespans within `timeout` seconds; what fails is logged, not raised."""
        task, self._task = self._task, None
        if task is None:
            return
        self._leave.set()
        _, late = await asyncio.wait([task], timeout=timeout)
        if late:
            logger.warning(
                "router lifespans take too long to end and are cancelled",
                extra={"plugin": self._plugin, "seconds": timeout},
            )
            task.cancel()
            await asyncio.wait([task], timeout=timeout)
        self.state = {}

    async def _live(self, app: object, entered: "asyncio.Future[None]") -> None:
        self._current.set(self._owner)
        try:
            async with AsyncExitStack() as stack:
                for router in self._routers:
                    state = await stack.enter_async_context(router.lifespan_context(app))
                    self.state.update(state or {})
                if not entered.done():
                    entered.set_result(None)
                await self._leave.wait()
        except asyncio.CancelledError:
            if not entered.done():  # nobody has given up: it is the lifespan's own doing
                problem = "was cancelled by its own code."
                entered.set_exception(
                    HookFailed(plugin=self._plugin, hook="lifespan", problem=problem)
                )
            raise
        except BaseException as error:
            # SystemExit and its like would end the event loop.
            failure = (
                error
                if isinstance(error, Exception)
                else PluginExited(plugin=self._plugin, kind=type(error).__name__)
            )
            if entered.done():
                logger.exception("a router's lifespan failed", extra={"plugin": self._plugin})
            else:
                entered.set_exception(failure)


def _has_lifespan(router: APIRouter) -> bool:
    plain = isinstance(router.lifespan_context, routing._DefaultLifespan)  # noqa: SLF001
    return not plain or bool(router.on_startup or router.on_shutdown)
