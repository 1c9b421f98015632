"""The command line: a thin layer over `hnm.api`. Exit codes are decided here and nowhere else."""

import os
import sys
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
from hnm.cli.console import INTERRUPTED, show_error, stderr
from hnm.cli.interrupt import end_soon_on_interrupt
from hnm.errors import HnmError

SUCCESS, FAILURE, WRONG_USAGE = 0, 1, 2
TYPER_INTERRUPTED = 130  # what typer makes of Ctrl-C before we see it

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


def main() -> None:
    """The console script. 0 success; 1 a failure that hnm understands; 2 wrong usage or an unhandled error."""
    end_soon_on_interrupt()
    # Before torch is loaded. Threads that spin while they wait for each other take the cores from those they wait for
    # as soon as anything else computes, and models then run at a fraction of their speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(prog_name="hnm", standalone_mode=False)
    except HnmError as error:
        show_error(error)
        return FAILURE
    except typer.Exit as error:
        return error.exit_code
    except typer.TyperException as error:
        if error.format_message():  # empty when the help was asked for by giving no command
            typer.echo(f"error: {error.format_message()}\n  hint: {_usage_hint(error)}", err=True)
        return WRONG_USAGE
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except Exception:  # whatever was not foreseen is a bug of hnm: say so, with all that is needed to mend it
        stderr().print_exception(show_locals=False)
        stderr().print("[bold red]this is a bug in hnm[/bold red]: please report it with the lines above")
        return WRONG_USAGE
    if code == TYPER_INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else SUCCESS


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    if "extra argument" in error.format_message() and context and context.params.get("select"):
        return "several selectors stand in quotes: --select 'a b'"
    return f"see `{context.command_path if context else 'hnm'} --help`"


def _interrupted() -> int:
    stderr().print(f"\n{INTERRUPTED}", style="bold")
    return FAILURE


if __name__ == "__main__":
    main()
