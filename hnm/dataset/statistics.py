"""Numbers about a table of triplets, from its own rows: they hold for any version, also one from elsewhere."""

from typing import TYPE_CHECKING, Any

from hnm.sqltext import literal
from hnm.warehouse.digest import table_columns

if TYPE_CHECKING:
    import duckdb

TRIPLET = ("query_id", "positive_id", "negative_id")
"""What a table must have to count as one of triplets."""

ALL = "*"
"""Stands for all strategies together."""

Statistics = dict[str, dict[str, Any]]


def statistics(connection: "duckdb.DuckDBPyConnection", table: str) -> Statistics:
    """By strategy, and for all together; empty when `table` (SQL text of what follows FROM) holds no triplets.

    `rows`; `queries`; `positives` (pairs of query and positive); `negatives` (different documents); `per_positive`
    (rows per pair); `most_used` (in how many rows one document is the negative); `NAME_rows` for each split. Where
    distances are known: `margin`, mean of d(query, negative) - d(query, positive), and `inversion_rate`, the share of
    rows whose negative is closer to the query than the positive is.
    """
    columns = table_columns(connection, table)
    if not is_triplets(columns):
        return {}
    found = _by(connection, table, columns, literal(ALL))
    return found | (_by(connection, table, columns, "strategy") if "strategy" in columns else {})


def is_triplets(columns: dict[str, str]) -> bool:
    return set(TRIPLET) <= columns.keys()


def _by(connection: "duckdb.DuckDBPyConnection", table: str, columns: dict[str, str], group: str) -> Statistics:
    named = f"coalesce({group}, '') as strategy"
    measures = "null::double as margin, null::double as inversion_rate"
    if {"d_query_doc", "d_query_positive"} <= columns.keys():
        margin = "d_query_doc - d_query_positive"
        exact = f"sum(({margin})::decimal(38, 12))::double / nullif(count({margin}), 0)"
        measures = f"{exact} as margin, avg((({margin}) < 0)::integer) as inversion_rate"
    relation = connection.execute(
        f"""with of_pairs as (
                select {named}, query_id, positive_id, count(*) as times from {table} group by all
            ),
            pairs as (
                select strategy, sum(times)::bigint as rows, count(distinct query_id) as queries,
                       count(*) as positives, sum(times) / count(*) as per_positive
                from of_pairs group by strategy
            ),
            documents as (
                select strategy, count(*) as negatives, max(times) as most_used
                from (select {named}, negative_id, count(*) as times from {table} group by all)
                group by strategy
            ),
            means as (select {named}, {measures} from {table} group by all)
            select strategy, rows, queries, positives, negatives, per_positive, most_used, margin, inversion_rate
            from pairs join documents using (strategy) join means using (strategy) order by strategy"""
    )
    names = [column[0] for column in relation.description]
    found = {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in relation.fetchall()}
    if "split" in columns:
        splits = f"select {named}, split, count(*) from {table} group by all order by all"
        for strategy, split, count in connection.execute(splits).fetchall():
            found[strategy][f"{split}_rows"] = count
    return found
