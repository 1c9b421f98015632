"""The console script. Exit codes are decided here and nowhere else.

The command line is imported inside functions: that takes most of a quick command, and Ctrl-C must be in hand before.
"""

import os
import sys
from importlib import import_module

from hnm.cli.interrupt import INTERRUPTED, end_at_once_on_interrupt, end_soon_on_interrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typer

SUCCESS, FAILURE, WRONG_USAGE = 0, 1, 2
TYPER_INTERRUPTED = 130  # what typer makes of Ctrl-C before we see it


def main() -> None:
    """The console script. 0 success; 1 a failure that hnm understands; 2 wrong usage or an unhandled error."""
    end_at_once_on_interrupt()
    # Before torch is loaded. Threads that spin while they wait for each other take the cores from those they wait for
    # as soon as anything else computes, and models then run at a fraction of their speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import_module("hnm.cli.app")
    end_soon_on_interrupt()
    sys.exit(_run())


def _run() -> int:
    import typer

    from hnm.cli.app import app
    from hnm.cli.console import show_error, stderr
    from hnm.cli.refused_by_system import refused_by_system
    from hnm.errors import HnmError

    try:
        code = app(prog_name="hnm", standalone_mode=False)
    except HnmError as error:
        show_error(error)
        return FAILURE
    except typer.Exit as error:
        return error.exit_code
    except typer.TyperException as error:
        if error.format_message():  # empty when the help was asked for by giving no command
            told = error.format_message().replace("Value error, ", "")  # pydantic's way to begin what a type refuses
            typer.echo(f"error: {told}\n  hint: {_usage_hint(error)}", err=True)
        return WRONG_USAGE
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except Exception as error:  # whatever was not foreseen is a bug of hnm: say so, with all that is needed to mend it
        refused = refused_by_system(error) if isinstance(error, OSError) else None
        if refused:
            show_error(refused)
            return FAILURE
        stderr().print_exception(show_locals=False)
        stderr().print("[bold red]this is a bug in hnm[/bold red]: please report it with the lines above")
        return WRONG_USAGE
    if code == TYPER_INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else SUCCESS


def _usage_hint(error: "typer.TyperException") -> str:
    context = getattr(error, "ctx", None)
    if "extra argument" in error.format_message() and context and context.params.get("select"):
        return "several selectors stand in quotes: --select 'a b'"
    return f"see `{context.command_path if context else 'hnm'} --help`"


def _interrupted() -> int:
    from hnm.cli.console import stderr

    stderr().print(f"\n{INTERRUPTED}", style="bold")
    return FAILURE


if __name__ == "__main__":
    main()
