"""In doubt a statement may change something."""

import pytest

from nexus.data.models.reading import only_reads


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "  select 1",
        "-- a remark\nSELECT 1",
        "/* one */ /* two */ SELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT * FROM t FOR UPDATE",
        "SELECT replace(name, 'a', 'b') FROM t",
        "WITH x AS (SELECT 1) SELECT * FROM x FOR UPDATE",
        "WITH updated AS (SELECT 'DELETE it') SELECT * FROM updated",
        "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN SELECT 1",
        "EXPLAIN (ANALYZE) SELECT 1",
        "VALUES (1)",
        "SHOW CREATE TABLE t",
        'PRAGMA main.table_info("t")',
        "PRAGMA table_xinfo(t)",
        "SAVEPOINT x",
        "RELEASE SAVEPOINT x",
        "ROLLBACK TO SAVEPOINT x",
    ],
)
def test_what_only_reads(statement: str) -> None:
    assert only_reads(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES (1)",
        "-- SELECT\nDELETE FROM t",
        "/* SELECT */ UPDATE t SET x = 1",
        "REPLACE INTO t VALUES (1)",
        "CREATE TABLE t (id INTEGER)",
        "DROP TABLE t",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        "WITH x AS (SELECT 1) UPDATE t SET y = 1",
        "with x as (select 1)\nreplace into t select * from x",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN (ANALYZE) INSERT INTO t VALUES (1)",
        "PRAGMA query_only = 0",
        "PRAGMA query_only(0)",
        "SET TRANSACTION READ WRITE",
        "CALL something()",
        "COPY t FROM 'file'",
        "VACUUM",
        "COMMIT",
        "",
        "; DELETE FROM t",
    ],
)
def test_what_may_change_something(statement: str) -> None:
    assert not only_reads(statement)
