"""Cells, and tables of which one column gives way, so that the others are never cut."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

LEAST_WIDTH = 12
GAP = 2


def table_that_fits(
    headers: Sequence[Text],
    rows: Sequence[Sequence[Text]],
    *,
    width: int,
    texts: Collection[int] = (0,),
    gives_way: int = 0,
) -> Table:
    """A table at most `width` wide: the lines of column `gives_way` are shortened where they must be.

    `texts`: the columns of words, to the left; the others hold numbers.
    """
    widths = [max(map(_width, column)) for column in zip(headers, *rows, strict=True)]
    left = max(width - sum(widths) + widths[gives_way] - GAP * (len(headers) - 1), LEAST_WIDTH)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index, header in enumerate(headers):
        table.add_column(header, no_wrap=True, justify="left" if index in texts else "right")
    for row in rows:
        table.add_row(*(_fit(cell, left) if index == gives_way else cell for index, cell in enumerate(row)))
    return table


def groups_that_fit(items: Iterable[T], width_of: Callable[[T], int], room: int) -> Iterator[list[T]]:
    """Columns in consecutive groups, each with its gaps at most `room` wide, and at least one in each."""
    group: list[T] = []
    left = room
    for item in items:
        needed = width_of(item) + GAP
        if group and needed > left:
            yield group
            group, left = [], room
        group.append(item)
        left -= needed
    if group:
        yield group


def _width(cell: Text) -> int:
    return max((line.cell_len for line in cell.split("\n")), default=0)


def _fit(cell: Text, width: int) -> Text:
    return Text("\n").join(shortened(line, width) for line in cell.split("\n"))


def shortened(line: Text, width: int) -> Text:
    """At most `width` cells of a line. Words are cut at the end, an id in the middle: ids often differ at the end."""
    if line.cell_len <= width:
        return line
    fitting = line.copy()
    if " " in line.plain or width < LEAST_WIDTH:
        fitting.truncate(width, overflow="ellipsis")
        return fitting
    tail = line.plain[-1]
    for sign in reversed(line.plain[:-1]):
        if cell_len(sign + tail) > width // 2:
            break
        tail = sign + tail
    fitting.truncate(width - cell_len(tail), overflow="ellipsis")
    return fitting + Text(tail, line.style)


def one_line(value: str, style: str = "") -> Text:
    """A text as it stands in a table: on one line, without moving the cursor or colouring anything."""
    shown = "".join("⏎" if sign == "\n" else sign if sign.isprintable() else " " for sign in value)
    return Text(shown, style)


def number(value: Any) -> str:
    """Three digits; a dash for None; what is no number as it is."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "—" if value is None else str(value)
