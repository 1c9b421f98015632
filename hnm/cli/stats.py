"""`hnm stats`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import JsonOption, ProjectOption, TargetOption, VarsOption, parse_vars
from hnm.cli.rows import Format


def stats(
    strategies: Annotated[
        list[str] | None, typer.Option("--strategy", help="Only this strategy; may be given several times.")
    ] = None,
    by_query: Annotated[
        str | None, typer.Option("--by-query", help="The worst queries by this measure, such as hardness.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Queries to show with --by-query.")] = 10,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write the table.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file instead of stdout.")] = None,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Show whether the negatives are good: strategies side by side, what each rule removed, ranks, overlap.

    Example: `hnm stats --strategy paper --by-query hardness`
    """
    import pyarrow as pa

    from hnm.api import Project
    from hnm.cli.outdated import note_outdated
    from hnm.cli.rows import write_rows
    from hnm.cli.stats_view import print_statistics
    from hnm.negative_statistics import BY_QUERY, TABLES, statistics, worst_queries

    loaded = Project.load(project, target, parse_vars(variables))
    if by_query is not None:
        worst = worst_queries(loaded, by_query, strategies or (), limit)
        if as_json:
            typer.echo(json.dumps(worst.to_pylist(), indent=2))
        else:
            write_rows(worst.to_reader(), form, output)
        note_outdated(loaded, [BY_QUERY])
        return
    found = statistics(loaded, strategies or ())
    if as_json:
        parts = {name: getattr(found, name) for name in ("strategies", "quality", "funnel", "ranks", "overlap")}
        typer.echo(json.dumps(parts, indent=2))
    elif form is Format.table and output is None:
        print_statistics(found)
    else:
        write_rows(pa.Table.from_pylist(found.side_by_side()).to_reader(), form, output)
    note_outdated(loaded, TABLES)
