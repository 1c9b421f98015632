"""Searching for a new text finds what the stages found for the project's own queries."""

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from searched_project import QUERIES, shared
from tiny_project import TinyProject

from hnm.errors import ModelError, QueryError, SelectorError
from hnm.search.searcher import Searcher
from hnm.trained import best_model, reranker

RETRIEVERS = ("bm25", "minilm", "wordllama", "ensemble")
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_cross_encoder: Path) -> TinyProject:
    return shared(tmp_path_factory.getbasetemp() / "searched", tiny_cross_encoder)


@pytest.fixture(scope="module")
def searcher(project: TinyProject) -> Iterator[Searcher]:
    return project.load().searcher()


@pytest.fixture
def copy(project: TinyProject, tmp_path: Path) -> TinyProject:
    return TinyProject(Path(copytree(project.root, tmp_path / "copy")))


def test_what_was_loaded(searcher: Searcher) -> None:
    assert searcher.retrievers == RETRIEVERS
    assert (searcher.reranker, searcher.depth, searcher.notes, len(searcher)) == ("reranker", 30, (), 12)
    assert set(searcher.memory) == {"texts", "vectors", "models"}
    assert all(searcher.memory.values())


@pytest.mark.parametrize("query_id", QUERIES)
def test_lists_are_those_of_the_candidate_stages(project: TinyProject, searcher: Searcher, query_id: str) -> None:
    hits = searcher.search(QUERIES[query_id], top=12)
    found = {(name, hit.doc_id): place for hit in hits for name, place in hit.found.items()}
    stored = project.rows("select retriever, doc_id, rank, score from candidates where query_id = ?", query_id)
    assert {row[:2] for row in stored} == set(found)
    for name, doc_id, rank, score in stored:
        assert found[name, doc_id].rank == rank
        assert found[name, doc_id].score == pytest.approx(score, abs=TOLERANCE)


@pytest.mark.parametrize("query_id", QUERIES)
def test_fused_and_reranked_lists_are_those_of_the_stages(
    project: TinyProject, searcher: Searcher, query_id: str
) -> None:
    hits = searcher.search(QUERIES[query_id], top=12)
    first = project.rows("select doc_id, rank, score from first_stage where query_id = ? order by rank", query_id)
    assert [(hit.doc_id, hit.fused.rank) for hit in sorted(hits, key=lambda hit: hit.fused.rank)] == [
        (doc_id, rank) for doc_id, rank, _ in first
    ]
    assert {hit.doc_id: hit.fused.score for hit in hits} == pytest.approx({doc: score for doc, _, score in first})
    ranked = project.rows("select doc_id, rank, score from reranked_ours where query_id = ? order by rank", query_id)
    assert [(hit.doc_id, hit.rank) for hit in hits] == [(doc_id, rank) for doc_id, rank, _ in ranked]
    assert [hit.reranker_score for hit in hits] == pytest.approx([score for *_, score in ranked], abs=TOLERANCE)


def test_interpolated_lists_are_those_of_the_stage(project: TinyProject) -> None:
    searcher = project.load().searcher(model="ours_mixed")
    assert (searcher.reranker, searcher.notes) == ("ours_mixed", ())
    orders = set()
    for query_id, text in QUERIES.items():
        hits = searcher.search(text, top=12)
        rows = project.rows("select doc_id, rank, score from reranked_mixed where query_id = ? order by rank", query_id)
        assert [(hit.doc_id, hit.rank) for hit in hits] == [(doc_id, rank) for doc_id, rank, _ in rows]
        assert [hit.interpolated_score for hit in hits] == pytest.approx([row[2] for row in rows], abs=TOLERANCE)
        alone = sorted(hits, key=lambda hit: -(hit.reranker_score or 0))
        orders.add([hit.doc_id for hit in alone] == [hit.doc_id for hit in hits])
    assert False in orders  # the ranks do change something


def test_what_is_not_reranked_is_not_interpolated(project: TinyProject) -> None:
    hits = project.load().searcher(model="ours_mixed", depth=2).search("apple pie", top=4)
    assert [hit.interpolated_score is None for hit in hits] == [False, False, True, True]
    assert [hit.fused.rank for hit in hits[2:]] == [3, 4]


def test_ranks_that_count_must_be_asked_for(project: TinyProject) -> None:
    with pytest.raises(QueryError, match="ours_mixed needs the ranks by minilm"):
        project.load().searcher(["bm25"], "ours_mixed")


def test_a_hit_has_the_text_as_models_read_it(searcher: Searcher) -> None:
    hits = {hit.doc_id: hit for hit in searcher.search("apple pie", top=12)}
    assert (hits["d01"].title, hits["d01"].text.splitlines()[0]) == ("Apple pie", "Apple pie")
    assert (hits["d02"].title, hits["d02"].text) == ("", "A bicycle tyre is repaired with a patch.")
    assert "\x1b[31m" in hits["d04"].text  # data is data: only what is shown is escaped


def test_depth_and_top(project: TinyProject) -> None:
    searcher = project.load().searcher(["bm25", "wordllama"], "start", depth=2)
    assert searcher.reranker == "start"
    hits = searcher.search("apple", top=4)
    assert [hit.reranker_score is None for hit in hits] == [False, False, True, True]
    assert [hit.fused.rank for hit in hits[2:]] == [3, 4]
    assert {name for hit in hits for name in hit.found} == {"bm25", "wordllama"}


def test_one_lexical_retriever_alone_needs_no_model(project: TinyProject) -> None:
    searcher = project.load().searcher(["bm25"], depth=0)
    assert (searcher.reranker, searcher.memory["models"], searcher.memory["vectors"]) == (None, 0, 0)
    hits = searcher.search("apple")
    assert [hit.fused.rank for hit in hits] == [hit.found["bm25"].rank for hit in hits] == [1, 2, 3, 4]
    assert searcher.search("zzz unknown") == []


def test_many_texts_are_found_as_one_by_one(searcher: Searcher) -> None:
    texts = [*QUERIES.values()]
    together = searcher.search_many(texts, top=3)
    for text, hits in zip(texts, together, strict=True):
        assert [hit.doc_id for hit in hits] == [hit.doc_id for hit in searcher.search(text, top=3)]
    assert searcher.search_many([]) == []


def test_threads_take_turns(searcher: Searcher) -> None:
    expected = searcher.search_many([*QUERIES.values()], top=3)
    found: dict[int, object] = {}

    def ask(number: int) -> None:
        found[number] = searcher.search([*QUERIES.values()][number % 4], top=3)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [[hit.doc_id for hit in found[number]] for number in range(12)]  # type: ignore[attr-defined] # hits
    assert ids == [[hit.doc_id for hit in hits] for hits in expected] * 3


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_an_empty_text_is_refused(searcher: Searcher, text: str) -> None:
    with pytest.raises(QueryError, match="empty"):
        searcher.search(text)


def test_strange_texts_are_searched_for(searcher: Searcher) -> None:
    for text in ("\udcff broken bytes", "\x00", "a" * 100_000, "?!"):
        assert all(math.isfinite(hit.fused.score) for hit in searcher.search(text, top=1))
    with pytest.raises(QueryError, match="at least 1"):
        searcher.search("x", top=0)


def test_unknown_names_have_near_matches(project: TinyProject) -> None:
    loaded = project.load()
    with pytest.raises(SelectorError, match="no retriever 'bm52'") as caught:
        loaded.searcher(["bm52"])
    assert caught.value.hint == "did you mean 'bm25'?"
    with pytest.raises(SelectorError, match="no reranker 'rerankr'") as caught:
        loaded.searcher(model="rerankr")
    assert caught.value.hint == "did you mean 'reranker'?"
    with pytest.raises(QueryError, match="'random' cannot search"):
        loaded.searcher(["random"])
    with pytest.raises(QueryError, match="no retriever"):
        loaded.searcher([])
    with pytest.raises(QueryError, match="depth"):
        loaded.searcher(depth=-1)


def test_nothing_built(copy: TinyProject) -> None:
    copy.load().warehouse.clear()
    with pytest.raises(QueryError) as caught:
        copy.load().searcher()
    assert caught.value.hint == "`hnm run --select '+corpus +texts'` builds it"


def test_what_is_not_built_is_left_out_with_a_note(copy: TinyProject) -> None:
    copy.load().warehouse.clear()
    assert copy.run("+texts").ok
    searcher = copy.load().searcher()
    assert searcher.retrievers == ("bm25",)
    assert len([note for note in searcher.notes if note.endswith("left out")]) == 3
    assert searcher.reranker == "start"
    assert any("no reranker is trained yet: the untrained start ranks" in note for note in searcher.notes)
    with pytest.raises(QueryError, match="table embeddings_minilm is not built"):
        copy.load().searcher(["minilm"])
    with pytest.raises(QueryError, match="model reranker is not built"):
        copy.load().searcher(model="ours")


def test_what_is_out_of_date_is_said(copy: TinyProject) -> None:
    copy.edit("pipelines/searched.yml", "weights: {minilm: 2}", "weights: {minilm: 3}")
    (note,) = copy.load().searcher(["bm25", "ensemble"], depth=0).notes
    assert note.startswith("not up to date: ensemble_pca;")


def test_documents_that_are_gone_from_the_corpus_are_not_found(copy: TinyProject) -> None:
    copy.edit("sql/corpus.sql", "('d07', 'Apple', 'apple', '{}'),", "")
    assert copy.run("corpus", "texts").ok
    searcher = copy.load().searcher(["bm25", "wordllama"], depth=0)
    assert "d07" not in {hit.doc_id for hit in searcher.search("apple", top=12)}
    assert any(note.startswith("not up to date: embeddings_wordllama") for note in searcher.notes)


def test_retrievers_of_other_kinds_say_why_they_cannot_search(copy: TinyProject) -> None:
    copy.edit(
        "pipelines/searched.yml",
        "- {name: candidates, ",
        "- {name: vectors_lsa, transform: embed_lsa, inputs: {texts: ref(texts)}, materialized: lance}\n"
        "  - {name: candidates_lsa, transform: retrieve_dense, inputs: {vectors: ref(vectors_lsa)}, "
        "params: {retriever: lsa}}\n  - {name: candidates, ",
    )
    with pytest.raises(QueryError) as caught:
        copy.load().searcher(["lsa"])
    assert "embed_lsa, which makes none of a new text" in str(caught.value.why)
    copy.edit("project.yml", "[bm25, minilm, wordllama, ensemble]", "[bm25, lsa]")
    searcher = copy.load().searcher(depth=0)
    assert searcher.retrievers == ("bm25",)
    assert any("'lsa' cannot search" in note for note in searcher.notes)


def test_a_model_that_cannot_be_had(copy: TinyProject) -> None:
    (copy.root / "start" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        copy.load().searcher(["bm25"], "start")


def test_the_best_evaluated_model_ranks_by_default(copy: TinyProject) -> None:
    assert copy.run("baseline").ok  # newer than the evaluated one
    assert [model.stage for model in copy.load().models()] == ["baseline", "reranker"]
    assert copy.load().searcher(["bm25"]).reranker == "reranker"


def test_another_collection_decides_nothing(project: TinyProject) -> None:
    manifest = project.load().manifest
    assert [name for name in manifest.nodes if name.endswith("ours")] == ["away_ours", "reranked_ours"]
    assert reranker(manifest, "ours").max_length == 48


def test_cells_of_experiments_come_after_other_models(project: TinyProject) -> None:
    (evaluated,) = project.load().models()
    cell = replace(evaluated, stage="cell", experiment="negatives_pay", measures={"nDCG@10": 0.9})
    unmeasured = replace(evaluated, stage="newest", measures={})
    assert best_model([cell, unmeasured, evaluated]) == evaluated
    assert best_model([cell, unmeasured]) == unmeasured
    assert best_model([cell]) == cell
    assert best_model([]) is None


def test_langchain(searcher: Searcher) -> None:
    retriever = searcher.as_langchain(top=2)
    documents = retriever.invoke("apple pie")
    hits = searcher.search("apple pie", top=2)
    assert [(document.id, document.page_content) for document in documents] == [(hit.doc_id, hit.text) for hit in hits]
    assert documents[0].metadata["reranker_score"] == pytest.approx(hits[0].reranker_score, abs=TOLERANCE)
    assert documents[0].metadata["title"] == hits[0].title
    assert [len(found) for found in retriever.batch(["apple", "banana"])] == [2, 2]
