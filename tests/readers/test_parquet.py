"""Parquet files; what all readers share is tested with JSON lines."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hnm.errors import SourceError
from hnm.readers.parquet import parquet


def test_a_corpus_with_integer_ids_and_rich_metadata(read, tmp_path):
    data = pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "text": ["a", "b"],
            "year": [1999, None],
            "score": [float("nan"), 0.5],
            "tags": [["x"], []],
            "seen": [date(2024, 1, 2), None],
            "price": [Decimal("1.50"), None],
            "at": pa.array([1, 1_000], pa.timestamp("ns")),
        }
    )
    pq.write_table(data, tmp_path / "docs.parquet")
    table, _ = read(parquet, table="corpus", path="docs.parquet", columns={"doc_id": "id"})
    assert table["doc_id"].to_pylist() == ["1", "2"]
    assert [json.loads(text) for text in table["metadata"].to_pylist()] == [
        {
            "year": 1999,
            "score": None,
            "tags": ["x"],
            "seen": "2024-01-02",
            "price": "1.50",
            "at": "1970-01-01 00:00:00",
        },
        {
            "year": None,
            "score": 0.5,
            "tags": [],
            "seen": None,
            "price": None,
            "at": "1970-01-01 00:00:00.000001",
        },
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([datetime(2024, 5, 6, 7, 8, 9)], pa.timestamp("s")),
        ([datetime(2024, 5, 6, 7, 8, 9)], pa.timestamp("ns")),
        ([datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
        (["2024-05-06T09:08:09+02:00"], pa.large_string()),
        ([1714979289], pa.int64()),
        ([1714979289.0], pa.float64()),
    ],
)
def test_times_of_every_type(read, tmp_path, values, kind):
    data = {"sid": ["s"], "query_id": ["q"], "document": ["d"], "position": [1], "clicked": [1]}
    pq.write_table(pa.table(data | {"shown_at": pa.array(values, kind)}), tmp_path / "log.parquet")
    columns = {"session_id": "sid", "doc_id": "document"}
    table, _ = read(parquet, table="impressions", path="log.parquet", columns=columns)
    assert table["shown_at"].to_pylist() == [datetime(2024, 5, 6, 7, 8, 9)]
    assert table["clicked"].to_pylist() == [True]


def test_row_numbers_of_bad_rows_run_through_row_groups_and_batches(read, tmp_path):
    texts = ["t"] * 3_000
    texts[2_499] = " "
    texts[10] = "a\0b"
    data = pa.table({"query_id": range(3_000), "text": texts})
    pq.write_table(data, tmp_path / "q.parquet", row_group_size=700)
    table, context = read(parquet, table="queries", path="q.parquet", on_bad_rows="quarantine")
    assert table.num_rows == 2_998
    reasons = [(bad.where.line, bad.reason) for bad in context.bad_rows]
    assert reasons == [(11, "text holds a NUL byte"), (2_500, "query without text")]


def test_text_that_is_not_utf8(read, tmp_path):
    broken = pa.array([b"good", b"\xff", b"fine"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"query_id": ["a", "b", "c"], "text": broken}), tmp_path / "q.parquet")
    table, context = read(parquet, table="queries", path="q.parquet", on_bad_rows="quarantine")
    assert table["query_id"].to_pylist() == ["a", "c"]
    assert [(bad.where.line, bad.reason) for bad in context.bad_rows] == [(2, "not valid UTF-8")]


def test_numbers_and_ids_as_databases_export_them(read, tmp_path):
    whole, half, uuid = pa.decimal128(38, 0), pa.decimal128(9, 1), UUID(int=7)
    data = {
        "session_id": pa.array([uuid.bytes], pa.uuid()),
        "query_id": pa.array([Decimal(12)], whole),
        "doc_id": ["d"],
        "position": pa.array([Decimal(3)], whole),
        "clicked": pa.array([Decimal(1)], whole),
        "dwell_seconds": pa.array([Decimal("0.5")], half),
    }
    pq.write_table(pa.table(data), tmp_path / "log.parquet")
    (row,) = read(parquet, table="impressions", path="log.parquet")[0].to_pylist()
    assert (row["query_id"], row["position"], row["dwell_seconds"]) == ("12", 3, 0.5)
    assert row["session_id"] == sha256(str(uuid).encode()).hexdigest()[:32]
    pq.write_table(pa.table(data | {"query_id": pa.array([Decimal("1.5")], half)}), tmp_path / "log.parquet")
    with pytest.raises(SourceError, match="query_id is of type Decimal"):
        read(parquet, table="impressions", path="log.parquet")


def test_times_beyond_the_calendar_are_bad_rows(read, tmp_path):
    data = {name: ["x"] * 2 for name in ("session_id", "query_id", "doc_id")} | {"position": [1, 1], "clicked": [1, 1]}
    shown_at = pa.array([1_714_979_289, 10**15], pa.timestamp("s"))
    pq.write_table(pa.table(data | {"shown_at": shown_at}), tmp_path / "log.parquet")
    table, context = read(parquet, table="impressions", path="log.parquet", on_bad_rows="quarantine")
    assert table["shown_at"].to_pylist() == [datetime(2024, 5, 6, 7, 8, 9)]
    assert [(bad.where.line, bad.reason) for bad in context.bad_rows] == [(2, "holds a time that no calendar has")]


def test_only_used_columns_are_read(read, tmp_path):
    data = pa.table({"query_id": ["a"], "text": ["t"], "blob": [b"\xff\xff"], "at": pa.array([1], pa.timestamp("ns"))})
    pq.write_table(data, tmp_path / "q.parquet")
    table, _ = read(parquet, table="queries", path="q.parquet")
    assert table.to_pylist() == [{"query_id": "a", "text": "t", "split": None}]


def test_categories_are_read_as_strings(read, tmp_path):
    split = pa.array(["dev", None, "dev"]).dictionary_encode()
    data = pa.table({"query_id": ["q"] * 3, "doc_id": [1, 2, 3], "grade": [1.0, 2.0, 0.0], "split": split})
    pq.write_table(data, tmp_path / "j.parquet")
    table, _ = read(parquet, table="judgments", path="j.parquet")
    assert table["split"].to_pylist() == ["dev", None, "dev"]
    assert table["grade"].to_pylist() == [1, 2, 0]


def test_files_that_are_no_parquet_or_cut_short(read, tmp_path):
    (tmp_path / "a.parquet").write_text('{"query_id": "a"}\n')
    pq.write_table(pa.table({"query_id": ["a"], "text": ["t"]}), tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes((tmp_path / "b.parquet").read_bytes()[:-9])
    (tmp_path / "d.parquet").touch()
    for name in ("a", "c", "d"):
        with pytest.raises(SourceError, match="cannot read the file as Parquet") as error:
            read(parquet, table="queries", path=f"{name}.parquet")
        assert error.value.where.path.name == f"{name}.parquet"


def test_missing_columns_and_empty_files(read, tmp_path):
    pq.write_table(pa.table({"qid": ["a"], "text": ["t"]}), tmp_path / "q.parquet")
    with pytest.raises(SourceError, match="no column 'query_id'") as error:
        read(parquet, table="queries", path="q.parquet")
    assert "the file has: qid, text" in str(error.value)
    twice = pa.table([["a"], ["b"], ["t"]], names=["query_id", "query_id", "text"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="two columns are called 'query_id'"):
        read(parquet, table="queries", path="t.parquet")
    pq.write_table(pa.table({"query_id": pa.array([], pa.string()), "text": []}), tmp_path / "e.parquet")
    with pytest.raises(SourceError, match="queries is empty"):
        read(parquet, table="queries", path="e.parquet")
