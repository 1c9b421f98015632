"""What a person sees of what was done with versions of datasets: compared, verified, restored, built again."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from hnm.cli.columns import one_line
from hnm.cli.console import stderr, stdout
from hnm.cli.dataset_view import in_words, number, numbers_apart, strategy_name, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hnm.api import Project
    from hnm.dataset.diff import DatasetDiff
    from hnm.dataset.reproduce import Reproduction
    from hnm.dataset.restore import Restored
    from hnm.dataset.statistics import Statistics
    from hnm.dataset.verify import Verdict

TEXT_CHARACTERS = 100


def print_diff(found: "DatasetDiff") -> None:
    from hnm.dataset.compare import KINDS

    console = stdout()
    console.print(Text.assemble((found.before.name, "bold"), " -> ", (found.after.name, "bold")))
    console.print(Text(f"{found.before.row_count:,} -> {found.after.row_count:,} rows", "dim"))
    if not found.counts:
        console.print("the same rows")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for kind in (name for name in KINDS if name in found.counts):
        meaning = KINDS[kind] if found.statistics[0] else ""
        table.add_row(f"{found.counts[kind]:,}", in_words(kind), meaning)
    console.print(table)
    for words, columns in (("new columns", found.columns_new), ("columns gone", found.columns_gone)):
        if columns:
            console.print(Text(f"{words}: {', '.join(columns)}"))
    _print_causes(found)
    for kind, rows in sorted(found.examples.items(), key=lambda entry: list(KINDS).index(entry[0])):
        console.print(Text(f"\n{in_words(kind)}, for example", "bold"))
        for row in rows:
            _print_example(row)
    if all(found.statistics):
        _print_side_by_side(*found.statistics)


def diff_json(found: "DatasetDiff") -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name != "statistics"} | {
        "statistics": {"before": found.statistics[0], "after": found.statistics[1]}
    }


def print_verdict(verdict: "Verdict") -> None:
    style = {"equal": "green", "damaged": "bold red", "unknown": "yellow"}[verdict.outcome]
    said = {"equal": "is what was published", "damaged": "is damaged", "unknown": "can be read; more is not known"}
    words = f" {said[verdict.outcome]} ({verdict.version.row_count:,} rows, {verdict.version.data_version[:12]})"
    stdout().print(Text.assemble((verdict.outcome, style), " ", (verdict.version.name, "bold"), words), soft_wrap=True)
    if verdict.outcome == "equal":
        return
    stderr().print(Text(f"  why: {verdict.why}"), soft_wrap=True)
    if verdict.outcome == "damaged":
        stderr().print(Text(f"  hint: {_remedy(verdict)}"), soft_wrap=True)


def _remedy(verdict: "Verdict") -> str:
    version = verdict.version
    if verdict.twins:
        other = f"{version.stage}@{verdict.twins[0].lance_version}"
        moved = "".join(f"; `hnm dataset tag {tag} {other} --force`" for tag in version.tags)
        return f"{other} has the same content: `hnm dataset verify {other}`{moved}"
    if version.current:
        return f"build it anew: `hnm run --select {version.stage} --full-refresh`"
    return f"`hnm dataset reproduce {version.name}` builds it again where code and data are still as they were"


def print_restored(project: "Project", done: "Restored") -> None:
    """What is current now, and what the next run will do about it."""
    version = done.version
    if done.replaced and done.replaced.lance_version == version.lance_version:
        stderr().print(f"{version.name} is the current version already")
        return
    stderr().print(f"{version.name} is the current version of {version.stage} now, {version.row_count:,} rows")
    if version.stage not in project.manifest.nodes:
        return
    (entry,) = project.plan([version.stage]).entries
    if entry.status == "fresh":
        stderr().print("it is what the project's code and data make: a run leaves it as it is")
        return
    stderr().print(
        Text(f"a run that includes it builds it from the code and data of today: {entry.reason}"), soft_wrap=True
    )
    keep = f"hnm run --select {version.stage}+ --exclude {version.stage}"
    stderr().print(Text(f"to build on it as it is: `{keep}`"), soft_wrap=True)


def print_reproduction(found: "Reproduction", way_back: str | None) -> None:
    """What came out. `way_back`: how to have the code that was recorded."""
    name = found.version.name
    if found.differs:
        stdout().print(Text(f"{name} cannot be built again: not everything is as it was", "bold"))
        for stage, changes in found.differs.items():
            for change in changes:
                stdout().print(Text(f"  {stage}: {change}"), soft_wrap=True)
        if way_back:
            stderr().print(Text(f"  hint: {way_back}".replace("\n", "\n    ")), soft_wrap=True)
        return
    if found.equal:
        stdout().print(Text.assemble(("equal", "green"), f" {name} came out again, {found.version.data_version}"))
    else:
        stdout().print(Text.assemble(("different", "bold red"), f" {name} came out as {found.found}"), soft_wrap=True)
        if found.others:
            stdout().print(Text(f"  other content above it: {', '.join(found.others)}"), soft_wrap=True)
        stderr().print(Text(f"  what was built is in {found.folder}"), soft_wrap=True)
    if found.reused:
        stderr().print(Text(f"  taken as published: {', '.join(found.reused)}; --all builds these too"), soft_wrap=True)


def _print_causes(found: "DatasetDiff") -> None:
    console = stdout()
    if found.causes is None:
        console.print(Text("\nwhat caused it is not known: a version was published before records were kept", "dim"))
        return
    console.print(Text("\ncaused by" if found.causes else "\nbuilt from the same code, configuration and data", "bold"))
    for cause in found.causes:
        for change in cause.changes:
            console.print(Text(f"  {cause.stage}: {change}"), soft_wrap=True)


def _print_example(row: "Mapping[str, Any]") -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        style = "" if name.endswith("_id") else "dim"
        table.add_row(Text(f"  {in_words(name)}", style), one_line(_shortened(value), style))
    stdout().print(table)
    stdout().print()


def _print_side_by_side(before: "Statistics", after: "Statistics") -> None:
    table = table_of("strategy", "", "before", "after")
    for column in table.columns[2:]:
        column.justify = "right"
    for strategy in dict.fromkeys((*before, *after)):
        old, new = before.get(strategy, {}), after.get(strategy, {})
        shown = strategy_name(strategy)
        for measure in dict.fromkeys((*old, *new)):
            values = numbers_apart(old.get(measure), new.get(measure))
            if values[0] != values[1] or measure == "rows":
                table.add_row(shown, in_words(measure), *values)
                shown = ""
    stdout().print(table)


def _shortened(value: Any) -> str:
    text = number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"
