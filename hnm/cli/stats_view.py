"""What a person sees of the statistics of the negatives."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from hnm.cli.columns import GAP, groups_that_fit, table_that_fits
from hnm.cli.console import stderr, stdout
from hnm.negative_statistics import Statistics, quantile, statistic

CELL_WIDTH, FUNNEL_CELL_WIDTH = 6, 14
WANTED_WIDTH, REASON_WIDTH, MEANING_WIDTH = 19, 37, 40


def print_statistics(found: Statistics) -> None:
    """All tables on stdout; strategies that do not fit side by side continue in a further table."""
    labels = max(map(len, found.quality[0] if found.quality else ()), default=0) + WANTED_WIDTH
    for strategies in _fitting(found.strategies, labels, CELL_WIDTH):
        _print_quality(found, strategies, labels)
    _print_quantiles(found)
    for strategies in _fitting(found.strategies, REASON_WIDTH, FUNNEL_CELL_WIDTH):
        _print_funnel(found, strategies)
    _print_ranks(found)
    _print_overlap(found)
    if found.missing:
        stderr().print(f"not built yet: {', '.join(found.missing)}; `hnm run --select '+{' +'.join(found.missing)}'`")


def _print_quality(found: Statistics, strategies: Sequence[str], labels: int) -> None:
    """One row per statistic; with what it is, where there is room."""
    with_meanings = _width(strategies, labels, CELL_WIDTH) + MEANING_WIDTH <= stdout().width
    rows = []
    for row in found.side_by_side():
        name = row["statistic"]
        if quantile(name)[1] is None:
            read = statistic(name)
            wanted = f"{read.wanted}: {read.means}" if read.wanted else ""
            what = [read.what] if with_meanings else []
            rows.append([name, wanted, *(_number(row[strategy]) for strategy in strategies), *what])
    headers = ["statistic", "wanted", *strategies, *([""] if with_meanings else [])]
    last = len(headers) - 1 if with_meanings else 0
    _print("Negatives by strategy", headers, rows, texts=(0, 1, last), gives_way=last)


def _print_quantiles(found: Statistics) -> None:
    """One row per measure and strategy."""
    names = [quantile(name) for name in (found.quality[0] if found.quality else ())]
    percents = sorted({percent for _, percent in names if percent is not None})
    rows = [
        [measure, row["strategy"], *(_number(row.get(f"{measure}_p{percent:02}")) for percent in percents)]
        for measure in dict.fromkeys(measure for measure, percent in names if percent is not None)
        for row in found.quality
    ]
    _print("Quantiles", ["measure", "strategy", *(f"{percent} %" for percent in percents)], rows, texts=(0, 1))


def _print_funnel(found: Statistics, strategies: Sequence[str]) -> None:
    """One row per reason, in the order of the rules: how many candidates, and their share of those considered."""
    cells = {(row["reason"], row["strategy"]): f"{row['rows']:,} {row['share']:>6.1%}" for row in found.funnel}
    steps = {row["reason"]: row["step"] for row in sorted(found.funnel, key=lambda row: row["step"])}
    rows = [
        [reason, *(cells.get((reason, strategy), "—") for strategy in strategies)]
        for reason in sorted(steps, key=lambda reason: (reason == "kept", steps[reason], reason))
        if any((reason, strategy) in cells for strategy in strategies)
    ]
    _print("What became of the candidates", ["", *strategies], rows)


def _print_ranks(found: Statistics) -> None:
    """One row per strategy and retriever: the share of the negatives in each range of the retriever's ranks."""
    ranges = dict(sorted({row["range_order"]: row["range"] for row in found.ranks}.items()))
    shares = {(row["strategy"], row["retriever"], row["range_order"]): row["share"] for row in found.ranks}
    rows = [
        [strategy, retriever, *(_share(shares.get((strategy, retriever, order), 0.0)) for order in ranges)]
        for strategy in found.strategies
        for retriever in sorted({retriever for name, retriever, _ in shares if name == strategy})
    ]
    headers = ["strategy", "retriever", *(name.replace(" ", "\n") for name in ranges.values())]
    _print("Where each retriever had the negatives, by rank", headers, rows, texts=(0, 1))


def _print_overlap(found: Statistics) -> None:
    """One row per retriever: what its first documents share with those of each other one."""
    cells = {(row["retriever"], row["other"]): row for row in found.overlap}
    others = sorted({other for _, other in cells}, key=lambda name: (name == "any_other", name))
    rows = [
        [
            retriever,
            *(_number(cells.get((retriever, other), {}).get("jaccard")) for other in others),
            _share(cells.get((retriever, "any_other"), {}).get("unique_share")),
        ]
        for retriever in sorted({retriever for retriever, _ in cells})
    ]
    depth = found.overlap[0]["depth"] if found.overlap else 0
    headers = ["", *(name.replace("any_other", "any\nother") for name in others), "it\nalone"]
    _print(f"Jaccard overlap of the retrievers' first {depth}, and what each alone has", headers, rows)


def _fitting(strategies: Sequence[str], labels: int, cell: int) -> Iterator[list[str]]:
    """Groups of strategies whose columns fit into the width beside the labels."""
    return groups_that_fit(strategies, lambda name: max(len(name), cell), stdout().width - labels)


def _width(strategies: Sequence[str], labels: int, cell: int) -> int:
    return labels + sum(max(len(name), cell) + GAP for name in strategies)


def _print(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int] = (0,), gives_way: int = 0
) -> None:
    """A table under its title, and an empty line; nothing without rows."""
    if not rows:
        return
    console = stdout()
    console.print(Text(title, "bold"))
    cells = [[Text(cell, "dim" if 0 < index in texts else "") for index, cell in enumerate(row)] for row in rows]
    console.print(
        table_that_fits(list(map(Text, headers)), cells, width=console.width, texts=texts, gives_way=gives_way)
    )
    console.print()


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.1%}"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "—" if value is None else f"{value:,}"
