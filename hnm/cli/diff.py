"""`hnm diff`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hnm.cli.options import (
    ExcludeOption,
    JsonOption,
    ProjectOption,
    SelectOption,
    SelectorOption,
    StateRunOption,
    TargetOption,
    VarsOption,
    chosen,
    parse_vars,
)

if TYPE_CHECKING:
    from hnm.engine.diff import StageDiff

_STYLES = {"new": "green", "changed": "yellow", "gone": "red", "blocked": "yellow", "after its inputs": "cyan"}
_LINE_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN_A RUN_B]", help="Two recorded runs, as the beginning of their ids."),
    ] = None,
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    selector: SelectorOption = None,
    state_run: StateRunOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Show what a run would change against what is built, or how the states differ that two recorded runs left.

    Example: `hnm diff --select +negatives`
    """
    from hnm.api import Project
    from hnm.cli.console import stderr

    if runs and len(runs) != 2:
        raise typer.BadParameter("name two runs, or none for what a run would change now")
    loaded = Project.load(project, target, parse_vars(variables))
    if runs:
        found = loaded.diff_runs(*runs)
        names = set(loaded.select(chosen(select, selector), exclude or (), loaded.survey(state_run)))
        found = tuple(stage for stage in found if stage.stage in names or not (select or selector or exclude))
    else:
        found = loaded.diff(chosen(select, selector), exclude or (), state_run)
    if as_json:
        typer.echo(json.dumps([asdict(stage) for stage in found], indent=2))
        return
    for stage in found:
        _print(stage)
    if not found:
        stderr().print("no difference")


def _print(stage: "StageDiff") -> None:
    from hnm.cli.console import stdout

    console = stdout()
    console.print(Text.assemble((stage.stage, "bold"), "  ", (stage.status, _STYLES[stage.status]), _rows(stage)))
    for change in stage.changes:
        console.print(Text(f"    {change.words}"), soft_wrap=True)
    for line in stage.sql.splitlines():
        console.print(Text(f"      {line}", _LINE_STYLES.get(line[:1], "dim")), soft_wrap=True)


def _rows(stage: "StageDiff") -> tuple[str, str]:
    before, after = stage.rows_before, stage.rows_after
    if before is not None and after is not None:
        return (f"  {before:,} -> {after:,} rows" if before != after else f"  {after:,} rows as before"), "dim"
    known = after if before is None else before
    return (f"  {known:,} rows" if known is not None else ""), "dim"
