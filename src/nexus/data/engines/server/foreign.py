"""Whether the tables of a database are those of this version of the platform."""

from collections.abc import Set as AbstractSet

from nexus.errors import DatabaseUnavailable


def check_version(location: str, found: int | None, known: int) -> None:
    """Refuse tables that a newer version made.

    Raises:
        DatabaseUnavailable: It did.
    """
    if (found or 0) > known:
        raise DatabaseUnavailable(
            path=location,
            problem=f"a newer Nexus wrote it (version {found}, this one reads {known})",
            advice="Install that version, or restore a backup made before the upgrade.",
        )


def check_foreign(location: str, found: AbstractSet[str]) -> None:
    """Refuse a database without the platform's schema in which names of its tables are taken.

    Raises:
        DatabaseUnavailable: They are.
    """
    if found:
        raise DatabaseUnavailable(
            path=location,
            problem=f"another application has a table {min(found)} there",
            advice="Give Nexus a database of its own in database.url.",
        )
