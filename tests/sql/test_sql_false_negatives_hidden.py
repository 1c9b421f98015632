"""hidden_positives: a share of the known positives that the mining does not know of, and which strategies take them."""

from typing import Any

import pytest
from mined import candidate, mine
from sql_stages import Row, Stages, select

from hnm.errors import TemplateError

MANY = [(f"q{query:02}", f"d{place}", 1 + place % 2) for query in range(40) for place in range(query % 5)]
TOP = {"name": "top", "rule": "top", "per_positive": 2}


def split(stages: Stages, rows: list[tuple[str, str, int]], **variables: Any) -> tuple[list[Row], list[Row]]:
    """The positives that are left, and those that are hidden."""
    stages.give("queries", [(query, "text", "train") for query in sorted({query for query, *_ in rows})])
    stages.give("judgments", rows)
    return stages.build("positives", **variables), stages.build("hidden_positives", **variables)


def pairs(rows: list[Row]) -> set[tuple[str, str]]:
    return set(select(rows, "query_id", "doc_id"))


def test_without_the_var_all_positives_are_there(stages: Stages) -> None:
    left, hidden = split(stages, MANY)
    assert (len(left), hidden) == (len(MANY), [])
    assert left == split(stages, MANY, hide_positives=0)[0]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 0.999999])
def test_a_share_is_hidden_and_every_query_keeps_one(stages: Stages, share: float) -> None:
    everything = pairs(split(stages, MANY)[0])
    left, hidden = split(stages, MANY, hide_positives=share)
    assert pairs(left) | pairs(hidden) == everything
    assert not pairs(left) & pairs(hidden)
    assert {row["query_id"] for row in left} == {query for query, *_ in MANY}
    of_several = [query for query, *_ in MANY if sum(query == other for other, *_ in MANY) > 1]
    assert 0 < len(hidden) <= len(of_several)
    if share < 0.5:
        assert len(hidden) / len(of_several) == pytest.approx(share, abs=0.12)
    assert {row["positive_rank"] for row in left if row["query_id"] == "q04"} == set(
        range(1, 1 + sum(row["query_id"] == "q04" for row in left))
    )
    assert select(hidden, "origin", "split") == [("judgments", "train")] * len(hidden)


def test_a_larger_share_hides_the_same_ones_and_more(stages: Stages) -> None:
    hidden = [pairs(split(stages, MANY, hide_positives=share)[1]) for share in (0.1, 0.4, 0.8)]
    assert hidden[0] < hidden[1] < hidden[2]


def test_what_is_hidden_depends_on_no_other_query(stages: Stages) -> None:
    hidden = pairs(split(stages, MANY, hide_positives=0.4)[1])
    half = [row for row in MANY if row[0] < "q20"]
    assert pairs(split(stages, half, hide_positives=0.4)[1]) == {pair for pair in hidden if pair[0] < "q20"}


@pytest.mark.parametrize("share", [-0.1, 1, 2, True, "some", None])
def test_shares_that_cannot_be_meant_are_refused(stages: Stages, share: Any) -> None:
    with pytest.raises(TemplateError, match=f"hide_positives is {share}; it must be a share from 0 to below 1"):
        stages.render("positives", hide_positives=share)


def test_what_judgments_protect_cannot_be_hidden(stages: Stages) -> None:
    with pytest.raises(TemplateError, match="protect_judged_positives would still protect"):
        stages.render("positives", hide_positives=0.1, protect_judged_positives=True)


def test_what_is_hidden_is_not_protected_by_another_query_that_asks_the_same(stages: Stages) -> None:
    stages.give_texts({name: name for name in "ab"}, {"q": "what?", "r": "What"})
    stages.give("positives", [("q", "a"), ("r", "a"), ("r", "b")])
    stages.give("hidden_positives", [("q", "b")], "query_id varchar, doc_id varchar")
    assert pairs(stages.build("right_answers", hide_positives=0.2)) == {("q", "a"), ("r", "a"), ("r", "b")}


def test_the_estimate_counts_hidden_positives_among_the_negatives(stages: Stages) -> None:
    stages.give("hidden_positives", [("q", "b"), ("q", "d"), ("r", "a")], "query_id varchar, doc_id varchar")
    pairs_of_q = [("q", "p"), ("q", "p2")]
    rows = [candidate(name, 0.1 * place, pair=pair) for pair in pairs_of_q for place, name in enumerate("abcd")]
    last = {"name": "last", "rule": "shifted_window", "from": 2, "to": 4, "per_positive": 1}
    none = {"name": "none", "rule": "below_score", "threshold": -1}
    rules = [TOP, last, none]
    mine(stages, rows, *rules)
    found = stages.build("false_negative_estimates", strategies=rules, hide_positives=0.5)
    # top keeps a and b, and last keeps c, each for both positives; b is hidden.
    assert select(found, "strategy", "estimate", "negatives", "examined", "false_negatives", "rate") == [
        ("last", "hidden", 2, 2, 0, 0.0),
        ("none", "hidden", 0, 0, 0, None),
        ("top", "hidden", 4, 4, 2, 0.5),
    ]
    assert {(row["threshold"], row["is_lower_bound"]) for row in found} == {(None, True)}


def test_both_estimates_stand_beside_each_other(stages: Stages) -> None:
    stages.give("hidden_positives", [("q", "b")], "query_id varchar, doc_id varchar")
    stages.give("judged_pairs", [("q", "p", True)], "query_id varchar, doc_id varchar, is_positive boolean")
    stages.give("judge_scores", [("q", "p", 1.0), ("q", "b", 2.0)], "query_id varchar, doc_id varchar, score float")
    mine(stages, [candidate("a", 0.1), candidate("b", 0.2)], TOP)
    rows = stages.build("false_negative_estimates", strategies=[TOP], hide_positives=0.5, judge="reranker_en")
    assert select(rows, "estimate", "negatives", "examined", "rate") == [("hidden", 2, 2, 0.5), ("judge", 2, 1, 1.0)]
