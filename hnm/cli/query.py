"""`hnm query`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import ProjectOption, TargetOption
from hnm.cli.rows import Format, write_rows
from hnm.errors import QueryError


def query(
    sql: Annotated[str, typer.Argument(help="One query; `-` reads it from standard input.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file instead of stdout.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows to show as a table; 0 for all.")] = 50,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Run read-only SQL over every table of the warehouse, Lance tables included.

    Example: `hnm query "select * from negative_quality" --format csv`
    """
    from hnm.api import Project
    from hnm.warehouse.query import query as run_query

    text = sys.stdin.read() if sql == "-" else sql
    if not text.strip():
        raise QueryError("the query is empty", hint='for example `hnm query "select * from negative_quality"`')
    loaded = Project.load(project, target)
    with run_query(loaded.warehouse, text, settings=loaded.settings, declared=loaded.manifest.nodes) as rows:
        write_rows(rows, form, output, limit)
