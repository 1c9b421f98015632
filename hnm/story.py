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
        "Reranking",
        ("evaluations",),
        """select model, measure, value, ci_low, ci_high, baseline, difference, p_holm
           from evaluations order by measure, model, baseline""",
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
