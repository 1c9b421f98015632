"""Rules of strategies, each on cases worked out by hand, and the settings that are refused."""

from typing import Any

import pytest
from mined import candidate, kept, mine, reasons
from sql_stages import Stages, select

from hnm.errors import TemplateError

EVIDENCE = "query_id varchar, doc_id varchar, clicks bigint, examined_not_clicked double"


def ranked(*names: str) -> list[tuple[Any, ...]]:
    """Candidates by fused score, 0.9 for the first and a sixteenth less for each that follows."""
    return [candidate(name, 0.125 + place / 16, rank_bm25=len(names) - place) for place, name in enumerate(names)]


def test_shifted_window_skips_the_first_and_ends(stages: Stages) -> None:
    rows = [*ranked("a", "b", "c", "d", "e"), candidate("known", 0.0, known=True), candidate("copy", 0.1, copy=True)]
    window = {"name": "window", "rule": "shifted_window", "from": 1, "to": 4, "per_positive": 2}
    found = mine(stages, rows, window)
    assert reasons(found) == {
        "known": "known_positive",
        "copy": "copy_of_positive",
        "a": "before_window",
        "b": None,
        "c": None,
        "d": "beyond_per_positive",
        "e": "behind_window",
    }
    assert dict(select(found, "doc_id", "exclusion_step"))["d"] == 5


def test_shifted_window_by_another_score(stages: Stages) -> None:
    window = {"name": "window", "rule": "shifted_window", "from": 1, "to": 2, "by": "score_bm25"}
    rows = [*ranked("a", "b", "c"), candidate("other", 0.0, rank_bm25=None, rank_random=1)]
    assert reasons(mine(stages, rows, window)) == {"c": "before_window", "b": None, "a": "behind_window"}


def test_sampled_top_takes_some_of_the_window(stages: Stages) -> None:
    names = [f"d{i}" for i in range(9)]
    sample = {"name": "s", "rule": "sampled_top", "from": 1, "to": 7, "per_positive": 3}
    samples = {seed: kept(mine(stages, ranked(*names), {**sample, "seed": seed})) for seed in range(20)}
    assert {len(drawn) for drawn in samples.values()} == {3}
    assert {name for drawn in samples.values() for _, name in drawn} == set(names[1:7])
    assert len({tuple(drawn) for drawn in samples.values()}) > 10
    more = kept(mine(stages, ranked(*names), {**sample, "per_positive": 5}))
    assert more[:3] == samples[0]
    outside = {name: reason for name, reason in reasons(mine(stages, ranked(*names), sample)).items() if reason}
    assert (outside["d0"], outside["d7"], outside["d8"]) == ("before_window", "behind_window", "behind_window")


def test_positives_of_a_query_have_samples_of_their_own(stages: Stages) -> None:
    names = [f"d{i:02}" for i in range(40)]
    rows = [candidate(name, 0.5, pair=("q", positive)) for positive in ("p1", "p2") for name in names]
    found = mine(stages, rows, {"name": "s", "rule": "sampled_top", "per_positive": 5})
    chosen = {
        positive: {row["doc_id"] for row in found if row["positive_id"] == positive and not row["exclusion_reason"]}
        for positive in ("p1", "p2")
    }
    assert chosen["p1"] != chosen["p2"]


def test_absolute_thresholds_include_their_value(stages: Stages) -> None:
    rows = [candidate("a", 0.25), candidate("b", 0.5), candidate("c", 0.75)]
    above = {"name": "n", "rule": "above_score", "threshold": 0.5, "per_positive": 9}
    assert reasons(mine(stages, rows, above)) == {"a": None, "b": None, "c": "below_threshold"}
    below = {"name": "n", "rule": "below_score", "threshold": 0.5, "per_positive": 9}
    assert reasons(mine(stages, rows, below)) == {"a": "above_threshold", "b": None, "c": None}


def test_thresholds_of_a_score_below_zero_and_of_a_retriever(stages: Stages) -> None:
    negative = [candidate("a", 1.25), candidate("b", 1.5), candidate("c", 1.75)]
    above = {"name": "n", "rule": "above_score", "threshold": -0.5, "per_positive": 9}
    assert reasons(mine(stages, negative, above)) == {"a": None, "b": None, "c": "below_threshold"}
    bm25 = {"name": "n", "rule": "below_score", "threshold": 98, "by": "score_bm25", "per_positive": 9}
    rows = [*ranked("a", "b", "c"), candidate("unranked", 0.5, rank_bm25=None, rank_random=1)]
    assert reasons(mine(stages, rows, bm25)) == {"c": "above_threshold", "b": None, "a": None}


def test_percentile_is_of_the_candidates_that_are_no_positives(stages: Stages) -> None:
    # Scores 0.875, 0.8125, 0.75, 0.6875, 0.625 without the positive: their median is 0.75.
    rows = [*ranked("a", "b", "c", "d", "e"), candidate("known", 0.0, known=True)]
    median = {"name": "n", "rule": "below_percentile", "percentile": 50, "per_positive": 2}
    assert reasons(mine(stages, rows, median)) == {
        "known": "known_positive",
        "a": "above_percentile",
        "b": "above_percentile",
        "c": None,
        "d": None,
        "e": "beyond_per_positive",
    }
    # Between the second and the third score, at 0.625 of the way from the lowest to the highest.
    between = {**median, "percentile": 62.5}
    assert [name for name, reason in reasons(mine(stages, rows, between)).items() if reason == "above_percentile"] == [
        "a",
        "b",
    ]


def test_each_condition_alone(stages: Stages) -> None:
    rows = [candidate("both", 0.25, 0.5), candidate("first", 0.25, 0.125), candidate("second", 0.75, 1.0)]
    found = mine(
        stages,
        rows,
        {"name": "one", "rule": "condition_1", "per_positive": 9},
        {"name": "two", "rule": "condition_2", "per_positive": 9},
    )
    assert kept(found) == [("one", "both"), ("one", "first"), ("two", "both"), ("two", "second")]
    failed = {row["strategy"]: row["exclusion_reason"] for row in found if row["exclusion_reason"]}
    assert failed == {"one": "not_closer_to_query_than_positive", "two": "not_closer_to_query_than_to_positive"}


def test_in_batch_takes_drawn_positives_of_other_queries_of_the_split(stages: Stages) -> None:
    stages.give(
        "positives",
        [
            ("q", "mine", 1, 1.0, "train"),
            ("other", "mine", 1, 1.0, "train"),
            ("other", "theirs", 2, 1.0, "train"),
            ("third", "also", 1, 1.0, "train"),
            ("fourth", "dev", 1, 1.0, "dev"),
        ],
    )
    rows = [
        candidate("mine", 0.5, rank_random=1, known=True),
        candidate("nobodys", 0.5, rank_bm25=None, rank_random=2),
        candidate("theirs", 0.5, rank_bm25=None, rank_random=4),
        candidate("also", 0.5, rank_random=3),
        candidate("dev", 0.5, rank_bm25=None, rank_random=5),
        candidate("hard", 0.1),
    ]
    found = mine(stages, rows, {"name": "batch", "rule": "in_batch", "per_positive": 4})
    assert reasons(found) == {
        "mine": "known_positive",
        "nobodys": "no_positive_of_another_query",
        "theirs": None,
        "also": None,
        "dev": "no_positive_of_another_query",
    }
    assert kept(found) == [("batch", "also"), ("batch", "theirs")]


def test_simans_all_but_surely_takes_what_scores_as_the_positive_does(stages: Stages) -> None:
    rows = [candidate("near", 0.5), candidate("above", 0.25), candidate("below", 0.75)]
    for b, name in ((0, "near"), (0.25, "above"), (-0.25, "below")):
        simans = {"name": "n", "rule": "simans", "a": 1e5, "b": b}
        assert kept(mine(stages, rows, simans)) == [("n", name)]


def test_trisampler_region(stages: Stages) -> None:
    # The positive stands at 60 degrees of the query (cosine 0.5), so candidates may up to 120 (cosine -0.5).
    rows = [
        candidate("in", 0.5, 0.25),
        candidate("wide", 1.4375, 0.25),
        candidate("too_wide", 1.5625, 0.25),
        candidate("to_query", 0.25, 0.5),
        candidate("between", 0.25, 0.25),
    ]
    trisampler = {"name": "tri", "rule": "trisampler", "per_positive": 9}
    assert reasons(mine(stages, rows, trisampler)) == {
        "in": None,
        "wide": None,
        "too_wide": "outside_angle",
        "to_query": "not_closer_to_positive_than_to_query",
        "between": "not_closer_to_positive_than_to_query",
    }
    narrow = reasons(mine(stages, rows, {**trisampler, "degrees": 30}))
    assert (narrow["in"], narrow["wide"]) == (None, "outside_angle")


def test_shown_not_clicked(stages: Stages) -> None:
    stages.give(
        "click_evidence",
        [
            ("q", "skipped", 0, 5.0),
            ("q", "more", 0, 7.5),
            ("q", "rarely", 0, 1.5),
            ("q", "below", 0, 0.0),
            ("q", "clicked", 1, 5.0),
            ("q", "drawn", 0, 9.0),
            ("other", "unshown", 0, 9.0),
        ],
        EVIDENCE,
    )
    rows = ranked("skipped", "more", "rarely", "below", "clicked", "unshown")
    rows.append(candidate("drawn", 0.5, rank_bm25=None, rank_random=1))  # no retriever returned it
    shown = {"name": "shown", "rule": "shown_not_clicked", "per_positive": 2}
    found = mine(stages, rows, shown, positives_from="clicks")
    assert reasons(found) == {
        "skipped": None,
        "more": None,
        "rarely": "examined_too_little",
        "below": "never_above_last_click",
        "clicked": "clicked",
    }
    assert kept(found) == [("shown", "more"), ("shown", "skipped")]
    with pytest.raises(TemplateError, match="needs a click log; the var positives_from is 'judgments'"):
        mine(stages, rows, shown)


def test_mmr_avoids_what_resembles_the_first(stages: Stages) -> None:
    # b nearly repeats a, so that c comes before it, though its score is lower.
    stages.give_vectors({"a": [1, 0], "b": [0.96, 0.28], "c": [0, 1], "d": [0, 0], "known": [0, -1]}, {})
    rows = [*ranked("a", "b", "c", "d"), candidate("known", 0.0, known=True)]
    mmr = {"name": "mmr", "rule": "mmr", "per_positive": 3}
    assert kept(mine(stages, rows, mmr)) == [("mmr", "a"), ("mmr", "c"), ("mmr", "d")]
    by_score = [("mmr", "a"), ("mmr", "b"), ("mmr", "c")]
    assert kept(mine(stages, rows, {**mmr, "lambda": 1})) == by_score
    small = reasons(mine(stages, rows, {**mmr, "pool": 3}))
    assert small == {"known": "known_positive", "a": None, "b": None, "c": None, "d": "beyond_pool"}


TOP = {"name": "top", "rule": "top"}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"rule": "shifted_window", "from": 10, "to": 10}, "ranks after 10 up to 10 are fewer than per_positive 1"),
        ({"rule": "shifted_window", "to": 12, "per_positive": 3}, "after 10 up to 12 are fewer than per_positive 3"),
        ({"rule": "shifted_window", "from": -1}, "from is -1; it must be a whole number from 0"),
        ({"rule": "sampled_top", "to": 2.5}, "to is 2.5; it must be a whole number from 1"),
        ({"rule": "sampled_top", "seed": "x"}, "seed is x; it must be a whole number"),
        ({"rule": "sampled_top", "by": "score_x"}, "by is 'score_x'; it must be one of fused_score, rrf, score_bm25"),
        ({"rule": "above_score"}, "threshold is missing; it must lie between"),
        ({"rule": "below_score", "threshold": float("nan")}, "threshold is nan"),
        ({"rule": "below_score", "threshold": True}, "threshold is True"),
        ({"rule": "below_percentile", "percentile": 101}, "percentile is 101; it must lie between 0 and 100"),
        ({"rule": "condition_1", "share": 0.5}, "the rule 'condition_1' has no setting 'share'"),
        ({"rule": "in_batch", "seed": 1}, "the rule 'in_batch' has no setting 'seed'"),
        ({"rule": "simans", "a": -1}, "a is -1; it must lie between 0"),
        ({"rule": "simans", "b": 3}, "b is 3; it must lie between -2 and 2"),
        ({"rule": "trisampler", "degrees": 200}, "degrees is 200"),
        ({"rule": "mmr", "lambda": 1.5}, "lambda is 1.5; it must lie between 0 and 1"),
        ({"rule": "mmr", "pool": 2, "per_positive": 3}, "pool is 2; it must be a whole number from 3"),
        ({"rule": "top", "max_uses": 0}, "max_uses is 0; it must be a whole number from 1"),
        ({"rule": "mix"}, "mixes must say how many to take of which strategies"),
        ({"rule": "mix", "mixes": "top"}, "mixes must say how many"),
        ({"rule": "mix", "mixes": {"tip": 1}}, "mixes 'tip', which is not a strategy before it"),
        ({"rule": "mix", "mixes": {"new": 1}}, "mixes 'new', which is not a strategy before it"),
        ({"rule": "mix", "mixes": {"top": 0.5}}, "mixes: top is 0.5; it must be a whole number from 1"),
        ({"rule": "mix", "mixes": {"top": 1}, "per_positive": 2}, "leave per_positive out"),
        ({"rule": "top", "mixes": {"top": 1}}, "the rule 'top' has no setting 'mixes'"),
    ],
)
def test_what_cannot_be_meant_is_refused(stages: Stages, strategy: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        stages.render("negatives", strategies=[TOP, {"name": "new", **strategy}])
