"""Macros against hand-computed values, and against the formula in Python."""

import hashlib
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sql_stages import Stages

DATABASE = Stages()


def number(call: str, relation: str = "(select 1)") -> Any:
    row = DATABASE.connection.execute(f"select {DATABASE.macro(call)} from {relation}").fetchone()
    assert row
    return row[0]


def test_hash_fraction_is_the_first_52_bits_of_md5() -> None:
    expected = int(hashlib.md5(b"split 0:q1").hexdigest()[:13], 16) / 2**52  # noqa: S324 -- the macro's definition
    assert number("""hash_fraction("'q1'", 'split 0')""") == expected


def test_hash_fraction_is_even_and_depends_on_the_seed() -> None:
    fraction = DATABASE.macro("hash_fraction('i::varchar', 'a')")
    other = DATABASE.macro("hash_fraction('i::varchar', 'b')")
    low, mean, high, correlation = DATABASE.connection.execute(
        f"select min(f), avg(f), max(f), corr(f, g) from (select {fraction} as f, {other} as g from range(10000) t(i))"
    ).fetchone() or (0, 0, 0, 0)
    assert 0 <= low < 0.001
    assert 0.999 < high < 1
    assert mean == pytest.approx(0.5, abs=0.01)
    assert abs(correlation) < 0.03


def test_wilson_lower_bound_by_hand() -> None:
    # 5 of 10 at z = 2: (0.5 + 4/20 - 2 * sqrt(0.25/10 + 4/400)) / (1 + 4/10) = (0.7 - 2 * sqrt(0.035)) / 1.4
    assert number("wilson_lower_bound(5.0, 10.0, 2.0)") == pytest.approx((0.7 - 2 * math.sqrt(0.035)) / 1.4)
    # All of n: n / (n + z²).
    assert number("wilson_lower_bound(3, 3, 1.96)") == pytest.approx(3 / (3 + 1.96**2))
    assert number("wilson_lower_bound(0, 5, 1.96)") == 0
    assert number("wilson_lower_bound(0, 0, 1.96)") == 0


@given(st.integers(0, 1000), st.floats(0.01, 1000), st.floats(0.1, 5))
@settings(max_examples=100, deadline=None)
def test_wilson_lower_bound_lies_between_0_and_the_proportion(clicks: int, more: float, z: float) -> None:
    trials = clicks + more
    bound = number(f"wilson_lower_bound('{clicks}', '{trials!r}::double', {z!r})")
    assert 0 <= bound <= clicks / trials + 1e-9


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1], 0),
        ([3, 3, 3, 3], 0),
        # Sorted 1, 2, 3: 2 * (1*1 + 2*2 + 3*3) / (3 * 6) - 4/3 = 28/18 - 24/18
        ([3, 1, 2], 4 / 18),
        # Nearly everything in one of four: (n - 1) / n when the others had nothing.
        ([0, 0, 0, 8], 3 / 4),
    ],
)
def test_gini_by_hand(values: list[int], expected: float) -> None:
    rows = f"(select x, row_number() over (order by x) as place from (select unnest({values}) as x))"
    assert number("gini('x', 'place')", rows) == pytest.approx(expected)


def test_reciprocal_rank_fusion_by_hand() -> None:
    ranks = "(select 1 as rank_a, null::integer as rank_b, 3 as rank_c)"
    assert number("reciprocal_rank_fusion(['a', 'b', 'c'], 60)", ranks) == pytest.approx(1 / 61 + 1 / 63)
    assert number("reciprocal_rank_fusion(['b'], 60)", ranks) == 0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("[1, 0]", "[0, 1]", 1),
        ("[1, 0]", "[2, 0]", 0),
        ("[1, 0]", "[-1, 0]", 2),
        ("[3, 4]", "[4, 3]", 1 - 24 / 25),
        ("[0, 0]", "[1, 0]", 1),
        ("[0, 0]", "[0, 0]", 1),
    ],
)
def test_cosine_distance_by_hand(one: str, other: str, expected: float) -> None:
    assert number(f"cosine_distance('{one}::float[]', '{other}::float[]')") == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3))
@settings(max_examples=200, deadline=None)
def test_cosine_distance_of_a_vector_to_itself_is_within_range(vector: list[float]) -> None:
    same, opposite = f"{vector}::float[]", f"{[-value for value in vector]}::float[]"
    assert 0 <= number(f"cosine_distance('{same}', '{same}')") <= 1
    assert 1 <= number(f"cosine_distance('{same}', '{opposite}')") <= 2


def test_words_are_lower_case_runs_of_letters_and_digits_of_any_script() -> None:
    words = number("""words("'Über foo_bar, foo 3.5 Größe größe 東京!'")""")
    assert sorted(words) == ["3", "5", "bar", "foo", "größe", "über", "東京"]
    assert number("""words("''")""") == []


def test_hashes_of_words_have_the_jaccard_index_of_the_words() -> None:
    one, other = "'A cat, a dog'", "'The dog. THE bird'"
    by_words, by_hashes = (number(f"""jaccard({of}("{one}"), {of}("{other}"))""") for of in ("words", "word_hashes"))
    assert by_words == by_hashes == pytest.approx(1 / 5)
    assert number("""word_hashes("''")""") == []


def test_jaccard_by_hand() -> None:
    assert number("""jaccard("['a', 'b']", "['b', 'c', 'd']")""") == pytest.approx(1 / 4)
    assert number("""jaccard("['a']", "['a']")""") == 1
    assert number("""jaccard("[]::varchar[]", "[]::varchar[]")""") == 0


def test_normalized_ignores_case_composition_and_white_space_only() -> None:
    same = number("""normalized("'  Caf\u00e9\n au\tlait '")""")
    assert same == number("""normalized("' cafe\u0301 AU LAIT '")""")
    assert same != number("""normalized("'cafe au lait'")""")


def test_exact_sums_do_not_depend_on_the_order() -> None:
    values = [0.1, 1e9, -1e9, 1 / 3] * 50
    sums = [
        number("exact_sum('x')", f"(select unnest({ordered}) as x)")
        for ordered in (values, values[::-1], sorted(values))
    ]
    assert len(set(sums)) == 1
    assert sums[0] == pytest.approx(50 * (0.1 + 1 / 3))


def test_exact_avg_skips_nulls_and_what_the_filter_leaves_out() -> None:
    rows = "(values (1.5, true), (null, true), (2.5, true), (100, false)) t(x, wanted)"
    assert number("exact_avg('x', filter='wanted')", rows) == 2
    assert number("exact_avg('x', filter='not wanted and x is null')", rows) is None
