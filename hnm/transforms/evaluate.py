"""Transform: effectiveness of runs against judgments, per query."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from hnm.context import Context
from hnm.evaluation.measures import canonical, parse_measure
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

RUN = """
select query_id, doc_id, rank from runs
semi join judgments using (query_id)
where retriever = $model
order by query_id, rank
"""


class EvaluateParams(Params):
    """`measures`: in the notation of ir-measures. `splits`: those of the judgments to evaluate on; null for all."""

    measures: tuple[str, ...] = Field(
        default=("RR@3", "RR@10", "nDCG@10", "AP", "R@10", "R@50", "Success@1", "Success@5"), min_length=1
    )
    splits: tuple[str, ...] | None = None

    @field_validator("measures")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return canonical(names)


@transform(params=EvaluateParams, inputs=("judgments", "runs"), packages=("ir-measures",))
def evaluate(inputs: Inputs, params: EvaluateParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Every measure of every run (one per `retriever`) for every judged query, by ir-measures.

    Inputs: judgments(query_id, doc_id, grade, split), runs(query_id, doc_id, retriever, rank). Output: (model, split,
    query_id, measure, value), value in [0, 1] for the usual measures, higher is better; ordered by model, split, query.
    The order of a run is its `rank`; its scores play no part, so that ties are broken as the run breaks them. A
    document is relevant from grade 1; nDCG uses the grades. A judged query that a run lacks counts with 0, or the run
    would gain by leaving hard queries out. Queries without any relevant document are left out, counted in the facts.

    Memory: the judgments and one run. Raises StageError when a run has a document or a rank twice for a query, or a
    measure cannot be computed by the installed packages.
    """
    from hnm.evaluation.lists import measured, read_judgments, read_run, refuse_malformed

    refuse_malformed(inputs)
    measures = [parse_measure(name) for name in params.measures]
    judgments = read_judgments(inputs, params.splits)
    models = inputs.table("select distinct retriever from runs order by all").column(0).to_pylist()
    yield _batch("", None, [])
    with context.progress("evaluating", len(models), "runs") as advance:
        for model in models:
            run = read_run(inputs, RUN, {"model": model})
            for split, judged in judgments.items():
                yield _batch(model, split, list(measured(measures, judged, run, context.stage)))
            advance(1)
    queries = {str(split): len(judged) for split, judged in judgments.items()}
    context.record(queries=queries, models=models, queries_without_relevant=_left_out(inputs, params.splits, queries))


def _left_out(inputs: Inputs, splits: tuple[str, ...] | None, queries: dict[str, int]) -> int:
    every = inputs.table(
        "select count(distinct (split, query_id)) from judgments "
        "where $splits is null or list_contains($splits, split)",
        {"splits": splits},
    )
    return int(every.column(0)[0].as_py()) - sum(queries.values())


def _batch(model: str, split: str | None, metrics: list[tuple[str, str, float]]) -> "pa.RecordBatch":
    import pyarrow as pa

    queries, measures, values = zip(*sorted(metrics), strict=True) if metrics else ((), (), ())
    return pa.record_batch(
        {
            "model": pa.array([model] * len(metrics), pa.string()),
            "split": pa.array([split] * len(metrics), pa.string()),
            "query_id": pa.array(queries, pa.string()),
            "measure": pa.array(measures, pa.string()),
            "value": pa.array(values, pa.float64()),
        }
    )
