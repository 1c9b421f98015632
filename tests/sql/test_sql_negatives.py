"""negatives: the shared rules, each strategy's own, chains, and what is refused."""

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mined import candidate, kept, mine, reasons
from sql_stages import Stages, select

from hnm.errors import TemplateError

DATABASE = Stages()

PAPER = {"name": "paper", "rule": "dual_criterion", "per_positive": 2}
FILL = {"name": "fill", "rule": "below_positive_share", "share": 0.5, "fills": "paper", "per_positive": 2}


def test_paper_rule_with_vectors_by_hand(stages: Stages) -> None:
    # q = (1, 0), p = (0.6, 0.8), d(q, p) = 0.4. a and b are both closer to q than p is (0.2), but a = (0.8, 0.6) is
    # still closer to p (0.04), b = (0.8, -0.6) is far from it (1). c = (0, 1) is far from q.
    documents = {"p": [0.6, 0.8], "a": [0.8, 0.6], "b": [0.8, -0.6], "c": [0.0, 1.0]}
    stages.give_texts({name: name for name in documents}, {"q": "q"})
    stages.give_vectors(documents, {"q": [1.0, 0.0]})
    stages.give("positives", [("q", "p", 1, 1.0, "train")])
    stages.give("candidates", [("q", name, "bm25", i + 1, 1.0) for i, name in enumerate(documents)])
    stages.build("scored_candidates")
    rows = stages.build("negatives", strategies=[PAPER])
    assert reasons(rows) == {
        "a": "not_closer_to_query_than_to_positive",
        "b": None,
        "c": "not_closer_to_query_than_positive",
        "p": "known_positive",
    }
    assert select(rows, "doc_id", "condition_1", "condition_2") == [
        ("a", True, False),
        ("b", True, True),
        ("c", False, False),
        ("p", False, False),
    ]


def test_closest_to_the_query_come_first_and_ties_go_by_id(stages: Stages) -> None:
    rows = mine(stages, [candidate(name, d) for name, d in (("z", 0.1), ("y", 0.3), ("x", 0.3), ("w", 0.2))], PAPER)
    assert select(rows, "doc_id", "selected_rank", "exclusion_reason", "exclusion_step") == [
        ("w", 2, None, None),
        ("x", 3, "beyond_per_positive", 5),
        ("y", 4, "beyond_per_positive", 5),
        ("z", 1, None, None),
    ]


def test_conditions_are_strict(stages: Stages) -> None:
    rows = mine(stages, [candidate("a", 0.5), candidate("b", 0.25, 0.25)], PAPER)
    assert reasons(rows) == {"a": "not_closer_to_query_than_positive", "b": "not_closer_to_query_than_to_positive"}


def test_positives_and_their_copies_go_first(stages: Stages) -> None:
    rows = mine(
        stages, [candidate("a", 0.9, known=True, copy=True), candidate("b", 0.9, copy=True), candidate("c", 0.9)], PAPER
    )
    assert select(rows, "doc_id", "exclusion_reason", "exclusion_step", "selected_rank") == [
        ("a", "known_positive", 1, None),
        ("b", "copy_of_positive", 2, None),
        ("c", "not_closer_to_query_than_positive", 3, None),
    ]


def test_share_of_the_positive(stages: Stages) -> None:
    # The positive's score is 0.5, half of it 0.25.
    rows = mine(stages, [candidate("a", 0.7), candidate("b", 0.75), candidate("c", 0.8)], {**FILL, "fills": []})
    assert reasons(rows) == {"a": "above_share_of_positive", "b": None, "c": None}
    # Of a negative score -0.5, the limit lies below: -0.75.
    below = [candidate("a", 1.5, d_query_positive=1.5), candidate("b", 1.75, d_query_positive=1.5)]
    assert reasons(mine(stages, below, {**FILL, "fills": []})) == {"a": "above_share_of_positive", "b": None}


def test_margin_to_the_positive(stages: Stages) -> None:
    strategy = {"name": "margin", "rule": "below_positive_margin", "margin": 0.25}
    rows = mine(stages, [candidate("a", 0.5), candidate("b", 0.75)], strategy)
    assert reasons(rows) == {"a": "within_margin_of_positive", "b": None}


def test_top_by_a_retriever_considers_only_what_it_returned(stages: Stages) -> None:
    rows = mine(
        stages,
        [candidate("a", 0.1, rank_bm25=2), candidate("b", 0.9, rank_bm25=1), candidate("c", 0.0, rank_bm25=None)],
        {"name": "bm25", "rule": "top", "by": "score_bm25"},
        {"name": "top", "rule": "top"},
    )
    assert select(rows, "strategy", "doc_id", "exclusion_reason") == [
        ("bm25", "a", "beyond_per_positive"),
        ("top", "a", None),
        ("bm25", "b", None),
        ("top", "b", "beyond_per_positive"),
    ]


def test_random_considers_the_drawn_documents_in_their_order(stages: Stages) -> None:
    rows = mine(
        stages,
        [candidate("a", 0.1), candidate("b", 0.9, rank_bm25=None, rank_random=2), candidate("c", 0.5, rank_random=1)],
        {"name": "random", "rule": "random", "per_positive": 1},
    )
    assert reasons(rows) == {"b": "beyond_per_positive", "c": None}


def test_chain_fills_only_the_pairs_left_empty(stages: Stages) -> None:
    full, empty, other = ("q1", "p1"), ("q1", "p2"), ("q2", "p1")
    rows = mine(
        stages,
        [
            candidate("a", 0.3, pair=full),
            candidate("b", 0.8, pair=full),
            candidate("a", 0.8, pair=empty),
            candidate("a", 0.6, pair=other),
        ],
        PAPER,
        FILL,
        {"name": "last", "rule": "top", "fills": ["paper", "fill"]},
    )
    outcome = {
        (row["strategy"], row["query_id"], row["positive_id"], row["doc_id"]): row["exclusion_reason"] for row in rows
    }
    assert outcome["paper", *full, "a"] is None
    assert outcome["fill", *full, "b"] == "filled_by_earlier_strategy"
    assert outcome["fill", *full, "a"] == "above_share_of_positive"
    assert outcome["fill", *empty, "a"] is None
    assert outcome["last", *full, "a"] == outcome["last", *empty, "a"] == "filled_by_earlier_strategy"
    assert outcome["last", *other, "a"] is None


def test_no_candidates_give_no_rows(stages: Stages) -> None:
    assert mine(stages, [], PAPER, FILL) == []


def test_equal_scores_are_chosen_by_id(stages: Stages) -> None:
    rows = mine(
        stages, [candidate(f"d{i}", 0.25) for i in range(9)], PAPER, {"name": "top", "rule": "top", "per_positive": 3}
    )
    assert kept(rows) == [("paper", "d0"), ("paper", "d1"), ("top", "d0"), ("top", "d1"), ("top", "d2")]


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        ([], "there is no strategy"),
        ([{"rule": "top"}], "needs at least `name` and `rule`"),
        (["top"], "needs at least `name` and `rule`"),
        ([{"name": "a", "rule": "topp"}], "there is no macro 'rule_topp'"),
        ([{"name": "a b", "rule": "top"}], "letters, digits and underscores"),
        ([PAPER, {**PAPER, "name": "Paper"}], "two strategies are named 'Paper'"),
        ([{**PAPER, "per_positive": 0}], "per_positive is 0"),
        ([{**PAPER, "per_positive": 1.5}], "per_positive is 1.5"),
        ([{**PAPER, "per_positive": True}], "per_positive is True"),
        ([FILL, PAPER], "fills 'paper', which is not a strategy before it"),
        ([{**PAPER, "fills": "paper"}], "fills 'paper', which is not a strategy before it"),
        ([PAPER, FILL, {**PAPER, "name": "last", "fills": "paper fill"}], "fills 'paper fill', which is not"),
        ([PAPER, {**FILL, "fills": 5}], "`fills` is 5; name a strategy before it, or a list of them"),
        ([PAPER, {**FILL, "fills": ["paper", 5]}], "; name a strategy before it, or a list of them"),
        ([PAPER, {**FILL, "fills": {"paper": 1}}], "; name a strategy before it, or a list of them"),
        ([{**PAPER, "share": 0.9}], "the rule 'dual_criterion' has no setting 'share'"),
        ([{**FILL, "fills": [], "share": 1.5}], "share is 1.5"),
        ([{**FILL, "fills": [], "share": "95 %"}], "share is 95 %"),
        ([{**FILL, "fills": [], "share": True}], "share is True"),
        ([{"name": "m", "rule": "below_positive_margin", "margin": -1}], "margin is -1"),
        ([{"name": "t", "rule": "top", "by": "score_bm52"}], "by is 'score_bm52'; it must be one of fused_score"),
    ],
)
def test_what_cannot_be_meant_is_refused(stages: Stages, strategies: list[Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        stages.render("negatives", strategies=strategies)


# Eighths are exact in every type, and few enough that ties and limits are hit.
distance = st.integers(0, 16).map(lambda eighths: eighths / 8)
pairs = st.sampled_from([("q1", "p1"), ("q1", "p2"), ("q2", "p1")])
row = st.tuples(
    pairs,
    st.integers(0, 9),
    distance,
    distance,
    st.none() | st.integers(1, 9),
    st.none() | st.integers(1, 9),
    st.booleans(),
    st.booleans(),
)
CHAIN = (
    PAPER,
    FILL,
    {"name": "best", "rule": "top", "fills": ["paper", "fill"]},
    {"name": "random", "rule": "random", "per_positive": 2},
)


@given(st.lists(row, max_size=40, unique_by=lambda value: value[:2]), st.lists(distance, min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_chain_equals_brute_force(rows: list[Any], positives: list[float]) -> None:
    d_query_positive = dict(zip([("q1", "p1"), ("q1", "p2"), ("q2", "p1")], positives, strict=True))
    candidates = [
        candidate(
            f"d{i}", d_query, d_positive, d_query_positive[pair], pair, bm25, drawn, known and i < 3, copy and i < 4
        )
        for pair, i, d_query, d_positive, bm25, drawn, known, copy in rows
    ]
    found = {
        (row["query_id"], row["positive_id"], row["strategy"], row["doc_id"]): (
            row["exclusion_reason"],
            row["selected_rank"],
        )
        for row in mine(DATABASE, candidates, *CHAIN)
    }
    assert found == brute_force(candidates)


def brute_force(candidates: list[tuple[Any, ...]]) -> dict[tuple[str, ...], tuple[str | None, int | None]]:
    """What CHAIN decides, pair by pair, written as plainly as possible."""
    outcome: dict[tuple[str, ...], tuple[str | None, int | None]] = {}
    for pair, group in groupby(sorted(candidates, key=lambda row: row[:3]), key=lambda row: row[:2]):
        members = list(group)
        retrieved = [row for row in members if row[6] is not None]
        filled = False
        for name, considered, own, order, most in (
            ("paper", retrieved, not_dual, lambda row: row[3], 2),
            ("fill", retrieved, not_below_half, lambda row: row[3], 2),
            ("best", retrieved, lambda row: None, lambda row: row[3], 1),
            ("random", [row for row in members if row[7] is not None], lambda row: None, lambda row: row[7], 2),
        ):
            passed = []
            for row in considered:
                reason = "known_positive" if row[8] else "copy_of_positive" if row[9] else own(row)
                if reason is None and filled and name != "random":
                    reason = "filled_by_earlier_strategy"
                outcome[*pair, name, row[2]] = (reason, None)
                if reason is None:
                    passed.append(row)
            for place, row in enumerate(sorted(passed, key=lambda row: (order(row), row[2])), start=1):
                outcome[*pair, name, row[2]] = ("beyond_per_positive" if place > most else None, place)
            filled = filled or (bool(passed) and name != "random")
    return outcome


def not_dual(row: tuple[Any, ...]) -> str | None:
    if row[3] >= row[4]:
        return "not_closer_to_query_than_positive"
    return "not_closer_to_query_than_to_positive" if row[3] >= row[5] else None


def not_below_half(row: tuple[Any, ...]) -> str | None:
    score, positive = 1 - row[3], 1 - row[4]
    return "above_share_of_positive" if score > positive - 0.5 * abs(positive) else None
