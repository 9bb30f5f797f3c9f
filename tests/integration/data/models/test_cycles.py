"""Tables that refer to each other are made, written as a migration, and taken back."""

from typing import Any

import pytest

from nexus.data.database import Database
from nexus.data.migrations import (
    create_in_place,
    downgrade,
    drift,
    tables_of,
    upgrade,
    write_revision,
)
from nexus.errors import ModelsInvalid

MODELS = """
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class Team(Base):
    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)
    captain_id: Mapped[int | None] = mapped_column(ForeignKey("players.id"{alter}))
    captain: Mapped["Player | None"] = relationship(foreign_keys=captain_id, post_update=True)

class Player(Base):
    __tablename__ = "players"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    team: Mapped[Team] = relationship(foreign_keys=team_id)
"""
ALTER = MODELS.replace("{alter}", ", use_alter=True, name='captain'")
PLAIN = MODELS.replace("{alter}", "")


async def play(plugin: Any) -> None:
    module = plugin.module
    async with plugin.session() as session:
        player = module.Player(team=module.Team())
        player.team.captain = player
        session.add(player)


async def test_they_are_made_in_place(workshop: Any, database: Database) -> None:
    plugin = workshop.load("one", ALTER)
    await create_in_place(database, plugin.models)
    assert await drift(database, plugin.models) == []
    await play(plugin)


async def test_they_are_made_by_a_migration(workshop: Any, database: Database) -> None:
    plugin = workshop.load("one", ALTER)
    await write_revision("one", plugin.folder, plugin.models, "teams")
    await upgrade(database, "one", plugin.folder, plugin.models)
    assert await drift(database, plugin.models) == []
    assert await write_revision("one", plugin.folder, plugin.models, "nothing") is None
    await play(plugin)
    await downgrade(database, "one", plugin.folder, "base", plugin.models)
    assert await tables_of(database, "one") == {"one__alembic_version"}
    await upgrade(database, "one", plugin.folder, plugin.models)


async def test_a_circle_without_a_key_that_can_be_added_last_is_refused(workshop: Any) -> None:
    with pytest.raises(ModelsInvalid, match=r"two__players and two__teams.*use_alter=True"):
        workshop.load("two", PLAIN)
