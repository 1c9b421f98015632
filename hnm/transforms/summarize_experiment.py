"""Transform: an experiment's recipes side by side, with intervals over queries and paired tests against baselines."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.sqltext import quote
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

MODEL = "__model"
"""Ends the name of the input that is a system's model."""


class SystemParams(Params):
    """`recipe`: its levels beside the seed. `seed`: the repetition; null for what is not trained."""

    recipe: tuple[str, ...]
    seed: str | None = None


class SummarizeExperimentParams(Params):
    """`systems`: what was measured, by name. `sides`: on what, such as home and away.

    `baselines`: what the others are tested against: a recipe's first level, or a system's name.
    `samples`: bootstrap draws; `confidence`: of the intervals; `permutations`: random signs of each paired test.
    """

    systems: dict[str, SystemParams] = Field(min_length=1)
    sides: tuple[str, ...] = Field(min_length=1)
    baselines: tuple[str, ...] = ()
    samples: int = Field(default=2_000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    permutations: int = Field(default=10_000, ge=100)
    seed: int = 0


@transform(params=SummarizeExperimentParams, inputs=None, packages=("numpy",))
def summarize_experiment(
    inputs: Inputs, params: SummarizeExperimentParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """Each recipe's mean over queries and seeds by measure, with its budget, and its tests against baselines.

    Inputs: for each of `systems` and `sides` a table (model, split, query_id, measure, value) under the name
    `SYSTEM__SIDE`, and for systems that were trained the model as `SYSTEM__model`. An experiment in YAML makes this
    stage; see `hnm.experiment_results.results` for what the numbers are.
    Output: (recipe, side, split, measure, queries, seeds, value, ci_low, ci_high, seed_low, seed_high, baseline,
    difference, p_value, p_holm, groups, groups_short_of_negatives, pairs, steps, seconds). Groups, pairs, steps and
    seconds are those of one training, on average over the seeds.

    Recipes that did not get an equal budget are noted. Memory: all values by query. Raises StageError when systems were
    not measured on the same queries.
    """
    from hnm.experiment_results import Drawing, Evaluated, all_results, unequal_budgets

    with context.progress("reading measures", len(params.systems), "systems") as advance:
        systems = []
        for name, system in params.systems.items():
            facts = inputs.facts.get(name + MODEL, {})
            for side in params.sides:
                rows = inputs.table(f"select * from {quote(f'{name}__{side}')} order by all").to_pylist()
                systems.append(Evaluated(system.recipe, side, rows, facts))
            advance(1)
    drawing = Drawing(params.samples, params.confidence, params.permutations, params.seed)
    rows = all_results(systems, params.baselines, drawing)
    for note in unequal_budgets(rows):
        context.note(f"no equal budget: {note}")
    yield _batch(rows)


def _batch(rows: list[dict[str, Any]]) -> "pa.RecordBatch":
    import pyarrow as pa

    texts, counts = ("recipe", "side", "split", "measure"), ("queries", "seeds")
    numbers = ("value", "ci_low", "ci_high", "seed_low", "seed_high")
    test = ("difference", "p_value", "p_holm")
    budget = ("groups", "groups_short_of_negatives", "pairs", "steps", "seconds")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in texts),
            *((name, pa.int64()) for name in counts),
            *((name, pa.float64()) for name in numbers),
            ("baseline", pa.string()),
            *((name, pa.float64()) for name in (*test, *budget)),
        ]
    )
    return pa.RecordBatch.from_pylist(rows, schema)
