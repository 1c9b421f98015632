"""What differs between two versions, held to plain Python over the rows of both."""

import csv
import io
import json
from collections import defaultdict

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.cli.dataset_view import numbers_apart
from hnm.dataset.compare import compare
from hnm.dataset.diff import diff
from hnm.dataset.find import find
from hnm.dataset.statistics import statistics
from hnm.errors import WarehouseError

COLUMNS = ("query_id", "positive_id", "negative_id", "strategy", "weight", "split")
SCHEMA = pa.schema([(name, pa.float64() if name == "weight" else pa.string()) for name in COLUMNS])


def changes(before, after, schema=SCHEMA):
    """The table of changes between two lists of rows, sorted."""
    connection = duckdb.connect()
    for name, rows in (("before", before), ("after", after)):
        connection.register(
            name, pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
        )
    compare(connection, "triplets", (), None)
    return connection.execute("select * from changes order by all").fetchall()


def kinds(before, after):
    return sorted(row[0] for row in changes(before, after))


def row(query="q", positive="p", negative="n", strategy="paper", weight=1.0, split="train"):
    return (query, positive, negative, strategy, weight, split)


def test_equal_versions_have_no_changes_whatever_the_order():
    rows = [row(negative=f"n{number}") for number in range(5)]
    assert changes(rows, rows[::-1]) == []


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ([], [row()], ["added"]),
        ([row()], [], ["removed"]),
        ([row(negative="a")], [row(negative="b")], ["replaced"]),
        ([row(negative="a")], [row(negative="b", strategy="random")], ["added", "removed"]),
        ([row(negative="a")], [row(negative="b"), row(negative="c")], ["added", "replaced"]),
        ([row()], [row(strategy="random")], ["moved"]),
        ([row()], [row(weight=2.0)], ["changed"]),
        ([row(), row(strategy="random")], [row(strategy="random"), row()], []),
        ([row(), row(strategy="random")], [row()], ["moved"]),
        ([row(positive="x")], [row(positive="y", negative="x")], ["added", "positive_to_negative", "removed"]),
        ([row(negative="x")], [row(positive="x", negative="y")], ["added", "negative_to_positive", "removed"]),
        ([row(), row(positive="n")], [row(), row(positive="n")], []),  # a label conflict that was there before
        (
            [row(positive="n", negative="m")],
            [row(), row(positive="n", negative="m")],
            ["added", "positive_to_negative"],
        ),
        ([row()], [row(), row(positive="n")], ["added", "negative_to_positive"]),
        ([row(split="train")], [row(split="dev")], ["changed", "split_moved"]),
        ([row(strategy=None)], [row(strategy=None)], []),
        ([row(query="é")], [row(query="e\u0301")], ["added", "removed"]),
    ],
)
def test_kinds_of_changes(before, after, expected):
    assert kinds(before, after) == expected


ROWS = st.lists(
    st.builds(
        row,
        query=st.sampled_from("qr"),
        positive=st.sampled_from("ab"),
        negative=st.sampled_from("abcd"),
        strategy=st.sampled_from(["paper", "random"]),
        weight=st.sampled_from([1.0, 2.0]),
    ),
    max_size=8,
    unique_by=lambda one: one[:4],
)


def by_triplet(rows):
    strategies, contents = defaultdict(set), defaultdict(set)
    for one in rows:
        strategies[one[:3]].add(one[3])
        contents[one[:3]].add(one[4:])
    return strategies, contents


@given(before=ROWS, after=ROWS)
@settings(max_examples=80, deadline=None)
def test_counts_agree_with_sets(before, after):
    (old, old_contents), (new, new_contents) = by_triplet(before), by_triplet(after)
    found = changes(before, after)
    count = {kind: sum(one[0] == kind for one in found) for kind in {one[0] for one in found}}
    replaced = count.get("replaced", 0)
    assert count.get("added", 0) + replaced == len(new.keys() - old.keys())
    assert count.get("removed", 0) + replaced == len(old.keys() - new.keys())
    both = old.keys() & new.keys()
    assert count.get("moved", 0) == sum(old[one] != new[one] for one in both)
    assert count.get("changed", 0) == sum(
        old[one] == new[one] and old_contents[one] != new_contents[one] for one in both
    )
    old_positives, new_positives = ({(q, d) for q, d, _ in one} for one in (old, new))
    old_negatives, new_negatives = ({(q, d) for q, _, d in one} for one in (old, new))
    assert count.get("positive_to_negative", 0) == len((new_negatives - old_negatives) & old_positives)
    assert count.get("negative_to_positive", 0) == len((new_positives - old_positives) & old_negatives)
    assert all(one[3] != one[4] and one[5] == one[6] for one in found if one[0] == "replaced")


@given(rows=ROWS)
@settings(max_examples=40, deadline=None)
def test_statistics_agree_with_plain_counts(rows):
    connection = duckdb.connect()
    connection.register("given", pa.Table.from_pylist([dict(zip(COLUMNS, one, strict=True)) for one in rows], SCHEMA))
    found = statistics(connection, "given")
    for strategy in {"*", *(one[3] for one in rows)} if rows else ():
        chosen = [one for one in rows if strategy in ("*", one[3])]
        uses = [sum(other[2] == one[2] for other in chosen) for one in chosen]
        assert found[strategy]["rows"] == found[strategy]["train_rows"] == len(chosen)
        assert found[strategy]["queries"] == len({one[0] for one in chosen})
        assert found[strategy]["positives"] == len({one[:2] for one in chosen})
        assert found[strategy]["negatives"] == len({one[2] for one in chosen})
        assert found[strategy]["most_used"] == max(uses)
    assert found.keys() == ({"*", *(one[3] for one in rows)} if rows else set())


def compared(project, before="v1", after="v2", stage="triplets", key=()):
    loaded = project.load()
    one, other = (find(loaded.warehouse, stage, version) for version in (before, after))
    return diff(loaded.warehouse, one, other, key, loaded.settings)


def test_the_cause_is_what_was_configured_otherwise(versions):
    (cause,) = compared(versions).causes
    assert cause.stage == "triplets"
    assert cause.changes == ("var per_pair 2 -> 3", "var shift 0 -> 1")


def test_a_cause_far_above_is_named_and_what_only_passes_it_on_is_not(versions):
    versions.write("data/judgments.csv", "query_id,doc_id,grade\nq1,d1,1\nq2,d2,1\n")
    versions.run()
    (cause,) = compared(versions, "v1", "3").causes
    assert (cause.stage, cause.changes) == ("shelf.judgments", ("file data/judgments.csv changed",))


def test_examples_have_texts(versions):
    (first, *_) = compared(versions).examples["added"]
    assert first["query"] == f"text of {first['query_id']}"
    assert first["negative_after_text"] == f"text of {first['negative_after']}"


def test_other_lance_stages_are_compared_by_their_key(built):
    built.edit("data/corpus.csv", "d2,two,a a", "d5,two,a a")
    built.edit("data/corpus.csv", "a b c d e", "a b c")
    built.run()
    assert compared(built, "1", "2", "vectors", ("doc_id",)).counts == {"added": 1, "changed": 1, "removed": 1}
    with pytest.raises(WarehouseError, match="cannot be told apart"):
        compared(built, "1", "2", "vectors")


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (0.1, 0.2, ("0.1", "0.2")),
        (0.1 + 0.2, 0.3, ("0.3", "0.3")),
        (0.20000000298023224, 0.2, ("0.2", "0.2")),
        (0.12345, 0.12347, ("0.12345", "0.12347")),
        (0.123451, 0.123452, ("0.123451", "0.123452")),
        (None, 0.5, ("—", "0.5")),
        (1200, 1201, ("1,200", "1,201")),
    ],
)
def test_as_many_digits_are_shown_as_tell_two_numbers_apart(before, after, shown):
    assert numbers_apart(before, after) == shown


def test_the_command_tells_people_and_programs(versions):
    shown = versions.hnm("dataset", "diff", "v1", "v2")
    for words in ("var per_pair 2 -> 3", "positive to negative", "6 -> 9 rows", "text of n3"):
        assert words in shown.stdout, words
    assert max(map(len, shown.stdout.splitlines())) <= 80
    read = json.loads(versions.hnm("dataset", "diff", "triplets@v1", "--json").stdout)
    assert read["counts"] == {"added": 6, "moved": 3, "positive_to_negative": 1, "removed": 3}
    assert read["statistics"]["before"]["*"]["rows"] == 6
    rows = list(csv.DictReader(io.StringIO(versions.hnm("dataset", "diff", "1", "2", "--rows", "-f", "csv").stdout)))
    assert len(rows) == 13
    assert rows[0]["kind"] == "added"
    assert "the same rows" in versions.hnm("dataset", "diff", "v1", "v1").stdout
