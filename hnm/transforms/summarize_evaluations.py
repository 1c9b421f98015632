"""Transform: from values per query to means with intervals, and paired tests against baselines."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

# `population` tells whether two systems were measured on the same queries without moving the ids.
BY_SYSTEM = """
select
    split, measure, model,
    list(value order by query_id) as per_query,
    count(distinct query_id) as queries,
    md5(string_agg(query_id, chr(31) order by query_id)) as population
from by_query group by all order by split, measure, model
"""


class SummarizeEvaluationsParams(Params):
    """`baselines`: systems that every other system is tested against.

    `samples`: bootstrap draws; `confidence`: of the intervals; `permutations`: random signs of each paired test.
    """

    baselines: tuple[str, ...] = ()
    samples: int = Field(default=2_000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    permutations: int = Field(default=10_000, ge=100)
    seed: int = 0


@transform(params=SummarizeEvaluationsParams, inputs=("by_query",), packages=("numpy",))
def summarize_evaluations(
    inputs: Inputs, params: SummarizeEvaluationsParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """The mean of each measure for each model and split, with a bootstrap interval, and its tests against baselines.

    Input: by_query(model, split, query_id, measure, value). Output: (model, split, measure, queries, value, ci_low,
    ci_high, baseline, difference, p_value, p_holm, seed): one row per model with `baseline` null, and one more for each
    baseline other than itself, in which `difference` is value minus the baseline's value (higher is better), `p_value`
    comes from the paired randomization test, and `p_holm` is Holm's correction over the models tested against that
    baseline by that measure. Means weigh every query alike.

    Memory: the values of one measure. Raises StageError for an unknown baseline, and when models of one measure and
    split were not measured on the same queries, each once.
    """
    known = inputs.table("select distinct model from by_query order by all").column(0).to_pylist()
    unknown = [name for name in params.baselines if known and name not in known]
    if unknown:
        raise StageError(
            f"{context.stage}: baseline {unknown[0]!r} was not evaluated",
            why=f"evaluated: {', '.join(known)}",
            hint=nearest(unknown[0], known),
        )
    groups = inputs.table("select distinct split, measure from by_query").num_rows
    systems = (row for batch in inputs.sql(BY_SYSTEM, batch_rows=2_048) for row in batch.to_pylist())
    yield _batch([])
    with context.progress("testing differences", groups, "measures") as advance:
        for (split, measure), group in groupby(systems, lambda row: (row["split"], row["measure"])):
            yield _batch(_summaries(list(group), split, measure, params))
            advance(1)


def _summaries(systems: list[Row], split: str | None, measure: str, params: SummarizeEvaluationsParams) -> list[Row]:
    """All rows of one measure on one split."""
    import numpy as np

    from hnm.evaluation.bootstrap import mean_intervals
    from hnm.evaluation.holm import holm
    from hnm.evaluation.randomization import paired_p_values

    _refuse_unpaired(systems, split, measure)
    values = np.array([row["per_query"] for row in systems], np.float64).T
    means = values.mean(axis=0)
    low, high = mean_intervals(values, params.samples, params.confidence, params.seed)
    rows = [
        {
            "model": system["model"],
            "split": split,
            "measure": measure,
            "queries": system["queries"],
            "value": float(means[i]),
            "ci_low": float(low[i]),
            "ci_high": float(high[i]),
            "seed": params.seed,
        }
        for i, system in enumerate(systems)
    ]
    names = [row["model"] for row in rows]
    compared = []
    for baseline in sorted(set(params.baselines) & set(names)):
        base = names.index(baseline)
        others = [i for i in range(len(names)) if i != base]
        if not others:
            continue
        p_values = paired_p_values(values[:, others] - values[:, [base]], params.permutations, params.seed)
        for i, p_value, p_holm in zip(others, p_values, holm(p_values), strict=True):
            test = {"difference": float(means[i] - means[base]), "p_value": float(p_value), "p_holm": float(p_holm)}
            compared.append({**rows[i], "baseline": baseline, **test})
    return rows + compared


def _refuse_unpaired(systems: list[Row], split: str | None, measure: str) -> None:
    for system in systems:
        twice = len(system["per_query"]) != system["queries"]
        if twice or system["population"] != systems[0]["population"]:
            raise StageError(
                f"{system['model']!r} cannot be compared by {measure} on split {split!r}",
                why="a query occurs twice" if twice else f"its queries differ from those of {systems[0]['model']!r}",
                hint="evaluate all models on the same queries, each once",
            )


def _batch(rows: list[Row]) -> "pa.RecordBatch":
    import pyarrow as pa

    schema = pa.schema(
        {
            "model": pa.string(),
            "split": pa.string(),
            "measure": pa.string(),
            "queries": pa.int64(),
            "value": pa.float64(),
            "ci_low": pa.float64(),
            "ci_high": pa.float64(),
            "baseline": pa.string(),
            "difference": pa.float64(),
            "p_value": pa.float64(),
            "p_holm": pa.float64(),
            "seed": pa.int64(),
        }
    )
    return pa.RecordBatch.from_pylist(rows, schema)
