"""impressions, unknown_impressions, excluded_sessions, click_evidence, positives: which clicks count, and what for."""

import math
from datetime import date
from typing import Any

import duckdb
import pytest
from sql_stages import Stages, select

from hnm.errors import TemplateError


def test_impressions_of_unknown_ids_are_set_aside_with_a_reason(stages: Stages) -> None:
    stages.give("collection.corpus", [("d1", "", "x")])
    stages.give("collection.queries", [("q1", "x")])
    stages.give("corpus", [("d1", "", "x")])
    stages.give("queries", [("q1", "x", "train")])
    stages.give(
        "clicks.impressions",
        [("s1", "q1", "d1", 1, True, 2.5), ("s1", "q1", "d2", 2, False), ("s2", "q2", "d1", 1, True)],
    )
    assert select(stages.build("impressions"), "session_id", "doc_id", "clicked", "dwell_seconds") == [
        ("s1", "d1", True, 2.5)
    ]
    assert select(stages.build("unknown_impressions"), "query_id", "doc_id", "position", "problem") == [
        ("q1", "d2", 2, "unknown_document"),
        ("q2", "d1", 1, "unknown_query"),
    ]


def test_click_evidence_by_hand(stages: Stages) -> None:
    stages.give(
        "impressions",
        [
            ("s1", "q1", "d1", 1, True, 10.0),
            ("s1", "q1", "d1", 1, True, 30.0),
            ("s2", "q1", "d1", 2, False, None),
            ("s3", "q1", "d1", 4, False, None),
            ("s1", "q1", "d2", 5, True, None),
            ("s2", "q1", "d3", 3, False, None),
        ],
    )
    first, deep, unclicked = stages.build("click_evidence", click_eta=1.0, confidence_z=2)
    assert first == {
        "query_id": "q1",
        "doc_id": "d1",
        "impressions": 4,
        "clicks": 2,
        "distinct_sessions": 3,
        "clicked_sessions": 1,
        "mean_position": 2.0,
        "mean_dwell_seconds": 20.0,
        "expected_examinations": 1 + 1 + 1 / 2 + 1 / 4,
        "ctr": 0.5,
        "examined_not_clicked": 0,
        "effective_sample_size": 2,
        "clipped_share": 0,
        "attractiveness": pytest.approx(2 / 2.75),
        "lower_bound": pytest.approx(wilson(2 / 2.75, 2.75, 2)),
    }
    # A click proves an examination, however unlikely that was at position 5.
    assert deep["expected_examinations"] == pytest.approx(0.2)
    assert deep["attractiveness"] == 1
    assert deep["lower_bound"] == pytest.approx(1 / (1 + 4))
    assert deep["mean_dwell_seconds"] is None
    assert (unclicked["clicks"], unclicked["attractiveness"], unclicked["lower_bound"]) == (0, 0, 0)


def wilson(p: float, n: float, z: float) -> float:
    return (p + z * z / (2 * n) - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def test_strength_of_the_position_bias_is_a_var(stages: Stages) -> None:
    stages.give("impressions", [("s1", "q1", "d1", 4, False)])
    for eta, expected in ((0, 1), (0.5, 0.5), (2, 1 / 16)):
        (row,) = stages.build("click_evidence", click_eta=eta)
        assert row["expected_examinations"] == pytest.approx(expected)


def test_empty_log_gives_no_evidence(stages: Stages) -> None:
    stages.give("impressions")
    assert stages.build("click_evidence") == []


LOG = (
    "session_id varchar, query_id varchar, doc_id varchar, position integer, clicked boolean, dwell_seconds float, "
    "shown_at timestamp"
)


def evidence(
    stages: Stages, *columns: str, stage: str = "click_evidence", **variables: Any
) -> dict[str, tuple[Any, ...]]:
    """By document, some columns of its evidence."""
    rows = stages.build(stage, positives_from="clicks", **variables)
    return {row["doc_id"]: tuple(row[column] for column in columns) for row in rows}


def test_what_stands_above_the_last_click_was_passed_over(stages: Stages) -> None:
    stages.give(
        "impressions",
        [
            ("s1", "q", "a", 1, False),
            ("s1", "q", "b", 2, True),
            ("s1", "q", "c", 3, False),
            ("s1", "q", "d", 4, True),
            ("s1", "q", "e", 5, False),  # below the last click: says nothing
            ("s2", "q", "a", 1, False),  # no click in the session: says nothing
            ("s3", "q", "c", 1, False),
            ("s3", "q", "a", 2, False),
            ("s3", "q", "b", 3, True),
        ],
    )
    found = evidence(stages, "examined_not_clicked", click_eta=1.0)
    assert found == {"a": (1.5,), "b": (0,), "c": (pytest.approx(1 / 3 + 1),), "d": (0,), "e": (0,)}


def test_a_short_click_is_no_click_and_no_evidence_against(stages: Stages) -> None:
    stages.give(
        "impressions",
        [
            ("s1", "q", "a", 1, False),
            ("s1", "q", "b", 2, True, 3.0),
            ("s1", "q", "c", 3, True, 5.0),
            ("s2", "q", "a", 1, True, None),  # the log does not know how long
            ("s2", "q", "b", 2, True, 0.0),
        ],
    )
    columns = "clicks", "clicked_sessions", "mean_dwell_seconds", "examined_not_clicked"
    every = {"a": (1, 1, None, 1), "b": (2, 2, 1.5, 0), "c": (1, 1, 5, 0)}
    assert evidence(stages, *columns) == every
    assert evidence(stages, *columns, min_dwell_seconds=0) == every
    assert evidence(stages, *columns, min_dwell_seconds=5) == {
        "a": (1, 1, None, 1),
        "b": (0, 0, None, 0),
        "c": (1, 1, 5, 0),
    }
    # The last click tells how far people read, however short it was.
    assert evidence(stages, *columns, min_dwell_seconds=6)["a"] == (1, 1, None, 1)


def test_only_what_was_shown_before_a_day_counts(stages: Stages) -> None:
    times = ["2025-03-01 23:59", "2025-03-02 00:00", None]
    stages.give("impressions", [(f"s{i}", "q", "a", 1, True, None, at) for i, at in enumerate(times)], LOG)
    assert evidence(stages, "impressions") == {"a": (3,)}
    assert evidence(stages, "impressions", clicks_before="2025-03-02") == {"a": (1,)}
    assert evidence(stages, "impressions", clicks_before=date(2025, 3, 2)) == {"a": (1,)}
    assert evidence(stages, "impressions", clicks_before="2025-03-01") == {}
    with pytest.raises(duckdb.ConversionException):
        evidence(stages, "impressions", clicks_before="O'Clock")


def test_what_was_shown_from_that_moment_on_is_evidence_of_its_own(stages: Stages) -> None:
    times = ["2025-03-01 23:59", "2025-03-02 00:00", "2025-03-03", None]
    stages.give("impressions", [(f"s{i}", "q", "a", 1, i == 2, None, at) for i, at in enumerate(times)], LOG)
    later = {"stage": "later_click_evidence", "clicks_before": "2025-03-02"}
    assert evidence(stages, "impressions", "clicks", **later) == {"a": (2, 1)}
    # A list that lies on both sides: what stands above a later click was passed over only if it was shown then too.
    stages.give(
        "impressions",
        [
            ("s", "q", "a", 1, False, None, "2025-03-01"),
            ("s", "q", "b", 2, False, None, "2025-03-02"),
            ("s", "q", "c", 3, True, None, "2025-03-02"),
        ],
        LOG,
    )
    assert evidence(stages, "examined_not_clicked", click_eta=0, **later) == {"b": (1,), "c": (0,)}


def test_later_clicks_judge_and_earlier_clicks_train(stages: Stages) -> None:
    stages.give("queries", [("q1", "x", "train"), ("q2", "y", "test")])
    stages.give(
        "impressions",
        [
            (f"{query}{doc}{i}", query, doc, 1, True, None, day)
            for query in ("q1", "q2")
            for doc, day in (("old", "2025-03-01"), ("new", "2025-03-02"), ("timeless", None))
            for i in range(3)
        ],
        LOG,
    )

    def found(**variables: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        variables = {"positives_from": "clicks", "judgments_from": "clicks", **variables}
        for name in ("click_evidence", "later_click_evidence"):
            stages.build(name, **variables)
        tables = (stages.build(name, **variables) for name in ("positives", "judgments"))
        positives, judgments = (select(rows, "query_id", "doc_id", "split") for rows in tables)
        return positives, judgments

    positives, judgments = found(clicks_before="2025-03-02")
    assert positives == [("q1", "old", "train")]
    assert judgments == [("q1", "new", "train"), ("q2", "new", "test")]
    assert found(clicks_before="2025-03-02", min_click_sessions=4) == ([], [])
    # Without a moment, the same clicks do both.
    positives, judgments = found()
    assert [doc for _, doc, _ in positives] == ["new", "old", "timeless"]
    assert [doc for query, doc, _ in judgments if query == "q1"] == ["new", "old", "timeless"]


def test_sessions_that_see_too_much_are_excluded_and_listed(stages: Stages) -> None:
    rows = [("bot", f"q{i}", "a", 1, False, None, f"2025-03-0{i + 1}") for i in range(4)]
    rows += [("clicker", "q0", d, i + 1, True, None, "2025-03-01") for i, d in enumerate("abc")]
    rows += [("person", "q0", d, i + 1, d == "b", None, "2025-03-01") for i, d in enumerate("abc")]
    stages.give("impressions", rows, LOG)
    limits = {"max_session_impressions": 3, "max_session_clicks": 2}
    excluded = stages.build("excluded_sessions", **limits)
    assert select(excluded, "session_id", "impressions", "clicks", "queries", "reason") == [
        ("bot", 4, 0, 4, "too_many_impressions"),
        ("clicker", 3, 3, 1, "too_many_clicks"),
    ]
    assert str(excluded[0]["last_shown_at"]) == "2025-03-04 00:00:00"
    assert evidence(stages, "distinct_sessions", "clicks", **limits) == {"a": (1, 0), "b": (1, 1), "c": (1, 0)}
    assert select(stages.build("excluded_sessions", max_session_clicks=0), "session_id") == [("clicker",), ("person",)]
    assert stages.build("excluded_sessions", max_session_impressions=4, max_session_clicks=3) == []
    assert stages.build("excluded_sessions") == []

    stages.build("excluded_sessions", max_session_impressions=0)
    assert evidence(stages, "clicks", max_session_impressions=0) == {}  # nobody is left


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"click_model": "pmb"}, "no macro 'click_pmb'"),
        ({"min_dwell_seconds": "5s"}, "min_dwell_seconds is 5s"),
        ({"max_session_clicks": -1}, "max_session_clicks is -1"),
        ({"max_session_impressions": True}, "max_session_impressions is True"),
        ({"click_examination": "guessed"}, "click_examination is 'guessed'"),
        ({"click_model": "ipw", "propensity_clip": 2}, "propensity_clip is 2"),
    ],
)
def test_wrong_vars_are_refused(stages: Stages, variables: dict[str, Any], words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        stages.render("click_evidence", positives_from="clicks", **variables)


EVIDENCE = (
    "query_id varchar, doc_id varchar, impressions bigint, clicks bigint, distinct_sessions bigint, "
    "clicked_sessions bigint, mean_position double, mean_dwell_seconds double, expected_examinations double, "
    "attractiveness double, lower_bound double"
)


def give_evidence(stages: Stages, rows: list[tuple[Any, ...]], clicks: int = 9) -> None:
    """Rows of (query_id, doc_id, clicked_sessions, lower_bound)."""
    stages.give(
        "click_evidence",
        [(q, d, 9, clicks, 9, sessions, 1.0, None, 6.0, 0.8, bound) for q, d, sessions, bound in rows],
        EVIDENCE,
    )


def test_positives_from_clicks_need_sessions_a_bound_and_a_query_for_training(stages: Stages) -> None:
    stages.give("queries", [("q1", "x", "train"), ("q2", "x", "dev"), ("q3", "x", "test"), ("q4", "x", "unjudged")])
    give_evidence(
        stages,
        [
            ("q1", "d1", 2, 0.3),
            ("q1", "d2", 5, 0.6),
            ("q1", "d3", 1, 0.9),
            ("q1", "d4", 9, 0.19),
            ("q1", "d5", 3, 0.3),
            ("q2", "d1", 2, 0.2),
            ("q3", "d1", 9, 0.9),
            ("q4", "d1", 9, 0.9),
        ],
    )
    rows = stages.build("positives", positives_from="clicks", min_click_sessions=2, min_lower_bound=0.2)
    assert select(rows, "query_id", "doc_id", "positive_rank", "weight", "split") == [
        ("q1", "d1", 3, 0.3, "train"),
        ("q1", "d2", 1, 0.6, "train"),
        ("q1", "d5", 2, 0.3, "train"),
        ("q2", "d1", 1, 0.2, "dev"),
    ]
    assert {row["origin"] for row in rows} == {"clicks:position_bias_corrected"}
    assert {row["grade"] for row in rows} == {None}


def test_positives_need_clicks_and_name_their_model(stages: Stages) -> None:
    stages.give("queries", [("q1", "x", "train")])
    give_evidence(stages, [("q1", "d1", 2, 0.5)], clicks=4)
    (row,) = stages.build("positives", positives_from="clicks", min_clicks=4, click_model="dbn")
    assert row["origin"] == "clicks:dbn"
    assert stages.build("positives", positives_from="clicks", min_clicks=5) == []


def test_positives_from_judgments_by_grade(stages: Stages) -> None:
    stages.give("queries", [("q1", "x", "train"), ("q2", "x", "test")])
    stages.give("judgments", [("q1", "d1", 1), ("q1", "d2", 3), ("q1", "d3", 0), ("q2", "d1", 3)])
    rows = stages.build("positives", min_grade=1)
    assert select(rows, "doc_id", "positive_rank", "weight", "origin", "grade") == [
        ("d1", 2, pytest.approx(1 / 3), "judgments", 1),
        ("d2", 1, 1, "judgments", 3),
    ]
    assert select(stages.build("positives", min_grade=2), "doc_id") == [("d2",)]
    stages.give("judgments", [("q1", "d1", 0)])
    assert select(stages.build("positives", min_grade=0), "doc_id", "weight") == [("d1", 1)]


def test_both_kinds_of_positives_have_the_same_columns(stages: Stages) -> None:
    stages.give("queries")
    stages.give("judgments")
    stages.give("click_evidence", columns=EVIDENCE)
    described = []
    for origin in ("clicks", "judgments"):
        stages.build("positives", positives_from=origin)
        described.append(stages.rows("select column_name, column_type from (describe positives)"))
    assert described[0] == described[1]


def test_unknown_origin_of_positives_is_refused(stages: Stages) -> None:
    with pytest.raises(TemplateError, match="positives_from is 'click'"):
        stages.render("positives", positives_from="click")
