"""BEIR folders."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from hnm.errors import SourceError
from hnm.readers import beir as module
from hnm.readers.beir import BeirParams, beir


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small collection with two splits."""
    folder = tmp_path / "collection"
    (folder / "qrels").mkdir(parents=True)
    documents = [
        {"_id": "d1", "title": "", "text": "first", "metadata": {"url": "u"}},
        {"_id": "d2", "title": "Second", "text": ""},
    ]
    (folder / "corpus.jsonl").write_bytes(lines(*documents))
    queries = [{"_id": "q1", "text": "one", "metadata": {}}, {"_id": "q2", "text": "two", "split": "dev"}]
    (folder / "queries.jsonl").write_bytes(lines(*queries))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    (folder / "qrels" / "dev.tsv").write_text("q2\td2\t2\r\n\r\nq2\td1\t0\r\n")
    return folder


def test_tables_of_the_format():
    assert module.TABLES == ("corpus", "queries", "judgments")


def test_corpus_and_queries(read, folder):
    corpus, _ = read(beir, table="corpus", path="collection")
    assert [tuple(row.values()) for row in corpus.to_pylist()] == [
        ("d1", "", "first", '{"url": "u"}'),
        ("d2", "Second", "", "{}"),
    ]
    queries, _ = read(beir, table="queries", path="collection")
    assert [tuple(row.values()) for row in queries.to_pylist()] == [("q1", "one", None), ("q2", "two", "dev")]
    assert set(queries.schema.types) == {pa.string()}


def test_judgments_take_their_split_from_the_file_with_or_without_header(read, folder):
    judgments, _ = read(beir, table="judgments", path="collection")
    expected = [("q2", "d2", 2, "dev"), ("q2", "d1", 0, "dev"), ("q1", "d1", 1, "train")]
    assert [tuple(row.values()) for row in judgments.to_pylist()] == expected
    only, _ = read(beir, table="judgments", path="collection", splits=("train",))
    assert only.num_rows == 1


def test_everything_may_be_gzipped(read, folder):
    before = [read(beir, table=table, path="collection")[0] for table in module.TABLES]
    for path in [*folder.glob("*.jsonl"), *folder.glob("qrels/*.tsv")]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    after = [read(beir, table=table, path="collection")[0] for table in module.TABLES]
    assert all(old.equals(new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("q9\td9", "has 2 tab-separated fields, not 3"),
        ("q9 d9 1", "has 1 tab-separated fields, not 3"),
        ("q9\td9\thigh", "grade 'high' is not a number"),
        ("\td9\t1", "query_id is missing"),
        ("q1\td1\t3", "query_id 'q1', doc_id 'd1' was read before with another grade or split"),
    ],
)
def test_bad_judgments(read, folder, line, reason):
    with (folder / "qrels" / "train.tsv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(SourceError, match="1 of 4 rows"):
        read(beir, table="judgments", path="collection")
    judgments, context = read(beir, table="judgments", path="collection", on_bad_rows="quarantine")
    assert judgments.num_rows == 3
    (bad,) = context.bad_rows
    assert (bad.where.path.name, bad.where.line) == ("train.tsv", 3)
    assert bad.reason.startswith(reason)
    assert bad.excerpt.strip()


def test_a_pair_judged_in_two_splits_is_a_leak_and_bad(read, folder):
    (folder / "qrels" / "test.tsv").write_text("q1\td1\t1\n")
    with pytest.raises(SourceError, match="another grade or split"):
        read(beir, table="judgments", path="collection")


def test_a_duplicate_document_names_the_line_of_the_first(read, folder):
    with (folder / "corpus.jsonl").open("ab") as file:
        file.write(lines({"_id": "d1", "text": "other"}))
    with pytest.raises(SourceError, match=r"doc_id 'd1' was read before, at .*corpus\.jsonl:1"):
        read(beir, table="corpus", path="collection")


def test_no_splits_at_all_are_refused():
    with pytest.raises(ValidationError, match="splits"):
        BeirParams(table="judgments", path="collection", splits=())


def test_qrels_with_only_a_header_are_empty(read, folder):
    for path in folder.glob("qrels/*.tsv"):
        path.write_text("query-id\tcorpus-id\tscore\n")
    with pytest.raises(SourceError, match="judgments is empty"):
        read(beir, table="judgments", path="collection")


def test_objects_without_the_id_of_the_format(read, folder):
    (folder / "corpus.jsonl").write_bytes(lines({"id": "d1", "text": "t"}))
    with pytest.raises(SourceError, match="no column '_id'"):
        read(beir, table="corpus", path="collection")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "corpus", "path": "colection"}, "did you mean 'collection'"),
        ({"table": "corpus", "path": "collection/queries.jsonl"}, "a file stands where a folder is wanted"),
        ({"table": "judgments", "path": "collection", "splits": ("test",)}, "no judgments of split 'test'"),
        ({"table": "judgments", "path": "bare"}, "bare has no 'qrels'"),
        ({"table": "queries", "path": "bare"}, "bare has no 'queries.jsonl'"),
        ({"table": "judgments", "path": "hollow"}, "no judgments"),
    ],
)
def test_missing_parts(read, folder, tmp_path, options, message):
    (tmp_path / "bare").mkdir()
    (tmp_path / "hollow" / "qrels").mkdir(parents=True)
    assert beir.files is not None
    with pytest.raises(SourceError) as planned:
        beir.files(BeirParams(**options), tmp_path)
    with pytest.raises(SourceError) as running:
        read(beir, **options)
    assert message in str(planned.value)
    assert str(planned.value) == str(running.value)
    assert planned.value.hint


@pytest.mark.parametrize(("file", "split"), [("validation", "dev"), ("Test", "test"), ("TRAIN", "train")])
def test_splits_have_several_names(read, folder, file, split):
    (folder / "qrels" / "train.tsv").rename(folder / "qrels" / f"{file}.tsv")
    table, _ = read(beir, path="collection", table="judgments", splits=[file])
    assert set(table["split"].to_pylist()) == {split}


def test_judgments_of_an_unknown_split_are_malformed(read, folder):
    (folder / "qrels" / "extra.tsv").write_text("q1\td1\t1\n")
    _, context = read(beir, path="collection", table="judgments", on_bad_rows="quarantine")
    (bad,) = context.bad_rows
    assert (bad.where.path.name, bad.where.line) == ("extra.tsv", 1)
    assert bad.reason == "split 'extra' is none of train, dev (or validation) and test"
