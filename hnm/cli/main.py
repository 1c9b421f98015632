"""The command line: a thin layer over `hnm.api`. Exit codes are decided here and nowhere else."""

import os
import sys
from typing import Annotated

import typer
from click import ClickException
from click.exceptions import Abort, Exit

import hnm
from hnm.cli import compile as compile_command
from hnm.cli import debug, export, init, listing, query, run, show, summary
from hnm.cli.console import show_error, stderr
from hnm.errors import HnmError

SUCCESS, FAILURE, WRONG_USAGE = 0, 1, 2

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
app.command("summary")(summary.summary)
app.command("query")(query.query)
app.command("show")(show.show)
app.command("export")(export.export)
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
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(standalone_mode=False)
    except HnmError as error:
        show_error(error)
        return FAILURE
    except Exit as error:
        return error.exit_code
    except ClickException as error:
        error.show()
        return WRONG_USAGE
    except (KeyboardInterrupt, Abort):
        stderr().print("\n[bold]interrupted[/bold]: what was published stays; `hnm run` goes on from there")
        return FAILURE
    except BrokenPipeError:
        # The reader of stdout has gone (as in `hnm query … | head`): point it elsewhere so that exit is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    return code if isinstance(code, int) else SUCCESS


if __name__ == "__main__":
    main()
