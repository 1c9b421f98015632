"""All SQL stages one after the other on a small made-up collection: keys, invariants, equal tables every time."""

import random
from typing import Any

import numpy as np
import pytest
from sql_stages import Stages

DOCUMENTS, QUERIES, RETRIEVERS = 60, 50, ["bm25", "minilm", "ensemble"]
VARS: dict[str, Any] = {
    "retrievers": RETRIEVERS,
    "strategies": [
        {"name": "paper", "rule": "dual_criterion", "per_positive": 2},
        {"name": "fill", "rule": "below_positive_share", "fills": ["paper"], "per_positive": 2},
        {"name": "margin", "rule": "below_positive_margin"},
        {"name": "top", "rule": "top", "by": "rrf", "per_positive": 3},
        {"name": "random", "rule": "random", "per_positive": 4},
    ],
    "evaluated": ["start"],
}
KEYS = {
    "corpus": ("doc_id",),
    "queries": ("query_id",),
    "judgments": ("query_id", "doc_id"),
    "unknown_judgments": ("query_id", "doc_id"),
    "texts": ("kind", "id"),
    "impressions": ("session_id", "query_id", "doc_id"),
    "unknown_impressions": ("session_id", "query_id", "doc_id"),
    "click_evidence": ("query_id", "doc_id"),
    "positives": ("query_id", "doc_id"),
    "candidates": ("query_id", "doc_id", "retriever"),
    "right_answers": ("query_id", "doc_id"),
    "scored_candidates": ("query_id", "positive_id", "doc_id"),
    "negatives": ("query_id", "positive_id", "doc_id", "strategy"),
    "triplet_ids": ("query_id", "positive_id", "negative_id", "strategy"),
    "triplets": ("query_id", "positive_id", "negative_id", "strategy"),
    "negative_measures": ("query_id", "positive_id", "doc_id", "strategy"),
    "negative_quality_by_query": ("query_id", "strategy"),
    "negative_quality": ("strategy",),
    "negative_ranks": ("strategy", "retriever", "range"),
    "retriever_overlap": ("retriever", "other"),
    "exclusion_funnel": ("strategy", "step"),
    "evaluation_queries": ("query_id",),
    "evaluation_judgments": ("query_id", "doc_id"),
    "first_stage": ("query_id", "doc_id"),
    "runs": ("retriever", "query_id", "doc_id"),
    "evaluation_groups": ("query_id", "grouping"),
    "rag_support": ("model", "top"),
}


def shuffled(rows: list[Any], order: int) -> list[Any]:
    return random.Random(order).sample(rows, len(rows))


def chain(positives_from: str, order: int, threads: int) -> tuple[Stages, dict[str, list[Any]]]:
    """Every stage's rows; `order` shuffles all that comes from outside, and must not matter."""
    stages, rng = Stages(), np.random.default_rng(0)
    stages.connection.execute(f"set threads = {threads}")
    documents = {f"d{i}": f"Word{i % 7} word{i // 2 % 11} topic{i % 3}" for i in range(DOCUMENTS)}  # some are copies
    queries = {f"q{i}": f"word{i % 7} topic{i % 3}" for i in range(QUERIES)}
    judgments = [(q, f"d{(i * 7 + j) % DOCUMENTS}", j % 3) for i, q in enumerate(queries) for j in range(5)]
    shown = [
        (f"s{s}", q, f"d{(i * 7 + k) % DOCUMENTS}", k + 1)
        for i, q in enumerate(queries)
        for s in range(9)
        for k in range(6)
    ]
    clicks = rng.random(len(shown)) < [0.7 / row[3] for row in shown]
    dwell = rng.random(len(shown)) * 60
    log = [(*row, bool(c), float(d) if c else None) for row, c, d in zip(shown, clicks, dwell, strict=True)]
    stages.give("collection.corpus", shuffled([(name, "", text, "{}") for name, text in documents.items()], order))
    stages.give("collection.queries", shuffled(list(queries.items()), order))
    stages.give("collection.judgments", shuffled([*judgments, ("q1", "gone", 1)], order))
    stages.give("clicks.impressions", shuffled([*log, ("s1", "gone", "d1", 1, True)], order))
    matrix = {"document": rng.normal(size=(DOCUMENTS, 4)), "query": rng.normal(size=(QUERIES, 4))}
    stages.give_vectors(
        {name: row.tolist() for name, row in zip(documents, matrix["document"], strict=True)},
        {name: row.tolist() for name, row in zip(queries, matrix["query"], strict=True)},
    )
    for name in [*RETRIEVERS, "random"]:
        scores = matrix["query"] @ matrix["document"].T + rng.normal(size=(QUERIES, DOCUMENTS)) * (name != "ensemble")
        best = np.argsort(-scores, axis=1)[:, :15]
        rows = [
            (f"q{i}", f"d{d}", name, k + 1, float(scores[i, d])) for i in range(QUERIES) for k, d in enumerate(best[i])
        ]
        columns = "query_id varchar, doc_id varchar, retriever varchar, rank integer, score float"
        stages.give(f"candidates_{name}", shuffled(rows, order), columns)
    tables = {}
    for name in KEYS:
        if name == "runs":
            stages.connection.execute(
                "create table reranked_start as select * replace ('start' as retriever), "
                "'w' as model_version, 't' as dataset_version from first_stage"
            )
            stages.connection.execute(
                "create table document_tokens as select doc_id, length(text) as tokens from corpus"
            )
        tables[name] = stages.build(name, positives_from=positives_from, **VARS)
    return stages, tables


@pytest.fixture(scope="module", params=["clicks", "judgments"])
def built(request: pytest.FixtureRequest) -> tuple[str, Stages, dict[str, list[Any]]]:
    return request.param, *chain(request.param, 1, threads=1)


def test_every_stage_has_rows_and_unique_keys(built: tuple[str, Stages, dict[str, list[Any]]]) -> None:
    _, _, tables = built
    for name, rows in tables.items():
        keys = [tuple(row[column] for column in KEYS[name]) for row in rows]
        assert keys, name
        assert len(set(keys)) == len(keys), name
        assert not any(value is None for key in keys for value in key), name


def test_every_table_is_the_same_whatever_the_order_and_the_threads(
    built: tuple[str, Stages, dict[str, list[Any]]],
) -> None:
    positives_from, _, tables = built
    _, again = chain(positives_from, 2, threads=4)
    for name, rows in tables.items():
        assert rows == again[name], name


@pytest.mark.parametrize(
    "offending",
    [
        # No positive, and no copy of one, among its query's negatives; none of a query that is tested.
        "select * from triplets join positives on positives.query_id = triplets.query_id and doc_id = negative_id",
        "select * from triplets where negative = positive",
        "select * from triplets join queries using (query_id) where queries.split not in ('train', 'dev')",
        # Every mined pair has every candidate of its query, and every strategy decides on what it considers.
        """select query_id, p.doc_id as positive_id, c.doc_id from positives p join candidates c using (query_id)
           where positive_rank <= 4
           except select query_id, positive_id, doc_id from scored_candidates""",
        """select query_id, positive_id, doc_id from scored_candidates where agreement > 0
           except select query_id, positive_id, doc_id from negatives where strategy = 'paper'""",
        "select * from scored_candidates where not (d_query_doc between 0 and 2 and d_positive_doc between 0 and 2)",
        "select * from scored_candidates where not (d_query_positive between 0 and 2)",
        # Kept means passed, and not beyond the limit.
        "select * from negatives where exclusion_reason is null and selected_rank is null",
        "select * from negatives where (exclusion_reason is null) <> (exclusion_step is null)",
        "select * from triplets where selected_rank > 4",
        # Chains: no pair has negatives of both.
        """select query_id, positive_id from triplets where strategy in ('paper', 'fill')
           group by all having count(distinct strategy) > 1""",
        # The numbers agree with each other.
        """select strategy, rows from exclusion_funnel where reason = 'kept'
           except select strategy, negatives from negative_quality""",
        "select strategy, negatives from negative_quality except select strategy, count(*) from triplets group by 1",
        "select * from exclusion_funnel where reason = 'kept' and remaining <> rows",
        "select * from negative_quality where label_conflicts > 0",
        "select * from negative_measures where strategy = 'paper' and (slack_1 <= 0 or slack_2 <= 0)",
        "select * from runs anti join evaluation_queries using (query_id)",
        "select * from evaluation_queries join positives using (query_id)",
    ],
)
def test_invariants(built: tuple[str, Stages, dict[str, list[Any]]], offending: str) -> None:
    _, stages, _ = built
    assert stages.rows(offending) == []


def test_what_does_not_exist_is_set_aside(built: tuple[str, Stages, dict[str, list[Any]]]) -> None:
    _, _, tables = built
    assert [row["problem"] for row in tables["unknown_judgments"]] == ["unknown_document"]
    assert [row["problem"] for row in tables["unknown_impressions"]] == ["unknown_query"]
