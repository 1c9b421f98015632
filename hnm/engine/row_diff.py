"""Compare rows with the rows that were expected, whatever their order. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]

SHOWN_ROWS = 20
CELL_CHARACTERS = 40
SHOWN_DIGITS, ALL_DIGITS = 6, 17


@dataclass(frozen=True)
class RowDiff:
    """`missing`: expected rows that are not there; `unexpected`: rows that nobody expected; `different`: pairs of an
    expected row and the one that came out in its place.
    """

    columns: tuple[str, ...]
    missing: tuple[Row, ...]
    unexpected: tuple[Row, ...]
    different: tuple[tuple[Row, Row], ...]
    tolerance: float

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.different)

    def __str__(self) -> str:
        """A table; in a different row, the cells that differ hold the expected and the actual value."""
        lines = [("-", [_cell(row.get(name)) for name in self.columns]) for row in self.missing]
        lines += [("+", [_cell(row.get(name)) for name in self.columns]) for row in self.unexpected]
        lines += [("!", [self._change(*pair, name) for name in self.columns]) for pair in self.different]
        cells = [list(self.columns), *(line[1] for line in lines[:SHOWN_ROWS])]
        widths = [max(len(row[index]) for row in cells) for index in range(len(self.columns))]
        marks = [" ", *(mark for mark, _ in lines)]
        table = [
            f"{mark} " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for mark, row in zip(marks, cells, strict=False)
        ]
        more = [f"… and {len(lines) - SHOWN_ROWS} more"] if len(lines) > SHOWN_ROWS else []
        return "\n".join([*table, *more])

    def counts(self) -> str:
        """Such as `1 row is missing (-), 2 differ (!)`."""
        named = ((self.missing, "missing (-)"), (self.unexpected, "unexpected (+)"), (self.different, "different (!)"))
        return ", ".join(f"{len(rows)} {words}" for rows, words in named if rows)

    def _change(self, expected: Row, actual: Row, name: str) -> str:
        if same(expected.get(name), actual.get(name), self.tolerance):
            return _cell(expected.get(name))
        before, after = expected.get(name), actual.get(name)
        digits = SHOWN_DIGITS if _cell(before) != _cell(after) else ALL_DIGITS
        return f"{_cell(before, digits)} -> {_cell(after, digits)}"


def row_diff(
    expected: Sequence[Row], actual: Sequence[Row], columns: tuple[str, ...], key: tuple[str, ...], tolerance: float
) -> RowDiff:
    """Match each expected row with one actual row that is the same in `columns`; a row that stands twice counts twice.

    Of what is left, rows that agree on what `columns` holds of `key` are pairs that differ; if that is nothing, those
    that agree on at least half of the columns.
    """
    left, missing = list(actual), []
    for row in expected:
        found = next((other for other in left if _agreement(row, other, columns, tolerance) == len(columns)), None)
        if found is None:
            missing.append(row)
        else:
            _remove(left, found)
    shared = tuple(name for name in key if name in columns)
    different = []
    for row in tuple(missing):
        if shared:
            similar = [other for other in left if _agreement(row, other, shared, tolerance) == len(shared)]
        else:
            similar = [other for other in left if 2 * _agreement(row, other, columns, tolerance) >= len(columns)]
        if similar:
            closest = max(similar, key=lambda other: _agreement(row, other, columns, tolerance))
            different.append((row, closest))
            _remove(left, closest)
            _remove(missing, row)
    return RowDiff(columns, tuple(missing), tuple(left), tuple(different), tolerance)


def same(expected: Any, actual: Any, tolerance: float) -> bool:
    """Are two values equal? Numbers, also within lists and structures, may be `tolerance` apart, absolutely or relative
    to the greater one, unless both are integers. NaN equals NaN, and null equals null alone.
    """
    if _is_number(expected) and _is_number(actual):
        if _is_integer(expected) and _is_integer(actual):
            return bool(expected == actual)
        first, second = float(expected), float(actual)
        both_nan = math.isnan(first) and math.isnan(second)
        return both_nan or math.isclose(first, second, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        return len(expected) == len(actual) and all(
            same(*pair, tolerance) for pair in zip(expected, actual, strict=True)
        )
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(
            same(value, actual[name], tolerance) for name, value in expected.items()
        )
    return type(expected) is type(actual) and bool(expected == actual)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    """Also as a decimal number: as such a HUGEINT arrives, which is what a sum of integers is."""
    return isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite() and value % 1 == 0)


def _agreement(row: Row, other: Row, columns: tuple[str, ...], tolerance: float) -> int:
    """On how many columns two rows agree."""
    return sum(same(row.get(name), other.get(name), tolerance) for name in columns)


def _remove(rows: list[Row], gone: Row) -> None:
    """Remove this very row, not one that is equal."""
    del rows[next(index for index, row in enumerate(rows) if row is gone)]


def _cell(value: Any, digits: int = SHOWN_DIGITS) -> str:
    text = _text(value, digits).replace("\n", "⏎")
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"


def _text(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_text(item, digits) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_text(item, digits)}' for key, item in value.items())}}}"
    return "null" if value is None else str(value)
