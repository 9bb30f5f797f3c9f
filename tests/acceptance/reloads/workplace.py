"""An application of which one plugin is reloaded, in a process of its own."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.acceptance.conftest import Application, running

PLUGINS: Final = Path(__file__).parent / "plugins"
_EDITION: Final = re.compile(r"^EDITION = \d+", re.MULTILINE)
CODE: Final = ("plugin.py", "parts/edition.py", "schemas/answers.py")


class Workplace:
    """A folder with the application in it.

    Attributes:
        folder: Where the application is.
        notes: The file into which the handler of durable events writes their numbers.
        edition: The edition that the files of the reloaded plugin are of.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes.txt"
        self.edition = 0
        self._tariff = folder / "plugins" / "tariff"
        shutil.copytree(PLUGINS, folder / "plugins")
        (folder / "nexus.yaml").write_text("name: Reloads\n")

    @contextmanager
    def running(self, *, slow: float = 0.0) -> Iterator[Application]:
        """Run it; `initialize()` of the plugin that is reloaded takes `slow` seconds."""
        with running(
            self.folder,
            NEXUS_PLUGINS__TARIFF__NOTES=str(self.notes),
            NEXUS_PLUGINS__TARIFF__SLOW=str(slow),
            NEXUS_LOGGING__ACCESS="false",
        ) as application:
            yield application

    def write_next_edition(self) -> int:
        """Write the plugin's files anew, each of the same length as before."""
        self.edition += 1
        for name in CODE:
            path = self._tariff / name
            path.write_text(_EDITION.sub(f"EDITION = {self.edition}", path.read_text()))
        (self._tariff / "templates" / "edition.txt").write_text(f"{self.edition}\n")
        return self.edition

    def write_broken(self, name: str, old: str, new: str) -> None:
        """Put something else into a file of the plugin; a file that is not there is made."""
        path = self._tariff / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        assert old in text
        path.write_text(text.replace(old, new) if old else new)

    def restore(self) -> None:
        """Write the plugin's files as they were, of the edition before the next one."""
        shutil.rmtree(self._tariff)
        shutil.copytree(PLUGINS / "tariff", self._tariff)
        self.edition -= 1
        self.write_next_edition()


def reload(application: Application) -> Any:
    """Reload the plugin, and give the answer."""
    return application.client.post("/api/v1/plugins/tariff/reload")
