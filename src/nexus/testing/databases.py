"""Which database the application of a test uses.

An SQLite file in its data folder, unless `NEXUS_TEST_DATABASE` names a server: then each
application gets a database of its own there.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "NEXUS_TEST_DATABASE"
_NOTE: Final = "test-database.txt"


@asynccontextmanager
async def database_for(data_dir: Path, *, again: bool) -> AsyncIterator[str | None]:
    """Give the URL of the database for an application, None for the file in its data folder.

    Args:
        data_dir: The application's data folder.
        again: Whether another application may use the folder later, and then the same database.

    Raises:
        DatabaseUnavailable: The server cannot be reached, or lets the user not in.
        ValueError: The variable holds no URL of a server.
    """
    server = os.environ.get(VARIABLE)
    if not server:
        yield None
        return
    note = data_dir / _NOTE
    if again and note.is_file():
        yield note.read_text(encoding="utf-8")
        return
    from nexus.testing.servers import temporary_database

    async with temporary_database(server, keep=again) as url:
        if again:
            data_dir.mkdir(parents=True, exist_ok=True)
            note.write_text(url, encoding="utf-8")
        yield url
