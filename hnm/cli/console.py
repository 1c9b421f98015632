"""The two streams: data goes to stdout, all else to stderr. rich honours NO_COLOR and pipes by itself."""

from functools import cache
from typing import TYPE_CHECKING

from hnm.errors import HnmError

if TYPE_CHECKING:
    from rich.console import Console


@cache
def stderr() -> "Console":
    """For what people read."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=False)


@cache
def stdout() -> "Console":
    """For tables that people asked for; programs get plain text, CSV or JSON instead."""
    from rich.console import Console

    return Console(highlight=False)


def show_error(error: HnmError) -> None:
    """An error as its four parts: what, where, why, hint. Places stay on one line, for programs that follow them."""
    from rich.text import Text

    console = stderr()
    plain = not console.is_terminal
    console.print(Text.assemble(("error: ", "bold red"), error.what), soft_wrap=plain)
    for label, value in (("at", error.where), ("why", error.why), ("hint", error.hint)):
        if value:
            text = Text.assemble((f"  {label}: ", "bold"), (str(value), "cyan" if label == "at" else ""))
            console.print(text, soft_wrap=plain or label == "at")
