"""Vars that cannot be meant are refused by name, where else SQL would fail elsewhere, or give a wrong result."""

from typing import Any

import pytest
from sql_stages import Stages

from hnm.errors import TemplateError


@pytest.mark.parametrize(
    ("stage", "var", "values", "must"),
    [
        ("evaluation_queries", "evaluation_queries", [True, "abc", -1, 0, 2.5], "a whole number from 1, or null"),
        ("away_queries", "away_queries", [True, -1], "a whole number from 1, or null"),
        ("queries", "max_train_queries", [-1, "all"], "a whole number from 1, or null"),
        ("first_stage", "evaluation_depth", [0, "x"], "a whole number from 1"),
        ("retriever_overlap", "overlap_depth", [0, None], "a whole number from 1"),
        ("scored_candidates", "positives_per_query", [0, None], "a whole number from 1"),
        ("scored_candidates", "rrf_k", [-1, "x", True], "lie between 0 and 1000000"),
        ("rag_support", "rag_token_budget", [-1, None], "a whole number from 1"),
        ("split_leaks", "near_duplicate_similarity", [-1, 80], "lie between 0 and 1"),
        ("negative_measures", "near_duplicate_cosine", [2, "x"], "lie between -1 and 1"),
        ("positives", "min_grade", [-1, "relevant"], "a whole number from 0"),
        ("candidates", "retrievers", ["bm25", [1]], "a list of names, in brackets"),
        ("runs", "evaluated", ["start", {"a": 1}], "a list of names, in brackets"),
    ],
)
def test_refused(stages: Stages, stage: str, var: str, values: list[Any], must: str) -> None:
    for value in values:
        with pytest.raises(TemplateError) as error:
            stages.render(stage, **{var: value})
        assert error.value.what.startswith(f"{var} is {value}; it must ")
        assert error.value.what.endswith(must)


@pytest.mark.parametrize(
    ("var", "values", "must"),
    [
        ("min_clicks", [-1, 0.5], "a whole number from 0"),
        ("min_click_sessions", [True, None], "a whole number from 0"),
        ("min_lower_bound", [3, "low"], "lie between 0 and 1"),
    ],
)
def test_refused_for_clicks(stages: Stages, var: str, values: list[Any], must: str) -> None:
    for value in values:
        with pytest.raises(TemplateError) as error:
            stages.render("positives", positives_from="clicks", **{var: value})
        assert error.value.what == f"{var} is {value}; it must {'be ' if must.startswith('a') else ''}{must}"


@pytest.mark.parametrize("value", [1, 7, None])
def test_null_stands_for_all(stages: Stages, value: int | None) -> None:
    assert ("limit" in stages.render("evaluation_queries", evaluation_queries=value)) is (value is not None)


def test_a_score_of_no_retriever_names_the_var(stages: Stages) -> None:
    single = {"name": "single", "rule": "top", "by": "score_wordllama"}
    with pytest.raises(TemplateError, match=r"by is 'score_wordllama'.*: 'wordllama' is not in the var `retrievers`"):
        stages.render("negatives", strategies=[single])
