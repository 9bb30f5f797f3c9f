"""Runs every Python example of the documents.

The examples of one page share a namespace and run in their order, in an empty folder of their own.
An example that cannot run here says so above it: `<!--- skip: next "reason" -->`.
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _pytest._code.code import Traceback
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

collect_ignore = ["tests/seed"]  # files that tests copy; their own tests run inside an application


def _enter_empty_folder(namespace: dict[str, Any]) -> None:
    folder = tempfile.TemporaryDirectory(prefix="nexus-docs-", ignore_cleanup_errors=True)
    namespace["_folder"] = folder
    namespace["_came_from"] = Path.cwd()
    os.chdir(folder.name)


def _leave_folder(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_came_from"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "CONTRIBUTING.md", "docs/**/*.md", "docs/*.md"],
    setup=_enter_empty_folder,
    teardown=_leave_folder,
).pytest()


def _traceback_of(item: SybilItem, problem: pytest.ExceptionInfo[BaseException]) -> Traceback:
    """Cut Sybil's own frames where there are any.

    Sybil 10.1 takes the second frame for granted, which ends the whole run when an example leaves
    something open behind: that warning is raised outside the example's code.
    """
    try:
        return SybilItem._traceback_filter(item, problem)  # noqa: SLF001 - the method in question
    except IndexError:
        return problem.traceback


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the examples of a page together and in order, whatever shuffles the rest."""
    examples = [item for item in items if isinstance(item, SybilItem)]
    for item in examples:
        item._traceback_filter = partial(_traceback_of, item)  # type: ignore[method-assign]  # noqa: SLF001
    examples.sort(key=lambda item: (str(item.path), item.example.line))
    items[:] = [*(item for item in items if not isinstance(item, SybilItem)), *examples]
