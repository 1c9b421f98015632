"""What a person sees of versions of datasets."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from hnm.cli.console import stderr, stdout

if TYPE_CHECKING:
    from rich.tree import Tree

    from hnm.dataset.find import DatasetVersion
    from hnm.dataset.record import Record
    from hnm.dataset.statistics import Statistics

STRATEGIES_AT_ONCE = 6
_RIGHT = {"rows", "versions", "size"}


@contextmanager
def working(what: str) -> Iterator[None]:
    """A sign of life on a terminal."""
    with stderr().status(what):
        yield


def print_stages(found: "Mapping[str, tuple[DatasetVersion, ...]]") -> None:
    from hnm.dataset.find import damaged_versions

    if not found:
        stderr().print("no stage keeps versions yet; `hnm run` builds those with `materialized: lance`")
        return
    table = table_of("stage", "versions", "current", "tags", "rows", "built")
    for name, versions in found.items():
        current = next((version for version in versions if version.current), None)
        tags = [tag for version in versions for tag in version.tags]
        damaged = damaged_versions(versions)
        there = sum(version.here or version.lost for version in versions)
        table.add_row(
            name,
            f"{there}, {len(damaged)} damaged" if damaged else str(there),
            str(current.lance_version) if current else "—",
            ", ".join(tags) or "—",
            f"{current.row_count:,}" if current else "—",
            _minute(current.built_at) if current else "—",
        )
    stdout().print(table)


def print_log(versions: "Sequence[DatasetVersion]") -> None:
    from hnm.dataset.find import damaged_versions

    damaged = damaged_versions(versions)
    table = table_of("version", "tags", "rows", "changes", "digest", "built", "")
    for version in versions:
        table.add_row(
            str(version.lance_version),
            ", ".join(version.tags) or "—",
            f"{version.row_count:,}",
            _changes(version),
            version.data_version[:12],
            _minute(version.built_at),
            _standing(version, version.lance_version in damaged),
            style=None if version.here or version.lost else "dim",
        )
    for column in table.columns:
        column.no_wrap = column.header != Text("tags")  # of which there may be any number
    stdout().print(table)


def _standing(version: "DatasetVersion", damaged: bool) -> str:
    removed = not version.here and not version.lost
    words = {"current": version.current, "damaged": damaged, "removed": removed}
    return ", ".join(word for word, holds in words.items() if holds)


def print_version(version: "DatasetVersion", record: "Record | None") -> None:
    facts = {
        "version": f"{version.stage}@{version.lance_version}"
        + (", current" if version.current else "")
        + ("" if version.here else ", its rows are lost" if version.lost else ", its rows were removed"),
        "tags": ", ".join(version.tags),
        "digest": version.data_version,
        "rows": f"{version.row_count:,}",
        "built": f"{version.built_at[:19]} UTC, run {version.invocation_id[:8]}",
    }
    if record:
        commit = record.code.get("commit")
        dirty = ", and files that differ from it" if record.code.get("dirty") else ""
        facts |= {
            "by": f"{record.author.get('user')} on {record.author.get('host')}",
            "commit": f"{commit} ({record.code.get('branch')}){dirty}" if commit else "not under git",
            "packages": ", ".join(f"{name} {value}" for name, value in record.packages.items() if value != "absent"),
            "seeds": ", ".join(
                f"{stage} {name} {value}" for stage, seeds in record.seeds.items() for name, value in seeds.items()
            ),
        }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            table.add_row(name, Text(value))
    stdout().print(table)
    if record is None:
        stderr().print("it was published before records were kept: more is not known of it")
        return
    stdout().print()
    stdout().print(_tree(record))
    if record.statistics:
        stdout().print()
        print_statistics(record.statistics)


def print_statistics(found: "Statistics") -> None:
    """Measures downwards, strategies side by side, as many as 80 columns hold."""
    measures = list(dict.fromkeys(name for numbers in found.values() for name in numbers))
    for start in range(0, len(found), STRATEGIES_AT_ONCE):
        shown = list(found)[start : start + STRATEGIES_AT_ONCE]
        table = table_of("", *map(strategy_name, shown))
        table.columns[0].no_wrap = True
        for column in table.columns[1:]:
            column.justify = "right"
        for measure in measures:
            table.add_row(in_words(measure), *(number(found[name].get(measure)) for name in shown))
        stdout().print(table)


def _tree(record: "Record") -> "Tree":
    """The ancestry; a stage that stands on several branches is drawn in full once."""
    from rich.tree import Tree

    from hnm.engine.fingerprint import input_versions

    known = {(entry.stage, entry.data_version): entry for entry in record.ancestry}
    drawn: set[tuple[str, str]] = set()

    def grow(branch: Tree, inputs: Mapping[str, str]) -> None:
        for stage, version in inputs.items():
            entry = known[stage, version]
            rows = "" if entry.row_count is None else f"  {entry.row_count:,} rows"
            again = (stage, version) in drawn and bool(entry.inputs)
            label = Text.assemble(stage, (f"  {version[:12]}{rows}{'  (above)' if again else ''}", "dim"))
            child = branch.add(label)
            if not again:
                drawn.add((stage, version))
                grow(child, entry.inputs)

    root = Tree(
        Text.assemble((record.stage, "bold"), (f"  {record.data_version[:12]}  {record.row_count:,} rows", "dim"))
    )
    grow(root, input_versions(record.components))
    return root


def table_of(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(name), justify="right" if name in _RIGHT else "left", overflow="fold")
    return table


def _changes(version: "DatasetVersion") -> str:
    signs = (("+", version.inserted), ("~", version.changed), ("-", version.deleted))
    if all(count is None for _, count in signs):
        return "—"
    return " ".join(f"{sign}{count:,}" for sign, count in signs if count)


def strategy_name(name: str) -> str:
    return "all" if name == "*" else name


def in_words(name: str) -> str:
    return name.replace("_", " ")


def number(value: Any) -> str:
    if value is None:
        return "—"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def numbers_apart(before: Any, after: Any) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart; alike where seven do not, which is noise of 32-bit floats."""
    if not (isinstance(before, float) and isinstance(after, float)):
        return number(before), number(after)
    return next(
        (pair for digits in range(4, 8) if (pair := (f"{before:,.{digits}g}", f"{after:,.{digits}g}"))[0] != pair[1]),
        (number(before), number(after)),
    )


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
