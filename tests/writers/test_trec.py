"""Writing qrels and runs, with ir-measures and the reader as oracles."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ir_measures
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.context import Context
from hnm.errors import HnmError
from hnm.inputs import Inputs
from hnm.readers._tables import CANDIDATES, JUDGMENTS
from hnm.readers.trec import TrecParams, trec
from hnm.writers.trec import write_qrels, write_run

words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="\ufeff"), min_size=1, max_size=8
)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**100), max_value=2.0**100)


def judged(*rows: tuple[str, str, int]) -> list[pa.RecordBatch]:
    values = [{"query_id": query, "doc_id": doc, "grade": grade, "split": None} for query, doc, grade in rows]
    return pa.Table.from_pylist(values, JUDGMENTS.schema()).to_batches(max_chunksize=2)


def ranked(*rows: tuple[str, str, int, float], retriever: str = "bm25") -> list[pa.RecordBatch]:
    names = ("query_id", "doc_id", "rank", "score")
    values = [dict(zip(names, row, strict=True)) | {"retriever": retriever} for row in rows]
    return pa.Table.from_pylist(values, CANDIDATES.schema()).to_batches(max_chunksize=2)


def read(path: Path, table: Any) -> list[dict[str, Any]]:
    context = Context(stage=table, root=path.parent, workdir=path.parent)
    batches = trec(Inputs.of(), TrecParams(path=path.name, table=table), context)
    return pa.Table.from_batches(list(batches)).to_pylist()


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.tuples(words, words), st.integers(-2, 4), min_size=1, max_size=8))
def test_qrels_are_read_back_here_and_by_ir_measures(pairs):
    batches = judged(*[(query, doc, grade) for (query, doc), grade in pairs.items()])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "qrels.txt"
        write_qrels(path, batches)
        assert read(path, "judgments") == pa.Table.from_batches(batches).to_pylist()
        theirs = {(row.query_id, row.doc_id): row.relevance for row in ir_measures.read_trec_qrels(str(path))}
        assert theirs == pairs


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(words, st.lists(st.tuples(words, floats), unique_by=lambda pair: pair[0], max_size=6), max_size=4)
)
def test_sorting_a_run_by_score_gives_its_ranks(lists):
    rows = [(query, doc, rank, score) for query, docs in lists.items() for rank, (doc, score) in enumerate(docs, 1)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bm25.run"
        write_run(path, ranked(*rows))
        back = read(path, "run")
        theirs = list(ir_measures.read_trec_run(str(path))) if rows else []
    assert [(row["query_id"], row["doc_id"], row["rank"]) for row in back] == [row[:3] for row in rows]
    for query, docs in lists.items():
        # trec_eval holds scores in 32 bits, and breaks ties by document: so there must be none.
        scores = {row.doc_id: np.float32(row.score) for row in theirs if row.query_id == query}
        assert sorted(scores, key=lambda doc: -scores[doc]) == [doc for doc, _ in docs]
        assert len(set(scores.values())) == len(docs)


def test_scores_in_order_are_kept_to_the_last_bit(tmp_path):
    scores = [float(np.float32(score)) for score in (12.1, 0.1, 1e-7, 0.0, -3.3)]
    batches = ranked(*[("q", f"d{rank}", rank, score) for rank, score in enumerate(scores, 1)])
    write_run(tmp_path / "run", batches)
    assert read(tmp_path / "run", "run") == pa.Table.from_batches(batches).to_pylist()
    assert (tmp_path / "run").read_text().splitlines()[0] == "q Q0 d1 1 12.1 bm25"


def test_ties_are_parted_by_the_smallest_step(tmp_path):
    write_run(tmp_path / "run", ranked(("q", "z", 1, 1.0), ("p", "a", 1, 1.0), ("q", "a", 2, 1.0), ("q", "b", 3, 0.5)))
    scores = {(row.query_id, row.doc_id): row.score for row in ir_measures.read_trec_run(str(tmp_path / "run"))}
    assert scores[("q", "z")] == scores[("p", "a")] == 1.0
    assert 1 - 1e-6 < scores[("q", "a")] < 1
    assert scores[("q", "b")] == 0.5


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (ranked(("q 1", "d", 1, 1.0)), "query_id 'q 1' cannot stand in a TREC file"),
        (ranked(("q", "d\u00a01", 1, 1.0)), "doc_id 'd\\xa01' cannot stand"),
        (ranked(("q", "", 1, 1.0)), "doc_id '' cannot stand"),
        (ranked(("q", "d", 1, 1.0), retriever="my bm25"), "retriever 'my bm25' cannot stand"),
        (ranked(("q", "a", 2, 1.0), ("q", "b", 1, 2.0)), "rank 1 comes after rank 2"),
        (ranked(("q", "a", 1, 1.0), ("q", "b", 1, 0.5)), "rank 1 comes after rank 1"),
        (ranked(("q", "a", 1, float("nan"))), "not a finite number"),
        (ranked(("q", "a", 1, 1.0), ("q", "b", 2, float("-inf"))), "not a finite number"),
        (ranked(("q", "a", 1, 1.0)) + ranked(("q", "a", 2, 0.5), retriever="other"), "rows of 'bm25' and of 'other'"),
    ],
)
def test_what_a_run_cannot_hold_is_refused_and_nothing_is_written(tmp_path, batches, message):
    (tmp_path / "run").write_text("the last good one")
    with pytest.raises(HnmError) as error:
        write_run(tmp_path / "run", batches)
    assert message in str(error.value)
    assert error.value.hint or "finite" in message
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run").read_text() == "the last good one"


def test_ids_with_white_space_do_not_fit_into_qrels(tmp_path):
    with pytest.raises(HnmError, match="cannot stand in a TREC file"):
        write_qrels(tmp_path / "qrels", judged(("q", "a b", 1)))
    assert list(tmp_path.iterdir()) == []


def test_no_rows_make_an_empty_file(tmp_path):
    write_run(tmp_path / "run", ranked())
    write_qrels(tmp_path / "qrels", judged())
    assert (tmp_path / "run").read_bytes() == (tmp_path / "qrels").read_bytes() == b""
    assert read(tmp_path / "run", "run") == []
