"""Makes an application from a folder and its settings."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexus.app.application import NexusApp
from nexus.plugins.patient_collector import patient_collector

if TYPE_CHECKING:
    from nexus.config import Settings


def create_nexus_app(
    root: Path | str | None = None,
    *,
    settings: "Settings | None" = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    configure_logging: bool = True,
) -> NexusApp:
    """Make the application of a folder.

    Args:
        root: The folder with `nexus.yaml`; the current one when left out.
        settings: Settings that are loaded already; then `root` and `overrides` are not used.
        overrides: Settings above file and environment, shaped like the file.
        environ: The environment; the process's own when left out.
        configure_logging: Whether starting sets up logging for the whole process.

    Raises:
        InvalidSettings: Something in the settings is wrong; the error has all problems.
    """
    environ = os.environ if environ is None else environ
    with patient_collector():
        if settings is None:
            from nexus.config import load_settings

            folder = Path.cwd() if root is None else Path(root)
            settings = load_settings(folder, environ=environ, overrides=overrides)
        return NexusApp(settings, environ=environ, configure_logging=configure_logging)
