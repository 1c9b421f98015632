"""The statistics of the negatives, strategies side by side. They are made in SQL; here they are only read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hnm.built_tables import BuiltTables, Row, reading
from hnm.errors import QueryError, SelectorError, nearest
from hnm.sqltext import quote

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.api import Project

TABLES = ("negative_quality", "exclusion_funnel", "negative_ranks", "retriever_overlap", "false_negative_estimates")
BY_QUERY = "negative_quality_by_query"
KEYS = ("strategy", "query_id", "split")


@dataclass(frozen=True)
class Statistic:
    """How to read a number: which direction is `wanted` (None: neither), what that direction means, what it is."""

    wanted: Literal["higher", "lower"] | None
    means: str
    what: str


STATISTICS = {
    "queries": Statistic(None, "", "that were mined for"),
    "pairs": Statistic(None, "", "of query and positive that were mined for"),
    "negatives": Statistic("higher", "more", "kept"),
    "coverage": Statistic("higher", "better", "share of the queries that have a negative"),
    "pair_coverage": Statistic("higher", "better", "share of the pairs that have a negative"),
    "yield": Statistic("higher", "more", "negatives per pair"),
    "hardness": Statistic("higher", "harder", "s(q,n) / s(q,p*): above 1, it beats the positive"),
    "margin": Statistic("lower", "harder", "s(q,p*) - s(q,n): below 0, it beats the positive"),
    "inversion_rate": Statistic("lower", "safer", "share that scores above the query's best positive"),
    "slack_1": Statistic("higher", "clearer", "d(q,p) - d(q,n): above 0, condition 1 holds"),
    "slack_2": Statistic("higher", "clearer", "d(p,n) - d(q,n): above 0, condition 2 holds"),
    "agreement": Statistic("higher", "surer", "share of the retrievers that returned it"),
    "lexical_overlap_query": Statistic(None, "", "Jaccard index of its words and the query's"),
    "lexical_overlap_positive": Statistic(None, "", "Jaccard index of its words and the positive's"),
    "near_duplicate_rate": Statistic("lower", "safer", "share that is almost the positive"),
    "diversity": Statistic("higher", "better", "mean distance between a query's negatives"),
    "hubness_max": Statistic("lower", "better", "how often one document serves as a negative"),
    "hubness_gini": Statistic("lower", "better", "0: all documents serve equally often"),
    "label_conflicts": Statistic("lower", "must be 0", "positives among their own query's negatives"),
    "judged_positive_rate": Statistic("lower", "safer", "share that a judgment calls right"),
}
ESTIMATES = {
    "judge_examined": Statistic(None, "", "negatives that the judge was asked about"),
    "judge_false_negatives": Statistic("lower", "safer", "those that it scores as positives"),
    "judge_false_negative_rate": Statistic("lower", "safer", "their share of those that it was asked about"),
    "hidden_examined": Statistic(None, "", "negatives that may be hidden positives"),
    "hidden_false_negatives": Statistic("lower", "safer", "hidden positives among the negatives"),
    "hidden_false_negative_rate": Statistic("lower", "safer", "their share; a lower bound of right answers"),
}
"""What `quality` has beside its own columns in a project with `false_negative_estimates`."""

_COUNTED = {"examined": "examined", "false_negatives": "false_negatives", "false_negative_rate": "rate"}


def statistic(name: str) -> Statistic:
    """How to read a column of `negative_quality`; quantiles (`margin_p05`) as what they are quantiles of."""
    return (STATISTICS | ESTIMATES).get(quantile(name)[0], Statistic(None, "", ""))


def quantile(name: str) -> tuple[str, int | None]:
    """`margin_p05` is (`margin`, 5); what is no quantile has None."""
    measure, mark, percent = name.rpartition("_p")
    return (measure, int(percent)) if mark and percent.isdigit() else (name, None)


@dataclass(frozen=True)
class Statistics:
    """Rows of the tables, for the strategies asked for, which are in the order in which they are tried.

    `quality`: with the columns ESTIMATES where there are estimates of false negatives. `missing`: those of the tables
    that are not built.
    """

    strategies: tuple[str, ...]
    quality: list[Row]
    funnel: list[Row]
    ranks: list[Row]
    overlap: list[Row]
    missing: list[str]

    def side_by_side(self) -> list[Row]:
        """One row per statistic, one column per strategy."""
        by_strategy = {row["strategy"]: row for row in self.quality}
        return [
            {"statistic": name, "wanted": statistic(name).wanted}
            | {strategy: by_strategy[strategy][name] for strategy in self.strategies}
            for name in (self.quality[0] if self.quality else ())
            if name not in KEYS
        ]


def statistics(project: "Project", strategies: Collection[str] = ()) -> Statistics:
    """The statistics of these strategies, by default of all.

    Raises QueryError while `negative_quality` is not built, SelectorError for an unknown strategy.
    """
    with reading(project, TABLES) as tables:
        names = _strategies(tables, "negative_quality", strategies)
        asked = "where list_contains(?, strategy)"
        estimates = _estimates(tables, names)
        return Statistics(
            strategies=names,
            quality=[
                row | estimates[row["strategy"]]
                for row in sorted(
                    tables.rows("negative_quality", f"select * from negative_quality {asked}", names),
                    key=lambda row: names.index(row["strategy"]),
                )
            ],
            funnel=tables.rows(
                "exclusion_funnel", f"select * from exclusion_funnel {asked} order by strategy, step", names
            ),
            ranks=tables.rows(
                "negative_ranks",
                f"select * from negative_ranks {asked} order by strategy, retriever, range_order",
                names,
            ),
            overlap=tables.rows("retriever_overlap", "select * from retriever_overlap order by retriever, other"),
            missing=tables.missing(TABLES),
        )


def _estimates(tables: BuiltTables, strategies: Sequence[str]) -> dict[str, Row]:
    """By strategy, its false negatives by each estimate; nothing while the project does not estimate them."""
    table = "false_negative_estimates"
    # An earlier run may have left the table of a project that has the stage no longer.
    rows = tables.rows(table, f"select * from {table} order by estimate desc") if table in tables.stages else []
    found: dict[str, Row] = {
        strategy: {f"{row['estimate']}_{name}": None for row in rows for name in _COUNTED} for strategy in strategies
    }
    for row in rows:
        if row["strategy"] in found:
            found[row["strategy"]] |= {f"{row['estimate']}_{name}": row[column] for name, column in _COUNTED.items()}
    return found


def worst_queries(project: "Project", measure: str, strategies: Collection[str], limit: int) -> "pa.Table":
    """The queries whose negatives are worst by a measure of `negative_quality_by_query`, the worst first.

    Worst is the end that is not wanted; the highest where neither is. Raises QueryError for an unknown measure or while
    the table is not built, SelectorError for an unknown strategy.
    """
    table = BY_QUERY
    with reading(project, (table, "queries")) as tables:
        names = _strategies(tables, table, strategies)
        known = [name for name in tables.state[table].columns if name not in KEYS]
        if measure not in known:
            raise QueryError(
                f"there is no measure {measure!r} of queries",
                hint=nearest(measure, known) or f"there are {', '.join(known)}",
            )
        direction = "asc" if statistic(measure).wanted == "higher" else "desc"
        return tables.connection.sql(
            f"""select query_id, strategy, quality.split, {quote(measure)}, queries.text
                from {table} as quality left join queries using (query_id)
                where {quote(measure)} is not null and list_contains(?, strategy)
                order by {quote(measure)} {direction}, query_id, strategy limit ?""",
            params=[names, limit],
        ).to_arrow_table()


def _strategies(tables: BuiltTables, table: str, asked: Sequence[str] | Collection[str]) -> tuple[str, ...]:
    """The strategies asked for, or all of the table, in the order in which they are tried."""
    tables.require(table)
    known = [row["strategy"] for row in tables.rows(table, f"select distinct strategy from {table} order by strategy")]
    for name in asked:
        if name not in known:
            raise SelectorError(
                f"there is no strategy {name!r}", hint=nearest(name, known) or f"there are {', '.join(known)}"
            )
    tried = [strategy["name"] for strategy in tables.variables("negatives").get("strategies") or []]
    in_order = [name for name in tried if name in known] + [name for name in known if name not in tried]
    return tuple(name for name in in_order if not asked or name in asked)
