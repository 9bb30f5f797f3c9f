"""What a plugin's tables are called."""

import hashlib
import re
from typing import Final

LONGEST_IDENTIFIER: Final = 63
"""PostgreSQL cuts longer ones off; MariaDB takes one more."""

_LONGEST_PLUGIN: Final = 20
_KEPT: Final = 10
_DIGEST: Final = re.compile(r"[0-9a-f]{8}__")


def table_prefix(plugin: str) -> str:
    """Give what the names of all tables of a plugin start with.

    No plugin's name contains `__`, so that two plugins never share a prefix.
    """
    if len(plugin) <= _LONGEST_PLUGIN:
        return f"{plugin}__"
    digest = hashlib.sha256(plugin.encode()).hexdigest()[:8]
    return f"{plugin[:_KEPT].rstrip('_')}__{digest}__"


def is_name_of(plugin: str, name: str) -> bool:
    """Tell whether something in the database is called as what belongs to a plugin.

    The prefix of a plugin with a long name may start with the whole prefix of another plugin with a
    short one: `my_awesome__` and `my_awesome__0a1b2c3d__`.
    """
    prefix = table_prefix(plugin)
    if not name.startswith(prefix):
        return False
    return len(plugin) > _KEPT or _DIGEST.match(name, len(prefix)) is None


def fitting(name: str) -> str:
    """Give the name itself, or one that databases take for a name that is too long for them."""
    if len(name) <= LONGEST_IDENTIFIER:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_IDENTIFIER - 9]}_{digest}"
