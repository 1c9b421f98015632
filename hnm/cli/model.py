"""`hnm model list` and `hnm model export`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import JsonOption, ProjectOption, TargetOption
from hnm.models.onnx_export import Form

model = typer.Typer(
    help="Trained rerankers: what there is, and folders that work without hnm.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@model.command("list")
def list_(as_json: JsonOption = False, project: ProjectOption = Path(), target: TargetOption = None) -> None:
    """List the trained models, newest first: versions of weights and training data, and what was measured.

    Example: `hnm model list`
    """
    from hnm.api import Project
    from hnm.cli.model_view import models_as_json, print_models

    loaded = Project.load(project, target)
    models = loaded.models()
    if as_json:
        typer.echo(json.dumps(models_as_json(models), indent=2, default=str))
    else:
        print_models(models, loaded)


@model.command("export")
def export(
    stage: Annotated[str, typer.Argument(help="The stage that trains the model, such as reranker_hard.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write; new or empty.")],
    form: Annotated[
        Form, typer.Option("--format", "-f", help="onnx and onnx-int8 are written beside the safetensors.")
    ] = Form.safetensors,
    queries: Annotated[
        int, typer.Option("--queries", min=1, help="Evaluation queries on which ONNX is compared with the original.")
    ] = 40,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder, if a model is in it.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Write a trained model as a folder that `CrossEncoder(folder)` loads anywhere, with its card.

    Example: `hnm model export reranker_hard ../reranker --format onnx-int8`
    """
    from hnm.api import Project
    from hnm.cli.model_view import print_exported
    from hnm.cli.run_view import RunView
    from hnm.models.export import export_model

    with RunView() as view:
        exported = export_model(Project.load(project, target), stage, folder, form, force, queries, view)
    print_exported(exported, as_json)
