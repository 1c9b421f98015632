"""An experiment as far as it is built: its recipes side by side, and what is left to do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hnm.built_tables import BuiltTables, Row, reading
from hnm.errors import QueryError, SelectorError, nearest
from hnm.project.experiment import Experiment, System
from hnm.sqltext import quote

if TYPE_CHECKING:
    from hnm.api import Project

DEFAULT_MEASURE = "RR@10"


@dataclass(frozen=True)
class Comparison:
    """What is known of an experiment by one measure.

    `rows`: see `hnm.experiment_results.results`, one side and split after the other, the best recipe first.
    `missing`, `stale`: names of the systems (cells, models, the first stage) that are measured nowhere, or were built
    from other settings or data than those of now; what stale ones gave is among the rows. `unmeasured`: by side, those
    that are measured on another side only. `cells`: all that are trained.
    `unequal`: in words, which recipes did not get an equal budget. `scores`: rows of the table of scores, if built.
    """

    name: str
    description: str
    measure: str
    rows: list[Row]
    cells: tuple[str, ...]
    missing: list[str]
    unmeasured: dict[str, list[str]]
    stale: list[str]
    unequal: list[str]
    scores: list[Row]

    @property
    def built(self) -> int:
        """How many cells are measured on all sides."""
        return len(set(self.cells).difference(self.missing, *self.unmeasured.values()))

    def recipes(self) -> list[Row]:
        """One row per side, split and recipe."""
        return [row for row in self.rows if "baseline" not in row]

    def tests(self) -> list[Row]:
        """One row per side, split, recipe and baseline."""
        return [row for row in self.rows if "baseline" in row]


def find_experiment(project: "Project", name: str | None) -> Experiment:
    """The experiment of that name, or the project's only one. Raises SelectorError when there is none, or several."""
    known = project.manifest.experiments
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        what = "which experiment?" if known else "the project has no experiment"
        hint = f"there are {', '.join(known)}" if known else "declare one under `stages:` with `kind: experiment`"
        raise SelectorError(what, hint=hint)
    if name not in known:
        hint = nearest(name, known) or f"there are: {', '.join(known) or 'none'}"
        raise SelectorError(f"there is no experiment {name!r}", hint=hint)
    return known[name]


def compare(project: "Project", name: str | None = None, measure: str | None = None) -> Comparison:
    """What the built cells of an experiment say by `measure` (default: RR@10, or the first that there is).

    Raises SelectorError for an unknown experiment, QueryError for a measure that was not computed, WarehouseError
    when nothing was built.
    """
    from hnm.experiment_results import Drawing, Evaluated, all_results, unequal_budgets

    experiment = find_experiment(project, name)
    scores = f"{experiment.name}__scores"
    with reading(project, {scores}) as tables:
        built = [known for system in experiment.systems if (known := _as_built(system, tables)).measured]
        chosen = _measure(tables, built, measure)
        evaluated = [
            Evaluated(
                system.recipe,
                side,
                tables.rows(measured, f"from {quote(measured)} where measure = ? order by all", chosen),
                tables.state[system.stage].facts if system.stage else {},
            )
            for system in built
            for side, measured in system.measured.items()
        ]
        score_rows = tables.rows(scores, f"from {quote(scores)}") if scores in tables.stages else []
    rows = all_results([one for one in evaluated if one.rows], experiment.baselines, Drawing())
    sides = experiment.sides
    rows.sort(key=lambda row: (sides.index(row["side"]), row["split"] or "", -row["value"], row["recipe"]))
    cells = tuple(system.name for system in experiment.cells)
    somewhere = {system.name for system in built}
    unmeasured = {side: [system.name for system in built if side not in system.measured] for side in sides}
    return Comparison(
        name=experiment.name,
        description=experiment.description,
        measure=chosen,
        rows=rows,
        cells=cells,
        missing=[system.name for system in experiment.systems if system.name not in somewhere],
        unmeasured={side: names for side, names in unmeasured.items() if names},
        stale=_stale(project, built),
        unequal=unequal_budgets(rows),
        scores=score_rows,
    )


def _as_built(system: System, tables: BuiltTables) -> System:
    """The system with those sides alone on which it is measured; none while it is not trained."""
    trained = system.stage is None or system.stage in tables.state
    measured = {side: table for side, table in system.measured.items() if trained and table in tables.state}
    return replace(system, measured=measured)


def _stages(system: System) -> list[str]:
    """The stages that hold what a comparison needs of it."""
    return [*filter(None, [system.stage]), *system.measured.values()]


def _measure(tables: BuiltTables, built: Sequence[System], wanted: str | None) -> str:
    """The measure to compare by, as ir-measures writes it."""
    from hnm.evaluation.measures import canonical

    known: dict[str, None] = {}
    for system in built[:1]:
        table = next(iter(system.measured.values()))
        found = tables.rows(table, f"select distinct measure from {quote(table)} order by measure")
        known = dict.fromkeys(row["measure"] for row in found)
    if wanted is None or not known:
        return DEFAULT_MEASURE if DEFAULT_MEASURE in known or not known else next(iter(known))
    try:
        (chosen,) = canonical([wanted])
    except ValueError as error:
        raise QueryError(str(error), hint=f"computed: {', '.join(known)}") from None
    if chosen not in known:
        hint = nearest(chosen, known) or f"computed: {', '.join(known)}"
        raise QueryError(f"{chosen} was not computed", hint=hint)
    return chosen


def _stale(project: "Project", built: Sequence[System]) -> list[str]:
    """Those that would be built anew now."""
    wanted = {stage for system in built for stage in _stages(system)}
    plan = project.survey().plan(name for name in project.graph.order if name in wanted)
    names = {entry.node.name for entry in plan.stale()}
    return [system.name for system in built if names.intersection(_stages(system))]
