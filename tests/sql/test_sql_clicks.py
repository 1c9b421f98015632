"""impressions, unknown_impressions, click_evidence, positives."""

import math
from typing import Any

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


def give_evidence(stages: Stages, rows: list[tuple[Any, ...]]) -> None:
    """Rows of (query_id, doc_id, clicked_sessions, lower_bound)."""
    stages.give(
        "click_evidence", [(q, d, 9, 5, 9, sessions, 1.0, None, 6.0, 0.5, 0.8, bound) for q, d, sessions, bound in rows]
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


def test_positives_from_judgments_by_grade(stages: Stages) -> None:
    stages.give("queries", [("q1", "x", "train"), ("q2", "x", "test")])
    stages.give("judgments", [("q1", "d1", 1), ("q1", "d2", 3), ("q1", "d3", 0), ("q2", "d1", 3)])
    rows = stages.build("positives", min_grade=1)
    assert select(rows, "doc_id", "positive_rank", "weight", "origin", "grade") == [
        ("d1", 2, pytest.approx(1 / 3), "judgments", 1),
        ("d2", 1, 1, "judgments", 3),
    ]
    assert select(stages.build("positives", min_grade=2), "doc_id") == [("d2",)]


def test_both_kinds_of_positives_have_the_same_columns(stages: Stages) -> None:
    stages.give("queries")
    stages.give("judgments")
    stages.give("click_evidence")
    described = []
    for origin in ("clicks", "judgments"):
        stages.build("positives", positives_from=origin)
        described.append(stages.rows("select column_name, column_type from (describe positives)"))
    assert described[0] == described[1]


def test_unknown_origin_of_positives_is_refused(stages: Stages) -> None:
    with pytest.raises(TemplateError, match="positives_from is 'click'"):
        stages.render("positives", positives_from="click")
