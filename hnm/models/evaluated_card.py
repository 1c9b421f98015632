"""What a card says of an exported model's versions, and of what was measured of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hnm.built_tables import Row, reading
from hnm.sqltext import quote
from hnm.trained import EVALUATIONS, TrainedModel

if TYPE_CHECKING:
    from hnm.api import Project

AWAY_EVALUATIONS = "away_evaluations"

_SECTION = """
## Versions and evaluation

Weights `{version}`, trained on {data}.

{measured}
"""


def evaluated_section(project: "Project", model: TrainedModel) -> str:
    """Markdown: the data versions, and the measures of every system in which this very version ranks."""
    data = ", ".join(f"{name} `{version}`" for name, version in model.dataset_version.items()) or "no table"
    with reading(project, ()) as tables:
        rows = [
            row
            for table in (EVALUATIONS, AWAY_EVALUATIONS)
            for row in tables.rows(table, f"from {quote(table)} where baseline is null order by model, split, measure")
            if row.get("model_version") == model.version
        ]
    measured = _table(rows) if rows else "This version was not evaluated."
    return _SECTION.format(version=model.version, data=data, measured=measured)


def _table(rows: Sequence[Row]) -> str:
    """A row per measure, a column per system and split, in the order of `rows`."""
    systems = {(row["model"], row["split"]): row for row in rows}
    cells = {(row["measure"], row["model"], row["split"]): _cell(row) for row in rows}
    heads = [f"{name}, {split} ({row['queries']:,} queries)" for (name, split), row in systems.items()]
    lines = [["mean (95 % interval)", *heads], ["---"] * (1 + len(heads))]
    measures = dict.fromkeys(row["measure"] for row in rows)
    lines += [[measure, *(cells.get((measure, *system), "") for system in systems)] for measure in measures]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Mapping[str, float]) -> str:
    return f"{row['value']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"
