"""`hnm explain`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import JsonOption, ProjectOption, TargetOption


def explain(
    query_id: Annotated[str | None, typer.Argument(help="A query, by its id.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Words of the query's text, instead of its id.")] = None,
    strategies: Annotated[
        list[str] | None, typer.Option("--strategy", help="Only this strategy; may be given several times.")
    ] = None,
    positive: Annotated[str | None, typer.Option("--positive", help="Only this positive, by its document id.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Candidates to show of each positive.")] = 10,
    everything: Annotated[
        bool, typer.Option("--all", help="Every candidate, and what each strategy decided about it.")
    ] = False,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Tell one query's story: positives and their evidence, candidates, which rule removed what, what was kept and why.

    Example: `hnm explain --text "words of a query" --strategy paper`
    """
    from dataclasses import asdict

    from hnm.api import Project
    from hnm.cli.explain_view import print_matches, print_story
    from hnm.explain import explain as tell
    from hnm.explain import find_queries

    if (query_id is None) == (text is None):
        raise typer.BadParameter("name a query by its id, or give words of its text with --text")
    loaded = Project.load(project, target)
    if text is not None:
        matches = find_queries(loaded, text)
        if len(matches) > 1:
            if as_json:
                typer.echo(json.dumps({"matches": [asdict(match) for match in matches]}, indent=2))
            else:
                print_matches(matches)
            return
        query_id = matches[0].query_id
    story = tell(
        loaded, str(query_id), limit=None if everything else limit, strategies=strategies or (), positive=positive
    )
    if as_json:
        typer.echo(json.dumps(asdict(story), indent=2, default=str))
    else:
        print_story(story, everything)
