"""Fused scores beside RRF, against numpy and by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_stages import Stages

from hnm.errors import TemplateError

DATABASE = Stages()
RETRIEVERS = ["a", "b", "c"]
METHODS = ["min_max", "z_score", "borda", "isr", "rrf"]

Lists = dict[str, dict[str, float]]
"""By retriever: the documents that it returned for one query, and their scores."""


def ranked(scores: dict[str, float]) -> dict[str, int]:
    return {name: rank for rank, name in enumerate(sorted(scores, key=lambda name: (-scores[name], name)), 1)}


def fuse(
    lists: Lists, method: str, weights: dict[str, float] | None = None, extra: Lists | None = None
) -> dict[str, float | None]:
    """What the macros give for query q; `extra` are the lists of another one. The document `drawn` is a random one."""
    stages, rows = DATABASE, []
    for query, of_query in (("q", lists), ("other", extra or {})):
        for name in sorted({name for scores in of_query.values() for name in scores} | {"drawn"}):
            row: list[Any] = [query, name]
            for retriever in RETRIEVERS:
                scores = of_query.get(retriever, {})
                row += [ranked(scores).get(name), scores.get(name)]
            rows.append(tuple(row))
    columns = ", ".join(f"rank_{name} integer, score_{name} float" for name in RETRIEVERS)
    stages.give("pooled", rows, f"query_id varchar, doc_id varchar, {columns}")
    variables = {"retrievers": RETRIEVERS, "fusions": [{"name": "x", "method": method, "weights": weights or {}}]}
    scaled = stages.macro("scaled_scores(var('retrievers'))", **variables)
    fused = stages.macro("fused_columns(var('fusions'), var('retrievers'))", **variables)
    made = stages.rows(f"select query_id, doc_id, {fused} from (select *, {scaled} from pooled)")
    return {row["doc_id"]: row["fused_x"] for row in made if row["query_id"] == "q"}


def expected(lists: Lists, method: str, weights: dict[str, float] | None = None) -> dict[str, float | None]:
    """The same in numpy."""
    given_weights = {name: (weights or {}).get(name, 1) for name in RETRIEVERS}
    fused = [name for name in RETRIEVERS if given_weights[name] > 0]
    pool = sorted({name for retriever in fused for name in lists.get(retriever, {})})
    total = np.zeros(len(pool))
    for retriever in fused:
        scores = lists.get(retriever, {})
        ranks = ranked(scores)
        values = np.array([scores.get(name, np.nan) for name in pool], np.float32).astype(float)
        places = np.array([ranks.get(name, np.nan) for name in pool], float)
        total += given_weights[retriever] * POINTS[method](values, places)
    if method == "isr":
        total *= [sum(name in lists.get(retriever, {}) for retriever in fused) for name in pool]
    mean = total / sum(given_weights.values())
    every = {name for scores in lists.values() for name in scores} | {"drawn"}
    return dict.fromkeys(every) | dict(zip(pool, mean.tolist(), strict=True))


def min_max(scores: Any, ranks: Any) -> Any:
    if np.isnan(scores).all():
        return np.zeros(len(scores))
    low, high = np.nanmin(scores), np.nanmax(scores)
    return np.nan_to_num((scores - low) / (high - low) if low < high else scores * 0 + 1)


def z_score(scores: Any, ranks: Any) -> Any:
    if np.isnan(scores).all() or np.nanmin(scores) == np.nanmax(scores):
        return np.zeros(len(scores))
    return (np.where(np.isnan(scores), np.nanmin(scores), scores) - np.nanmean(scores)) / np.nanstd(scores)


def borda(scores: Any, ranks: Any) -> Any:
    n, missing = len(ranks), np.isnan(ranks)
    rest = [n - rank + 1 for rank in range(int((~missing).sum()) + 1, n + 1)]
    return np.where(missing, np.mean(rest) if rest else 0, n - ranks + 1)


POINTS = {
    "min_max": min_max,
    "z_score": z_score,
    "borda": borda,
    "isr": lambda scores, ranks: np.nan_to_num(1 / ranks**2),
    "rrf": lambda scores, ranks: np.nan_to_num(1 / (60 + ranks)),
}

some_lists = st.dictionaries(
    st.sampled_from(RETRIEVERS),
    st.dictionaries(st.sampled_from("pqrstü"), st.floats(-8, 8, width=16), max_size=6),
    max_size=3,
)
some_weights = st.dictionaries(st.sampled_from(RETRIEVERS[:2]), st.sampled_from([0, 0.5, 1, 3]))


def same(left: dict[str, float | None], right: dict[str, float | None]) -> bool:
    return left.keys() == right.keys() and all(
        right[name] is None if value is None else value == pytest.approx(right[name], rel=1e-6, abs=1e-6)
        for name, value in left.items()
    )


@given(some_lists, st.sampled_from(METHODS), some_weights)
@settings(max_examples=150, deadline=None)
def test_points_equal_numpy(lists: Lists, method: str, weights: dict[str, float]) -> None:
    assert same(fuse(lists, method, weights), expected(lists, method, weights))


@given(some_lists, some_lists, st.sampled_from(METHODS), some_weights)
@settings(max_examples=50, deadline=None)
def test_a_query_is_fused_for_itself(lists: Lists, extra: Lists, method: str, weights: dict[str, float]) -> None:
    assert fuse(lists, method, weights) == fuse(lists, method, weights, extra)


@given(some_lists, st.sampled_from(METHODS))
@settings(max_examples=50, deadline=None)
def test_a_weight_of_zero_leaves_the_retriever_out(lists: Lists, method: str) -> None:
    without = {name: scores for name, scores in lists.items() if name != "a"}
    left_out = fuse(lists, method, {"a": 0})
    # Its own documents are still candidates, and have no fused score. A weight of 1 for an empty list dilutes the mean.
    kept = fuse(without, method, {"a": 0})
    assert {name: value for name, value in left_out.items() if value is not None} == {
        name: value for name, value in kept.items() if value is not None
    }


@given(
    st.dictionaries(st.sampled_from("pqrstu"), st.floats(-8, 8, width=16), min_size=1, max_size=6),
    st.sampled_from(METHODS),
)
@settings(max_examples=50, deadline=None)
def test_one_retriever_keeps_its_order(scores: dict[str, float], method: str) -> None:
    fused = {name: value for name, value in fuse({"a": scores}, method, {"b": 0, "c": 0}).items() if value is not None}
    by_fusion = sorted(fused, key=lambda name: (-(fused[name] or 0), name))
    if method in ("min_max", "z_score"):  # scores that are equal stay equal
        assert [scores[name] for name in by_fusion] == sorted(scores.values(), reverse=True)
    else:
        assert by_fusion == sorted(scores, key=lambda name: (-scores[name], name))


@pytest.mark.parametrize("method", METHODS)
def test_only_the_ratios_of_weights_count(method: str) -> None:
    lists = {"a": {"p": 3.0, "q": 1.0, "r": 0.5}, "b": {"q": 9.0, "s": 2.0}, "c": {"r": 0.1}}
    assert same(fuse(lists, method, {"a": 2, "b": 1, "c": 4}), fuse(lists, method, {"a": 0.5, "b": 0.25, "c": 1}))


def test_by_hand() -> None:
    lists = {"a": {"p": 4.0, "q": 2.0, "r": 1.0}, "b": {"q": 0.9, "s": 0.5}}
    # Of four documents, a gives 4, 3, 2 points and 1 to s; b gives 4, 3 and to both others (2 + 1) / 2.
    points = fuse(lists, "borda", {"c": 0})
    assert points == {"p": (4 + 1.5) / 2, "q": (3 + 4) / 2, "r": (2 + 1.5) / 2, "s": (1 + 3) / 2, "drawn": None}
    assert fuse(lists, "isr", {"a": 3, "c": 0})["q"] == pytest.approx(2 * (0.75 / 4 + 0.25 / 1))
    assert fuse(lists, "min_max", {"c": 0})["q"] == pytest.approx((1 / 3 + 1) / 2)


def test_scores_that_hardly_differ_keep_their_deviations() -> None:
    close = {name: 0.5 + i * 2.0**-20 for i, name in enumerate("pqr")}
    fused = fuse({"a": close}, "z_score", {"b": 0, "c": 0})
    assert [fused[name] for name in "pqr"] == pytest.approx([-(1.5**0.5), 0, 1.5**0.5], abs=1e-6)


def stage(stages: Stages, fusions: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    stages.give_texts({"p": "one", "d": "two", "e": "three"}, {"q": "a query"})
    stages.give_vectors({"p": [0.6, 0.8], "d": [0.8, 0.6], "e": [0.0, 1.0]}, {"q": [1.0, 0.0]})
    stages.give("positives", [("q", "p", 1, 1.0, "train")])
    found = [("q", "d", "bm25", 1, 9.5), ("q", "p", "bm25", 2, 3.0), ("q", "p", "minilm", 1, 0.7)]
    stages.give("candidates", [*found, ("q", "e", "random", 1, 0.0)])
    return stages.build("scored_candidates", **({} if fusions is None else {"fusions": fusions}))


def test_columns_come_only_where_they_are_asked_for(stages: Stages) -> None:
    plain = stage(stages, None)
    assert [name for name in plain[0] if name.startswith("fused_")] == ["fused_score"]
    fusions = [
        {"name": "lexical", "method": "min_max", "weights": {"minilm": 0}},
        {"name": "both", "method": "rrf"},
    ]
    rows = stage(stages, fusions)
    assert [{name: row[name] for name in plain[0]} for row in rows] == plain
    assert [name for name in rows[0] if name not in plain[0]] == ["fused_lexical", "fused_both"]
    assert [(row["doc_id"], row["fused_lexical"]) for row in rows] == [("d", 1), ("e", None), ("p", 0)]
    assert [row["fused_both"] for row in rows if row["agreement"]] == pytest.approx(
        [row["rrf"] / 2 for row in rows if row["agreement"]]
    )


@pytest.mark.parametrize(
    ("fusion", "words"),
    [
        ("min_max", "needs at least `name` and `method`"),
        ({"name": "x"}, "needs at least `name` and `method`"),
        ({"name": "x y", "method": "rrf"}, "letters, digits and underscores"),
        ({"name": "score", "method": "rrf"}, "cannot be named 'score'"),
        ({"name": "x", "method": "comb"}, "no macro 'fuse_comb'"),
        ({"name": "x", "method": "rrf", "k": 3}, "no setting 'k'"),
        ({"name": "x", "method": "rrf", "weights": {"bert": 1}}, "'bert' is no retriever"),
        ({"name": "x", "method": "rrf", "weights": {"bm25": -1}}, "must be a number from 0"),
        ({"name": "x", "method": "rrf", "weights": {"bm25": "1"}}, "must be a number from 0"),
        ({"name": "x", "method": "rrf", "weights": {"bm25": 0, "minilm": 0}}, "leaves all retrievers out"),
    ],
)
def test_what_cannot_be_meant_is_refused(stages: Stages, fusion: Any, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        stages.render("scored_candidates", fusions=[fusion])


def test_two_fusions_of_one_name_are_refused(stages: Stages) -> None:
    with pytest.raises(TemplateError, match="two fusions are named 'X'"):
        stages.render("scored_candidates", fusions=[{"name": name, "method": "rrf"} for name in "xX"])


# What PCA changed.


def fidelity(made: dict[str, np.ndarray], exact: dict[str, np.ndarray], queries: int, documents: int) -> dict[str, Any]:
    """The stage's row for vectors of queries q0, q1, … and documents d0, d1, …, every document being a candidate."""
    stages = Stages()
    asked, found = [f"q{i}" for i in range(queries)], [f"d{i}" for i in range(documents)]
    for table, vectors in (("ensemble", made), ("ensemble_exact", exact)):
        rows = [("query" if name in asked else "document", name, vectors[name].tolist()) for name in (*asked, *found)]
        stages.give(table, rows, f"kind varchar, id varchar, vector float[{len(vectors['d0'])}]")
    # Found by two retrievers, and yet one pair.
    both = [(query, name, retriever, 1, 1.0) for query in asked for name in found for retriever in ("bm25", "minilm")]
    stages.give("candidates", both)
    (row,) = stages.build("ensemble_fidelity")
    return row


def test_fidelity_equals_scipy() -> None:
    from scipy.stats import spearmanr

    random = np.random.default_rng(0)
    exact = {name: random.normal(size=6) for name in [*(f"q{i}" for i in range(4)), *(f"d{i}" for i in range(30))]}
    exact["d1"] = exact["d0"]  # a copy: equal cosines
    made = {name: vector[:4] + 0.2 for name, vector in exact.items()}

    def cosines(vectors: dict[str, np.ndarray]) -> np.ndarray:
        rows = np.array([vectors[f"d{i}"] for i in range(30)])
        asked = np.array([vectors[f"q{i}"] for i in range(4)])
        return (asked @ rows.T) / np.outer(np.linalg.norm(asked, axis=1), np.linalg.norm(rows, axis=1))

    new, old = cosines(made), cosines(exact)
    row = fidelity(made, exact, 4, 30)
    assert (row["queries"], row["pairs"]) == (4, 120)
    assert row["mean_difference"] == pytest.approx((new - old).mean(), abs=1e-6)
    assert row["mean_absolute_difference"] == pytest.approx(np.abs(new - old).mean(), abs=1e-6)
    assert row["max_absolute_difference"] == pytest.approx(np.abs(new - old).max(), abs=1e-6)
    correlations = [spearmanr(np.round(a, 6), np.round(b, 6)).statistic for a, b in zip(new, old, strict=True)]
    assert row["rank_correlation"] == pytest.approx(np.mean(correlations), abs=1e-6)
    tops = [set(np.argsort(-a)[:10]) & set(np.argsort(-b)[:10]) for a, b in zip(new, old, strict=True)]
    assert row["top_10_overlap"] == pytest.approx(np.mean([len(top) / 10 for top in tops]), abs=0.026)


def test_the_same_vectors_are_of_full_fidelity() -> None:
    vectors = {name: np.array([i + 1.0, 1.0]) for i, name in enumerate(["q0", "d0", "d1", "d2"])}
    assert fidelity(vectors, {name: vector * 2 for name, vector in vectors.items()}, 1, 3) == {
        "queries": 1,
        "pairs": 3,
        "mean_difference": pytest.approx(0, abs=1e-7),
        "mean_absolute_difference": pytest.approx(0, abs=1e-7),
        "max_absolute_difference": pytest.approx(0, abs=1e-6),
        "rank_correlation": pytest.approx(1),
        "top_10_overlap": 1,
    }


def test_without_candidates_fidelity_is_unknown(stages: Stages) -> None:
    for table in ("ensemble", "ensemble_exact"):
        stages.give(table, [], "kind varchar, id varchar, vector float[2]")
    stages.give("candidates", [])
    (row,) = stages.build("ensemble_fidelity")
    assert (row.pop("queries"), row.pop("pairs"), set(row.values())) == (0, 0, {None})


# Passages, mapped back to documents.


def test_a_document_scores_as_its_best_passage(stages: Stages) -> None:
    owners = [("a", "a#1"), ("a", "a#2"), ("b", "b#1"), ("é", "é#1"), ("unseen", "unseen#1")]
    stages.give("passages", owners, "doc_id varchar, passage_id varchar")
    scores = [("q", "b#1", 0.9), ("q", "a#2", 0.8), ("q", "a#1", 0.9), ("q", "é#1", 0.1), ("r", "é#1", -0.5)]
    stages.give("candidates", [(query, name, "passages", 1, score) for query, name, score in scores])
    for top_k, kept in ((100, 3), (2, 2)):
        sql = stages.macro(f"best_passage(ref('candidates'), ref('passages'), 'minilm', {top_k})")
        assert [tuple(row.values()) for row in stages.rows(f"from ({sql}) order by query_id, rank")] == [
            *[("q", "a", "minilm", 1, pytest.approx(0.9)), ("q", "b", "minilm", 2, pytest.approx(0.9))],
            *[("q", "é", "minilm", 3, pytest.approx(0.1))][: kept - 2],
            ("r", "é", "minilm", 1, -0.5),
        ]
    types = stages.rows(f"select column_type from (describe {sql})")
    assert [row["column_type"] for row in types] == ["VARCHAR", "VARCHAR", "VARCHAR", "INTEGER", "FLOAT"]
