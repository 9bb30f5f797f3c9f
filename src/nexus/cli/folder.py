"""The application that a command works on."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from nexus.cli.errors import NoApplication

if TYPE_CHECKING:
    from nexus.config import Settings

SETTINGS_FILE: Final = "nexus.yaml"


def application_folder(given: Path | None) -> Path:
    """Give the folder of the application, absolute.

    Raises:
        NoApplication: There is no application in it.
    """
    folder = (Path.cwd() if given is None else given).absolute()
    if not (folder / SETTINGS_FILE).is_file() and not (folder / "plugins").is_dir():
        raise NoApplication(folder=str(folder))
    return folder


def application_settings(given: Path | None) -> "Settings":
    """Load the settings of the application.

    Raises:
        NoApplication: There is no application in the folder.
        InvalidSettings: Something in the settings is wrong.
    """
    folder = application_folder(given)
    from nexus.config import load_settings

    return load_settings(folder)
