import asyncio
import contextvars
import gc
import warnings
from typing import Any

import pytest

from nexus.errors import PluginExited, TaskCancelled
from nexus.plugins.current import current_owner
from nexus.plugins.restarts import RestartPolicy
from nexus.plugins.task_factory import owned_tasks
from nexus.plugins.tasks import PluginTasks


def live_tasks() -> PluginTasks:
    tasks = PluginTasks("foo")
    tasks.go_live()
    return tasks


class Owner:
    """A generation, as far as tasks know it."""

    plugin = "foo"
    number = 1

    def __init__(self) -> None:
        self.tasks = PluginTasks("foo")


def owned(owner: Owner) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(current_owner.set, owner)
    return context


async def test_tasks_are_named_for_the_plugin_and_told_apart() -> None:
    tasks = live_tasks()

    async def work() -> None:
        await asyncio.Event().wait()

    made = [tasks.create(work(), None), tasks.create(work(), None), tasks.create(work(), "feed")]
    assert [task.get_name() for task in made] == ["foo.work", "foo.work-2", "foo.feed"]
    assert tasks.components().keys() == {"task:work", "task:work-2", "task:feed"}
    assert len(tasks) == 3
    assert await tasks.cancel_all(1.0) == []
    assert (len(tasks), tasks.components()) == (0, {})


async def test_a_named_task_begins_when_the_generation_goes_live() -> None:
    tasks, seen = PluginTasks("foo"), asyncio.Event()

    async def work() -> str:
        seen.set()
        return "done"

    task = tasks.create(work(), "job")
    raw = asyncio.ensure_future(asyncio.sleep(0))
    await raw
    assert not seen.is_set()
    assert tasks.waiting == ("job",)
    tasks.go_live()
    assert await task == "done"
    assert not tasks.waiting


async def test_a_task_that_is_ended_before_it_begins_warns_of_nothing() -> None:
    tasks = PluginTasks("foo")
    early = tasks.create(asyncio.sleep(60), "early")
    await asyncio.sleep(0)
    late = tasks.create(asyncio.sleep(60), "late")
    assert await tasks.cancel_all(1.0) == []
    assert early.cancelled()
    assert late.cancelled()


async def test_a_failure_is_remembered_until_the_task_is_made_again() -> None:
    tasks = live_tasks()

    async def fail() -> None:
        raise ValueError("no")

    async def succeed() -> None:
        pass

    await asyncio.wait({tasks.create(fail(), "job")})
    assert tasks.components()["task:job"]["error"] == "ValueError: no"
    await tasks.create(succeed(), "job")
    await asyncio.sleep(0)
    assert tasks.components() == {}


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
async def test_a_task_cannot_end_the_loop(error: BaseException) -> None:
    tasks = live_tasks()

    async def leave() -> None:
        raise error

    task = tasks.create(leave(), "job")
    with pytest.raises(PluginExited, match=type(error).__name__):
        await task


async def test_a_task_may_end_all_others_but_not_itself() -> None:
    tasks = live_tasks()
    other = tasks.create(asyncio.sleep(60), "other")

    async def end_all() -> list[str]:
        return await tasks.cancel_all(1.0)

    assert await tasks.create(end_all(), "me") == []
    assert other.cancelled()


async def test_the_factory_gives_a_plugins_tasks_to_its_generation() -> None:
    owner = Owner()
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    with owned_tasks(loop):
        mine = loop.create_task(asyncio.sleep(60))
        theirs = loop.create_task(asyncio.sleep(60), context=owned(owner), name="raw")
        inner = owned(owner).run(asyncio.ensure_future, asyncio.sleep(60))
        assert len(owner.tasks) == 2
        assert theirs.get_name() == "raw"
        await owner.tasks.cancel_all(1.0)
        assert theirs.cancelled()
        assert inner.cancelled()
        assert not mine.done()
        mine.cancel()
    assert loop.get_task_factory() is before
    outside = loop.create_task(asyncio.sleep(0), context=owned(owner))
    assert len(owner.tasks) == 0
    await outside


async def test_a_task_of_the_factory_that_is_cancelled_before_it_begins_warns_of_nothing() -> None:
    loop = asyncio.get_running_loop()

    async def work() -> None: ...

    with owned_tasks(loop), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        task = loop.create_task(work(), context=owned(Owner()))
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        del task
        gc.collect()
    assert not caught


async def test_the_factory_keeps_system_exit_from_the_loop() -> None:
    loop = asyncio.get_running_loop()

    async def leave() -> None:
        raise SystemExit

    with owned_tasks(loop):
        task = loop.create_task(leave(), context=owned(Owner()))
        with pytest.raises(PluginExited):
            await task


async def test_the_factory_refuses_what_is_no_coroutine_as_asyncio_does() -> None:
    loop = asyncio.get_running_loop()
    not_one: Any = print
    with owned_tasks(loop), pytest.raises(TypeError):
        await loop.create_task(not_one, context=owned(Owner()))


async def test_a_factory_that_was_there_before_makes_the_tasks_of_others() -> None:
    loop = asyncio.get_running_loop()
    made: list[Any] = []

    def factory(loop: Any, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    before = loop.get_task_factory()
    loop.set_task_factory(factory)
    try:
        with owned_tasks(loop):
            await loop.create_task(asyncio.sleep(0))
            await loop.create_task(asyncio.sleep(0), context=owned(Owner()))
        assert len(made) == 1
        assert loop.get_task_factory() is factory
    finally:
        loop.set_task_factory(before)


async def test_users_of_one_loop_share_a_factory_and_leave_in_any_order() -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    one, two = owned_tasks(loop), owned_tasks(loop)
    one.__enter__()
    factory = loop.get_task_factory()
    two.__enter__()
    assert loop.get_task_factory() is factory
    one.__exit__(None, None, None)
    assert loop.get_task_factory() is factory
    two.__exit__(None, None, None)
    assert loop.get_task_factory() is before


async def test_a_function_is_called_again_until_it_succeeds() -> None:
    tasks = PluginTasks("foo", RestartPolicy(pause=0.001))
    tasks.go_live()
    calls: list[int] = []

    async def work() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise SystemExit
        return "done"

    task = tasks.create(work, None)
    assert task.get_name() == "foo.work"
    assert await task == "done"
    assert tasks.components() == {}


async def test_a_function_that_goes_on_failing_is_given_up_with_its_last_error() -> None:
    tasks = PluginTasks("foo", RestartPolicy(intensity=1, pause=0.001))
    tasks.go_live()

    class Watching:
        task_restarts = 0

    watching, told = Watching(), list[str]()
    tasks.look_after(watching, told.append)

    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await tasks.create(work, "job")
    await asyncio.sleep(0)
    assert told == ["Its background task 'job' failed: ValueError: no."]
    assert watching.task_restarts == 1
    assert tasks.components()["task:job"]["restarts"] == 1


async def test_a_task_that_waits_for_something_cancelled_has_failed() -> None:
    tasks = live_tasks()

    async def work() -> None:
        other = asyncio.ensure_future(asyncio.sleep(60))
        other.cancel()
        await other

    with pytest.raises(TaskCancelled):
        await tasks.create(work, "job")


async def test_a_task_that_is_told_to_end_during_its_pause_ends() -> None:
    tasks = PluginTasks("foo", RestartPolicy(pause=600.0))
    tasks.go_live()

    async def work() -> None:
        raise ValueError("no")

    task = tasks.create(work, "job")
    while not tasks.components()["task:job"].get("error"):
        await asyncio.sleep(0)
    assert tasks.components()["task:job"]["status"] == "unhealthy"
    assert await tasks.cancel_all(1.0) == []
    assert task.cancelled()


@pytest.mark.parametrize("work", [7, None])
async def test_what_is_neither_coroutine_nor_function_is_refused(work: Any) -> None:
    with pytest.raises(TypeError, match="a coroutine or a function that makes one"):
        live_tasks().create(work, None)


async def test_a_function_that_makes_no_coroutine_is_told_so() -> None:
    with pytest.raises(TypeError, match="it gave 7"):
        await live_tasks().create(lambda: 7, None)  # type: ignore[arg-type, return-value]  # wrong on purpose
