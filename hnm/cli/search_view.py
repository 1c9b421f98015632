"""What a person sees of a search."""

from collections.abc import Sequence

from rich.text import Text

from hnm.cli.columns import GAP, number, one_line, table_that_fits
from hnm.cli.console import stderr, stdout
from hnm.explained import Place
from hnm.search.hits import Hit
from hnm.search.searcher import Searcher, memory_in_words

DOCUMENT_WIDTH = 20
PLACE_WIDTH = 6
EXCERPT_CHARACTERS = 200


def print_hits(hits: Sequence[Hit], searcher: Searcher) -> None:
    """Two lines each on stdout: ranks above, scores below; the table is in the order of the last stage."""
    if not hits:
        stderr().print("nothing was found: no document shares a word with the text")
        return
    width = stdout().width
    mixed = any(hit.interpolated_score is not None for hit in hits)
    reranked = any(hit.reranker_score is not None for hit in hits)
    fused = len(searcher.retrievers) > 1
    # The rank, the document, and what is always shown.
    taken = 2 + GAP + DOCUMENT_WIDTH + (PLACE_WIDTH + GAP) * (mixed + fused) + (len("reranker") + GAP) * reranked
    fitting = list(searcher.retrievers)
    while fitting and taken + sum(max(len(name), PLACE_WIDTH) + GAP for name in fitting) > width:
        fitting.pop()
    headers = ["", "document", *["mixed"] * mixed, *["reranker"] * reranked, *["fused"] * fused, *fitting]
    rows = []
    for hit in hits:
        row = [Text(str(hit.rank)), _document(hit), *[Text(number(hit.interpolated_score))] * mixed]
        row += [Text(number(hit.reranker_score))] * reranked + [_place(hit.fused)] * fused
        rows.append([*row, *(_place(hit.found.get(name)) for name in fitting)])
    stdout().print(table_that_fits([one_line(name) for name in headers], rows, width=width, texts=(1,), gives_way=1))
    if len(fitting) < len(searcher.retrievers):
        left_out = ", ".join(searcher.retrievers[len(fitting) :])
        stderr().print(Text(f"too wide for this terminal, but in --json: {left_out}", "dim"))


def print_searcher(searcher: Searcher) -> None:
    """On stderr, what was asked."""
    ranked = f"{searcher.reranker} reranked the first {searcher.depth}" if searcher.reranker else "not reranked"
    told = f"{len(searcher):,} documents · {ranked} · held: {memory_in_words(searcher.memory)}"
    stderr().print(one_line(told, "dim"))


def _document(hit: Hit) -> Text:
    """The title, or the first words; then the id, or where that is the title the first words."""
    excerpt = hit.text[: len(hit.title) + EXCERPT_CHARACTERS].removeprefix(hit.title).strip()
    above, below = (hit.title, hit.doc_id) if hit.title.strip() else (excerpt, hit.doc_id)
    return Text("\n").join([one_line(above), one_line(below if below != above else excerpt, "dim")])


def _place(place: Place | None) -> Text:
    return Text(f"{place.rank}\n{number(place.score)}" if place else "—")
