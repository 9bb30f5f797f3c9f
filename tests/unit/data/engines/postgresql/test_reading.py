import pytest

from nexus.data.engines.postgresql.reading import only_reads


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "SELECT 1 ; ",
        "\n select x from t order by y",
        "SELECT COUNT(*), lower (name) FROM t WHERE (x = $1) AND y IN ($2, $3)",
        "SELECT CAST(x AS VARCHAR(20)) FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
        "SELECT t.x, row_number() OVER (PARTITION BY y) FROM t JOIN u USING (id)",
        "SELECT count(*) FILTER (WHERE x > 1) OVER () FROM (SELECT 1 AS x) AS t",
        "SELECT unnest($1::text[]), x->>'a', -(x) FROM t WHERE x =(SELECT max(x) FROM t)",
        "SELECT jsonb_build_object('a', COALESCE(x, 0)) FROM t WHERE x = ANY ($1)",
    ],
)
def test_what_is_known_to_read_is_taken_for_reading(statement: str) -> None:
    assert only_reads(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT x FROM t FOR UPDATE",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT 1 WHERE NEXTVAL ('s') > 0",
        "SELECT setval('s', 1)",
        "SELECT set_config('a', 'b', true)",
        "SELECT add_customer($1)",
        "SELECT shop.count(1)",
        "SELECT filter(1)",
        "SELECT x, over (1) FROM t",
        'SELECT "count"(1)',
        'SELECT "Add customer" (1)',
        "SELECT été(1)",
        "SELECT add$count(1)",
        "SELECT 1 + add_customer(2)",
        "SELECT count(add_customer(x)) FROM t",
        "SELECT * FROM add_customer(1)",
        "SELECT add_customer/* */(1)",
        "SELECT add_customer--\n(1)",
        "SELECT 1; DELETE FROM t",
        "SELECT x INTO y FROM t",
        "WITH a AS (DELETE FROM t) SELECT 1",
        "UPDATE t SET x = 1",
        "CALL it()",
    ],
)
def test_what_may_have_an_effect_is_not_taken_for_reading(statement: str) -> None:
    assert not only_reads(statement)
