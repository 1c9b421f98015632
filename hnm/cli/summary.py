"""`hnm summary`: the last screen of a run, at any time."""

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from hnm.cli.columns import GAP
from hnm.cli.options import JsonOption, ProjectOption, TargetOption, VarsOption, parse_vars

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.story import Told


NEXT = {
    "negative_quality": "hnm stats",
    "triplets": "hnm show triplets",
    "negatives": "hnm explain QUERY_ID",
}


def summary(
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Tell the story of what is built: collection, candidates, exclusions, negatives, evaluation.

    Example: `hnm summary`
    """
    from hnm.api import Project
    from hnm.story import tell

    loaded = Project.load(project, target, parse_vars(variables))
    if as_json:
        typer.echo(json.dumps([asdict(part) for part in tell(loaded)], indent=2))
    else:
        print_summary(loaded)


def print_summary(project: "Project", brief: bool = False) -> None:
    """All sections on stderr, and whether they are up to date; with `brief` only what to type next."""
    from hnm.cli.console import stderr
    from hnm.cli.outdated import note_outdated
    from hnm.story import SECTIONS, tell

    console = stderr()
    told = [] if brief else tell(project)
    for part in told:
        console.print()
        console.print(_table(part, console.width))
        if part.alarm:
            console.print(f"[red]what to do:[/red] {part.alarm}")
    if told:
        note_outdated(project, {name for section in SECTIONS for name in section.reads})
    state = project.state()
    if not (brief or told):
        console.print("there is nothing to tell yet" if state else "nothing is built yet: [bold]hnm run[/bold]")
    known = [command for name, command in NEXT.items() if name in state]
    if known:
        console.print("\nnext: " + " · ".join(f"[bold]{command}[/bold]" for command in known))


def _table(part: "Told", width: int) -> Table:
    """The section; where its lines are too long, the words of headers that are wider than their columns are stacked."""
    style = "bold red" if part.alarm else "bold"
    table = Table(title=part.title, title_justify="left", title_style=style, box=None, pad_edge=False)
    headers = [name.replace("_", " ") for name in part.columns]
    lines = [[_cell(value) for value in row] for row in part.rows]
    least = [max(map(cell_len, column)) for column in zip(*lines, strict=True)] or [0] * len(headers)
    if sum(max(cell_len(header), cells) + GAP for header, cells in zip(headers, least, strict=True)) - GAP > width:
        headers = [_stacked(header, cells) for header, cells in zip(headers, least, strict=True)]
    for index, header in enumerate(headers):
        numeric = any(isinstance(row[index], int | float) for row in part.rows)
        table.add_column(header, justify="right" if numeric else "left", style="")
    for line in lines:
        table.add_row(*map(Text, line), style="red" if part.alarm else None)
    return table


def _stacked(header: str, width: int) -> str:
    return "\n".join(wrap(header, max(width, 1), break_long_words=False))


def _cell(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
