"""The encryption of stored secrets, as the application's settings describe it."""

from typing import TYPE_CHECKING

from nexus.config.secret_box import SecretBox
from nexus.config.secret_rotation import SecretRotation

if TYPE_CHECKING:
    from nexus.config.settings import Settings
    from nexus.data.database import Database
    from nexus.data.sql_kv import SqlKeyValueStore


def secret_box_of(settings: "Settings") -> SecretBox:
    """Give the box with the keys that the settings and the data folder have."""
    security = settings.security
    given = security.secret_key
    return SecretBox.of_application(
        settings.data_folder,
        None if given is None else given.get_secret_value(),
        [former.get_secret_value() for former in security.former_secret_keys],
    )


def secret_rotation_of(
    settings: "Settings", database: "Database", store: "SqlKeyValueStore", box: SecretBox
) -> SecretRotation:
    """Give what exchanges the key."""
    return SecretRotation(
        database,
        store,
        box,
        settings.data_folder,
        is_given=settings.security.secret_key is not None,
    )
