"""Rows as people read them: side by side where names and ids stay whole, else downwards, one block for each row."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from hnm.cli.columns import one_line
from hnm.cli.console import stderr, stdout

if TYPE_CHECKING:
    import pyarrow as pa

CELL_CHARACTERS = 60
TEXT_WIDTH = 24  # cells with spaces may be broken into lines of this width; ids and numbers are never broken
GAP, EDGES = 3, 2  # what SIMPLE_HEAD puts between columns, and around all of them
COLUMNS_OF_ONE_ROW = 8  # a single row of more reads better downwards


def print_rows(rows: "pa.RecordBatchReader", limit: int) -> None:
    """The first `limit` rows (0: all) on stdout; on stderr, that there are more."""
    shown, more = _first(rows, limit)
    cells = [[_cell(value) for value in row.values()] for row in shown]
    names = _names_that_fit(rows.schema.names, cells)
    if names is None or (len(cells) == 1 and len(names) > COLUMNS_OF_ONE_ROW):
        _print_downwards(rows.schema.names, cells)
    else:
        numeric = [str(field.type) in ("float", "double") or "int" in str(field.type) for field in rows.schema]
        _print_side_by_side(names, cells, numeric)
    if not cells:
        stderr().print("no rows")
    if more:
        stderr().print(f"[dim]the first {limit} rows; --limit 0 shows all[/dim]")


def _names_that_fit(names: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str] | None:
    """The names as they can stand above the cells, broken after underscores if need be; None where no way fits."""
    least = [max(map(_least_width, column), default=0) for column in zip(*cells, strict=True)] or [0] * len(names)
    room = stdout().width - EDGES - GAP * (len(names) - 1)
    broken = [
        name if cell_len(name) <= width else name.replace("_", "_\n") for name, width in zip(names, least, strict=True)
    ]
    for headers in (list(names), broken):
        if sum(map(max, least, map(_header_width, headers))) <= room:
            return headers
    return None


def _least_width(cell: str) -> int:
    return min(cell_len(cell), TEXT_WIDTH) if " " in cell else cell_len(cell)


def _header_width(header: str) -> int:
    return max(map(cell_len, header.split("\n")))


def _print_side_by_side(names: Sequence[str], cells: Iterable[Sequence[str]], numeric: Sequence[bool]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    columns = list(zip(*cells, strict=True)) or [()] * len(names)
    for name, column, is_number in zip(names, columns, numeric, strict=True):
        header = Text("\n").join(map(one_line, name.split("\n")))
        whole = not any(" " in cell for cell in column)
        table.add_column(header, justify="right" if is_number else "left", overflow="fold", no_wrap=whole)
    for row in zip(*columns, strict=True):
        table.add_row(*map(one_line, row))
    stdout().print(table)


def _print_downwards(names: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    for index, row in enumerate(cells):
        if index:
            stdout().print()
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, cell in zip(names, row, strict=True):
            table.add_row(one_line(name, "bold"), one_line(cell))
        stdout().print(table)


def _first(rows: "pa.RecordBatchReader", limit: int) -> tuple[list[dict[str, Any]], bool]:
    shown: list[dict[str, Any]] = []
    for batch in rows:
        shown += batch.to_pylist(maps_as_pydicts="strict")
        if limit and len(shown) > limit:
            return shown[:limit], True
    return shown, False


def _cell(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, list):
        shown = value if len(value) <= 4 else value[:3]
        more = "" if shown is value else f", … {len(value)}"
        return f"[{', '.join(map(_cell, shown))}{more}]"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    text = str(value).replace("\n", "⏎")
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"
