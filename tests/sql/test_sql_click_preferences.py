"""click_preferences: who clicked a document preferred it to what they passed over above it."""

from typing import Any

import pytest
from sql_stages import Stages, select


def preferences(stages: Stages, **variables: Any) -> list[tuple[Any, ...]]:
    rows = stages.build("click_preferences", positives_from="clicks", **variables)
    return select(rows, "query_id", "preferred_id", "skipped_id", "sessions", "opposed")


def test_a_click_is_preferred_to_everything_unclicked_above_it(stages: Stages) -> None:
    stages.give(
        "impressions",
        [
            ("s1", "q", "a", 1, False),
            ("s1", "q", "b", 2, True),
            ("s1", "q", "c", 3, False),
            ("s1", "q", "d", 4, True),
            ("s1", "q", "e", 5, False),  # below the last click: says nothing
            ("s1", "r", "e", 1, True),  # on top: preferred to nothing
            ("s2", "q", "a", 1, False),  # no click in the session: says nothing
            ("s2", "q", "d", 2, False),
        ],
    )
    assert preferences(stages) == [("q", "b", "a", 1, 0), ("q", "d", "a", 1, 0), ("q", "d", "c", 1, 0)]


def test_sessions_that_say_the_opposite_are_counted(stages: Stages) -> None:
    lists = {"s1": "ab", "s2": "ab", "s3": "ba", "s4": "ab"}  # the second is clicked
    rows = [(name, "q", doc, k, k == 2) for name, shown in lists.items() for k, doc in enumerate(shown, 1)]
    stages.give("impressions", [*rows, *rows[:2]])  # a session counts once, however often it was shown the list
    assert preferences(stages) == [("q", "a", "b", 1, 3), ("q", "b", "a", 3, 1)]
    # Wilson's bound at z = 2 of p = 1 of 4: (p + 1/2 - 2 sqrt(3/64 + 1/16)) / 2, and so for 3 of 4.
    bounds = [row["lower_bound"] for row in stages.build("click_preferences", confidence_z=2)]
    assert bounds == [pytest.approx((p + 1 / 2 - 7**0.5 / 4) / 2) for p in (1 / 4, 3 / 4)]


def test_a_document_is_never_preferred_to_itself(stages: Stages) -> None:
    stages.give("impressions", [("s1", "q", "a", 1, False), ("s1", "q", "b", 2, False), ("s1", "q", "a", 3, True)])
    assert preferences(stages) == [("q", "a", "b", 1, 0)]


def test_a_short_click_prefers_nothing_and_is_passed_over_by_nobody(stages: Stages) -> None:
    shown = [("a", False, None), ("b", True, 3.0), ("c", True, 60.0)]
    stages.give("impressions", [("s1", "q", doc, k, *rest) for k, (doc, *rest) in enumerate(shown, 1)])
    assert preferences(stages, min_dwell_seconds=5) == [("q", "c", "a", 1, 0)]


def test_excluded_sessions_say_nothing(stages: Stages) -> None:
    stages.give("impressions", [(s, "q", doc, k, k == 2) for s in ("s1", "bot") for k, doc in enumerate("ab", 1)])
    stages.give("excluded_sessions", [("bot",)], "session_id varchar")
    assert preferences(stages, max_session_clicks=9) == [("q", "b", "a", 1, 0)]


def test_an_empty_log_prefers_nothing(stages: Stages) -> None:
    stages.give("impressions")
    assert preferences(stages) == []
