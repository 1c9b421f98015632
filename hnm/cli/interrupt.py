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

    Native code does not always let go: a DuckDB query or a library's function may go on for as long as it takes. A
    second Ctrl-C ends the process at once. Both are safe: what was published stays, and the next run removes or takes
    up what was not.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    threading.Thread(target=_watch, args=(heard,), name="interrupts", daemon=True).start()
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))  # what a child gets is not for this process
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Python calls this in the main thread only after native code there has returned, however long that takes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _watch(heard: int) -> None:
    """Wait for signals beside the main thread: the number of each comes through the pipe at once."""
    _wait_for_interrupt(heard)
    timer = threading.Timer(PATIENCE_SECONDS, _give_up)
    timer.daemon = True
    timer.start()
    _wait_for_interrupt(heard)
    _give_up()


def _wait_for_interrupt(heard: int) -> None:
    while os.read(heard, 1)[0] != signal.SIGINT:
        pass


def _give_up() -> None:
    sys.stderr.write(f"\n{INTERRUPTED}\n")
    sys.stderr.flush()
    os._exit(1)
