"""Transform: what a reranker gains or loses when it is given more or fewer documents."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from hnm.context import Context
from hnm.evaluation.measures import canonical, parse_measure
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

RUN = """
select query_id, doc_id, runs.rank from runs
join first_stage using (query_id, doc_id)
semi join judgments using (query_id)
where runs.retriever = $model and first_stage.rank <= $depth
order by query_id, runs.rank
"""


class EvaluateByDepthParams(Params):
    """`models`: runs that hold the documents of the first stage in another order; null for all.

    `depths`: those below the first stage's own, which always counts. `measures`: in the notation of ir-measures.
    `samples`: bootstrap draws; `confidence`: of the intervals.
    """

    models: tuple[str, ...] | None = None
    depths: tuple[Annotated[int, Field(ge=1)], ...] = (10, 20, 50, 100, 200)
    measures: tuple[str, ...] = Field(default=("RR@10", "nDCG@10", "R@10"), min_length=1)
    samples: int = Field(default=2_000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = 0

    @field_validator("measures")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return canonical(names)


@transform(params=EvaluateByDepthParams, inputs=("judgments", "runs", "first_stage"), packages=("ir-measures", "numpy"))
def evaluate_by_depth(inputs: Inputs, params: EvaluateByDepthParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Each measure of each reranked list, had the reranker been given the first 10, 20, … documents only.

    A cross-encoder scores each pair on its own, so a shorter list comes out in the order that its documents have in the
    longer one: nothing is scored again. Inputs: judgments(query_id, doc_id, grade, split), runs(query_id, doc_id,
    retriever, rank), first_stage(query_id, doc_id, rank). Output: (model, split, depth, measure, queries, value,
    ci_low, ci_high), higher is better, with bootstrap intervals. The last depth is that of the first stage's longest
    list.

    Memory: the judgments and one run. Raises StageError as `evaluate` does.
    """
    from hnm.evaluation.lists import measured, read_judgments, read_run, refuse_malformed

    refuse_malformed(inputs)
    measures = [parse_measure(name) for name in params.measures]
    judgments = read_judgments(inputs)
    full = inputs.table("select coalesce(max(rank), 0) from first_stage").column(0)[0].as_py()
    depths = [depth for depth in sorted(set(params.depths)) if depth < full] + [full] * (full > 0)
    known = inputs.table("select distinct retriever from runs order by all").column(0).to_pylist()
    models = [model for model in known if params.models is None or model in params.models]
    yield _batch([])
    with context.progress("evaluating by depth", len(models) * len(depths), "lists") as advance:
        for model in models:
            for depth in depths:
                run = read_run(inputs, RUN, {"model": model, "depth": depth})
                for split, judged in judgments.items():
                    found = list(measured(measures, judged, run, context.stage))
                    yield _batch(_rows({"model": model, "split": split, "depth": depth}, found, params))
                advance(1)


def _rows(
    name: dict[str, Any], found: list[tuple[str, str, float]], params: EvaluateByDepthParams
) -> list[dict[str, Any]]:
    import numpy as np

    from hnm.evaluation.means import mean_rows

    by_measure: dict[str, list[float]] = defaultdict(list)
    for _, measure, value in sorted(found):
        by_measure[measure].append(value)
    names = [{**name, "measure": measure} for measure in by_measure]
    return mean_rows(names, np.array(list(by_measure.values()), np.float64).T, params)


def _batch(rows: list[dict[str, Any]]) -> "pa.RecordBatch":
    import pyarrow as pa

    schema = pa.schema(
        {
            "model": pa.string(),
            "split": pa.string(),
            "depth": pa.int32(),
            "measure": pa.string(),
            "queries": pa.int64(),
            "value": pa.float64(),
            "ci_low": pa.float64(),
            "ci_high": pa.float64(),
        }
    )
    return pa.RecordBatch.from_pylist(rows, schema)
