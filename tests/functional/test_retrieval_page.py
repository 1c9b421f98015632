"""docs/retrieval.md: every stage that the page shows, run on a handful of documents without any model."""

import pytest
from doc_pages import ROOT, blocks, page
from tiny_project import TinyProject

PROJECT = """
name: page
settings: {cores: 1, memory_limit: 500MB}
vars:
  positives_from: judgments
  retrievers: [bm25, minilm, wordllama, ensemble]
  fusions:
    - {name: scaled, method: min_max, weights: {bm25: 0.5, minilm: 1, wordllama: 0, ensemble: 2}}
    - {name: votes, method: borda}
"""
STAGES = """
stages:
  - {name: corpus, unique_key: doc_id}
  - {name: queries, unique_key: query_id}
  - {name: judgments, unique_key: [query_id, doc_id]}
  - {name: positives, unique_key: [query_id, doc_id]}
  - {name: texts, unique_key: [kind, id]}
  - {name: candidates, unique_key: [query_id, doc_id, retriever]}
  - {name: right_answers, unique_key: [query_id, doc_id]}
  - {name: scored_candidates, unique_key: [query_id, positive_id, doc_id]}
  - {name: candidates_bm25, transform: retrieve_bm25, inputs: {corpus: ref(corpus), queries: ref(queries)}}
  - {name: candidates_random, transform: retrieve_random, inputs: {corpus: ref(corpus), queries: ref(queries)}}
  - name: embeddings_minilm
    transform: embed_lsa
    inputs: {texts: ref(texts)}
    params: {dim: 12}
    materialized: lance
  - name: embeddings_wordllama
    transform: embed_lsa
    inputs: {texts: ref(texts)}
    params: {dim: 9, terms: characters}
    materialized: lance
  - name: ensemble_pca
    transform: ensemble_pca
    inputs: {minilm: ref(embeddings_minilm), wordllama: ref(embeddings_wordllama)}
  - name: ensemble
    transform: ensemble
    inputs: {minilm: ref(embeddings_minilm), wordllama: ref(embeddings_wordllama), pca: ref(ensemble_pca)}
    materialized: lance
  - name: candidates_minilm
    transform: retrieve_dense
    inputs: {vectors: ref(embeddings_minilm)}
    params: {retriever: minilm}
  - name: candidates_wordllama
    transform: retrieve_dense
    inputs: {vectors: ref(embeddings_wordllama)}
    params: {retriever: wordllama}
  - name: candidates_ensemble
    transform: retrieve_dense
    inputs: {vectors: ref(ensemble)}
    params: {retriever: ensemble}
"""
GIVEN = {
    "corpus": """
        select 'd' || i as doc_id, 'title ' || i as title, '{}' as metadata,
            'fox ' || repeat('word' || (i % 7) || ' ', 120) || ' den ' || (i % 5) || ' lake' || i as text
        from range(40) t(i)
    """,
    "queries": """
        select 'q' || i as query_id, 'lake' || i || ' word' || i % 7 as text, 'dev' as split from range(8) t(i)
    """,
    "judgments": "select 'q' || i as query_id, 'd' || i as doc_id, 1 as grade, 'dev' as split from range(8) t(i)",
    "positives": "select *, 1 as positive_rank, 1.0 as weight from {{ ref('judgments') }}",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = TinyProject(tmp_path_factory.mktemp("retrieval") / "page")
    text = page("retrieval.md")
    stages = [block for block in blocks(text, "yaml") if block.startswith("stages:")]
    assert len(stages) == 4
    project.write("project.yml", PROJECT)
    for number, block in enumerate([STAGES, *stages]):
        without_model = block.replace("transform: embed\n", "transform: embed_lsa\n")
        without_model = without_model.replace("{model: all-MiniLM-L6-v2, max_tokens: 128}", "{dim: 20}")
        project.write(f"pipelines/{number}.yml", without_model)
    for name, sql in GIVEN.items():
        project.write(f"sql/{name}.sql", sql)
    for name, sql in zip(("passage_texts", "candidates_passages"), blocks(text, "sql"), strict=True):
        project.write(f"sql/{name}.sql", sql)
    for name in ("texts", "candidates", "right_answers", "scored_candidates", "ensemble_fidelity"):
        project.write(f"sql/{name}.sql", (ROOT / f"sql/{name}.sql").read_text(encoding="utf-8"))
    assert set(project.outcomes().values()) == {"built"}
    return project


def test_every_retriever_finds_something(built: TinyProject) -> None:
    for name in ("lsa", "fulltext", "nearby", "passages"):
        assert built.rows(f"select distinct retriever from candidates_{name}") == [(name,)]
        ((found, most),) = built.rows(f"select count(distinct query_id), max(rank) from candidates_{name}")
        assert found == 8
        assert most <= 100


def test_passages_are_of_known_documents_and_overlap(built: TinyProject) -> None:
    assert built.rows("select count(*) from passages anti join corpus using (doc_id)") == [(0,)]
    assert built.rows("select min(n), max(n) from (select count(*) as n from passages group by doc_id)") == [(2, 2)]


def test_the_exact_ensemble_is_the_mean_of_the_cosines(built: TinyProject) -> None:
    ((difference,),) = built.rows("""
        select max(abs(exact.score - (one.score + other.score) / 2))
        from (
            select q.id as query_id, d.id as doc_id, list_dot_product(q.vector::float[], d.vector::float[]) as score
            from ensemble_exact q join ensemble_exact d on q.kind = 'query' and d.kind = 'document'
        ) as exact
        join candidates_minilm as one using (query_id, doc_id)
        join candidates_wordllama as other using (query_id, doc_id)
    """)
    assert difference < 1e-5
    ((queries, correlation),) = built.rows("select queries, rank_correlation from ensemble_fidelity")
    assert queries == 8
    assert 0.5 < correlation <= 1


def test_fusions_are_columns_and_the_weights_are_fitted(built: TinyProject) -> None:
    assert built.rows("select bool_and(fused_scaled between 0 and 1), max(fused_votes) > 1 from scored_candidates") == [
        (True, True)
    ]
    weights = built.rows("select retriever, value >= value_equal and value >= alone from fusion_weights order by 1")
    assert weights == [(name, True) for name in ("bm25", "ensemble", "minilm", "wordllama")]


def test_recall_is_a_fact(built: TinyProject) -> None:
    ((facts,),) = built.rows("select facts from _hnm.materializations where stage = 'candidates_nearby'")
    assert '"recall": 1.0' in facts


def test_nothing_is_stale_afterwards(built: TinyProject) -> None:
    assert "built" not in built.outcomes().values()
