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


VERSIONS = """
select retriever as model, any_value(model_version) as model_version, any_value(dataset_version) as dataset_version
from runs group by retriever
"""


class SummarizeEvaluationsParams(Params):
    """`baselines`: systems that others are tested against. `tested`: which others; null for all.

    `samples`: bootstrap draws; `confidence`: of the intervals; `permutations`: random signs of each paired test.
    """

    baselines: tuple[str, ...] = ()
    tested: tuple[str, ...] | None = None
    samples: int = Field(default=2_000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    permutations: int = Field(default=10_000, ge=100)
    seed: int = 0


@transform(params=SummarizeEvaluationsParams, inputs=("by_query",), optional_inputs=("runs",), packages=("numpy",))
def summarize_evaluations(
    inputs: Inputs, params: SummarizeEvaluationsParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """The mean of each measure for each model and split, with a bootstrap interval, and its tests against baselines.

    Input: by_query(model, split, query_id, measure, value), and optionally runs(retriever, model_version,
    dataset_version). Output: (model, split, measure, queries, value, ci_low, ci_high, baseline, difference, p_value,
    p_holm, seed, dataset_version, model_version): one row per model with `baseline` null, and for each that is tested
    one more per baseline other than itself, in which `difference` is value minus the baseline's value (higher is
    better), `p_value` comes from the paired randomization test, and `p_holm` is Holm's correction over the models
    tested against that baseline by that measure. Means weigh every query alike. The versions are those of `runs`.

    Memory: the values of one measure. Raises StageError for an unknown name, and when models of one measure and split
    were not measured on the same queries, each once.
    """
    known = inputs.table("select distinct model from by_query order by all").column(0).to_pylist()
    unknown = [name for name in (*params.baselines, *(params.tested or ())) if known and name not in known]
    if unknown:
        raise StageError(
            f"{context.stage}: {unknown[0]!r} was not evaluated",
            why=f"evaluated: {', '.join(known)}",
            hint=nearest(unknown[0], known),
        )
    groups = inputs.table("select distinct split, measure from by_query").num_rows
    versions = {row.pop("model"): row for row in inputs.table(VERSIONS).to_pylist()} if "runs" in inputs else {}
    systems = (row for batch in inputs.sql(BY_SYSTEM, batch_rows=2_048) for row in batch.to_pylist())
    yield _batch([])
    with context.progress("testing differences", groups, "measures") as advance:
        for (split, measure), group in groupby(systems, lambda row: (row["split"], row["measure"])):
            summaries = _summaries(list(group), split, measure, params)
            yield _batch([{**row, **versions.get(row["model"], {})} for row in summaries])
            advance(1)


def _summaries(systems: list[Row], split: str | None, measure: str, params: SummarizeEvaluationsParams) -> list[Row]:
    """All rows of one measure on one split."""
    import numpy as np

    from hnm.evaluation.means import mean_rows
    from hnm.evaluation.paired_tests import paired_tests

    _refuse_unpaired(systems, split, measure)
    values = np.array([row["per_query"] for row in systems], np.float64).T
    shared = {"split": split, "measure": measure, "seed": params.seed}
    rows = mean_rows([{"model": system["model"], **shared} for system in systems], values, params)
    names = [row["model"] for row in rows]
    compared = []
    for baseline in sorted(set(params.baselines) & set(names)):
        tested = [name for name in names if name != baseline and (params.tested is None or name in params.tested)]
        pairs = [(names.index(name), names.index(baseline)) for name in tested]
        compared += paired_tests(rows, "model", values, pairs, params.permutations, params.seed)
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
            "dataset_version": pa.string(),
            "model_version": pa.string(),
        }
    )
    return pa.RecordBatch.from_pylist(rows, schema)
