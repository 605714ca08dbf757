"""The command line `soniox-sync`; see `app` for how it is put together."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from typing import Optional

__all__ = ["main"]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and give its exit code.

    `argv`: the arguments without the program's name. `None` takes those of the process, which is
    expected to exit with the code; before and after the command Ctrl-C then ends it silently.

    0 is success, 1 an error of the service or the network, 2 wrong usage, 130 interrupted by
    Ctrl-C; 128 and the number of another signal that ended it.
    """
    if argv is None:
        _let_go_of_ctrl_c()
    try:
        from .app import run

        return run(argv)
    except KeyboardInterrupt:  # a program's that called this, or one too many while it ended
        return 130


def _let_go_of_ctrl_c() -> None:
    """Take Ctrl-C from the interpreter, which would answer it with a traceback."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
