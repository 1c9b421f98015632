"""`hnm compare`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import JsonOption, ProjectOption, TargetOption, VarsOption, parse_vars


def compare(
    experiment: Annotated[str | None, typer.Argument(help="The experiment; left out: the project's only one.")] = None,
    measure: Annotated[
        str | None, typer.Option("--measure", "-m", help="The measure to compare by; else RR@10.", show_default=False)
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Show how positives and negatives score, before and after training.")
    ] = False,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Show an experiment's recipes side by side, also while some of its cells are not built.

    Example: `hnm compare negatives_pay --measure nDCG@10`
    """
    from hnm.api import Project
    from hnm.cli.compare_view import print_comparison, print_scores
    from hnm.experiment import compare as compared

    found = compared(Project.load(project, target, parse_vars(variables)), experiment, measure)
    if as_json:
        cells = {"total": len(found.cells), "built": found.built, "missing": found.missing}
        cells |= {"unmeasured": found.unmeasured, "stale": found.stale}
        head = {"experiment": found.name, "description": found.description, "measure": found.measure, "cells": cells}
        rest = {"unequal_budgets": found.unequal, "results": found.rows, "scores": found.scores}
        typer.echo(json.dumps(head | rest, indent=2))
    elif scores:
        print_scores(found)
    else:
        print_comparison(found, variables or ())
