"""Which training groups are taken, and which negatives fill them: one positive and its negatives are one group.

The choice of groups depends on ids and the seed alone, so that recipes with other negatives train on the same groups.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.models.limits import CHARACTERS_PER_TOKEN
from hnm.training.source import Source

# `md5` is the same everywhere, as `hash` is not. Groups in this order are a shuffle that any prefix keeps.
_ROWS = """
with usable as (
    select
        *,
        md5(concat_ws(chr(31), $seed, query_id, positive_id)) as group_order,
        md5(concat_ws(chr(31), $seed, query_id, positive_id, negative_id)) as negative_order
    from {source} where list_contains($strategies, strategy)
), taken as (
    select group_order, query_id, positive_id from usable group by all
    order by group_order, query_id, positive_id limit $max_groups
)
select
    query_id, positive_id, negative_id, strategy, positive_teacher, negative_teacher, example_weight,
    left(query, $characters) as query, left(positive, $characters) as positive, left(negative, $characters) as negative
from usable semi join taken using (query_id, positive_id)
order by group_order, query_id, positive_id, selected_rank nulls last, negative_order, negative_id, strategy
"""
_PAIRS = """
select
    count(distinct (query_id, positive_id)) as every,
    count(distinct (query_id, positive_id)) filter (list_contains($strategies, strategy)) as usable
from {source}
"""
_ROWS_AT_ONCE = 1_024


@dataclass(frozen=True)
class Share:
    """So many negatives of each group come from these strategies, the first one first."""

    strategies: tuple[str, ...]
    per_group: int


@dataclass(frozen=True)
class Group:
    """One example: a query, its positive, and its negatives, each with the strategy that gave it.

    `teacher`: a teacher's scores of the positive and of each negative. `weight`: of the group's loss.
    """

    query_id: str
    positive_id: str
    query: str
    positive: str
    negatives: tuple[str, ...]
    negative_ids: tuple[str, ...]
    strategies: tuple[str, ...]
    teacher: tuple[float, ...] | None = None
    weight: float = 1.0


@dataclass
class Tally:
    """What happened while groups were filled; all counts. `short` groups have fewer negatives than the recipe wants."""

    groups: int = 0
    pairs: int = 0
    short: int = 0
    filled_from_other_shares: int = 0
    negatives: Counter[str] = field(default_factory=Counter)


class Triplets:
    """A stage's usable triplets. Negatives of one strategy are preferred by `selected_rank`, where they have one, else
    in an order that the ids and the seed draw.
    """

    def __init__(self, inputs: Inputs, source: Source) -> None:
        self._source = source.sql
        self._values = source.values
        self._inputs = inputs

    def groups(
        self, shares: Sequence[Share], max_groups: int | None, max_length: int, seed: int, tally: Tally
    ) -> Iterator[Group]:
        """At most `max_groups` groups in a shuffled order that only the ids and `seed` decide.

        A pair of query and positive without any negative of the wanted strategies gives no group and costs no budget.
        Texts are cut far beyond what `max_length` tokens can hold. Memory: one group; DuckDB sorts within its limit.
        """
        values = {
            "seed": str(seed),
            "strategies": _strategies(shares),
            "max_groups": max_groups,
            "characters": max_length * CHARACTERS_PER_TOKEN,
        }
        batches = self._inputs.sql(_ROWS.format(source=self._source), self._values | values, _ROWS_AT_ONCE)
        rows = (row for batch in batches for row in batch.to_pylist())
        for _, members in groupby(rows, lambda row: (row["query_id"], row["positive_id"])):
            yield _group(list(members), shares, tally)

    def count_pairs(self, shares: Sequence[Share]) -> tuple[int, int]:
        """Pairs of query and positive: all of them, and those that have a negative which a share takes."""
        values = self._values | {"strategies": _strategies(shares)}
        row = self._inputs.table(_PAIRS.format(source=self._source), values).to_pylist()[0]
        return row["every"], row["usable"]

    def count_queries(self, query_ids: Sequence[str]) -> int:
        """How many of these queries have triplets."""
        query = f"select count(distinct query_id) from {self._source} where list_contains($query_ids, query_id)"
        return int(self._inputs.table(query, self._values | {"query_ids": query_ids}).column(0)[0].as_py())

    def missing_strategies(self, shares: Sequence[Share]) -> list[str]:
        """Strategies that a recipe names and no triplet has.

        Raises StageError when a share is left without any, because its negatives would silently be of another kind.
        """
        query = f"select distinct strategy from {self._source} order by all"
        known = self._inputs.table(query, self._values or None).column(0).to_pylist()
        for share in shares:
            if known and not set(known) & set(share.strategies):
                raise StageError(
                    f"no triplet has the strategy {' or '.join(map(repr, share.strategies))}",
                    why=f"there are: {', '.join(known)}",
                    hint=nearest(share.strategies[0], known),
                )
        return [strategy for strategy in _strategies(shares) if strategy not in known]


def _strategies(shares: Sequence[Share]) -> list[str]:
    return sorted({strategy for share in shares for strategy in share.strategies})


def _group(rows: list[Mapping[str, Any]], shares: Sequence[Share], tally: Tally) -> Group:
    chosen, moved = fill(rows, shares)
    tally.groups += 1
    tally.pairs += 1 + len(chosen)
    tally.short += len(chosen) < sum(share.per_group for share in shares)
    tally.filled_from_other_shares += moved
    tally.negatives.update(row["strategy"] for row in chosen)
    return Group(
        rows[0]["query_id"],
        rows[0]["positive_id"],
        rows[0]["query"],
        rows[0]["positive"],
        negatives=tuple(row["negative"] for row in chosen),
        negative_ids=tuple(row["negative_id"] for row in chosen),
        strategies=tuple(row["strategy"] for row in chosen),
        teacher=_teacher(rows[0]["positive_teacher"], [row["negative_teacher"] for row in chosen]),
        weight=rows[0]["example_weight"],
    )


def _teacher(positive: float | None, negatives: Sequence[float]) -> tuple[float, ...] | None:
    return None if positive is None else (positive, *negatives)


def fill(rows: Sequence[Mapping[str, Any]], shares: Sequence[Share]) -> tuple[list[Mapping[str, Any]], int]:
    """The negatives of one group, no document twice, and how many of them stand in for an exhausted share.

    Each share takes its number of rows in turn, by the order of its strategies, then of `rows`. What a share lacks is
    then taken from what the others have left, in their order.
    """
    taken: dict[str, Mapping[str, Any]] = {}

    def take(share: Share, upto: int) -> None:
        for strategy in share.strategies:
            for row in rows:
                if len(taken) < upto and row["strategy"] == strategy:
                    taken.setdefault(row["negative_id"], row)

    for share in shares:
        take(share, len(taken) + share.per_group)
    by_their_share = len(taken)
    for share in shares:
        take(share, sum(other.per_group for other in shares))
    return list(taken.values()), len(taken) - by_their_share
