"""Columns that fit into a width."""

from hypothesis import given
from hypothesis import strategies as st

from hnm.cli.columns import GAP, groups_that_fit


@given(st.lists(st.integers(1, 40), max_size=20), st.integers(1, 100))
def test_groups_hold_all_in_order_and_are_as_wide_as_fits(widths: list[int], room: int) -> None:
    groups = list(groups_that_fit(widths, lambda width: width, room))
    assert [width for group in groups for width in group] == widths
    needed = [sum(width + GAP for width in group) for group in groups]
    assert all(group for group in groups)
    assert all(wide <= room or len(group) == 1 for wide, group in zip(needed, groups, strict=True))
    assert all(wide + after[0] + GAP > room for wide, after in zip(needed, groups[1:], strict=False))
