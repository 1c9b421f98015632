"""The story of a finished run in numbers: what `hnm run` shows at its end. Read from the tables, nothing kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hnm.api import Project


@dataclass(frozen=True)
class Section:
    """One table of the story: a title, a query, and the stages that it reads."""

    title: str
    reads: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Told:
    """A section with its rows. `rows`: values in the order of `columns`."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


SECTIONS = (
    Section(
        "Collection",
        ("corpus", "queries", "judgments", "positives"),
        """select (select count(*) from corpus) as documents, (select count(*) from queries) as queries,
                  (select count(*) from judgments) as judgments, (select count(*) from positives) as positives""",
    ),
    Section(
        "Candidates by retriever",
        ("candidates",),
        """select retriever, count(distinct query_id) as queries, count(*) as candidates,
                  round(count(*) / count(distinct query_id), 1) as per_query
           from candidates group by retriever order by retriever""",
    ),
    Section(
        "What became of the candidates",
        ("exclusion_funnel",),
        "select strategy, reason, rows, share from exclusion_funnel order by strategy, step",
    ),
    Section(
        "Negatives by strategy",
        ("negative_quality",),
        """select strategy, negatives, coverage, hardness, margin, inversion_rate, judged_positive_rate
           from negative_quality order by strategy""",
    ),
    Section(
        "Reranking of test queries",
        ("evaluations",),
        """select model, any_value(queries) as queries,
                  max(value) filter (measure = 'RR@3') as "RR@3", max(value) filter (measure = 'RR@10') as "RR@10",
                  max(value) filter (measure = 'nDCG@10') as "nDCG@10", max(value) filter (measure = 'R@10') as "R@10"
           from evaluations where baseline is null group by model order by "RR@10", model""",
    ),
    Section(
        "Paired tests, RR@10",
        ("evaluations",),
        """select model, baseline, difference, p_holm
           from evaluations as one
           where measure = 'RR@10' and baseline is not null and (
               difference > 0 or (difference = 0 and model < baseline) or not exists (
                   from evaluations as other  -- the same pair the other way round
                   where other.measure = one.measure and other.model = one.baseline and other.baseline = one.model))
           order by baseline, model""",
    ),
)


def tell(project: "Project") -> list[Told]:
    """Every section whose stages are all built."""
    state = project.state()
    told = []
    for section in SECTIONS:
        if all(name in state for name in section.reads):
            table = project.query(section.sql)
            rows = [tuple(row.values()) for row in table.to_pylist()]
            told.append(Told(section.title, tuple(table.schema.names), rows))
    return told
