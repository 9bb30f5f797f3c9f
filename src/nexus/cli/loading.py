"""Loads the application that `nexus run` serves."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.cli.errors import NotServable

if TYPE_CHECKING:
    from nexus.app import NexusApp

MODULE: Final = "main"


def load_application(folder: Path) -> "NexusApp":
    """Give `app` of the folder's main.py, or where there is no main.py make an application.

    Raises:
        NotServable: main.py has no `app`, or another kind of it.
        InvalidSettings: Something in the settings is wrong.
    """
    if (folder / f"{MODULE}.py").is_file():
        return _imported(folder)
    from nexus.app import create_nexus_app

    return create_nexus_app(folder)


def _imported(folder: Path) -> "NexusApp":
    from nexus.app import NexusApp

    path = folder / f"{MODULE}.py"
    sys.path.insert(0, str(folder))
    sys.modules.pop(MODULE, None)
    spec = find_spec(MODULE)
    if spec is None or spec.origin != str(path):
        raise NotServable(
            path=str(path),
            problem=f"is not what 'import {MODULE}' finds ({spec.origin if spec else 'nothing'})",
            advice="Remove or rename the other one.",
        )
    module = import_module(MODULE)
    if not hasattr(module, "app"):
        raise NotServable(
            path=str(path),
            problem="defines no 'app'",
            advice="Add: app = create_nexus_app(Path(__file__).parent)",
        )
    if not isinstance(module.app, NexusApp):
        raise NotServable(
            path=str(path),
            problem=f"defines 'app' as {type(module.app).__qualname__}, not as a NexusApp",
            advice="Give create_nexus_app(...) that name, or serve it with 'uvicorn main:app'.",
        )
    return module.app
