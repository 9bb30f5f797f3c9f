# ruff: noqa: S608 - nothing but constants of this module
"""The key-value table on MariaDB.

Names are bytes of UTF-8, whose order is that of code points. An index entry has at most 3,072
bytes, and a namespace and a key may have 2,048 each; so the index holds the digest of the
namespace.
"""

from typing import Final

from nexus.data.sql_kv import KeyValueStatements

_SCOPE: Final = "UNHEX(SHA2(%s, 256))"
# A value may use columns to its left.
_INTO: Final = (
    "INTO key_value (namespace, `key`, value, scope)"
    " VALUES (%s, %s, %s, UNHEX(SHA2(namespace, 256)))"
)

STATEMENTS: Final = KeyValueStatements(
    get=f"SELECT value FROM key_value WHERE scope = {_SCOPE} AND `key` = %s",
    set=f"INSERT {_INTO} ON DUPLICATE KEY UPDATE value = VALUES(value)",
    # Counts 0 for a row that is there; with CLIENT_FOUND_ROWS an update that changes nothing is 1.
    add=f"INSERT IGNORE {_INTO}",
    delete=f"DELETE FROM key_value WHERE scope = {_SCOPE} AND `key` = %s",
    clear=f"DELETE FROM key_value WHERE scope = {_SCOPE}",
    items=f"SELECT `key`, value FROM key_value WHERE scope = {_SCOPE} AND `key` BETWEEN %s AND %s"
    " ORDER BY `key`",
    binary_keys=True,
    binary_values=True,
    lock=" FOR UPDATE",
)
