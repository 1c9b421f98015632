"""`hnm export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import ProjectOption, TargetOption


class Form(StrEnum):
    """What other tools read."""

    beir = "beir"
    qrels = "qrels"
    run = "run"


def export(
    form: Annotated[Form, typer.Argument(help="beir (a folder), qrels or run (TREC files).")],
    output: Annotated[Path, typer.Argument(help="The folder or file to write.")],
    table: Annotated[str | None, typer.Option(help="The stage to write; by default judgments, or runs.")] = None,
    retriever: Annotated[str | None, typer.Option(help="For run: whose list.")] = None,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Write the collection, judgments or a ranked list in the form that other tools read.

    Example: `hnm export run hard.trec --retriever hard`
    """
    from hnm.api import Project
    from hnm.export import export_beir, export_qrels, export_run

    loaded = Project.load(project, target)
    if form is Form.beir:
        export_beir(loaded, output)
    elif form is Form.qrels:
        export_qrels(loaded, table or "judgments", output)
    else:
        export_run(loaded, table or "runs", retriever, output)
    typer.echo(f"wrote {output}", err=True)
