"""`hnm gc`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hnm.cli.options import JsonOption, ProjectOption, TargetOption, VarsOption, parse_vars

if TYPE_CHECKING:
    from hnm.engine.collect import Collection
    from hnm.engine.garbage import Garbage


def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove; without it, only list.")] = False,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="Newest published versions of each Lance table and model that stay.")
    ] = 1,
    removed_stages: Annotated[
        bool, typer.Option("--removed-stages", help="Drop built stages that the project no longer has.")
    ] = False,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """List what nothing needs any more: old versions, orphaned tables, models and folders. With --yes, remove it.

    Example: `hnm gc --keep 3`
    """
    from hnm.api import Project

    given = parse_vars(variables)
    found = Project.load(project, target, given).gc(keep, removed_stages, dry_run=not yes, variables=given)
    dropped = found.removed_stages if removed_stages else ()
    if as_json:
        typer.echo(json.dumps(_as_json(found, yes, removed_stages), indent=2))
    else:
        _print((*dropped, *found.garbage), yes)
        if not removed_stages and found.removed_stages:
            _print_kept(found.removed_stages)


def _print(items: "tuple[Garbage, ...]", removed: bool) -> None:
    from hnm.cli.console import stderr, stdout

    if not items:
        stderr().print("nothing to remove")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("kind", "stage", "what"):
        table.add_column(name, overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    for item in items:
        table.add_row(item.kind, escape(item.stage), escape(item.what), _size(item.size))
    stdout().print(table)
    total = sum(item.size or 0 for item in items)
    said = f"{len(items)} removed" if removed else f"{len(items)} to remove"
    hint = "" if removed else "; nothing is removed yet: `hnm gc --yes` does it"
    stderr().print(f"\n{said}, {_size(total)}{hint}", soft_wrap=True)


def _print_kept(stages: "tuple[Garbage, ...]") -> None:
    from hnm.cli.console import stderr

    names = ", ".join(stage.stage for stage in stages)
    stderr().print(
        f"[yellow]built, but not in the project any more[/yellow]: {escape(names)}; `--removed-stages` drops them",
        soft_wrap=True,
    )


def _as_json(found: "Collection", removed: bool, removed_stages: bool) -> dict[str, object]:
    def listed(items: "tuple[Garbage, ...]") -> list[dict[str, object]]:
        return [{"kind": item.kind, "stage": item.stage, "what": item.what, "bytes": item.size} for item in items]

    return {
        "removed": removed,
        "garbage": listed(found.garbage),
        "removed_stages": listed(found.removed_stages),
        "removed_stages_dropped": removed and removed_stages,
    }


def _size(count: int | None) -> str:
    if count is None:
        return "in DuckDB"
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:,.0f} {units[0]}" if units[0] == "B" else f"{value:,.1f} {units[0]}"
