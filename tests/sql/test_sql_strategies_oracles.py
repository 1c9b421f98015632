"""Rules held to other people's code and to numpy: sentence-transformers' miner, quantiles, MMR, probabilities."""

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mined import candidate, kept, mine
from sql_stages import Row, Stages

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

QUERIES, DOCUMENTS = 12, 40


# sentence-transformers' mine_hard_negatives


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[float]]:
    """A direction for every query q0, q1, ... and document d0, d1, ...; the positive of q5 lies nearly opposite."""
    rng = np.random.default_rng(7)
    documents = rng.normal(size=(DOCUMENTS, 5))
    queries = documents[:QUERIES] + rng.normal(size=(QUERIES, 5))
    queries[5] = -documents[5] + rng.normal(size=5) / 4
    return {
        **{f"q{i}": row.tolist() for i, row in enumerate(queries)},
        **{f"d{i}": row.tolist() for i, row in enumerate(documents)},
    }


@pytest.fixture(scope="module")
def model(vectors: dict[str, list[float]]) -> "SentenceTransformer":
    """A model that gives each text, which is one word, the vector of that name."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({name: place for place, name in enumerate(vectors)}))
    tokenizer.pre_tokenizer = Whitespace()
    weights = np.array(list(vectors.values()), dtype=np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu")


@pytest.fixture(scope="module")
def retrieved(vectors: dict[str, list[float]]) -> Stages:
    """scored_candidates, in which a retriever returned every document for every query; d<i> is the positive of q<i>."""
    stages = Stages()
    queries = {name: vector for name, vector in vectors.items() if name[0] == "q"}
    documents = {name: vector for name, vector in vectors.items() if name[0] == "d"}
    stages.give_texts({name: name for name in documents}, {name: name for name in queries})
    stages.give_vectors(documents, queries)
    stages.give("positives", [(name, f"d{name[1:]}", 1, 1.0, "train") for name in queries])
    stages.give("candidates", [(query, name, "bm25", 1, 1.0) for query in queries for name in documents])
    stages.build("scored_candidates")
    return stages


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ({"rule": "below_positive_margin", "margin": 0.0}, {"absolute_margin": 0.0}),
        ({"rule": "below_positive_margin", "margin": 0.25}, {"absolute_margin": 0.25}),
        ({"rule": "below_positive_share", "share": 0.95}, {"relative_margin": 0.05}),
        ({"rule": "below_positive_share", "share": 0.5}, {"relative_margin": 0.5}),
        ({"rule": "below_score", "threshold": 0.3}, {"max_score": 0.3}),
        ({"rule": "above_score", "threshold": 0.6}, {"min_score": 0.6}),
        ({"rule": "shifted_window", "from": 5, "to": 15}, {"range_min": 5, "range_max": 15}),
        ({"rule": "shifted_window", "from": 0, "to": 3}, {"range_min": 0, "range_max": 3}),
        ({"rule": "top"}, {}),
    ],
)
@pytest.mark.parametrize("negatives", [1, 3])
def test_sentence_transformers_takes_the_same(
    retrieved: Stages,
    model: "SentenceTransformer",
    vectors: dict[str, list[float]],
    strategy: dict[str, Any],
    settings: dict[str, Any],
    negatives: int,
) -> None:
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    queries = [f"q{i}" for i in range(QUERIES)]
    mined = mine_hard_negatives(
        Dataset.from_dict({"anchor": queries, "positive": [f"d{i}" for i in range(QUERIES)]}),
        model,
        corpus=[name for name in vectors if name[0] == "d"],
        num_negatives=negatives,
        verbose=False,
        **{"range_max": DOCUMENTS, **settings},
    )
    theirs = [(row["anchor"], row["positive"], row["negative"]) for row in mined]
    rows = retrieved.build("negatives", strategies=[{"name": "n", "per_positive": negatives, **strategy}])
    assert sorted(chosen(rows)) == sorted(theirs)
    assert theirs


def chosen(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(row["query_id"], row["positive_id"], row["doc_id"]) for row in rows if row["exclusion_reason"] is None]


# numpy


@pytest.mark.parametrize("percentile", [0, 12.5, 50, 90, 99.9, 100])
def test_percentile_is_numpys_quantile(percentile: float) -> None:
    scores = np.random.default_rng(1).random((20, 31)).astype(np.float32)
    rows = [
        candidate(f"d{j:02}", float(1 - score), pair=(f"q{i:02}", "p"))
        for i, row in enumerate(scores)
        for j, score in enumerate(row)
    ]
    stages = Stages()
    strategy = {"name": "n", "rule": "below_percentile", "percentile": percentile, "per_positive": 99}
    found = mine(stages, rows, strategy)
    stored = np.array([row["fused_score"] for row in found]).reshape(scores.shape)
    bound = np.quantile(stored, percentile / 100, axis=1, keepdims=True)
    outcome = np.array([row["exclusion_reason"] is None for row in found]).reshape(scores.shape)
    assert (outcome == (stored <= bound + 1e-12)).all()


def retrieved_at_random(seed: int) -> tuple[Stages, dict[str, list[float]], dict[str, list[float]]]:
    """scored_candidates of every document for every query, and the vectors of both; d00 is everyone's positive."""
    rng, stages = np.random.default_rng(seed), Stages()
    documents = {f"d{i:02}": rng.normal(size=3).tolist() for i in range(15)}
    queries = {f"q{i}": rng.normal(size=3).tolist() for i in range(6)}
    stages.give_texts({name: name for name in documents}, {name: name for name in queries})
    stages.give_vectors(documents, queries)
    stages.give("positives", [(name, "d00", 1, 1.0, "train") for name in queries])
    stages.give("candidates", [(query, name, "bm25", 1, 1.0) for query in queries for name in documents])
    stages.build("scored_candidates")
    return stages, documents, queries


@pytest.mark.parametrize("weight", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("pool", [1, 5, 20])
def test_mmr_equals_greedy_search(weight: float, pool: int) -> None:
    stages, documents, queries = retrieved_at_random(pool)
    strategy = {"name": "mmr", "rule": "mmr", "lambda": weight, "pool": pool, "per_positive": min(pool, 4)}
    found = stages.build("negatives", strategies=[strategy])
    for query, vector in queries.items():
        expected = greedy(unit(vector), {name: unit(v) for name, v in documents.items() if name != "d00"}, weight, pool)
        assert [name for _, name in kept([row for row in found if row["query_id"] == query])] == expected[:4]
        ranks = {row["selected_rank"]: row["doc_id"] for row in found if row["query_id"] == query}
        assert [ranks[place + 1] for place in range(len(expected))] == expected


def unit(vector: list[float]) -> np.ndarray:
    return np.asarray(vector) / np.linalg.norm(vector)


def greedy(query: np.ndarray, documents: dict[str, np.ndarray], weight: float, pool: int) -> list[str]:
    """Maximal marginal relevance, as it is defined."""
    left = sorted(documents, key=lambda name: -float(query @ documents[name]))[:pool]
    taken: list[str] = []
    while left:
        gains = [
            weight * query @ documents[name]
            - (1 - weight) * max((documents[name] @ documents[other] for other in taken), default=0.0)
            for name in left
        ]
        taken.append(left.pop(int(np.argmax(gains))))
    return taken


# Probabilities of draws: 5,000 queries with the same candidates, and each rule's formula in numpy.

PAIRS = 5_000
D_QUERY, D_POSITIVE = np.array([0.3, 0.45, 0.5, 0.6, 0.8]), np.array([0.25, 0.15, 0.55, 0.2, 0.1])


def drawn_first(strategy: dict[str, Any], per_positive: int = 1) -> np.ndarray:
    """The share of pairs in which each of five candidates was kept; the positive is at 0.5."""
    stages = Stages()
    stages.connection.execute(f"""
        create table scored_candidates as
        select
            'q' || query as query_id, 'p' as positive_id, 'd' || place as doc_id, 'train' as split,
            ({D_QUERY.tolist()})[place]::float as d_query_doc, 0.5::float as d_query_positive,
            ({D_POSITIVE.tolist()})[place]::float as d_positive_doc, (1 - d_query_doc)::float as fused_score,
            0.0 as rrf, 1 as agreement, null::integer as rank_random, 1.0 as score_bm25, 1.0 as score_minilm,
            false as is_known_positive, false as is_positive_copy,
        from range({PAIRS}) as queries (query), range(1, 6) as places (place)
    """)
    stages.build("negatives", strategies=[{"name": "n", "per_positive": per_positive, **strategy}])
    rows = stages.rows(
        "select count(*) filter (exclusion_reason is null) as n from negatives group by doc_id order by doc_id"
    )
    return np.array([row["n"] for row in rows]) / PAIRS


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """Within four standard deviations of a sample of this size."""
    return bool((np.abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / PAIRS) + 1e-9).all())


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (50, 0), (50, 0.1), (200, -0.2)])
def test_simans_draws_by_its_formula(a: float, b: float) -> None:
    weights = np.exp(-a * ((1 - D_QUERY) - 0.5 - b) ** 2)
    assert close(drawn_first({"rule": "simans", "a": a, "b": b}), weights / weights.sum())


def test_simans_draws_two_without_replacement() -> None:
    weights = np.exp(-50 * (0.5 - D_QUERY) ** 2)
    share = weights / weights.sum()
    both = np.zeros(5)
    for i, j in combinations(range(5), 2):
        both[[i, j]] += share[i] * share[j] / (1 - share[i]) + share[j] * share[i] / (1 - share[j])
    assert close(drawn_first({"rule": "simans"}, per_positive=2), both)


def test_trisampler_draws_by_its_formula() -> None:
    score, positive, between = 1 - D_QUERY, 0.5, 1 - D_POSITIVE
    weights = np.exp(-((score - positive) ** 2) / 4) * np.maximum(between - score, 0)
    angles = np.degrees(np.abs(np.arccos(positive) - np.arccos(score)))
    for degrees in (60, 10):
        allowed = weights * (angles <= degrees)
        assert close(drawn_first({"rule": "trisampler", "degrees": degrees}), allowed / allowed.sum())


def test_sampled_top_draws_uniformly() -> None:
    assert close(drawn_first({"rule": "sampled_top"}), np.full(5, 0.2))
    assert close(drawn_first({"rule": "sampled_top", "seed": 7, "from": 1, "to": 4}), np.array([0, 1, 1, 1, 0]) / 3)


@pytest.mark.parametrize("min_cosine", [-1, 0.2, 0.8, 1])
@pytest.mark.parametrize("per_cluster", [1, 2])
def test_clustered_top_equals_the_leader_algorithm(min_cosine: float, per_cluster: int) -> None:
    stages, documents, queries = retrieved_at_random(per_cluster)
    settings = {"min_cosine": min_cosine, "per_cluster": per_cluster, "pool": 10, "per_positive": 10}
    found = stages.build("negatives", strategies=[{"name": "clusters", "rule": "clustered_top", **settings}])
    vectors = {name: unit(vector) for name, vector in documents.items() if name != "d00"}
    for query, vector in queries.items():
        scores = {name: float(unit(vector) @ other) for name, other in vectors.items()}
        pool = sorted(vectors, key=scores.__getitem__, reverse=True)[:10]
        sizes: dict[str, int] = {}
        expected = []
        for name in pool:
            alike = (leader for leader in sizes if leader == name or vectors[name] @ vectors[leader] >= min_cosine)
            leader = next(alike, name)
            sizes[leader] = sizes.get(leader, 0) + 1
            if sizes[leader] <= per_cluster:
                expected.append(name)
        assert [name for _, name in kept([row for row in found if row["query_id"] == query])] == expected
