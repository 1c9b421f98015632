"""The data version of a table: what changes it and what does not."""

import json

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.warehouse.digest import data_version, files_version

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abü", max_size=2),
            "n": st.none() | st.integers(-3, 3),
            "x": st.none() | st.sampled_from([0.0, 0.5, -1.0]),
            "words": st.none() | st.lists(st.none() | st.sampled_from(["a", "", "a, b", "NULL"]), max_size=3),
            "nested": st.none() | st.lists(st.none() | st.lists(st.integers(0, 2), max_size=2), max_size=2),
            "vector": st.none() | st.tuples(*[st.none() | st.sampled_from([0.0, 1.0])] * 2).map(list),
            "pair": st.none()
            | st.fixed_dictionaries({"a": st.none() | st.integers(0, 1), "b": st.none() | st.text("x", max_size=1)}),
        }
    ),
    max_size=5,
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("n", pa.int32()),
        ("x", pa.float64()),
        ("words", pa.list_(pa.string())),
        ("nested", pa.list_(pa.list_(pa.int32()))),
        ("vector", pa.list_(pa.float32(), 2)),
        ("pair", pa.struct([("a", pa.int32()), ("b", pa.string())])),
    ]
)  # fmt: skip


@pytest.fixture(scope="module")
def duck():
    with duckdb.connect() as connection:
        yield connection


def version(duck, rows, **options):
    with duck.cursor() as cursor:
        cursor.register("given_rows", pa.Table.from_pylist(rows, SCHEMA))
        return data_version(cursor, "given_rows", **options)


def of(duck, sql, **options):
    with duck.cursor() as cursor:
        cursor.execute(f"create or replace temp table t as {sql}").fetchall()
        return data_version(cursor, "t", **options)


def canonical(rows):
    """The rows as a sorted list of texts: two tables are equal exactly when these are."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@given(rows=ROWS, order=st.randoms())
@settings(deadline=None, max_examples=50)
def test_the_order_of_rows_does_not_matter(duck, rows, order):
    shuffled = [*rows]
    order.shuffle(shuffled)
    assert version(duck, shuffled) == version(duck, rows)


@given(rows=ROWS, others=ROWS)
@settings(deadline=None, max_examples=200)
def test_equal_versions_mean_equal_content(duck, rows, others):
    assert (version(duck, rows) == version(duck, others)) == (canonical(rows) == canonical(others))


@given(rows=ROWS.filter(bool), data=st.data())
@settings(deadline=None, max_examples=100)
def test_one_changed_value_is_another_version(duck, rows, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    other = data.draw(ROWS.filter(bool))[0]
    name = data.draw(st.sampled_from(SCHEMA.names))
    changed = [*rows]
    changed[place] = {**rows[place], name: other[name]}
    assert (version(duck, changed) == version(duck, rows)) == (canonical(changed) == canonical(rows))


@given(rows=ROWS.filter(bool))
@settings(deadline=None, max_examples=30)
def test_a_row_that_stands_twice_counts_twice(duck, rows):
    assert len({version(duck, rows * times) for times in (1, 2, 3)}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select 1 as a", "select 1 as b"),
        ("select 1 as a, 2 as b", "select 1 as b, 2 as a"),
        ("select 1 as a, 2 as b", "select 2 as b, 1 as a"),
        ("select interval '1 month' as a", "select interval '30 days' as a"),
        ("select 1 as a", "select true as a"),
        ("select timestamp '2025-01-01' as a", "select timestamptz '2025-01-01 00:00:00+00' as a"),
        ("select 1::integer as a", "select 1::bigint as a"),
        ("select 1 as a", "select 1 as a, null as b"),
        ("select 1 as a where false", "select 'x' as a where false"),
        ("select null::integer as a, 1 as b", "select 1 as a, null::integer as b"),
        ("values (1, 2), (3, 4)", "values (1, 4), (3, 2)"),
        ("select [1] as a", "select [1, null] as a"),
        ("select []::integer[] as a", "select null::integer[] as a"),
        ("select [[1], [2]] as a", "select [[1, 2], []] as a"),
        ("select {'a': null::integer} as a", "select null::struct(a integer) as a"),
        ("select '' as a", "select null::varchar as a"),
        ("select 'a ' as a", "select 'a' as a"),
        ("select map {'a': 1} as a", "select map {'a': 2} as a"),
    ],
)
def test_what_differs_in_content_or_types(duck, one, other):
    assert of(duck, one) != of(duck, other)


def test_the_order_of_columns_does_not_matter_to_what_stands_for_the_content(duck):
    sql = "select 'a' as id, 'h' as text_hash, [1.0, 2.0]::float[2] as vector"
    by = ("id", "text_hash")
    assert of(duck, sql, columns=by) == of(duck, sql.replace("2.0]", "2.1]"), columns=by)
    assert of(duck, sql, columns=by) != of(duck, sql.replace("'h'", "'i'"), columns=by)
    assert of(duck, sql, columns=by, salt="minilm") != of(duck, sql, columns=by, salt="wordllama")


def test_a_version_is_the_same_in_every_process(duck):
    assert of(duck, "select 'a' as id, 1 as n").isalnum()
    with duckdb.connect(config={"threads": 1}) as other:
        assert of(other, "select 'a' as id, 1 as n") == of(duck, "select 'a' as id, 1 as n")


def test_versions_of_files():
    one = files_version([("a", "1"), ("b", "2")])
    assert one == files_version([("b", "2"), ("a", "1")])
    assert one != files_version([("a", "2"), ("b", "1")])
    assert one != files_version([("a", "1")])
