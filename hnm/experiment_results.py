"""The results of an experiment: its recipes side by side, seeds pooled. Pure: values by query in, rows out."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hnm.errors import StageError
from hnm.evaluation.means import mean_rows
from hnm.evaluation.paired_tests import paired_tests

Row = dict[str, Any]
Recipe = tuple[str, ...]
Floats = np.ndarray[Any, np.dtype[np.float64]]

BUDGET = ("groups", "groups_short_of_negatives", "pairs", "steps", "seconds")
"""Facts of a training that are averaged over seeds."""


@dataclass(frozen=True)
class Drawing:
    """How intervals and tests are drawn: see `hnm.evaluation.bootstrap` and `hnm.evaluation.randomization`."""

    samples: int = 2_000
    confidence: float = 0.95
    permutations: int = 10_000
    seed: int = 0


@dataclass
class Measured:
    """One system on one measure and split: values by query. `facts`: of its training; none when it was not trained."""

    recipe: Recipe
    values: Mapping[str, float]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its levels. The first stage is called so, for a recipe may have the name of its retriever."""
        return ", ".join(self.recipe)


@dataclass(frozen=True)
class Evaluated:
    """What is known of one system on one side: (model, split, query_id, measure, value), the facts of its training."""

    recipe: Recipe
    side: str
    rows: Sequence[Row]
    facts: Mapping[str, Any] = field(default_factory=dict)


def all_results(systems: Iterable[Evaluated], baselines: Sequence[str], drawing: Drawing) -> list[Row]:
    """`results` of every side, split and measure, in the order in which they come."""
    groups: dict[tuple[str, str | None, str], list[Measured]] = defaultdict(list)
    for system in systems:
        values: dict[tuple[str | None, str], dict[str, float]] = defaultdict(dict)
        for row in system.rows:
            values[row["split"], row["measure"]][row["query_id"]] = row["value"]
        for (split, measure), by_query in values.items():
            groups[system.side, split, measure].append(Measured(system.recipe, by_query, system.facts))
    return [
        {"side": side, "split": split, "measure": measure, **row}
        for (side, split, measure), measured in groups.items()
        for row in results(measured, baselines, drawing)
    ]


def results(measured: Sequence[Measured], baselines: Iterable[str], drawing: Drawing) -> list[Row]:
    """The rows of one measure on one split, recipes in the order in which they come.

    A recipe's value is the mean over its seeds of the mean over queries. Interval and tests are over queries, with each
    query's values averaged over the seeds first: they say what would change with other queries. What changes with other
    seeds is `seed_low` and `seed_high`, the lowest and highest mean of one seed.
    One row per recipe has `baseline` null; one more for each baseline has the difference (higher is better), the
    p-value of the paired randomization test and Holm's correction over all recipes tested against that baseline. A
    baseline is the recipe that differs in the first axis alone, or a system of that name.

    Raises StageError when systems were not measured on the same queries.
    """
    queries = _queries(measured)
    by_recipe: dict[Recipe, list[Measured]] = defaultdict(list)
    for system in measured:
        by_recipe[system.recipe].append(system)
    recipes = list(by_recipe)
    # Shape (queries, seeds) for each recipe.
    values = [np.array([[one.values[query] for one in by_recipe[r]] for query in queries]) for r in recipes]
    pooled = np.stack([matrix.mean(axis=1) for matrix in values], axis=1)
    names = [{"recipe": by_recipe[recipe][0].label} for recipe in recipes]
    rows = [
        {**row, **_by_seed(matrix.mean(axis=0)), **_budget(by_recipe[recipe])}
        for row, matrix, recipe in zip(mean_rows(names, pooled, drawing), values, recipes, strict=True)
    ]
    return rows + [row for name in baselines for row in _tests(name, recipes, rows, pooled, drawing)]


def _queries(measured: Sequence[Measured]) -> list[str]:
    first = measured[0]
    for other in measured:
        if other.values.keys() != first.values.keys():
            raise StageError(
                f"{other.label!r} cannot be compared with {first.label!r}: they were measured on other queries",
                hint="build all cells of the experiment from the same judgments: `hnm run --select '+NAME'`",
            )
    return sorted(first.values)


def _by_seed(means: Floats) -> Row:
    return {"seeds": len(means), "seed_low": float(means.min()), "seed_high": float(means.max())}


def _budget(systems: Sequence[Measured]) -> Row:
    """Means over the seeds; null for what was not trained."""
    known = [system.facts for system in systems if system.facts]
    return {name: float(np.mean([facts.get(name, 0) for facts in known])) if known else None for name in BUDGET}


def _tests(name: str, recipes: list[Recipe], rows: list[Row], pooled: Floats, drawing: Drawing) -> list[Row]:
    """Every recipe against its baseline of that name, where it has one."""
    pairs = []
    for place, recipe in enumerate(recipes):
        partner = next((other for other in ((name, *recipe[1:]), (name,)) if other in recipes), recipe)
        if partner != recipe:
            pairs.append((place, recipes.index(partner)))
    return paired_tests(rows, "recipe", pooled, pairs, drawing.permutations, drawing.seed)


def unequal_budgets(rows: Iterable[Row]) -> list[str]:
    """In words, which recipes did not get what the others got: fewer groups or steps, or groups short of negatives."""
    trained = {row["recipe"]: row for row in rows if row["groups"] is not None}
    most = max((row["groups"] for row in trained.values()), default=0)
    steps = max((row["steps"] for row in trained.values()), default=0)
    notes = []
    for name, row in trained.items():
        if row["groups"] < most:
            notes.append(f"{name}: {row['groups']:,.0f} groups, the others up to {most:,.0f}")
        elif row["steps"] < steps:
            notes.append(f"{name}: {row['steps']:,.0f} steps, the others up to {steps:,.0f}")
        elif row["groups_short_of_negatives"]:
            short = row["groups_short_of_negatives"]
            notes.append(f"{name}: {short:,.0f} of {row['groups']:,.0f} groups are short of negatives")
    return notes
