"""The command line: a thin layer over `hnm.api`. `hnm.cli.main` calls it."""

from typing import Annotated

import typer

import hnm
from hnm.cli import (
    compare,
    dataset,
    dataset_export,
    debug,
    diff,
    explain,
    export,
    gc,
    init,
    listing,
    model,
    query,
    retry,
    run,
    search,
    show,
    stats,
    summary,
    test,
)
from hnm.cli import compile as compile_command

app = typer.Typer(
    name="hnm",
    help="Hard-negative mining for rerankers, as a declarative data project on DuckDB and Lance.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("debug")(debug.debug)
app.command("parse")(compile_command.parse)
app.command("compile")(compile_command.compile_)
app.command("ls")(listing.ls)
app.command("plan")(run.plan)
app.command("run")(run.run)
app.command("build")(test.build)
app.command("test")(test.test)
app.command("retry")(retry.retry)
app.command("diff")(diff.diff)
app.command("gc")(gc.gc)
app.command("summary")(summary.summary)
app.command("query")(query.query)
app.command("show")(show.show)
app.command("stats")(stats.stats)
app.command("compare")(compare.compare)
app.command("explain")(explain.explain)
app.command("search")(search.search)
app.command("export")(export.export)
app.add_typer(model.model, name="model")
dataset.app.command("export")(dataset_export.export)
dataset.app.command("import")(dataset_export.import_)
app.add_typer(dataset.app)
app.command("clean")(debug.clean)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"hnm {hnm.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass
