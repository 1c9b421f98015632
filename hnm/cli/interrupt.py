"""Ctrl-C ends a command soon, in order where that is possible."""

import os
import signal
import sys
import threading
from types import FrameType

INTERRUPTED = "interrupted: what was published stays; the same command does the rest"
PATIENCE_SECONDS = 1.0


def end_at_once_on_interrupt() -> None:
    """Let Ctrl-C end the process while it starts: there is nothing to put in order, and modules that are half imported
    would show a traceback, or take the exception for one of their own.
    """
    signal.signal(signal.SIGINT, lambda number, frame: _give_up())


def end_soon_on_interrupt() -> None:
    """Let the first Ctrl-C raise KeyboardInterrupt, as ever, and end the process soon after in any case.

    Native code does not always let go: a DuckDB query may go on for as long as it takes. A second Ctrl-C ends the
    process at once. Both are safe: what was published stays, and the next run removes or takes up what was not.
    """
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    timer = threading.Timer(PATIENCE_SECONDS, _give_up)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _give_up() -> None:
    sys.stderr.write(f"\n{INTERRUPTED}\n")
    sys.stderr.flush()
    os._exit(1)
