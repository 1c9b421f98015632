"""How an experiment is shown."""

import pytest

from hnm.cli.compare_view import print_comparison, print_scores
from hnm.cli.console import stderr, stdout
from hnm.experiment import Comparison
from hnm.experiment_results import Drawing, Evaluated, all_results

FACTS = {"groups": 2000, "groups_short_of_negatives": 0, "pairs": 10000, "steps": 500, "seconds": 301.0}
RECIPES = {"random": 0.4, "sentence_transformers": 0.6, "hard": 0.7}


def rows():
    systems = []
    for name, value in RECIPES.items():
        for seed in (0.0, 0.02):
            by_query = [
                {
                    "model": "m",
                    "split": "test",
                    "query_id": f"q{i}",
                    "measure": "RR@10",
                    "value": value + seed + i / 1000,
                }
                for i in range(40)
            ]
            systems.append(Evaluated((name,), "home", by_query, FACTS | {"groups": 1500 if name == "hard" else 2000}))
    first = [row | {"model": "bm25", "value": 0.9} for row in systems[0].rows]
    return all_results([Evaluated(("first_stage",), "home", first), *systems], ["first_stage", "random"], Drawing())


def comparison(**more):
    found = {
        "name": "negatives_pay",
        "description": "Do [hard] negatives pay?",
        "measure": "RR@10",
        "rows": rows(),
        "cells": tuple(f"{name}__seed{seed}" for name in RECIPES for seed in (0, 1, 2)),
        "missing": [],
        "unmeasured": {},
        "stale": [],
        "unequal": [],
        "scores": [],
    }
    return Comparison(**(found | more))


@pytest.fixture
def show(capsys, monkeypatch):
    def shown(function, found, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        stdout.cache_clear()
        stderr.cache_clear()
        function(found)
        stdout.cache_clear()
        stderr.cache_clear()
        return capsys.readouterr()

    return shown


@pytest.mark.parametrize("columns", [80, 120])
def test_recipes_stand_side_by_side_within_the_width(show, columns):
    out, _ = show(print_comparison, comparison(), columns)
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[:2] == ["Do [hard] negatives pay?", "negatives_pay: RR@10 at home (test), 40 queries"]
    table = {line.split()[0]: line.split() for line in lines[4:] if line}
    assert table["hard"][1] == ".730"
    assert {"first_stage", "random", "hard"} <= table.keys()
    assert ("10,000" in table["hard"], "5:01" in table["hard"]) == (True, True)
    assert "+.300" in table["hard"]
    assert any(cell.startswith("-.17") for cell in table["hard"])
    assert "<.001" in table["hard"]
    assert ("1,500" in table["hard"]) == (columns == 120)
    assert (".719-.739" in table["hard"]) == (columns == 120)


def test_numbers_are_whole_in_80_columns(show):
    found = comparison(measure="nDCG@10", rows=[row | {"seconds": 933.0} for row in rows()])
    out, _ = show(print_comparison, found, 80)
    table = [line for line in out.splitlines() if line.startswith(("random", "hard"))]
    assert table
    assert not any("…" in line for line in table)


def test_how_to_go_on_names_the_vars_that_were_given(show):
    _, err = show(lambda found: print_comparison(found, ["{experiment_groups: 8}"]), comparison(missing=["start"]), 200)
    assert err.splitlines()[-1] == "`hnm run --select '+negatives_pay' --vars '{experiment_groups: 8}'` goes on"


def test_what_is_missing_is_said_and_how_to_go_on(show):
    found = comparison(
        missing=["start", *(f"{name}__seed2" for name in RECIPES)],
        unmeasured={"away": ["random__seed0", "hard__seed0"]},
        stale=["hard__seed0"],
        unequal=["hard: 1,500 groups, the others up to 2,000"],
    )
    _, err = show(print_comparison, found, 200)
    assert err.splitlines() == [
        "4 of 9 cells built, and not start; p is corrected by Holm's method",
        "no equal budget: hard: 1,500 groups, the others up to 2,000",
        "out of date, built from other settings or data: hard__seed0",
        "not built: start, random__seed2, sentence_transformers__seed2, hard__seed2",
        "not measured at away: random__seed0, hard__seed0",
        "`hnm run --select '+negatives_pay'` goes on",
    ]


def test_nothing_built_shows_no_table(show):
    names = comparison().cells
    out, err = show(print_comparison, comparison(rows=[], missing=list(names)))
    assert out == "Do [hard] negatives pay?\n"
    assert err.startswith("0 of 9 cells built")
    assert "and 4 more" in err


def test_scores_stand_by_class_with_all_models(show):
    classes = {"positive": None, "hard": 0.25}
    percents = {"p05": -2.0, "p25": -1.0, "p50": 0.0, "p75": 1.0, "p95": 2.5}
    scores = [
        {"model": model, "class": name, "pairs": 9, "mean": 0.1, "above_positive": above, **percents}
        for model in ("start", "hard")
        for name, above in classes.items()
    ]
    out, _ = show(print_scores, comparison(scores=scores))
    tables = out.split("\n\n")
    assert [table.splitlines()[0] for table in tables[:2]] == [
        "Scores (logits) of positives",
        "Scores (logits) of negatives of hard",
    ]
    assert [line.split()[0] for line in tables[0].splitlines()[2:]] == ["start", "hard"]
    assert "25%" in tables[1]
    assert show(print_scores, comparison())[1] == "not built yet: `hnm run --select +negatives_pay__scores`\n"
