"""Triplets from elsewhere, in every form that is told apart."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import SourceError
from hnm.inputs import Inputs
from hnm.readers.triplets import TripletsParams, triplets

Rows = list[dict[str, Any]]


def read(path: Path, table: str = "triplets", **options: Any) -> tuple[Rows, Context]:
    context = Context(stage="theirs", root=path.parent, workdir=path.parent)
    params = TripletsParams(path=path.name, table=table, **options)
    return pa.Table.from_batches(list(triplets(Inputs.of(), params, context))).to_pylist(), context


def jsonl(folder: Path, *records: Any, name: str = "theirs.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def texts(rows: Rows) -> list[tuple[str, str, str]]:
    return [(row["query"], row["positive"], row["negative"]) for row in rows]


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


NAMES = ("query", "positive", "negative")
PAIRS = [("q", "good", "bad"), ("q", "good", "worse")]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([dict(zip(NAMES, pair, strict=True)) for pair in PAIRS], id="triplets"),
        pytest.param([{"anchor": "q", "positive": "good", "negative_1": "bad", "negative_2": "worse"}], id="n-tuple"),
        pytest.param(
            [{"query": "q", "document": d, "label": label} for d, label in (("good", 1.0), ("bad", 0), ("worse", 0))],
            id="labeled-pairs",
        ),
        pytest.param([{"query": "q", "documents": ["bad", "good", "worse"], "labels": [0, 1, 0]}], id="labeled-list"),
        pytest.param([{"query": "q", "pos": ["good"], "neg": ["bad", "worse", "bad"], "pos_scores": [1]}], id="flag"),
        pytest.param(
            [
                {
                    "query_id": "1", "query": "q", "positive_passages": [{"docid": "g", "title": "", "text": "good"}],
                    "negative_passages": [{"docid": "b", "text": "bad"}, {"docid": "w", "title": "", "text": "worse"}],
                }
            ],
            id="tevatron",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_every_form_gives_the_same_triplets(tmp_path, records, suffix):
    if suffix == "jsonl":
        path = jsonl(tmp_path, *records)
    else:
        path = tmp_path / "theirs.parquet"
        pq.write_table(pa.Table.from_pylist(records), path)
    rows, context = read(path)
    assert texts(rows) == PAIRS
    assert {row["strategy"] for row in rows} == {"imported"}
    assert context.bad_row_count == 0
    judged, _ = read(path, "judgments")
    assert [(row["grade"], row["split"]) for row in judged] == [(1, None)]
    documents, _ = read(path, "corpus")
    assert {row["text"] for row in documents} == {"good", "bad", "worse"}
    assert {row["doc_id"] for row in documents} == {
        row[name] for row in rows for name in ("positive_id", "negative_id")
    }
    asked, _ = read(path, "queries")
    assert [row["text"] for row in asked] == ["q"]


def test_ids_are_those_given_or_the_digests_of_texts(tmp_path):
    rows, _ = read(jsonl(tmp_path, {"query": "q", "positive": "é", "negative": "n", "negative_id": 7}))
    assert [(row["query_id"], row["positive_id"], row["negative_id"]) for row in rows] == [(md5("q"), md5("é"), "7")]


def test_a_passage_with_a_title_is_the_text_that_hnm_makes_of_it(tmp_path):
    passage = {"docid": "g", "title": "Title", "text": "text"}
    rows, _ = read(jsonl(tmp_path, {"query": "q", "positive_passages": [passage], "negative_passages": [passage]}))
    assert rows[0]["positive"] == "Title\ntext"


def test_msmarco_triples_and_csv(tmp_path):
    lines = b"".join("\t".join(pair).encode() + b"\n" for pair in PAIRS)
    (tmp_path / "triples.train.tsv.gz").write_bytes(gzip.compress(lines))
    rows, _ = read(tmp_path / "triples.train.tsv.gz")
    assert (texts(rows), rows[0]["split"]) == (PAIRS, "train")
    (tmp_path / "theirs.csv").write_text('query,positive,negative,strategy,split\n"a\n""b""",good,bad,bm25,dev\n')
    (row,), _ = read(tmp_path / "theirs.csv")
    assert (row["query"], row["strategy"], row["split"]) == ('a\n"b"', "bm25", "dev")


def test_splits_come_from_the_row_the_option_or_the_file(tmp_path):
    record = {"query": "q", "positive": "p", "negative": "n"}
    path = jsonl(tmp_path, record, record | {"query": "r", "split": "test"}, name="validation-00000-of-00001.jsonl")
    assert [row["split"] for row in read(path)[0]] == ["dev", "test"]
    assert [row["split"] for row in read(path, split="train")[0]] == ["train", "test"]


def test_fields_with_other_names(tmp_path):
    path = jsonl(tmp_path, {"ask": "q", "answer": "p", "wrong": "n"})
    rows, _ = read(path, columns={"query": "ask", "positive": "answer", "negative": "wrong"})
    assert texts(rows) == [("q", "p", "n")]
    with pytest.raises(SourceError, match="has no query, and no field 'aks', which `columns` names"):
        read(path, columns={"query": "aks", "positive": "answer", "negative": "wrong"})
    with pytest.raises(ValidationError, match="triplets have no field 'qury'; did you mean 'query'"):
        read(path, columns={"qury": "ask"})


def test_labels_may_be_true_and_false(tmp_path):
    pairs = [{"query": "q", "document": text, "label": text == "p"} for text in ("p", "n")]
    assert texts(read(jsonl(tmp_path, *pairs))[0]) == [("q", "p", "n")]


def test_a_folder_is_read_when_its_files_are_of_one_format(tmp_path):
    record = {"query": "q", "positive": "p", "negative": "n"}
    (tmp_path / "out").mkdir()
    jsonl(tmp_path / "out", record, name="train-0.jsonl")
    jsonl(tmp_path / "out", record | {"query": "r"}, name="dev-0.jsonl")
    (tmp_path / "out/README.md").write_text("a card")
    assert [(row["query"], row["split"]) for row in read(tmp_path / "out")[0]] == [("r", "dev"), ("q", "train")]
    (tmp_path / "out/more.csv").write_text("query,positive,negative\na,b,c\n")
    with pytest.raises(SourceError, match=r"the folder holds \.csv and \.jsonl files"):
        read(tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no triplets"):
        read(tmp_path / "empty")
    (tmp_path / "theirs.xlsx").write_bytes(b"")
    with pytest.raises(SourceError, match="no known format"):
        read(tmp_path / "theirs.xlsx")


BAD = [
    ({"query": " ", "positive": "p", "negative": "n"}, "query is blank"),
    ({"query": "q", "positive": "p", "negative": None}, "negative is blank"),
    ({"query": "q", "positive": 7, "negative": "n"}, "positive is of type int, not a string"),
    ({"query": "q", "pos": "p", "neg": ["n"]}, "pos is no list"),
    ({"query": "q", "documents": ["p"], "labels": [1, 0]}, "has 1 documents and 2 labels"),
    ({"query": "q", "document": "p", "label": "yes"}, "label 'yes' is not a number"),
    ({"query": "q", "positive_passages": ["p"], "negative_passages": []}, "holds what is no passage"),
    ({"query": "q", "positive": "p", "negative": "o", "selected_rank": 1.5}, "selected_rank 1.5 is not an integer"),
    ({"positive": "p", "negative": "n"}, "has no query"),
    ({"query": "q", "answer": "p"}, "is no triplet"),
    (["q", "p", "n"], "not a JSON object"),
]


@pytest.mark.parametrize(("record", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_bad_rows_are_refused_or_set_aside_by_line(tmp_path, record, reason):
    good = {"query": "q", "positive": "p", "negative": "n"}
    path = jsonl(tmp_path, good, record)
    with pytest.raises(SourceError, match=f"1 of 2 rows cannot be used(.|\n)*theirs.jsonl:2: .*{reason}"):
        read(path)
    rows, context = read(path, on_bad_rows="quarantine")
    assert texts(rows) == [("q", "p", "n")]
    (bad,) = context.bad_rows
    assert (bad.where.line, reason in bad.reason) == (2, True)


def test_an_id_with_two_texts_is_a_bad_row_and_a_repeated_triplet_counts_once(tmp_path):
    first = {"query": "q", "positive": "p", "negative": "n", "negative_id": "d", "positive_id": "e"}
    path = jsonl(tmp_path, first, first, first | {"negative": "another text"})
    rows, context = read(path, on_bad_rows="quarantine")
    assert (len(rows), context.facts["repeated_rows"], context.bad_row_count) == (1, 1, 1)
    documents, context = read(path, "corpus", on_bad_rows="quarantine")
    assert [row["doc_id"] for row in documents] == ["e", "d"]
    assert "was read before with another title or text" in context.bad_rows[0].reason


def test_a_line_that_is_cut_and_one_that_has_two_fields(tmp_path):
    (tmp_path / "triples.tsv").write_text("q\tp\tn\nq\tp\n")
    with pytest.raises(SourceError, match="has 2 tab-separated fields, not 3"):
        read(tmp_path / "triples.tsv")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(SourceError, match="triplets is empty"):
        read(tmp_path / "empty.jsonl")
