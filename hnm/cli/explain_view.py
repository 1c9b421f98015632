"""What a person sees of one query's story."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.padding import Padding
from rich.text import Text

from hnm.cli.columns import GAP, LEAST_WIDTH, groups_that_fit, number, one_line, shortened, table_that_fits
from hnm.cli.console import stderr, stdout
from hnm.explained import Candidate, Document, Match, Mining, Place, Positive, Story, System

MATCHES_SHOWN = 20
DOCUMENTS_SHOWN = 10
"""Positives, and right answers; `--all` shows all."""
PLACE_WIDTH = 6
FIRST_STAGE = "first stage"
QUERY_CHARACTERS = 500
MEASURED_WIDTH = 24
"""Of the columns d(Q,D), d(PD,D) and rrf, with the gaps before them."""


def print_matches(matches: Sequence[Match]) -> None:
    """Queries to choose from, on stdout."""
    for match in matches[:MATCHES_SHOWN]:
        _print(one_line(match.query_id, "bold"), one_line(f"  {match.split}", "cyan"), wrap=True)
        _print(one_line(match.text), indent=2)
    shown = f"; the first {MATCHES_SHOWN} are shown" if len(matches) > MATCHES_SHOWN else ""
    stderr().print(f"{len(matches)} queries hold these words{shown}: name one by its id")


def print_story(story: Story, everything: bool) -> None:
    """The whole story on stdout. `everything`: what each strategy decided about every candidate, too."""
    _print(one_line(story.query_id, "bold"), Text(f"  {story.split}", "cyan"))
    _print(one_line(story.text if everything else _beginning(story.text)), wrap=True)
    for note in story.notes:
        _print(Text("note: ", "yellow"), one_line(note), wrap=True)
    most = None if everything else DOCUMENTS_SHOWN
    for positive in story.positives[:most]:
        _heading(f"Positive {positive.positive_rank}", positive.document.doc_id)
        _print_positive(positive, story.retrievers, everything)
    _print_rest("positives", story.positives, most)
    if story.triplets:
        counts = Counter(triplet.strategy for triplet in story.triplets)
        told = " · ".join(f"{name} {count}" for name, count in counts.items())
        _heading("Triplets", f"{len(story.triplets)}: {told}")
    if story.answers and not story.positives:
        _heading("Right answers", "by judgment")
        for answer in story.answers[:most]:
            _print(one_line(answer.doc_id), Text(f"  grade {answer.grade}", "dim"), indent=2)
            _print(_excerpt(answer), indent=4)
            _print(one_line(f"found by {_places(answer.found)}"), indent=4, wrap=True)
        _print_rest("right answers", story.answers, most)
    if story.systems:
        _heading("Evaluation", "rank of each right answer, and measures")
        _print_evaluation(story.answers[:most], story.systems)


def _print_positive(positive: Positive, retrievers: Sequence[str], everything: bool) -> None:
    judged = [] if positive.document.grade is None else [f"judged {positive.document.grade}"]
    evidence = [f"{name.replace('_', ' ')} {number(value)}" for name, value in positive.evidence.items()]
    _print(_excerpt(positive.document), indent=2)
    _print(one_line(" · ".join([f"weight {number(positive.weight)}", positive.origin, *judged])), indent=2, wrap=True)
    _print(one_line(" · ".join(evidence)), indent=2, wrap=True)
    _print(one_line(f"found by {_places(positive.document.found)}"), indent=2, wrap=True)
    if positive.d_query_positive is None:
        return
    shown = len(positive.candidates)
    which = f"; the {shown} nearest to the query:" if 0 < shown < positive.pool else ""
    _print()
    _print(one_line(f"{positive.pool:,} candidates, d(Q,PD) {positive.d_query_positive:.3f}{which}"), indent=2)
    if positive.candidates:
        _print_candidates(positive.candidates, [name for name in retrievers if name != "random"])
    for mining in positive.strategies:
        _print()
        _print_mining(mining)
        if everything:
            _print_decisions(mining.strategy, positive.candidates)


def _print_candidates(candidates: Iterable[Candidate], retrievers: Sequence[str]) -> None:
    """Two lines each: ranks and distances above, scores and how many retrievers have it below."""
    width = stdout().width - 2
    fitting = list(retrievers)
    while fitting and sum(max(len(name), PLACE_WIDTH) + GAP for name in fitting) > width - MEASURED_WIDTH - LEAST_WIDTH:
        fitting.pop()
    rows = []
    for candidate in candidates:
        document = candidate.document
        kept = any(outcome.exclusion_reason is None for outcome in candidate.outcomes)
        name = Text("\n").join([one_line(document.doc_id, "green" if kept else ""), _excerpt(document)])
        places = [document.found.get(name) for name in fitting]
        ranks = [Text(f"{place.rank}\n{number(place.score)}" if place else "—") for place in places]
        distances = [Text(f"{value:.3f}") for value in (candidate.d_query_doc, candidate.d_positive_doc)]
        fused = Text(f"{candidate.rrf:.4f}\n{candidate.agreement} of {len(retrievers)}")
        rows.append([name, *ranks, *distances, fused])
    headers = [one_line(name) for name in ("document", *fitting, "d(Q,D)", "d(PD,D)", "rrf")]
    stdout().print(Padding(table_that_fits(headers, rows, width=width), (0, 0, 0, 2)))
    if len(fitting) < len(retrievers):
        left_out = ", ".join(retrievers[len(fitting) :])
        _print(one_line(f"too wide for this terminal, but in --json: {left_out}", "dim"), indent=2, wrap=True)


def _print_mining(mining: Mining) -> None:
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in mining.settings.items())
    _print(one_line(mining.strategy, "bold"), one_line(f"  {settings}", "dim"), indent=2)
    _print(Text(f"{mining.considered:>9,} considered"), indent=2)
    for removal in mining.removed:
        _print(Text(f"{-removal.rows:>9,} ", "red"), one_line(removal.reason), indent=2)
    _print(Text(f"{len(mining.kept):>9,} kept", "green"), indent=2)
    for kept in mining.kept:
        _print(Text(f"{kept.selected_rank:>3} "), one_line(kept.document.doc_id, "green"), indent=8)
        _print(_excerpt(kept.document), indent=12)
        _print(one_line("; ".join(kept.why)), indent=12, wrap=True)


def _print_decisions(strategy: str, candidates: Iterable[Candidate]) -> None:
    """Every candidate that the strategy considered, with the rule that removed it."""
    rows = []
    for candidate in candidates:
        for outcome in candidate.outcomes:
            if outcome.strategy == strategy:
                reason = outcome.exclusion_reason
                said = Text(f"kept as {outcome.selected_rank}", "green") if reason is None else one_line(reason)
                rows.append([Text(f"{candidate.d_query_doc:.3f}"), said, one_line(candidate.document.doc_id)])
    headers = [Text(name) for name in ("d(Q,D)", "outcome", "document")]
    table = table_that_fits(headers, rows, width=stdout().width - 8, texts=(1, 2), gives_way=2)
    stdout().print(Padding(table, (0, 0, 0, 8)))


def _print_evaluation(answers: Sequence[Document], systems: Sequence[System]) -> None:
    """One column per system, the first stage first; those that do not fit side by side stand in a further table."""
    groups = groups_that_fit(systems, _system_width, stdout().width - 2 - LEAST_WIDTH)
    for index, group in enumerate(groups):
        if index:
            _print()
        _print_systems(answers, group)


def _system_width(system: System) -> int:
    return max(cell_len(system.name), len(FIRST_STAGE) if system.is_first_stage else PLACE_WIDTH)


def _print_systems(answers: Iterable[Document], systems: Sequence[System]) -> None:
    """An answer that a system's list lacks lies behind all that it has."""
    rows = []
    for answer in answers:
        places = [(system.places.get(answer.doc_id), system.documents) for system in systems]
        ranks = [Text(str(place.rank) if place else f"> {documents}") for place, documents in places]
        rows.append([one_line(answer.doc_id), *ranks])
    rows += [
        [one_line(measure, "dim"), *(Text(number(system.measures.get(measure))) for system in systems)]
        for measure in dict.fromkeys(measure for system in systems for measure in system.measures)
    ]
    headers = [one_line(system.name) for system in systems]
    if any(system.is_first_stage for system in systems):
        kinds = (FIRST_STAGE if system.is_first_stage else "" for system in systems)
        headers = [Text("\n").join([name, Text(kind)]) for name, kind in zip(headers, kinds, strict=True)]
    table = table_that_fits([Text(), *headers], rows, width=stdout().width - 2)
    stdout().print(Padding(table, (0, 0, 0, 2)))


def _excerpt(document: Document) -> Text:
    """How the text goes on after its title, where that is the document's id."""
    return one_line(document.excerpt.removeprefix(document.doc_id).lstrip(), "dim")


def _beginning(text: str) -> str:
    rest = len(text) - QUERY_CHARACTERS
    return text if rest <= 0 else f"{text[:QUERY_CHARACTERS]}… and {rest:,} more characters: --all shows them"


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _places(found: Mapping[str, Place]) -> str:
    told = [f"{name} {place.rank} ({number(place.score)})" for name, place in found.items()]
    return " · ".join(told) or "no retriever"


def _print_rest(what: str, documents: Sequence[object], most: int | None) -> None:
    if most is not None and len(documents) > most:
        _print()
        _print(Text(f"and {len(documents) - most:,} more {what}: --all shows them", "dim"))


def _heading(title: str, rest: str) -> None:
    _print()
    _print(Text(f"{title}  ", "bold"), one_line(rest))


def _print(*parts: Text, indent: int = 0, wrap: bool = False) -> None:
    """One line, cut to the width or wrapped; an empty one without parts. Nothing when the parts are empty."""
    console = stdout()
    line = Text.assemble(*parts)
    if not parts:
        console.print()
    elif line.plain.strip():
        if not wrap:
            line = shortened(line, console.width - indent)
        console.print(Padding(line, (0, 0, 0, indent), expand=False))
