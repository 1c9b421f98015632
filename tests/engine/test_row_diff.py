"""Rows compared with what was expected."""

import math
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.engine.row_diff import row_diff, same

VALUES = st.one_of(st.none(), st.integers(-2, 2), st.sampled_from(["a", "b"]), st.floats(allow_nan=True, width=16))
ROWS = st.lists(st.fixed_dictionaries({"x": VALUES, "y": VALUES}), max_size=6)


def diff(expected, actual, key=(), tolerance=1e-6):
    columns = tuple(dict.fromkeys(name for row in [*expected, *actual] for name in row))
    return row_diff(expected, actual, columns, key, tolerance)


@given(ROWS, st.randoms())
def test_order_never_matters(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert not diff(rows, shuffled)


@given(ROWS, ROWS)
def test_what_is_left_on_either_side_adds_up(expected, actual):
    found = diff(expected, actual)
    matched = len(expected) - len(found.missing) - len(found.different)
    assert matched == len(actual) - len(found.unexpected) - len(found.different)
    assert matched >= 0


def test_integers_are_equal_or_not_also_where_a_sum_of_them_came_as_a_decimal_number():
    assert not diff([{"x": 10_000_000}], [{"x": Decimal("10000000")}])
    assert diff([{"x": 10_000_001}], [{"x": Decimal("10000000")}])
    assert not diff([{"x": 10_000_001}], [{"x": Decimal("10000001.1")}])


def test_a_row_that_stands_twice_counts_twice():
    row = {"x": 1}
    assert not diff([row, row], [row, row])
    assert diff([row, row], [row]).missing == (row,)
    assert diff([row], [row, row]).unexpected == (row,)


def test_rows_of_one_key_are_a_pair_that_differs():
    expected = [{"id": "a", "x": 1, "y": 1}, {"id": "b", "x": 2, "y": 2}]
    actual = [{"id": "b", "x": 3, "y": 3}, {"id": "c", "x": 1, "y": 1}]
    found = diff(expected, actual, key=("id",))
    assert found.different == ((expected[1], actual[0]),)
    assert (found.missing, found.unexpected) == ((expected[0],), (actual[1],))
    assert found.counts() == "1 missing (-), 1 unexpected (+), 1 different (!)"
    assert str(found).splitlines() == [
        "  id  x       y",
        "- a   1       1",
        "+ c   1       1",
        "! b   2 -> 3  2 -> 3",
    ]


def test_part_of_a_key_is_better_than_none():
    expected = [{"id": "a", "x": 1, "y": 1}, {"id": "b", "x": 2, "y": 2}]
    actual = [{"id": "a", "x": 2, "y": 2}, {"id": "b", "x": 1, "y": 1}]
    found = diff(expected, actual, key=("id", "version"))
    assert found.different == tuple(zip(expected, actual, strict=True))


def test_without_a_key_rows_that_agree_on_half_of_the_columns_are_a_pair():
    assert diff([{"x": 1, "y": 1}], [{"x": 1, "y": 2}]).different
    assert not diff([{"x": 1, "y": 1, "z": 1}], [{"x": 1, "y": 2, "z": 2}]).different


def test_digits_of_floating_point_noise_are_not_shown_and_those_that_differ_are():
    row = {"id": "a", "x": 0.1 + 0.2, "y": [0.20000000298023224, None], "z": {"k": 0.1 + 0.2}}
    assert str(diff([row], [])).splitlines()[1] == "- a   0.3  [0.2, null]  {k: 0.3}"
    found = diff([{"id": "a", "x": 0.1}], [{"id": "a", "x": 0.1000000001}], key=("id",), tolerance=0)
    assert str(found).splitlines()[1] == "! a   0.10000000000000001 -> 0.1000000001"


def test_long_tables_and_long_cells_are_cut():
    lines = str(diff([{"x": f"{i:02}" + "y" * 100} for i in range(25)], [])).splitlines()
    assert (len(lines), lines[-1]) == (22, "… and 5 more")
    assert all(len(line) <= 42 for line in lines)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (None, None),
        (1, 1.0),
        (0.1, 0.10000000149),
        (1e9, 1e9 + 1),
        (0.0, 1e-7),
        (2, Decimal("2.00")),
        (math.nan, math.nan),
        (math.inf, math.inf),
        ([1, 0.5], [1.0, 0.5000001]),
        ({"a": [1, None]}, {"a": [1.0, None]}),
        ([], []),
        (date(2020, 1, 1), date(2020, 1, 1)),
        (True, True),
    ],
)
def test_what_is_the_same(expected, actual):
    assert same(expected, actual, 1e-6)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (None, 0),
        (0, None),
        (1, True),
        (1, "1"),
        (10**9, 10**9 + 1),
        (0.1, 0.1001),
        (math.nan, 1.0),
        (math.inf, -math.inf),
        ([1, 2], [1]),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"b": 1}),
        (date(2020, 1, 1), datetime(2020, 1, 1)),
    ],
)
def test_what_is_not_the_same(expected, actual):
    assert not same(expected, actual, 1e-6)
