"""`hnm search`."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hnm.cli.options import JsonOption, ProjectOption, TargetOption
from hnm.errors import QueryError

if TYPE_CHECKING:
    from hnm.search.searcher import Searcher

STDIN = "-"


def search(
    text: Annotated[str, typer.Argument(help="What to search for; `-` reads one text a line and writes JSON lines.")],
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Documents to show.")] = 10,
    retrievers: Annotated[
        list[str] | None, typer.Option("--retriever", help="Only this retriever; may be given several times.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The reranker: a stage, or its name in `runs`, such as start.")
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=0, help="Documents that the reranker reads; 0 for none.")] = 30,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Search the corpus: every retriever, the ensemble, their fusion and the reranker, with all ranks and scores.

    Example: `hnm search "how do I sort a table" --top 5`
    """
    from hnm.api import Project
    from hnm.cli.console import stderr
    from hnm.cli.run_view import RunView
    from hnm.cli.search_view import print_hits, print_searcher

    if not text.strip():
        raise QueryError("the text to search for is empty", hint='for example `hnm search "some words"`')
    loaded = Project.load(project, target)
    with RunView() as view:
        from hnm.search.open import open_searcher

        searcher = open_searcher(loaded, retrievers, model, depth, view)
    for note in searcher.notes:
        stderr().print(f"note: {note}", style="yellow", markup=False)
    if text == STDIN:
        _lines(searcher, top)
    elif as_json:
        typer.echo(json.dumps(_as_json(searcher, text, top), indent=2, ensure_ascii=False))
    else:
        print_hits(searcher.search(text, top), searcher)
        print_searcher(searcher)


def _lines(searcher: "Searcher", top: int) -> None:
    """One JSON object for each line of standard input that is not blank, as soon as it is read."""
    from hnm.cli.rows import sink

    with sink(None) as stream:
        for text in _texts():
            stream.write(json.dumps(_as_json(searcher, text, top), ensure_ascii=False).encode() + b"\n")
            stream.flush()


def _texts() -> Iterator[str]:
    found = False
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").strip()
        if text:
            found = True
            yield text
    if not found:
        raise QueryError("standard input holds no text", hint="one text a line")


def _as_json(searcher: "Searcher", text: str, top: int) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "text": text.encode("utf-8", "replace").decode(),
        "retrievers": searcher.retrievers,
        "reranker": searcher.reranker,
        "hits": [asdict(hit) for hit in searcher.search(text, top)],
    }
