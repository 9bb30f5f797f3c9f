"""A database is one application's, which may stop and start again."""

from pathlib import Path

import pytest

from nexus import NexusApp, create_nexus_app
from nexus.errors import DatabaseInUse, DatabaseUnavailable


def application(folder: Path, database: Path) -> NexusApp:
    (folder / "plugins").mkdir(parents=True, exist_ok=True)
    (folder / "nexus.yaml").write_text("name: Test\n", encoding="utf-8")
    return create_nexus_app(
        folder,
        environ={"NEXUS_DATABASE__URL": f"sqlite:///{database}"},
        configure_logging=False,
    )


async def test_a_second_application_on_a_database_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "shared.db"
    one, two = application(tmp_path / "one", database), application(tmp_path / "two", database)
    async with one.running():
        with pytest.raises(DatabaseInUse, match=r"shared\.db is in use"):
            await two.startup()
    async with two.running():
        pass
    async with one.running():  # and the same object starts again
        pass


async def test_a_failed_start_lets_go_of_the_database(tmp_path: Path) -> None:
    database = tmp_path / "shared.db"
    database.write_text("no database, and long enough to be looked at " * 50)
    app = application(tmp_path / "one", database)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="not an SQLite database"):
            await app.startup()
    database.unlink()
    async with app.running():
        pass
