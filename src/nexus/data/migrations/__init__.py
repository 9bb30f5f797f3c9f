"""Migrations of plugins' tables, with Alembic; nothing of it is imported before it is needed."""

from typing import TYPE_CHECKING

from nexus._lazy import lazy_names

if TYPE_CHECKING:
    from nexus.data.migrations.creation import create_in_place
    from nexus.data.migrations.differences import drift
    from nexus.data.migrations.dropped import Loss, losses
    from nexus.data.migrations.operations import (
        BASE,
        Status,
        downgrade,
        stamp,
        status,
        to_take_back,
        upgrade,
    )
    from nexus.data.migrations.position import tables_of, version_table
    from nexus.data.migrations.prepare import prepare_models
    from nexus.data.migrations.revisions import (
        Revision,
        Revisions,
        has_migrations,
        read_revisions,
    )
    from nexus.data.migrations.taking_over import take_over
    from nexus.data.migrations.writing import Written, write_revision

__all__ = [
    "BASE",
    "Loss",
    "Revision",
    "Revisions",
    "Status",
    "Written",
    "create_in_place",
    "downgrade",
    "drift",
    "has_migrations",
    "losses",
    "prepare_models",
    "read_revisions",
    "stamp",
    "status",
    "tables_of",
    "take_over",
    "to_take_back",
    "upgrade",
    "version_table",
    "write_revision",
]

_HOMES = {
    "create_in_place": "nexus.data.migrations.creation",
    "drift": "nexus.data.migrations.differences",
    **dict.fromkeys(("Loss", "losses"), "nexus.data.migrations.dropped"),
    **dict.fromkeys(
        ("BASE", "Status", "downgrade", "stamp", "status", "to_take_back", "upgrade"),
        "nexus.data.migrations.operations",
    ),
    **dict.fromkeys(("tables_of", "version_table"), "nexus.data.migrations.position"),
    "prepare_models": "nexus.data.migrations.prepare",
    **dict.fromkeys(
        ("Revision", "Revisions", "has_migrations", "read_revisions"),
        "nexus.data.migrations.revisions",
    ),
    "take_over": "nexus.data.migrations.taking_over",
    **dict.fromkeys(("Written", "write_revision"), "nexus.data.migrations.writing"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
