"""`hnm init`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")],
    source: Annotated[
        str | None,
        typer.Option(
            help="beir:PATH (a BEIR folder), files:PATH (a folder with corpus, queries and judgments as CSV, JSONL or "
            "Parquet, and optionally impressions), triplets:PATH (training examples from elsewhere), or api_reference "
            "(the example)."
        ),
    ] = None,
    clicks: Annotated[Path | None, typer.Option(help="An impression log as CSV, JSONL or Parquet.")] = None,
    name: Annotated[str | None, typer.Option(help="The project's name; by default the folder's.")] = None,
) -> None:
    """Write a new project whose pipeline runs as it is.

    Example: `hnm init ../mine --source beir:/data/medquad`
    """
    from hnm.project.init import init_project, parse_source

    made = init_project(folder, parse_source(source, clicks), name)
    typer.echo(f"wrote {made}\nnext: cd {shlex.quote(str(folder))} && hnm run", err=True)
