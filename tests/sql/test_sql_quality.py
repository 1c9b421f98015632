"""triplets, negative_measures, negative_quality(_by_query), negative_ranks, retriever_overlap, exclusion_funnel."""

from typing import Any

import pytest
from sql_stages import Stages, select

STRATEGIES = [
    {"name": "paper", "rule": "dual_criterion", "per_positive": 2},
    {"name": "top", "rule": "top", "per_positive": 2},
    {"name": "empty", "rule": "top", "by": "score_minilm"},
]
DOCUMENTS = {
    "p": [0.6, 0.8],  # the positive of q, at 0.6 of it
    "p2": [0.0, 1.0],  # a second positive of q, at 0
    "a": [0.8, 0.6],  # 0.8 of q, 0.96 of p
    "b": [0.8, -0.6],  # 0.8 of q, 0 of p, -0.6 of p2
    "c": [0.28, 0.96],  # 0.28 of q
}
TEXTS = {"p": "one two", "p2": "six", "a": "one two three four", "b": "five", "c": "query"}


@pytest.fixture
def mined(stages: Stages) -> Stages:
    """One query with two positives, another query without any candidate, and three strategies."""
    stages.give_texts(TEXTS, {"q": "query five", "lonely": "nothing"})
    stages.give_vectors(DOCUMENTS, {"q": [1.0, 0.0], "lonely": [0.0, 1.0]})
    stages.give(
        "positives", [("q", "p", 1, 0.5, "train"), ("q", "p2", 2, 0.25, "train"), ("lonely", "p", 1, 1.0, "dev")]
    )
    stages.give("judgments", [("q", "a", 1), ("q", "b", 0), ("q", "p", 1)])
    stages.give("candidates", [("q", name, "bm25", i + 1, 9.0 - i) for i, name in enumerate("pabc")])
    stages.build("scored_candidates")
    stages.build("negatives", strategies=STRATEGIES)
    stages.build("negative_measures")
    stages.build("negative_quality_by_query", strategies=STRATEGIES)
    return stages


def test_triplets_carry_texts_in_a_fixed_order(mined: Stages) -> None:
    mined.build("triplets")
    rows = mined.rows("from triplets")  # as stored
    assert select(rows, "positive_id", "strategy", "selected_rank", "negative_id") == [
        ("p", "paper", 1, "b"),
        ("p", "top", 1, "a"),
        ("p", "top", 2, "b"),
        ("p2", "paper", 1, "a"),
        ("p2", "paper", 2, "b"),
        ("p2", "top", 1, "a"),
        ("p2", "top", 2, "b"),
    ]
    assert select(rows[:1], "query", "positive", "negative", "weight", "split") == [
        ("query five", "one two", "five", 0.5, "train")
    ]
    assert rows[0]["d_query_doc"] == pytest.approx(0.2)


def test_measures_of_one_negative_by_hand(mined: Stages) -> None:
    (row,) = mined.rows("from negative_measures where strategy = 'paper' and positive_id = 'p'")
    assert row == {
        "query_id": "q",
        "positive_id": "p",
        "doc_id": "b",
        "strategy": "paper",
        "split": "train",
        "selected_rank": 1,
        "hardness": pytest.approx(0.8 / 0.6),
        "margin": pytest.approx(-0.2),
        "is_inverted": True,
        "slack_1": pytest.approx(0.2),
        "slack_2": pytest.approx(0.8),
        "agreement": 0.5,
        "lexical_overlap_query": 0.5,
        "lexical_overlap_positive": 0,
        "is_near_duplicate": False,
        "is_label_conflict": False,
        "is_judged_positive": False,
        "rank_bm25": 3,
        "rank_minilm": None,
    }


def test_scores_are_compared_with_the_best_positive_and_distances_with_the_own_one(mined: Stages) -> None:
    (row,) = mined.rows("from negative_measures where strategy = 'paper' and positive_id = 'p2' and doc_id = 'b'")
    assert row["margin"] == pytest.approx(-0.2)
    assert row["slack_1"] == pytest.approx(1 - 0.2)
    assert row["slack_2"] == pytest.approx(1.6 - 0.2)


def test_near_duplicates_and_false_negatives_are_seen(mined: Stages) -> None:
    (row,) = mined.rows("from negative_measures where strategy = 'top' and positive_id = 'p' and doc_id = 'a'")
    assert row["is_near_duplicate"]
    assert row["is_judged_positive"]
    assert row["lexical_overlap_positive"] == 0.5
    mined.build("negative_measures", near_duplicate_cosine=0.97)
    assert not mined.rows("from negative_measures where is_near_duplicate")


def test_label_conflict_is_measured_apart_from_the_rule(mined: Stages) -> None:
    mined.connection.execute("update negatives set exclusion_reason = null where doc_id = 'p' and positive_id = 'p2'")
    mined.build("negative_measures")
    mined.build("negative_quality_by_query", strategies=STRATEGIES)
    found = select(mined.build("negative_quality"), "strategy", "label_conflicts")
    assert found == [("empty", 0), ("paper", 1), ("top", 1)]


def test_quality_by_query_by_hand(mined: Stages) -> None:
    rows = {(row["strategy"], row["query_id"]): row for row in mined.rows("from negative_quality_by_query")}
    assert len(rows) == 6
    top = rows["top", "q"]
    assert (top["split"], top["pairs"], top["pairs_with_negatives"], top["negatives"]) == ("train", 2, 2, 4)
    assert top["hardness"] == pytest.approx(0.8 / 0.6)
    assert top["slack_1"] == pytest.approx((0.2 + 0.2 + 0.8 + 0.8) / 4)
    # a (twice): d(p, a) = 0.04 and d(p2, a) = 0.4; b: 1 and 1.6.
    assert top["slack_2"] == pytest.approx((0.04 + 0.4 + 1 + 1.6) / 4 - 0.2)
    assert top["near_duplicate_rate"] == 0.25
    assert top["judged_positive_rate"] == 0.5
    # The two different negatives a and b have the cosine 0.64 - 0.36.
    assert top["diversity"] == pytest.approx(1 - 0.28)
    lonely = rows["top", "lonely"]
    assert (lonely["pairs"], lonely["pairs_with_negatives"], lonely["negatives"]) == (1, 0, 0)
    assert lonely["hardness"] is lonely["diversity"] is None
    assert rows["empty", "q"]["negatives"] == 0


def test_quality_by_hand(mined: Stages) -> None:
    empty, paper, top = mined.build("negative_quality")
    assert select([empty, paper, top], "strategy", "queries", "pairs", "negatives") == [
        ("empty", 2, 3, 0),
        ("paper", 2, 3, 3),
        ("top", 2, 3, 4),
    ]
    assert (top["coverage"], top["pair_coverage"], top["yield"]) == (0.5, pytest.approx(2 / 3), pytest.approx(4 / 3))
    assert (paper["hubness_max"], paper["hubness_gini"]) == (2, pytest.approx(2 * (1 * 1 + 2 * 2) / (2 * 3) - 3 / 2))
    assert (top["hubness_max"], top["hubness_gini"]) == (2, 0)
    assert [top[name] for name in ("margin", "margin_p05", "margin_p50", "margin_p95")] == pytest.approx([-0.2] * 4)
    assert top["inversion_rate"] == 1
    assert (empty["coverage"], empty["yield"], empty["hardness"], empty["label_conflicts"]) == (0, 0, None, 0)


def test_every_mean_and_quantile_of_a_strategy_by_hand(mined: Stages) -> None:
    """The strategy top keeps a and b for p and for p2: see DOCUMENTS for the cosines, TEXTS for the words."""
    (top,) = (row for row in mined.build("negative_quality") if row["strategy"] == "top")
    assert {name: top[name] for name in top if not name[-2:].isdigit()} == {
        "strategy": "top",
        "queries": 2,
        "pairs": 3,
        "negatives": 4,
        "coverage": 0.5,
        "pair_coverage": pytest.approx(2 / 3),
        "yield": pytest.approx(4 / 3),
        "hardness": pytest.approx(0.8 / 0.6),
        "margin": pytest.approx(-0.2),
        "inversion_rate": 1,
        "slack_1": pytest.approx((0.2 + 0.2 + 0.8 + 0.8) / 4),
        "slack_2": pytest.approx((-0.16 + 0.2 + 0.8 + 1.4) / 4),
        "agreement": 0.5,  # one retriever of two
        "lexical_overlap_query": pytest.approx((0 + 0 + 0.5 + 0.5) / 4),
        "lexical_overlap_positive": pytest.approx((0.5 + 0 + 0 + 0) / 4),
        "near_duplicate_rate": 0.25,
        "diversity": pytest.approx(1 - 0.28),
        "hubness_max": 2,
        "hubness_gini": 0,
        "label_conflicts": 0,
        "judged_positive_rate": 0.5,
    }
    # Linear interpolation between the neighbours in 0.2, 0.2, 0.8, 0.8 and in -0.16, 0.2, 0.8, 1.4.
    percents = ("05", "25", "50", "75", "95")
    assert [top[f"slack_1_p{percent}"] for percent in percents] == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])
    assert [top[f"slack_2_p{percent}"] for percent in percents] == pytest.approx([-0.106, 0.11, 0.5, 0.95, 1.31])


def test_quantiles_of_the_margin_by_hand(mined: Stages) -> None:
    """Of the margins -0.2 (a and b) and 0.6 - 0.28 (c)."""
    strategies = [{"name": "top", "rule": "top", "per_positive": 3}]
    mined.connection.execute("delete from scored_candidates where positive_id = 'p2'")
    mined.build("negatives", strategies=strategies)
    mined.build("negative_measures")
    mined.build("negative_quality_by_query", strategies=strategies)
    (top,) = mined.build("negative_quality")
    found = [top[f"margin_p{percent}"] for percent in ("05", "25", "50", "75", "95")]
    assert found == pytest.approx([-0.2, -0.2, -0.2, 0.06, -0.2 + 0.9 * 0.52])


def test_the_best_positive_may_be_one_that_nothing_was_mined_for(mined: Stages) -> None:
    mined.give("positives", [("q", "c", 1, 0.5, "train"), ("q", "p", 2, 0.25, "train")])
    mined.build("scored_candidates", positives_per_query=1)
    mined.build("negatives", strategies=STRATEGIES)
    rows = mined.build("negative_measures")
    assert {row["positive_id"] for row in rows} == {"c"}
    assert {row["doc_id"] for row in rows} == {"a", "b"}
    for row in rows:
        assert row["margin"] == pytest.approx(0.6 - 0.8)
        assert row["slack_1"] == pytest.approx(0.72 - 0.2)


def test_hardness_needs_a_positive_score(stages: Stages) -> None:
    stages.give_texts({"p": "p", "a": "a"}, {"q": "q"})
    stages.give_vectors({"p": [-1.0, 0.0], "a": [1.0, 0.0]}, {"q": [1.0, 0.0]})
    stages.give("positives", [("q", "p", 1)])
    stages.give("judgments")
    stages.give("candidates", [("q", "a", "bm25", 1, 1.0)])
    stages.build("scored_candidates")
    stages.build("negatives", strategies=STRATEGIES)
    assert select(stages.build("negative_measures"), "hardness", "margin") == [(None, -2), (None, -2)]


def test_the_median_of_the_hardness_is_not_moved_by_a_positive_that_scores_near_0(mined: Stages) -> None:
    mined.connection.execute(
        "insert into negative_measures by name (select * replace (1e6 as hardness) "
        "from negative_measures where strategy = 'top' limit 1)"
    )
    (top,) = (row for row in mined.build("negative_quality") if row["strategy"] == "top")
    assert top["hardness"] > 1e5
    assert top["hardness_p50"] == pytest.approx(0.8 / 0.6)


def test_exclusion_funnel_by_hand(mined: Stages) -> None:
    rows = mined.build("exclusion_funnel")
    assert select(rows, "strategy", "step", "reason", "rows", "share", "remaining") == [
        ("paper", 0, "considered", 8, 1, 8),
        ("paper", 1, "known_positive", 2, 0.25, 6),
        ("paper", 3, "not_closer_to_query_than_positive", 1, 0.125, 5),
        ("paper", 4, "not_closer_to_query_than_to_positive", 2, 0.25, 3),
        ("paper", 5, "kept", 3, 0.375, 3),
        ("top", 0, "considered", 8, 1, 8),
        ("top", 1, "known_positive", 2, 0.25, 6),
        ("top", 3, "beyond_per_positive", 2, 0.25, 4),
        ("top", 4, "kept", 4, 0.5, 4),
    ]


def test_ranks_of_the_negatives_by_retriever(stages: Stages) -> None:
    ranks = [(1, None), (3, 4), (4, 10), (11, 100), (101, 31)]
    stages.give(
        "negative_measures",
        [("top", *pair) for pair in ranks],
        "strategy varchar, rank_bm25 integer, rank_minilm integer",
    )
    rows = stages.build("negative_ranks")
    by_retriever: dict[str, Any] = {"bm25": [], "minilm": []}
    for row in sorted(rows, key=lambda row: row["range_order"]):
        by_retriever[row["retriever"]].append((row["range"], row["negatives"], row["share"]))
    assert by_retriever == {
        "bm25": [("1-3", 2, 0.4), ("4-10", 1, 0.2), ("11-30", 1, 0.2), ("over 100", 1, 0.2)],
        "minilm": [("4-10", 2, 0.4), ("31-100", 2, 0.4), ("not returned", 1, 0.2)],
    }


def test_overlap_of_retrievers_by_hand(stages: Stages) -> None:
    stages.give("positives", [("q1", "p", 1), ("q2", "p", 1)])
    lists = {
        ("q1", "bm25"): "abc",
        ("q1", "minilm"): "bcd",
        ("q1", "third"): "ax",
        ("q2", "bm25"): "a",
        ("q2", "minilm"): "z",
        ("q1", "random"): "abcd",
        ("q3", "bm25"): "a",
    }
    stages.give("candidates", [(q, doc, r, i + 1, 1.0) for (q, r), docs in lists.items() for i, doc in enumerate(docs)])
    rows = stages.build("retriever_overlap", retrievers=["bm25", "minilm", "third"], overlap_depth=2)
    found = {(row["retriever"], row["other"]): (row["queries"], row["jaccard"], row["unique_share"]) for row in rows}
    # The first two of q1: bm25 ab, minilm bc, third ax; of q2: bm25 a, minilm z.
    assert (
        found["bm25", "minilm"] == found["minilm", "bm25"] == (2, pytest.approx((1 / 3 + 0) / 2), pytest.approx(0.75))
    )
    assert found["bm25", "any_other"] == (2, pytest.approx((2 / 4 + 0) / 2), pytest.approx((0 + 1) / 2))
    assert found["third", "minilm"] == (2, 0, 1)
    assert len(found) == 9


def test_retrievers_that_never_agree_and_no_candidates(stages: Stages) -> None:
    stages.give("positives", [("q1", "p", 1)])
    stages.give("candidates", [("q1", "a", "bm25", 1, 1.0), ("q1", "b", "minilm", 1, 1.0)])
    assert {(row["jaccard"], row["unique_share"]) for row in stages.build("retriever_overlap")} == {(0, 1)}
    stages.give("candidates")
    assert stages.build("retriever_overlap") == []
