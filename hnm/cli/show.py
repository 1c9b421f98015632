"""`hnm show` and `hnm export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import ProjectOption, TargetOption

StageArgument = Annotated[str, typer.Argument(help="A stage or source table, such as `negatives`.")]


class ExportFormat(StrEnum):
    """What other tools read."""

    beir = "beir"
    trec = "trec"


def show(
    stage: StageArgument,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows to show.")] = 5,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Show what one stage is, what it was built from, and its first rows.

    Example: `hnm show negatives --limit 3`
    """
    from hnm.api import Project
    from hnm.cli.rows import Format, write_rows
    from hnm.cli.stage_view import print_stage
    from hnm.warehouse.query import query
    from hnm.warehouse.warehouse import qualified

    loaded = Project.load(project, target)
    node = loaded.node(stage)
    done = loaded.state().get(stage)
    print_stage(node, done, loaded)
    if done:
        name = f'"{stage}"' if done.materialized == "lance" else qualified(stage)
        with query(loaded.warehouse, f"select * from {name} limit {limit}") as rows:
            write_rows(rows, Format.table, None)


def export(
    stage: StageArgument,
    output: Annotated[Path, typer.Argument(help="The file (TREC) or folder (BEIR) to write.")],
    form: Annotated[ExportFormat, typer.Option("--format", "-f", help="beir or trec.")] = ExportFormat.trec,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Write a corpus, queries, judgments or run table in the form that other tools read.

    Example: `hnm export runs target/runs.trec`
    """
    from hnm.api import Project
    from hnm.cli.console import stderr
    from hnm.export import export_table

    count = export_table(Project.load(project, target), stage, output, form.value)
    stderr().print(f"wrote {count:,} rows to {output}")
