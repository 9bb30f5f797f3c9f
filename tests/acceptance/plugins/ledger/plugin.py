"""Writes down every sale, in a file that is only appended to."""

import os
from pathlib import Path

from nexus.events import Event
from nexus.plugins import BasePlugin


class Ledger(BasePlugin):
    async def initialize(self) -> bool:
        notes = Path(await self.get_config("notes"))
        if notes.with_suffix(".broken").exists():
            raise RuntimeError("the ledger is broken")
        self.file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        await self.subscribe_to_event("till.sold", self.note)
        return True

    async def note(self, event: Event) -> None:
        os.write(self.file, f"{event.data['number']} {event.id}\n".encode())

    async def shutdown(self) -> None:
        os.close(self.file)
