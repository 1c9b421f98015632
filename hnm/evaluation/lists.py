"""Judgments and runs in the form in which ir-measures takes them, read from a transform's inputs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hnm.errors import StageError
from hnm.inputs import Inputs

if TYPE_CHECKING:
    from ir_measures import Measure

Judgments = dict[str | None, dict[str, dict[str, int]]]
"""Grades by split, query and document."""

Run = dict[str, dict[str, float]]
"""A ranking by query and document; higher is better."""

# Where nothing is relevant, no ranking is better than another: such queries measure nothing and are left out.
_JUDGED = """
select split, query_id, doc_id, grade from judgments
semi join (select distinct split, query_id from judgments where grade >= 1) as answerable
    on judgments.query_id = answerable.query_id and judgments.split is not distinct from answerable.split
where $splits is null or list_contains($splits, split)
order by split, query_id, doc_id
"""
_MALFORMED = """
select retriever, query_id from runs group by all
having count(*) <> count(distinct doc_id) or count(*) <> count(distinct rank)
order by all limit 1
"""


def refuse_malformed(inputs: Inputs) -> None:
    """Raises StageError when a run in `runs` lists a document twice for a query, or gives a rank to two documents."""
    found = inputs.table(_MALFORMED).to_pylist()
    if found:
        raise StageError(
            f"run {found[0]['retriever']!r} has a document or a rank twice for query {found[0]['query_id']!r}",
            hint="each retriever may list a document once per query, at a rank of its own",
        )


def read_judgments(inputs: Inputs, splits: tuple[str, ...] | None = None) -> Judgments:
    """Grades of the input `judgments`, of queries that have a relevant document (grade 1 and more)."""
    judged: Judgments = defaultdict(lambda: defaultdict(dict))
    for batch in inputs.sql(_JUDGED, {"splits": splits}):
        for split, query, document, grade in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            judged[split][query][document] = grade
    return judged


def read_run(inputs: Inputs, query: str, values: Mapping[str, Any]) -> Run:
    """The run that a SQL query gives as (query_id, doc_id, rank), best rank first.

    Its scores are the negated ranks, so that ir-measures sorts it as it was sorted.
    """
    run: Run = defaultdict(dict)
    for batch in inputs.sql(query, values):
        for query_id, document, rank in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            run[query_id][document] = -float(rank)
    return run


def measured(
    measures: "Sequence[Measure]", judged: dict[str, dict[str, int]], run: Run, stage: str
) -> Iterator[tuple[str, str, float]]:
    """(query, measure, value) for every judged query, 0 for one that the run lacks.

    Raises StageError when a measure cannot be computed by the installed packages.
    """
    import ir_measures

    try:
        for metric in ir_measures.iter_calc(measures, judged, run):
            yield metric.query_id, str(metric.measure), metric.value
    except Exception as error:  # of trec_eval, gdeval and others, each of which has its own kinds
        raise StageError(
            f"{stage}: a measure cannot be computed ({', '.join(map(str, measures))})",
            why=f"{type(error).__name__}: {error}",
            hint="take another one, such as RR@10 or nDCG@10",
        ) from error
