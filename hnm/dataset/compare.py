"""Which rows differ between two versions: tables `before` and `after` of one connection become the table `changes`."""

from typing import TYPE_CHECKING

from hnm.dataset.statistics import is_triplets
from hnm.errors import WarehouseError
from hnm.sqltext import quote
from hnm.warehouse.digest import row_content, table_columns

if TYPE_CHECKING:
    import duckdb

KINDS = {
    "added": "triplets of the second version alone",
    "removed": "triplets of the first version alone",
    "replaced": "the same query and positive, in the same strategy, with another negative",
    "moved": "the same triplet, chosen by another strategy",
    "changed": "the same triplet with other texts, scores, weight or split",
    "positive_to_negative": "a positive of the query that is now its negative",
    "negative_to_positive": "a negative of the query that is now its positive",
    "split_moved": "queries that are now in another split",
}
"""What a row of `changes` may say, of triplets."""

_TRIPLET = ("query_id", "positive_id", "negative_id")


def compare(
    connection: "duckdb.DuckDBPyConnection", stage: str, key: tuple[str, ...], columns: tuple[str, ...] | None
) -> None:
    """Make the temporary table `changes`, one row for each difference. Memory holds ids and hashes, and spills to disk.

    Of triplets: kind (see `KINDS`), query_id, positive_id, negative_before, negative_after, strategy_before,
    strategy_after, split_before, split_after. Of other tables: kind (added, removed, changed) and the columns of `key`.
    `columns`: those that stand for the content; all when None. Raises WarehouseError when rows cannot be told apart.
    """
    before, after = table_columns(connection, "before"), table_columns(connection, "after")
    if is_triplets(before) and is_triplets(after):
        _compare_triplets(connection, before, after)
        return
    if not key or not {*key} <= before.keys() & after.keys():
        raise WarehouseError(
            f"rows of {stage} cannot be told apart",
            why=f"both versions must have its unique_key ({', '.join(key) or 'it has none'})",
            hint="declare a `unique_key`",
        )
    compared = sorted(set(columns or before) & after.keys() & before.keys() - set(key))
    keys = ", ".join(map(quote, key))
    sides = [f"(select {keys}, {_content(types, compared)} as _content from {side})" for side, types in
             (("before", before), ("after", after))]  # fmt: skip
    connection.execute(
        f"""create temp table changes as
            select case when b._content is null then 'added' when a._content is null then 'removed' else 'changed' end
                as kind, {keys}
            from {sides[0]} b full join {sides[1]} a using ({keys})
            where b._content is distinct from a._content"""
    )


def _compare_triplets(connection: "duckdb.DuckDBPyConnection", before: dict[str, str], after: dict[str, str]) -> None:
    shared = sorted((before.keys() & after.keys()) - {*_TRIPLET, "strategy"})
    for side, types in (("before", before), ("after", after)):
        connection.execute(f"create temp table ids_{side} as {_ids(side, types, shared)}")
    connection.execute(_MATCHED)
    connection.execute(_CHANGES)


def _ids(side: str, types: dict[str, str], compared: list[str]) -> str:
    """One row per triplet: its strategies in alphabetical order, and a hash of the rest that ignores repetitions."""
    strategy = "coalesce(strategy, '')" if "strategy" in types else "''"
    split = "min(split)" if "split" in types else "null::varchar"
    return f"""select query_id, positive_id, negative_id,
                   array_to_string(list_sort(list(distinct {strategy})), ', ') as strategy,
                   sum(distinct {_content(types, compared)}) as content, {split} as split
               from {side} group by query_id, positive_id, negative_id"""


def _content(types: dict[str, str], columns: list[str]) -> str:
    return f"hash({row_content(types, columns)})::hugeint" if columns else "0::hugeint"


_MATCHED = """
create temp table matched as
select
    query_id, positive_id, negative_id,
    b.strategy as strategy_before, a.strategy as strategy_after, b.content is distinct from a.content as differs,
    case
        when b.strategy is null then 'added'
        when a.strategy is null then 'removed'
        when b.strategy <> a.strategy then 'moved'
        else 'changed'
    end as kind,
    row_number() over (
        partition by query_id, positive_id, coalesce(b.strategy, a.strategy), kind order by negative_id
    ) as place,
from ids_before b full join ids_after a using (query_id, positive_id, negative_id)
where b.strategy is distinct from a.strategy or b.content is distinct from a.content
"""

_CHANGES = """
create temp table changes as
with swapped as (
    select
        coalesce(r.query_id, a.query_id) as query_id, coalesce(r.positive_id, a.positive_id) as positive_id,
        r.negative_id as negative_before, a.negative_id as negative_after, r.strategy_before, a.strategy_after,
        case when r.kind is null then 'added' when a.kind is null then 'removed' else 'replaced' end as kind,
    from (from matched where kind = 'removed') r
    full join (from matched where kind = 'added') a
        on r.query_id = a.query_id and r.positive_id = a.positive_id and r.strategy_before = a.strategy_after
        and r.place = a.place
),
kept as (
    select kind, query_id, positive_id, negative_id as negative_before, negative_id as negative_after,
           strategy_before, strategy_after
    from matched where kind in ('moved', 'changed')
),
roles_before as (
    select query_id, positive_id as doc_id, 'positive' as role from ids_before
    union select query_id, negative_id, 'negative' from ids_before
),
roles_after as (
    select query_id, positive_id as doc_id, 'positive' as role from ids_after
    union select query_id, negative_id, 'negative' from ids_after
),
flipped as (  -- what had the new role before too was no flip, but a label conflict
    select query_id, doc_id, a.role
    from roles_after a join roles_before b using (query_id, doc_id)
    where a.role <> b.role and (query_id, doc_id, a.role) not in (select (query_id, doc_id, role) from roles_before)
),
splits as (
    select query_id, b.split as split_before, a.split as split_after
    from (select query_id, min(split) as split from ids_before group by query_id) b
    join (select query_id, min(split) as split from ids_after group by query_id) a using (query_id)
    where b.split <> a.split
)
select kind, query_id, positive_id, negative_before, negative_after, strategy_before, strategy_after,
       null::varchar as split_before, null::varchar as split_after
from (select * from swapped union all by name select * from kept)
union all by name
select 'positive_to_negative' as kind, query_id, doc_id as positive_id, doc_id as negative_after
from flipped where role = 'negative'
union all by name
select 'negative_to_positive' as kind, query_id, doc_id as positive_id, doc_id as negative_before
from flipped where role = 'positive'
union all by name
select 'split_moved' as kind, query_id, split_before, split_after from splits
"""
