"""By which rows two versions of a table differ, against a comparison in Python."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.warehouse import versions
from hnm.warehouse.versions import RowChanges, Versions, count_changes

rows = st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), st.none() | st.integers(0, 2), max_size=9)


def table(content):
    listed = [{"id": key, "n": number, "value": value} for (key, number), value in content.items()]
    return pa.Table.from_pylist(listed, pa.schema([("id", pa.string()), ("n", pa.int32()), ("value", pa.int32())]))


def counted(old, new, key=("id", "n"), columns=("id", "n", "value")):
    with duckdb.connect() as connection:
        connection.register("old table", old)
        connection.register("new table", new)
        return count_changes(connection, '"old table"', '"new table"', key, columns)


@settings(max_examples=50, deadline=None)
@given(rows, rows)
def test_every_row_is_inserted_changed_deleted_or_the_same(old, new):
    expected = RowChanges(
        len(new.keys() - old.keys()),
        sum(old[key] != new[key] for key in old.keys() & new.keys()),
        len(old.keys() - new.keys()),
    )
    assert counted(table(old), table(new)) == expected


def test_only_the_columns_that_stand_for_the_content_count():
    old, new = {("a", 1): 1}, {("a", 1): 2}
    assert counted(table(old), table(new), columns=("id", "n")) == RowChanges(0, 0, 0)


def test_other_columns_a_missing_key_and_large_tables_are_not_compared(monkeypatch):
    old = table({("a", 1): 1})
    assert counted(old, old.rename_columns(["id", "n", "other"])) is None
    assert counted(old, old, key=("doc_id",)) is None
    monkeypatch.setattr(versions, "COMPARED_ROWS", 0)
    assert counted(old, old) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (RowChanges(12, 3, 1), "+12 ~3 -1"),
        (RowChanges(0, 1_000, 0), "~1,000"),
        (RowChanges(5, 0, 2), "+5 -2"),
    ],
)
def test_changes_in_words(changes, words):
    assert str(changes) == words


def test_counts_in_words():
    known = Versions({"a": 1_000, "b": 7, "c": 7})
    assert known.counts("a", "b") == "1,000 -> 7 rows"
    assert known.counts("b", "c") == "7 rows as before"
    assert known.counts("a", "unknown") == ""


def test_changes_are_kept_with_each_version_of_a_table_with_a_key(built):
    built.edit("data/corpus.csv", "d2,two,a a\n", "d5,five,a\n")
    built.edit("data/corpus.csv", "a b c d e", "a b c d")
    assert built.run().ok
    found = built.rows(
        "select stage, inserted, changed, deleted from _hnm.versions where replaced is not null order by stage"
    )
    assert found == [("documents", 1, 1, 1), ("vectors", 1, 1, 1)]
