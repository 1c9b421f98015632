"""What a person sees of models."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from hnm.cli.columns import GAP, number, one_line, table_that_fits
from hnm.cli.console import stderr, stdout
from hnm.trained import CHOSEN_BY, TrainedModel, usual_models

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.models.export import Exported

VERSION_CHARACTERS = 8
STAGE_WIDTH = 18


def print_models(models: Sequence[TrainedModel], project: "Project") -> None:
    """A line each on stdout; measures as far as they fit."""
    if not models:
        names = usual_models(project.manifest)
        hint = f"`hnm run --select '{' '.join(f'+{name}' for name in names)}'` trains" if names else "none is declared"
        stderr().print(f"no model is built; {hint}", markup=False)
        return
    fixed = ["weights", "trained on", "built"]
    rows = [
        [
            one_line(model.stage),
            one_line(model.version[:VERSION_CHARACTERS]),
            Text("\n").join(
                one_line(f"{name} {version[:VERSION_CHARACTERS]}") for name, version in model.dataset_version.items()
            ),
            one_line(model.built_at[:16].replace("T", " ")),
        ]
        for model in models
    ]
    measured = dict.fromkeys(name for model in models for name in model.measures)
    measures = sorted(measured, key=lambda name: (CHOSEN_BY.index(name) if name in CHOSEN_BY else len(CHOSEN_BY), name))
    taken = max(STAGE_WIDTH, *(len(model.stage) for model in models))
    taken += sum(max(len(name), *(_width(row[place]) for row in rows)) + GAP for place, name in enumerate(fixed, 1))
    fitting: list[str] = []
    for measure in measures:
        taken += max(len(measure), 5) + GAP
        if taken > stdout().width:
            break
        fitting.append(measure)
    for row, model in zip(rows, models, strict=True):
        row += [Text(number(model.measures.get(measure))) for measure in fitting]
    headers = [one_line(name) for name in ("model", *fixed, *fitting)]
    stdout().print(table_that_fits(headers, rows, width=stdout().width, texts=(0, 1, 2, 3)))
    if len(fitting) < len(measures):
        stderr().print(Text(f"too wide for this terminal, but in --json: {', '.join(measures[len(fitting) :])}", "dim"))


def models_as_json(models: Sequence[TrainedModel]) -> list[dict[str, Any]]:
    """For programs."""
    return [{**asdict(model), "folder": str(model.folder)} for model in models]


def print_exported(exported: "Exported", as_json: bool) -> None:
    """What was written, and how far it is from the original."""
    from hnm.models.export import difference_rows

    if as_json:
        difference = asdict(exported.difference) if exported.difference else None
        told = {"folder": str(exported.folder), "format": exported.form, "difference": difference}
        typer.echo(json.dumps(told, indent=2))
        return
    if exported.difference:
        rows = [[Text(name), Text(value)] for name, value in difference_rows(exported.difference).items()]
        for name, value in rows:
            stdout().print(Text.assemble((f"{name.plain:<22}", "bold"), value), soft_wrap=True)
    elif exported.form != "safetensors":
        stderr().print("[yellow]not compared with the original[/yellow]: the evaluation lists are not built")
    stderr().print(f"wrote {exported.folder}", markup=False, soft_wrap=True)


def _width(cell: Text) -> int:
    return max((line.cell_len for line in cell.split("\n")), default=0)
