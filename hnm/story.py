"""The story of a finished run in numbers: what `hnm run` shows at its end. Read from the tables, nothing kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hnm.api import Project


@dataclass(frozen=True)
class Section:
    """One table of the story: a title, a query, and the stages that it reads.

    `unless`: a stage in whose presence another section says more. `alarm`: its rows are bad news, and this is what to
    do about them; without rows there is nothing to tell.
    """

    title: str
    reads: tuple[str, ...]
    sql: str
    unless: str | None = None
    alarm: str | None = None


@dataclass(frozen=True)
class Told:
    """A section with its rows.

    `rows`: values in the order of `columns`. `alarm`: what to do, where they are bad news.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    alarm: str | None = None


def _means(table: str, *measures: str) -> str:
    """Means of the models in a table of evaluations, one column for each measure."""
    columns = ", ".join(f"max(value) filter (measure = '{name}') as \"{name}\"" for name in measures)
    return f"select model, any_value(queries) as queries, {columns} from {table} where baseline is null group by model"


_HOME = _means("evaluations", "RR@3", "RR@10", "nDCG@10", "R@10")

# The best of those that are tested against others, which first stages are not.
_TESTS = """
select model, baseline, difference, p_holm from evaluations
where measure = 'RR@10' and baseline is not null and model = (
    select max_by(model, (value, model)) from evaluations where measure = 'RR@10' and baseline is not null
)
"""

_SUPPORTED = ", ".join(f'max(supported) filter (top = {top}) as "top {top}"' for top in (1, 3, 5))

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
        f'select * from ({_HOME}) order by "RR@10", model',
        unless="away_evaluations",
    ),
    Section(
        "Reranking of test queries, and of another collection's (away)",
        ("evaluations", "away_evaluations"),
        f"""select home.*, away."RR@10" as "away RR@10", away."nDCG@10" as "away nDCG@10"
            from ({_HOME}) as home
            left join ({_means("away_evaluations", "RR@10", "nDCG@10")}) as away using (model)
            order by "RR@10", model""",
    ),
    Section(
        "Paired tests of the best reranker, RR@10",
        ("evaluations",),
        f"{_TESTS} order by baseline",
        unless="away_evaluations",
    ),
    Section(
        "Paired tests of the best reranker, RR@10",
        ("evaluations", "away_evaluations"),
        f"""select home.*, away.difference as away_difference, away.p_holm as away_p_holm
            from ({_TESTS}) as home
            left join (from away_evaluations where measure = 'RR@10') as away using (model, baseline)
            order by baseline""",
    ),
    Section(
        "RAG: a right answer among the first documents that fit the token budget",
        ("rag_support",),
        f"""select model, any_value(queries) as queries, {_SUPPORTED},
                   round(max(tokens) filter (top = 5))::bigint as "tokens of top 5",
                   any_value(token_budget) as "token budget"
            from rag_support group by model order by "top 1", model""",
    ),
    Section(
        "Worse away from home than before training, nDCG@10",
        ("away_evaluations",),
        """select model, value - difference as start, value as trained, difference, p_value,
                  if(p_value < 0.05, 'a loss', 'may be chance') as verdict
           from away_evaluations
           where measure = 'nDCG@10' and baseline = 'start' and difference < 0
           order by difference, model""",
        alarm="lower learning_rate, set average_with_start, or mix in more random negatives: see docs/training.md",
    ),
)


def tell(project: "Project") -> list[Told]:
    """Every section whose stages are all built, and still part of the project."""
    built = project.state().keys() & project.manifest.nodes.keys()
    told = []
    for section in SECTIONS:
        if built.issuperset(section.reads) and section.unless not in built:
            table = project.query(section.sql)
            rows = [tuple(row.values()) for row in table.to_pylist()]
            if rows or not section.alarm:
                told.append(Told(section.title, tuple(table.schema.names), rows, section.alarm))
    return told
