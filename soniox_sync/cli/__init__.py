"""The command line `soniox-sync`. `app` parses the arguments and runs the command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from typing import Optional

__all__ = ["main"]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and return its exit code.

    `argv`: the arguments without the program's name. `None` takes those of the process, which is
    expected to exit with the code; Ctrl-C before or after the command then ends it silently.

    The code is 0 for success, 1 for an error of the service or the network, 2 for a usage error,
    130 after Ctrl-C, and 128 plus the signal's number after any other signal.
    """
    if argv is None:
        _restore_default_sigint()
    try:
        from .app import run

        return run(argv)
    except KeyboardInterrupt:  # before or after the command, outside of `Interrupts`
        return 130


def _restore_default_sigint() -> None:
    """Let Ctrl-C end the process; the interpreter's own handler would print a traceback."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
