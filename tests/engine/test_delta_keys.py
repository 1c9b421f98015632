"""Incremental stages whose keys or rows are of the awkward kind."""

import duckdb
import pytest

PIPELINE = """
stages:
  - {name: base}
  - name: counted
    incremental: {key: [KEY], inputs: {base: [KEY]}}
"""
COUNTED = "select KEY, count(*) as n, list(words order by words) as words from {{ ref('base') }} group by KEY"
ROWS = [
    "('v', 3, [])",
    "('x', 1, ['p'])",
    "('x', null, ['q'])",
    "(null, 1, [])",
    "(null, null, ['r'])",
    "('y', 2, ['s', null])",
]
EDITS = [
    ROWS,
    [*ROWS, "(null, 7, ['new'])", "('z', 9, ['new'])"],
    ROWS[2:],
    [row.replace("['p']", "['P']") for row in ROWS],
    [row.replace("[]", "null").replace("['s', null]", "['s']") for row in ROWS],
    [*ROWS, *ROWS[:2]],
]


@pytest.mark.parametrize("key", ["a", "a, b"])
def test_keys_may_be_null_and_rows_nested(tiny, key):
    counted = COUNTED.replace("KEY", key)
    tiny.stages(PIPELINE.replace("KEY", key), counted=counted)
    for rows in EDITS:
        values = f"(values {', '.join(rows)}) t(a, b, words)"
        base = f"select a::varchar as a, b::integer as b, words::varchar[] as words from {values}"
        tiny.write("sql/base.sql", base)
        assert tiny.run().ok
        in_full = counted.replace("{{ ref('base') }}", f"({base})")
        expected = duckdb.execute(f"select * from ({in_full}) order by all").fetchall()
        assert tiny.rows("select * from counted order by all") == expected
