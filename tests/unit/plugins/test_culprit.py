import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from nexus.plugins.culprit import Culprit, lingering_threads

WAITS = """
def work(wait):
    wait()  # line 3
"""


def plugin() -> Any:
    """Give a module that stands for a plugin's."""
    module = ModuleType("nexus_generations.my_sleepy_7.threads")
    exec(compile(WAITS, "/plugins/my_sleepy/threads.py", "exec"), module.__dict__)  # noqa: S102
    return module


@contextmanager
def working(*, daemon: bool) -> Iterator[threading.Thread]:
    there, enough = threading.Event(), threading.Event()

    def wait() -> None:
        there.set()
        enough.wait()

    thread = threading.Thread(target=plugin().work, args=(wait,), daemon=daemon)
    thread.start()
    there.wait()
    try:
        yield thread
    finally:
        enough.set()
        thread.join()


def test_a_thread_that_a_plugin_left_behind_is_named_with_the_line() -> None:
    with working(daemon=False) as thread:
        assert thread in lingering_threads()
        found = Culprit.who_lingers()
        assert found is not None
        assert (found.plugin, found.file, found.line, found.function) == (
            "my_sleepy",
            "/plugins/my_sleepy/threads.py",
            3,
            "work",
        )
        assert "in wait" in found.stack


def test_a_thread_that_nobody_waits_for_is_not_blamed() -> None:
    with working(daemon=True) as thread:
        assert thread not in lingering_threads()
        found = Culprit.who_lingers()
        assert found is not None
        assert found.plugin == ""
        assert found.function != "work"


def test_a_thread_that_has_ended_is_nowhere() -> None:
    with working(daemon=False) as thread:
        ident = thread.ident
    assert ident is not None
    assert Culprit.in_thread(-1) is None
