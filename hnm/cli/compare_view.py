"""What a person sees of an experiment."""

import shlex
from collections.abc import Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from hnm.built_tables import Row
from hnm.cli.columns import table_that_fits
from hnm.cli.console import stderr, stdout
from hnm.experiment import Comparison

SIGNIFICANT = 0.05
WIDE = 110
"""From this width on there is room for the spread over seeds and the groups."""


def print_comparison(found: Comparison, variables: Sequence[str] = ()) -> None:
    """A table per side and split, the best recipe first, on stdout; what is missing or not equal on stderr."""
    if found.description:
        stdout().print(Text(found.description, "bold"))
    for place, rows in groupby(found.rows, lambda row: (row["side"], row["split"])):
        _print_side(found, *place, list(rows))
    _print_state(found, variables)


def print_scores(found: Comparison) -> None:
    """Where the scores of positives and of each strategy's negatives lie, by model."""
    console = stdout()
    percents = ("p05", "p25", "p50", "p75", "p95")
    classes = list(dict.fromkeys(row["class"] for row in found.scores))
    for name in classes:
        what = "positives" if name == "positive" else f"negatives of {name}"
        above = [] if name == "positive" else ["above\npositive"]
        cells = [
            [row["model"], *(f"{row[percent]:+.2f}" for percent in percents)]
            + ([f"{row['above_positive']:.0%}"] if above else [])
            for row in found.scores
            if row["class"] == name
        ]
        headers = ["model", *(f"{int(percent[1:])} %" for percent in percents), *above]
        console.print(Text(f"Scores (logits) of {what}", "bold"))
        console.print(_table(headers, cells))
        console.print()
    if not found.scores:
        stderr().print(f"not built yet: `hnm run --select +{found.name}__scores`", markup=False)


def _print_side(found: Comparison, side: str, split: str | None, rows: list[Row]) -> None:
    console = stdout()
    recipes = [row for row in rows if "baseline" not in row]
    tests = {(row["recipe"], row["baseline"]): row for row in rows if "baseline" in row}
    baselines = list(dict.fromkeys(baseline for _, baseline in tests))
    wide = console.width >= WIDE
    where = f"{side} ({split})" if split and split != side else side
    console.print(Text(f"{found.name}: {found.measure} at {where}, {recipes[0]['queries']:,} queries", "bold"))
    measure = found.measure if wide else found.measure.replace("@", "\n@")  # nDCG@10 is wider than its values
    headers = ["recipe", measure, "95 %", *(["seeds"] if wide else [])]
    for baseline in baselines:
        headers += [f"against\n{baseline}", "p"]
    headers += [*(["groups"] if wide else []), "pairs", "time"]
    cells = []
    for row in recipes:
        cell: list[str | Text] = [
            row["recipe"],
            _share(row["value"]),
            f"{_share(row['ci_low'])}-{_share(row['ci_high'])}",
        ]
        cell += [f"{_share(row['seed_low'])}-{_share(row['seed_high'])}" if row["seeds"] > 1 else "—"] if wide else []
        for baseline in baselines:
            test = tests.get((row["recipe"], baseline))
            cell += [_difference(test), _p(test["p_holm"])] if test else ["—", ""]
        cell += [_count(row["groups"])] if wide else []
        cells.append([*cell, _count(row["pairs"]), _time(row["seconds"])])
    console.print(_table(headers, cells))
    console.print()


def _print_state(found: Comparison, variables: Sequence[str]) -> None:
    console = stderr()
    untrained = [name for name in found.missing if name not in found.cells]
    more = f", and not {' nor '.join(untrained)}" if untrained else ""
    console.print(
        f"{found.built} of {len(found.cells)} cells built{more}; p is corrected by Holm's method", markup=False
    )
    for note in found.unequal:
        console.print(f"no equal budget: {note}", style="yellow", markup=False)
    if found.stale:
        console.print(
            f"out of date, built from other settings or data: {_listed(found.stale)}", style="yellow", markup=False
        )
    if found.missing:
        console.print(f"not built: {_listed(found.missing)}", markup=False)
    for side, names in found.unmeasured.items():
        console.print(f"not measured at {side}: {_listed(names)}", markup=False)
    if found.missing or found.unmeasured or found.stale:
        given = "".join(f" --vars {shlex.quote(text)}" for text in variables)
        console.print(f"`hnm run --select '+{found.name}'{given}` goes on", markup=False)


def _difference(test: Row) -> Text:
    """In colour where chance is no likely cause: green for better, red for worse."""
    style = "" if test["p_holm"] >= SIGNIFICANT else "green" if test["difference"] > 0 else "red"
    return Text(_signed(test["difference"]), style)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> RenderableType:
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    return table_that_fits([Text(header) for header in headers], cells, width=stdout().width)


def _listed(names: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _share(value: float) -> str:
    """Three decimals; a leading zero would say nothing."""
    return f"{value:.3f}".removeprefix("0")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else _share(value)


def _count(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def _time(seconds: float | None) -> str:
    return "—" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"
