"""Reranking: only the order changes, and a kill loses little."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hnm.context import Advance, Context, Settings
from hnm.errors import ModelError, StageError
from hnm.inputs import Inputs, Origin
from hnm.models.cross_encoder import open_cross_encoder, score_pairs
from hnm.transforms import rerank as module
from hnm.transforms.rerank import RerankParams, rerank

SETTINGS = Settings(device="cpu", cores=1, precision="fp32")
FIRST_STAGE = pa.schema(
    {
        "query_id": pa.string(),
        "doc_id": pa.string(),
        "retriever": pa.string(),
        "rank": pa.int32(),
        "score": pa.float32(),
    }
)
RERANKED = pa.schema([*FIRST_STAGE, ("model_version", pa.string()), ("dataset_version", pa.string())])
LISTS = {"q1": ["d1", "d2", "d3", "d4"], "q2": ["d4", "d1"], "ü": ["d5"]}
TEXTS = {
    "query": {"q1": "a1 b2", "q2": "c3", "ü": "grüße 日本"},
    "document": {"d1": "a1 b2 c3", "d2": "", "d3": "x" * 9_000, "d4": "c3 c3", "d5": "π", "unlisted": "a1 b2"},
}


def first_stage(lists: dict[str, list[str]], retriever: str = "bm25") -> pa.Table:
    rows = [
        {"query_id": query, "doc_id": doc, "retriever": retriever, "rank": rank, "score": -float(rank)}
        for query, docs in lists.items()
        for rank, doc in enumerate(docs, start=1)
    ]
    return pa.Table.from_pylist(rows, FIRST_STAGE)


def texts(content: dict[str, dict[str, str]]) -> pa.Table:
    rows = [{"kind": kind, "id": id, "text": text} for kind, of in content.items() for id, text in of.items()]
    return pa.Table.from_pylist(rows, pa.schema({"kind": pa.string(), "id": pa.string(), "text": pa.string()}))


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


class Counting:
    """Counts pairs, and "kills" the stage once there are so many."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done, self.total = 0, 0
        self._stop_after = stop_after

    def progress(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        self.total = total or 0
        return nullcontext(self._advance)

    def _advance(self, count: int) -> None:
        self.done += count
        if self._stop_after and self.done >= self._stop_after:
            raise Killed

    def note(self, message: str) -> None:
        raise AssertionError(message)


def reranked(
    root: Path,
    trained: Path | None,
    lists: pa.Table | None = None,
    content: dict[str, dict[str, str]] = TEXTS,
    reporter: Counting | None = None,
    **params: Any,
) -> tuple[pa.Table, Context]:
    counting = reporter or Counting()
    context = Context(stage="reranked", root=root, workdir=root / "work", settings=SETTINGS, reporter=counting)
    given_tables = {"first_stage": first_stage(LISTS) if lists is None else lists, "texts": texts(content)}
    inputs = Inputs.of({"model": trained} if trained else None, **given_tables)
    table = pa.Table.from_batches(rerank(inputs, RerankParams(**({"name": "ce", "max_length": 32} | params)), context))
    assert counting.done == counting.total
    return table, context


def lists_of(table: pa.Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in table.to_pylist():
        found.setdefault(row["query_id"], []).append(row["doc_id"])
        assert row["rank"] == len(found[row["query_id"]])
    return found


def test_each_list_is_ordered_by_the_models_logit(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    table, context = reranked(tmp_path, tiny_cross_encoder, batch_size=2)
    assert table.schema == RERANKED
    model = open_cross_encoder(tiny_cross_encoder, SETTINGS, 32)
    for query, docs in LISTS.items():
        pairs = [(TEXTS["query"][query], TEXTS["document"][doc]) for doc in docs]
        logits = dict(zip(docs, score_pairs(model, pairs, SETTINGS, 8), strict=True))
        rows = [row for row in table.to_pylist() if row["query_id"] == query]
        assert [row["doc_id"] for row in rows] == sorted(docs, key=lambda doc: -logits[doc])
        assert [row["score"] for row in rows] == pytest.approx([logits[row["doc_id"]] for row in rows], abs=1e-5)
    assert set(table.column("retriever").to_pylist()) == {"ce"}
    assert (context.facts["pairs"], context.facts["pairs_resumed"]) == (7, 0)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lists=st.dictionaries(
        st.sampled_from(["q1", "q2", "ü"]),
        st.lists(st.sampled_from(["d1", "d2", "d3", "d4", "d5"]), unique=True, min_size=1),
        min_size=1,
    ),
    depth=st.integers(1, 6),
)
def test_only_the_order_of_the_first_documents_changes(
    tmp_path_factory: pytest.TempPathFactory, tiny_cross_encoder: Path, lists: dict[str, list[str]], depth: int
) -> None:
    table, _ = reranked(tmp_path_factory.mktemp("any"), tiny_cross_encoder, first_stage(lists), depth=depth)
    found = lists_of(table)
    assert {query: set(docs) for query, docs in found.items()} == {q: set(docs[:depth]) for q, docs in lists.items()}


def test_equal_scores_keep_the_first_stages_order(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    names = [f"d{i}" for i in (4, 2, 9, 1)]
    content = {"query": {"q": "a"}, "document": dict.fromkeys(names, "the same text")}
    table, _ = reranked(tmp_path, tiny_cross_encoder, first_stage({"q": names}), content)
    assert lists_of(table) == {"q": names}


def test_the_result_does_not_depend_on_the_order_of_rows(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    backwards = first_stage(LISTS).take([6, 5, 4, 3, 2, 1, 0])
    one, _ = reranked(tmp_path / "one", tiny_cross_encoder)
    two, _ = reranked(tmp_path / "two", tiny_cross_encoder, backwards)
    assert one.equals(two)


def test_a_lists_result_depends_on_that_list_alone(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    together = reranked(tmp_path / "together", tiny_cross_encoder)[0].to_pylist()
    for query, docs in LISTS.items():
        alone = reranked(tmp_path / query, tiny_cross_encoder, first_stage({query: docs}))[0].to_pylist()
        assert alone == [row for row in together if row["query_id"] == query]


def test_after_a_kill_finished_lists_are_not_scored_again(
    tmp_path: Path, tiny_cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 4)
    with pytest.raises(Killed):
        reranked(tmp_path, tiny_cross_encoder, reporter=Counting(stop_after=6), depth=4)
    resumed, context = reranked(tmp_path, tiny_cross_encoder, depth=4)
    assert context.facts["pairs_resumed"] == 4
    whole, _ = reranked(tmp_path / "other", tiny_cross_encoder, depth=4)
    assert resumed.equals(whole)


def test_no_lists_need_no_model(tmp_path: Path) -> None:
    table, _ = reranked(tmp_path, None, first_stage({}), model="reranker_en")
    assert (table.num_rows, table.schema) == (0, RERANKED)


def test_a_bundled_model_by_name(tmp_path: Path) -> None:
    content = {
        "query": {"q": "how to sort a list in python"},
        "document": {
            "wrong": "A tuple is immutable and cannot be changed once it was made.",
            "right": "list.sort() sorts a Python list in place; sorted() returns a new sorted list.",
        },
    }
    table, context = reranked(
        tmp_path, None, first_stage({"q": ["wrong", "right"]}), content, model="reranker_en", max_length=64
    )
    assert lists_of(table) == {"q": ["right", "wrong"]}
    assert context.facts["model"] == "reranker_en"
    (version,) = set(table.column("model_version").to_pylist())
    assert len(version) == 32
    assert set(table.column("dataset_version").to_pylist()) == {None}


def test_the_versions_of_a_trained_model_are_those_of_the_input(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    tables = {"first_stage": first_stage(LISTS), "texts": texts(TEXTS)}
    plain = Inputs.of({"model": tiny_cross_encoder}, **tables)
    origins = {"model": Origin(version="weights", tables={"triplets": "t1", "more": "t2"})}
    known = Inputs(duckdb.connect(), (), tables, {"model": tiny_cross_encoder}, origins=origins)
    for inputs, expected in ((plain, (None, None)), (known, ("weights", "t2, t1"))):
        context = Context(stage="reranked", root=tmp_path, workdir=tmp_path / "work", settings=SETTINGS)
        rows = pa.Table.from_batches(rerank(inputs, RerankParams(name="ce", max_length=32), context)).to_pylist()
        assert {(row["model_version"], row["dataset_version"]) for row in rows} == {expected}


def test_mixed_lists_and_missing_texts_are_refused(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    mixed = pa.concat_tables([first_stage({"q1": ["d1"]}), first_stage({"q1": ["d2"]}, "dense")])
    with pytest.raises(StageError, match="query 'q1' has lists of several retrievers"):
        reranked(tmp_path, tiny_cross_encoder, mixed)
    with pytest.raises(StageError, match="query 'q1' has a document twice"):
        reranked(tmp_path, tiny_cross_encoder, first_stage({"q1": ["d1", "d1"]}))
    with pytest.raises(StageError, match="document 'd9' is missing"):
        reranked(tmp_path, tiny_cross_encoder, first_stage({"q1": ["d9"]}))
    with pytest.raises(StageError, match="query 'q9' is missing"):
        reranked(tmp_path, tiny_cross_encoder, first_stage({"q9": ["d1"]}))
    twice = Inputs.of(first_stage=first_stage(LISTS), texts=pa.concat_tables([texts(TEXTS), texts(TEXTS)]))
    with pytest.raises(StageError, match="texts: document 'd1' stands there twice"):
        list(rerank(twice, RerankParams(name="ce", model="m"), Context("reranked", tmp_path, tmp_path)))


def test_exactly_one_model_is_needed(tmp_path: Path, tiny_cross_encoder: Path, tiny_backbone: Path) -> None:
    with pytest.raises(StageError, match="no model to rerank with"):
        reranked(tmp_path, None)
    with pytest.raises(StageError, match="two models to rerank with"):
        reranked(tmp_path, tiny_cross_encoder, model="reranker_en")
    with pytest.raises(ModelError, match="without a trained head"):
        reranked(tmp_path, tiny_backbone)
