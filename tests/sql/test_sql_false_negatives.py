"""The judge: what it is asked about, the rule `denoised`, and what its scores say of the chosen negatives."""

from typing import Any

import numpy as np
import pytest
from mined import candidate, kept, mine, reasons
from sql_stages import Row, Stages, select

from hnm.errors import TemplateError

PAIRS = "query_id varchar, doc_id varchar, is_positive boolean"
SCORES = "query_id varchar, doc_id varchar, score float"
TOP = {"name": "top", "rule": "top", "per_positive": 3}
DENOISED = {"name": "clean", "rule": "denoised"}
JUDGE = {"judge": "reranker_en"}


def give_judge(stages: Stages, positives: list[float], candidates: dict[str, float], query: str = "q") -> None:
    """Scores of so many positives, of queries of their own, and of candidates of one query."""
    scored = [(f"other{place}", "p", True, score) for place, score in enumerate(positives)]
    scored += [(query, name, False, score) for name, score in candidates.items()]
    stages.give("judged_pairs", [row[:3] for row in scored], PAIRS)
    stages.give("judge_scores", [(row[0], row[1], row[3]) for row in scored], SCORES)


# What the judge is asked


def ask(stages: Stages, **variables: Any) -> list[Row]:
    """The pairs of three queries, with 1, 2 and 1 positives and ten candidates each."""
    positives = [("q1", "p", 1), ("q2", "p", 1), ("q2", "p2", 2), ("q3", "p", 1)]
    stages.give("positives", positives)
    stages.give(
        "scored_candidates",
        [
            candidate(f"d{place}", place / 16, pair=(query, positive), known=place == 0, copy=place == 1)
            for query, positive, _ in positives
            for place in range(10)
        ],
    )
    stages.connection.execute("update scored_candidates set fused_score = 1 - d_query_doc")
    return stages.build("judged_pairs", **JUDGE, **variables)


def test_a_query_has_its_positives_and_its_best_candidates_judged(stages: Stages) -> None:
    rows = ask(stages, judge_depth=2)
    of_q2 = [row for row in rows if row["query_id"] == "q2"]
    assert select(sorted(of_q2, key=lambda row: row["rank"]), "doc_id", "is_positive", "rank", "retriever") == [
        ("p", True, 1, "judge"),
        ("p2", True, 2, "judge"),
        ("d2", False, 3, "judge"),
        ("d3", False, 4, "judge"),
    ]
    assert len(rows) == 4 + 3 * 2


def test_the_sample_is_stable(stages: Stages) -> None:
    samples = [{row["query_id"] for row in ask(stages, judge_queries=count)} for count in (1, 2, 3, None)]
    assert [len(sample) for sample in samples] == [1, 2, 3, 3]
    assert samples[0] < samples[1] < samples[2] == samples[3]


@pytest.mark.parametrize("name", ["judge_queries", "judge_depth"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "many"])
def test_sizes_that_cannot_be_meant_are_refused(stages: Stages, name: str, value: Any) -> None:
    with pytest.raises(TemplateError, match=f"{name} is {value}; it must be a whole number from 1"):
        stages.render("judged_pairs", **{name: value})


# The rule


def test_denoised_drops_what_the_judge_scores_like_a_positive(stages: Stages) -> None:
    positives = [-4.0, 0.5, 2.0, 3.25, 9.0]
    bound = float(np.percentile(positives, 25))
    assert bound == 0.5
    give_judge(stages, positives, {"known": 9, "above": 0.75, "equal": 0.5, "below": -1, "far": -8})
    rows = [
        candidate("known", 0.0, known=True),
        candidate("above", 0.1),
        candidate("unasked", 0.2),
        candidate("far", 0.3),
        candidate("equal", 0.4),
        candidate("below", 0.45),
        candidate("drawn", 0.46, rank_bm25=None, rank_random=1),
    ]
    found = mine(stages, rows, {**DENOISED, "per_positive": 2}, **JUDGE)
    assert reasons(found) == {
        "known": "known_positive",
        "above": "judged_like_positive",
        "unasked": "not_judged",
        "far": None,
        "equal": None,
        "below": "beyond_per_positive",
    }
    assert dict(select(found, "doc_id", "exclusion_step"))["above"] == 4


@pytest.mark.parametrize("percentile", [0, 10, 33.3, 50, 95, 100])
def test_the_bound_is_the_percentile_of_the_positives(stages: Stages, percentile: float) -> None:
    rng = np.random.default_rng(0)
    positives = rng.normal(size=37).astype(np.float32)
    scores = {f"d{place}": float(score) for place, score in enumerate(rng.normal(size=50).astype(np.float32))}
    give_judge(stages, [float(score) for score in positives], scores)
    rule = {**DENOISED, "percentile": percentile, "per_positive": 50}
    found = kept(mine(stages, [candidate(name, 0.5) for name in scores], rule, **JUDGE))
    bound = np.percentile(positives.astype(np.float64), percentile)
    assert {name for _, name in found} == {name for name, score in scores.items() if score <= bound}


def test_denoised_fills_and_is_mixed(stages: Stages) -> None:
    give_judge(stages, [0.0], {"a": 1, "b": -1, "c": -2})
    rows = [candidate(name, 0.1 * place, d_positive_doc=0) for place, name in enumerate("abc", start=1)]
    paper = {"name": "paper", "rule": "dual_criterion"}
    mixed = {"name": "mixed", "rule": "mix", "mixes": {"clean": 1, "top": 1}}
    found = mine(stages, rows, paper, {**DENOISED, "fills": "paper"}, TOP, mixed, **JUDGE)
    assert [row for row in kept(found) if row[0] != "top"] == [("clean", "b"), ("mixed", "b"), ("mixed", "a")]


@pytest.mark.parametrize(
    ("strategy", "variables", "words"),
    [
        (DENOISED, {}, "the rule 'denoised' needs a judge"),
        (DENOISED, {"judge": "none"}, "the rule 'denoised' needs a judge"),
        (DENOISED, {"judge": True}, "judge is True; it must be none, the name of a cross-encoder"),
        (DENOISED, {"judge": " "}, "it must be none, the name of a cross-encoder"),
        ({**DENOISED, "percentile": 101}, JUDGE, "percentile is 101; it must lie between 0 and 100"),
        ({**DENOISED, "by": "rrf"}, JUDGE, "has no setting 'by'"),
    ],
    ids=str,
)
def test_what_denoised_refuses(stages: Stages, strategy: dict[str, Any], variables: dict[str, Any], words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        stages.render("negatives", strategies=[strategy], **variables)


# What its scores say


def estimates(stages: Stages, *strategies: dict[str, Any], **variables: Any) -> dict[tuple[str, str], Row]:
    rows = stages.build("false_negative_estimates", strategies=list(strategies), **variables)
    return {(row["strategy"], row["estimate"]): row for row in rows}


def test_the_share_of_judged_negatives_that_score_like_positives(stages: Stages) -> None:
    positives = [1.0, 2.0, 3.0, 5.0]
    give_judge(stages, positives, {"a": 8, "b": 1.75, "c": 1.5, "d": 4})
    empty = {"name": "empty", "rule": "below_score", "threshold": -1}
    rows = [candidate(name, 0.01 * place) for place, name in enumerate("abcd")] + [candidate("unasked", 0.005)]
    rules = [{**TOP, "per_positive": 4}, DENOISED, empty]
    mine(stages, rows, *rules, **JUDGE)
    found = estimates(stages, *rules, **JUDGE)
    assert len(found) == 3
    # The 25th percentile is 1.75, which b does not exceed: of unasked, a, b and c, three were judged, and a is above.
    assert found["top", "judge"] == {
        "strategy": "top",
        "estimate": "judge",
        "negatives": 4,
        "examined": 3,
        "false_negatives": 1,
        "rate": pytest.approx(1 / 3),
        "rate_low": pytest.approx(0.0615, abs=1e-4),  # Wilson's interval of 1 in 3
        "rate_high": pytest.approx(0.7923, abs=1e-4),
        "threshold": np.percentile(positives, 25),
        "is_lower_bound": False,
    }
    assert found["clean", "judge"]["rate"] == 0
    nothing = found["empty", "judge"]
    assert (nothing["negatives"], nothing["examined"], nothing["rate"]) == (0, 0, None)
    stricter = estimates(stages, *rules, **JUDGE, judge_percentile=0)["top", "judge"]
    assert (stricter["threshold"], stricter["false_negatives"]) == (1.0, 3)


def test_suspected_positives_score_above_a_high_percentile(stages: Stages) -> None:
    positives = [1.0, 2.0, 3.0, 5.0]
    give_judge(stages, positives, {"above": 4.75, "below": 4.5, "refuted": 9.0})
    stages.give("queries", [("q", "a question", "dev")])
    stages.give("judgments", [("q", "refuted", 0, "dev")])
    threshold = float(np.percentile(positives, 90))
    assert 4.375 < threshold < 4.5
    rows = stages.build("suspected_positives", **JUDGE, relabel_percentile=90)
    assert [row["doc_id"] for row in rows] == ["above", "below"]
    (row,) = stages.build("suspected_positives", **JUDGE, relabel_percentile=95)
    assert row == {
        "query_id": "q",
        "doc_id": "above",
        "grade": 1,
        "judge_score": 4.75,
        "threshold": pytest.approx(np.percentile(positives, 95)),
        "split": "dev",
    }


@pytest.mark.parametrize("value", [-1, 101, True, "high", None])
@pytest.mark.parametrize(
    ("stage", "name", "more"),
    [
        ("suspected_positives", "relabel_percentile", {}),
        ("false_negative_estimates", "judge_percentile", {"strategies": [TOP]}),
        ("audit_list", "judge_percentile", {"audit_size": 1}),
    ],
)
def test_percentiles_that_cannot_be_meant_are_refused(
    stages: Stages, stage: str, name: str, more: dict[str, Any], value: Any
) -> None:
    with pytest.raises(TemplateError, match=f"{name} is {value}; it must lie between 0 and 100"):
        stages.render(stage, **JUDGE, **more, **{name: value})


def test_an_estimate_needs_something_to_estimate_from(stages: Stages) -> None:
    with pytest.raises(TemplateError, match="nothing to estimate from; set the var judge or hide_positives"):
        stages.render("false_negative_estimates", strategies=[TOP])


# The audit list


def audit(stages: Stages, size: int = 10, **variables: Any) -> list[Row]:
    """Of negatives of q, whose positives p and p2 score 0.5 and 0.75, and of r, whose positive scores 0.5."""
    rows = [
        candidate("over", 0.125, pair=("q", "p")),
        candidate("over", 0.125, pair=("q", "p2"), d_query_positive=0.25),
        candidate("under", 0.375, pair=("q", "p2"), d_query_positive=0.25),
        candidate("seen", 0.0, pair=("r", "p")),
        candidate("near", 0.5625, pair=("r", "p")),
    ]
    stages.give_texts(
        {name: f"text of {name}" for name in ("p", "p2", "over", "under", "seen", "near")}, {"q": "one", "r": "two"}
    )
    stages.give("judgments", [("r", "seen", 0, "train")])
    mine(stages, rows, TOP, {**TOP, "name": "again"}, **variables)
    return stages.build("audit_list", audit_size=size, **variables)


def test_without_a_judge_the_score_against_the_positive_counts(stages: Stages) -> None:
    rows = audit(stages)
    assert select(rows, "place", "query_id", "doc_id", "reason") == [
        (1, "q", "over", "scores_above_positive"),
        (2, "r", "near", "nearest_to_positive"),
        (3, "q", "under", "nearest_to_positive"),
    ]
    assert rows[0] == {
        "place": 1,
        "query_id": "q",
        "doc_id": "over",
        "verdict": "",
        "reason": "scores_above_positive",
        "query": "one",
        "document": "text of over",
        "positive": "text of p2",
        "positive_id": "p2",
        "strategies": "again, top",
        "fused_score": 0.875,
        "positive_score": 0.75,
        "judge_score": None,
        "judge_threshold": None,
    }
    assert [row["doc_id"] for row in audit(stages, size=2)] == ["over", "near"]


def test_the_judge_goes_first(stages: Stages) -> None:
    give_judge(stages, [2.0, 2.0], {"under": 2.5, "over": 1.0})
    rows = audit(stages, **JUDGE)
    assert select(rows, "doc_id", "reason", "judge_score", "judge_threshold") == [
        ("under", "judged_like_positive", 2.5, 2.0),
        ("near", "nearest_to_positive", None, 2.0),
        ("over", "scores_above_positive", 1.0, 2.0),
    ]


@pytest.mark.parametrize("size", [0, 1.5, True, None, "all"])
def test_sizes_of_the_list_that_are_refused(stages: Stages, size: Any) -> None:
    with pytest.raises(TemplateError, match=f"audit_size is {size}; it must be a whole number from 1"):
        stages.render("audit_list", audit_size=size)
