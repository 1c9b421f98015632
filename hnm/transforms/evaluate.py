"""Transform: effectiveness of runs against judgments, per query."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from hnm.context import Context
from hnm.errors import StageError
from hnm.evaluation.measures import canonical, parse_measure
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

# Where nothing is relevant, no ranking is better than another: such queries measure nothing and are left out.
JUDGED = """
select split, query_id, doc_id, grade from judgments
semi join (select distinct split, query_id from judgments where grade >= 1) as answerable
    on judgments.query_id = answerable.query_id and judgments.split is not distinct from answerable.split
where $splits is null or list_contains($splits, split)
order by split, query_id, doc_id
"""
RUN = """
select query_id, doc_id, rank from runs
semi join judgments using (query_id)
where retriever = $model
order by query_id, rank
"""
MALFORMED = """
select retriever, query_id from runs group by all
having count(*) <> count(distinct doc_id) or count(*) <> count(distinct rank)
order by all limit 1
"""


class EvaluateParams(Params):
    """`measures`: in the notation of ir-measures. `splits`: those of the judgments to evaluate on; null for all."""

    measures: tuple[str, ...] = Field(default=("RR@3", "RR@10", "nDCG@10", "R@10", "R@50"), min_length=1)
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
    import ir_measures

    refuse_malformed(inputs)
    measures = [parse_measure(name) for name in params.measures]
    judgments = _judgments(inputs, params.splits)
    models = inputs.table("select distinct retriever from runs order by all").column(0).to_pylist()
    yield _batch("", None, [])
    with context.progress("evaluating", len(models), "runs") as advance:
        for model in models:
            run = _run(inputs, model)
            for split, judged in judgments.items():
                try:
                    metrics = ir_measures.iter_calc(measures, judged, run)
                    yield _batch(model, split, [(m.query_id, str(m.measure), m.value) for m in metrics])
                except (ValueError, RuntimeError) as error:
                    raise StageError(f"{context.stage}: a measure cannot be computed", why=str(error)) from error
            advance(1)
    queries = {str(split): len(judged) for split, judged in judgments.items()}
    context.record(queries=queries, models=models, queries_without_relevant=_left_out(inputs, params.splits, queries))


def refuse_malformed(inputs: Inputs) -> None:
    """Raises StageError when a run in `runs` lists a document twice for a query, or gives a rank to two documents."""
    found = inputs.table(MALFORMED).to_pylist()
    if found:
        raise StageError(
            f"run {found[0]['retriever']!r} has a document or a rank twice for query {found[0]['query_id']!r}",
            hint="each retriever may list a document once per query, at a rank of its own",
        )


def _judgments(inputs: Inputs, splits: tuple[str, ...] | None) -> dict[str | None, dict[str, dict[str, int]]]:
    """Grades by split, query and document."""
    judged: dict[str | None, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for batch in inputs.sql(JUDGED, {"splits": splits}):
        for split, query, document, grade in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            judged[split][query][document] = grade
    return judged


def _run(inputs: Inputs, model: str) -> dict[str, dict[str, float]]:
    """A run by query and document. Its scores are the negated ranks, so that ir-measures sorts it as it was sorted."""
    run: dict[str, dict[str, float]] = defaultdict(dict)
    for batch in inputs.sql(RUN, {"model": model}):
        for query, document, rank in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            run[query][document] = -float(rank)
    return run


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
