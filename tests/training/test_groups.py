"""Which groups are taken, and how negatives fill them."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.training.groups import Group, Share, Tally, Triplets, fill
from hnm.training.source import triplet_source

COLUMNS = ("query_id", "positive_id", "negative_id", "query", "positive", "negative", "strategy")


def triplet(query: str, positive: str, negative: str, strategy: str) -> dict[str, str]:
    values = (query, positive, negative, f"text of {query}", f"text of {positive}", f"text of {negative}", strategy)
    return dict(zip(COLUMNS, values, strict=True))


def triplets_of(rows: list[dict[str, str]]) -> Triplets:
    table = pa.Table.from_pylist(rows, pa.schema({name: pa.string() for name in COLUMNS}))
    return of_splits(Inputs.of(triplets=table), ("train",))


def of_splits(inputs: Inputs, splits: tuple[str, ...] | None) -> Triplets:
    return Triplets(inputs, triplet_source(inputs, splits))


def taken(
    rows: list[dict[str, str]], shares: list[Share], max_groups: int | None = None, seed: int = 0, max_length: int = 64
) -> tuple[list[Group], Tally]:
    tally = Tally()
    return list(triplets_of(rows).groups(shares, max_groups, max_length, seed, tally)), tally


def rows_of(*negatives: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"negative_id": negative, "strategy": strategy} for negative, strategy in negatives]


def ids(rows: list[Any]) -> list[str]:
    return [row["negative_id"] for row in rows]


MINED = Share(("paper", "fill"), 2)
RANDOM = Share(("random",), 2)


def test_each_share_takes_its_own_and_prefers_its_first_strategy() -> None:
    rows = rows_of(
        ("f1", "fill"), ("p1", "paper"), ("r1", "random"), ("r2", "random"), ("r3", "random"), ("f2", "fill")
    )
    chosen, moved = fill(rows, [MINED, RANDOM])
    assert (ids(chosen), moved) == (["p1", "f1", "r1", "r2"], 0)


def test_what_a_share_lacks_comes_from_the_others() -> None:
    random = [(f"r{i}", "random") for i in range(5)]
    chosen, moved = fill(rows_of(("p1", "paper"), *random), [MINED, RANDOM])
    assert (ids(chosen), moved) == (["p1", "r0", "r1", "r2"], 1)
    chosen, moved = fill(rows_of(("p1", "paper"), ("f1", "fill"), ("f2", "fill"), ("f3", "fill")), [MINED, RANDOM])
    assert (ids(chosen), moved) == (["p1", "f1", "f2", "f3"], 2)
    chosen, moved = fill(rows_of(("p1", "paper")), [MINED, RANDOM])
    assert (ids(chosen), moved) == (["p1"], 0)


def test_a_document_mined_by_two_strategies_is_taken_once() -> None:
    chosen, moved = fill(rows_of(("a", "paper"), ("a", "random"), ("b", "random"), ("c", "random")), [MINED, RANDOM])
    assert (ids(chosen), moved) == (["a", "b", "c"], 0)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["paper", "fill", "random", "other"]))),
    st.lists(
        st.builds(
            Share,
            st.lists(st.sampled_from(["paper", "fill", "random"]), min_size=1, max_size=3, unique=True).map(tuple),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_group_is_as_full_as_its_documents_allow(negatives: list[tuple[str, str]], shares: list[Share]) -> None:
    chosen, _ = fill(rows_of(*negatives), shares)
    wanted = {strategy for share in shares for strategy in share.strategies}
    usable = {negative for negative, strategy in negatives if strategy in wanted}
    assert len(chosen) == min(len(usable), sum(share.per_group for share in shares))
    assert len(set(ids(chosen))) == len(chosen)
    assert set(ids(chosen)) <= usable


def many(queries: int = 40) -> list[dict[str, str]]:
    mined = [triplet(f"q{i}", f"p{i}", f"m{j}", "paper") for i in range(queries) for j in range(3) if i % 2]
    return mined + [triplet(f"q{i}", f"p{i}", f"r{i}-{j}", "random") for i in range(queries) for j in range(4)]


def test_recipes_with_other_negatives_take_the_same_groups() -> None:
    mixed, tally = taken(many(), [Share(("paper",), 2), RANDOM], max_groups=11)
    plain, baseline = taken(many(), [Share(("random",), 4)], max_groups=11)
    assert [group.query_id for group in mixed] == [group.query_id for group in plain]
    assert (tally.groups, tally.pairs) == (baseline.groups, baseline.pairs) == (11, 55)
    assert tally.negatives["paper"] + tally.negatives["random"] == 44
    assert baseline.negatives == {"random": 44}
    fewer, _ = taken(many(), [RANDOM], max_groups=4)
    assert [group.query_id for group in fewer] == [group.query_id for group in plain[:4]]
    other_seed, _ = taken(many(), [RANDOM], max_groups=4, seed=1)
    assert [group.query_id for group in other_seed] != [group.query_id for group in fewer]


def test_groups_do_not_depend_on_the_order_of_rows() -> None:
    shares = [Share(("paper",), 1), Share(("random",), 2)]
    assert taken(many(), shares)[0] == taken(many()[::-1], shares)[0]


def test_pairs_without_usable_negatives_cost_no_budget_and_are_counted() -> None:
    found, tally = taken(many(), [Share(("paper",), 2)], max_groups=15)
    assert tally.groups == len(found) == 15
    assert triplets_of(many()).count_pairs([Share(("paper",), 2)]) == (40, 20)
    assert taken(many(), [Share(("paper",), 2)])[1].groups == 20


def test_groups_that_stay_short_are_counted() -> None:
    rows = [triplet("q", "p", "a", "random"), triplet("r", "p", "a", "random"), triplet("r", "p", "b", "random")]
    found, tally = taken(rows, [RANDOM])
    assert {group.query_id: group.negative_ids.__len__() for group in found} == {"q": 1, "r": 2}
    assert (tally.short, tally.pairs) == (1, 5)


def test_texts_and_ids_stay_together_and_long_texts_are_cut() -> None:
    found, _ = taken([triplet("q", "p", "n", "random") | {"negative": "é" * 5_000_000}], [RANDOM], max_length=10)
    group = found[0]
    assert (group.query, group.positive, group.negative_ids, group.strategies) == (
        "text of q",
        "text of p",
        ("n",),
        ("random",),
    )
    assert group.negatives == ("é" * 320,)


def test_no_triplets_give_no_groups() -> None:
    assert taken([], [RANDOM])[0] == []
    assert triplets_of([]).missing_strategies([RANDOM]) == ["random"]
    assert triplets_of([]).count_pairs([RANDOM]) == (0, 0)


def test_a_misspelt_strategy_is_refused_unless_its_share_has_another() -> None:
    assert triplets_of(many()).missing_strategies([MINED, RANDOM]) == ["fill"]
    with pytest.raises(StageError, match=r"no triplet has the strategy 'papre'(.|\n)*did you mean 'paper'"):
        triplets_of(many()).missing_strategies([Share(("papre",), 1), RANDOM])


def test_splits_and_ranks_count_where_there_are_columns_for_them() -> None:
    rows = [
        triplet(query, "p", f"n{i}", "random") | {"split": split, "selected_rank": 9 - i}
        for query, split in (("q1", "train"), ("q2", "dev"), ("q3", None))
        for i in range(9)
    ]
    inputs = Inputs.of(triplets=pa.Table.from_pylist(rows))
    train = of_splits(inputs, ("train",))
    assert train.count_pairs([RANDOM]) == (1, 1)
    assert [(g.query_id, g.negative_ids) for g in train.groups([RANDOM], None, 64, 0, Tally())] == [
        ("q1", ("n8", "n7"))
    ]
    assert of_splits(inputs, None).count_pairs([RANDOM]) == (3, 3)
    assert of_splits(inputs, ("test",)).missing_strategies([RANDOM]) == ["random"]
