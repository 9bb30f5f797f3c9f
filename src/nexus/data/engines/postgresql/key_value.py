# ruff: noqa: S608 - nothing but constants of this module
"""The key-value table on PostgreSQL.

An index entry has at most 2,704 bytes, and a namespace and a key may have 2,048 each; so the index
holds the digest of the namespace. The collation is the order of code points.
"""

from typing import Final

from nexus.data.sql_kv import KeyValueStatements

_SCOPE: Final = "sha256(convert_to($1, 'UTF8'))"

STATEMENTS: Final = KeyValueStatements(
    get=f"SELECT value FROM key_value WHERE scope = {_SCOPE} AND key = $2",
    set="INSERT INTO key_value (scope, namespace, key, value)"
    f" VALUES ({_SCOPE}, $1, $2, $3)"
    " ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
    add="INSERT INTO key_value (scope, namespace, key, value)"
    f" VALUES ({_SCOPE}, $1, $2, $3) ON CONFLICT DO NOTHING",
    delete=f"DELETE FROM key_value WHERE scope = {_SCOPE} AND key = $2",
    clear=f"DELETE FROM key_value WHERE scope = {_SCOPE}",
    items=f"SELECT key, value FROM key_value WHERE scope = {_SCOPE} AND key BETWEEN $2 AND $3"
    " ORDER BY key",
    binary_values=True,
    lock=" FOR UPDATE",
)
