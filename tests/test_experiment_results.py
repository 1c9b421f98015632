"""Results of an experiment: seeds pooled, queries paired, baselines that differ in the recipe alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hnm.errors import StageError
from hnm.evaluation.holm import holm
from hnm.evaluation.randomization import paired_p_values
from hnm.experiment_results import Drawing, Evaluated, all_results, unequal_budgets

QUICK = Drawing(samples=200, permutations=500)
FACTS = {"groups": 8, "groups_short_of_negatives": 0, "pairs": 24, "steps": 2, "seconds": 3.0}


def evaluated(recipe, values, model="m", side="home", measure="RR@10", facts=None):
    rows = [
        {"model": model, "split": "test", "query_id": f"q{i:02}", "measure": measure, "value": value}
        for i, value in enumerate(values)
    ]
    return Evaluated(recipe, side, rows, facts or {})


def by_recipe(rows):
    return {row["recipe"]: row for row in rows if "baseline" not in row}


def compared(rows):
    return {(row["recipe"], row["baseline"]): row for row in rows if "baseline" in row}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=4))
def test_a_recipe_is_the_mean_over_queries_and_seeds_with_the_spread_over_seeds(seeds):
    systems = [evaluated(("hard",), values, facts=FACTS | {"seconds": 1.0 + i}) for i, values in enumerate(seeds)]
    (row,) = all_results(systems, ["random"], QUICK)
    means = [np.mean(values) for values in seeds]
    assert row["value"] == pytest.approx(np.mean(means))
    assert (row["seed_low"], row["seed_high"]) == (pytest.approx(min(means)), pytest.approx(max(means)))
    assert row["ci_low"] - 1e-9 <= row["value"] <= row["ci_high"] + 1e-9
    assert (row["seeds"], row["queries"], row["pairs"]) == (len(seeds), 4, 24)
    assert row["seconds"] == pytest.approx(1 + (len(seeds) - 1) / 2)


def test_tests_are_paired_by_query_on_the_means_over_seeds_and_corrected_over_the_recipes():
    rng = np.random.default_rng(0)
    random = rng.random((2, 30)).round(2)
    hard = random + 0.2
    other = rng.random(30).round(2)
    systems = [evaluated(("random",), values) for values in random]
    systems += [evaluated(("hard",), values) for values in hard]
    systems += [evaluated(("other",), other)]
    found = compared(all_results(systems, ["random"], QUICK))
    pooled = random.mean(axis=0)
    differences = np.stack([hard.mean(axis=0) - pooled, other - pooled], axis=1)
    expected = paired_p_values(differences, 500, 0)
    assert list(found) == [("hard", "random"), ("other", "random")]
    assert found["hard", "random"]["difference"] == pytest.approx(0.2)
    assert [row["p_value"] for row in found.values()] == pytest.approx(list(expected))
    assert [row["p_holm"] for row in found.values()] == pytest.approx(list(holm(expected)))


def test_a_baseline_is_the_recipe_that_is_the_same_in_all_else():
    recipes = [("random",), ("random", "bce"), ("hard",), ("hard", "bce"), ("hard", "margin"), ("start",)]
    found = compared(all_results([evaluated(recipe, [0.5, 0.6]) for recipe in recipes], ["random", "start"], QUICK))
    partners = {recipe: [base for name, base in found if name == recipe] for recipe, _ in found}
    assert partners == {
        "hard": ["random", "start"],
        "hard, bce": ["random, bce", "start"],
        "hard, margin": ["random", "start"],  # there is no random, margin
        "start": ["random"],
        "random": ["start"],
        "random, bce": ["start"],  # it is the baseline of its loss itself
    }


def test_the_first_stage_is_not_taken_for_a_recipe_of_its_retrievers_name():
    systems = [
        evaluated(("first_stage",), [0.1, 0.2, 0.3], model="bm25"),
        evaluated(("bm25",), [0.4, 0.6, 0.5]),
        evaluated(("random",), [0.3, 0.4, 0.5]),
    ]
    rows = all_results(systems, ["first_stage", "random"], QUICK)
    assert list(by_recipe(rows)) == ["first_stage", "bm25", "random"]
    assert by_recipe(rows)["first_stage"]["pairs"] is None
    found = {pair: row["difference"] for pair, row in compared(rows).items()}
    assert found["bm25", "first_stage"] == pytest.approx(0.3)
    assert found["bm25", "random"] == pytest.approx(0.1)
    assert found["first_stage", "random"] == pytest.approx(-0.2)


def test_sides_splits_and_measures_are_apart():
    systems = [
        evaluated(("hard",), [0.1], side="home"),
        evaluated(("hard",), [0.9, 0.8], side="away"),
        evaluated(("hard",), [0.5], side="home", measure="nDCG@10"),
    ]
    rows = all_results(systems, [], QUICK)
    assert [(row["side"], row["measure"], row["queries"]) for row in rows] == [
        ("home", "RR@10", 1), ("away", "RR@10", 2), ("home", "nDCG@10", 1),
    ]  # fmt: skip


def test_nothing_measured_gives_nothing():
    assert all_results([], ["random"], QUICK) == []
    assert all_results([Evaluated(("hard",), "home", [])], ["random"], QUICK) == []


def test_systems_that_were_measured_on_other_queries_are_refused():
    with pytest.raises(StageError, match="'hard' cannot be compared with 'random'"):
        all_results([evaluated(("random",), [0.1, 0.2]), evaluated(("hard",), [0.1])], [], QUICK)


def test_unequal_budgets_are_named():
    def row(recipe, **facts):
        return {"recipe": recipe, **FACTS, **facts}

    rows = [
        row("random"),
        row("few", groups=5),
        row("short", groups_short_of_negatives=2),
        row("quick", steps=1),
        {"recipe": "start", **dict.fromkeys(FACTS)},
    ]
    assert unequal_budgets([*rows, *rows]) == [
        "few: 5 groups, the others up to 8",
        "short: 2 of 8 groups are short of negatives",
        "quick: 1 steps, the others up to 2",
    ]
    assert unequal_budgets([]) == []
