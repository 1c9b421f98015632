"""`hnm show`."""

from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import ProjectOption, TargetOption

StageArgument = Annotated[str, typer.Argument(help="A stage or source table, such as `negatives`.")]


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
