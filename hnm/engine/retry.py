"""Go on with a run that did not end well: the stages that failed, were skipped, or were not reached."""

from dataclasses import dataclass

from hnm.engine.plan import Plan
from hnm.engine.survey import Survey
from hnm.warehouse.history import Run, find_run, stage_records

_DONE = frozenset({"built", "fresh"})


@dataclass(frozen=True)
class Retry:
    """`gone`: unfinished stages that the project no longer has."""

    run: Run
    plan: Plan
    gone: tuple[str, ...]

    @property
    def full_refresh(self) -> bool:
        return _is_full_refresh(self.run)

    @property
    def unit_tests(self) -> bool:
        """Was it a `hnm build`, or a retry of one? Then the unit tests come first again."""
        return "build" in self.run.command.split()


def retry(survey: Survey) -> Retry:
    """Plan exactly the stages that the survey's run left unfinished; a `--full-refresh` stays one.

    Raises SelectorError when there is no such run.
    """
    with survey.warehouse.database.reading() as connection:
        run = find_run(connection, survey.run)
        records = stage_records(connection, run)
    unfinished = [name for name, record in records.items() if record.status not in _DONE]
    names = [name for name in survey.graph.order if name in unfinished]
    gone = tuple(sorted(set(unfinished) - set(names)))
    return Retry(run, survey.plan(names, _is_full_refresh(run)), gone)


def _is_full_refresh(run: Run) -> bool:
    return "--full-refresh" in run.command.split()
