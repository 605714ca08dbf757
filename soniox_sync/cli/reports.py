"""What went wrong, in one line, and the exit code for it."""

from __future__ import annotations

import json
import traceback

from ..errors import AbortError, ConfigurationError, SonioxError
from .console import Console, OutputFailed, UsageError
from .interrupt import Terminated

__all__ = ["FAILED", "INTERRUPTED", "OK", "PROGRAM", "USAGE", "exit_code", "report"]

PROGRAM = "soniox-sync"
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
# shells give a process that a signal ended this much above the signal's number
_SIGNALLED = 128
# what the service says about an error besides its message
_FACTS = ("code", "status_code", "error_type", "request_id", "more_info")


def exit_code(error: BaseException, *, interrupted: bool) -> int:
    """Give the exit code for what ended a command."""
    if isinstance(error, Terminated):
        return _SIGNALLED + error.signum
    if interrupted or isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, (UsageError, ConfigurationError)) or _is_about_a_file(error):
        return USAGE
    return FAILED


def report(
    error: BaseException, console: Console, *, interrupted: bool, verbose: int, as_json: bool
) -> None:
    """Say what went wrong on stderr: in a line, or one of JSON; with -vv its traceback before."""
    if verbose > 1:
        console.say("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    if _is_interruption(error, interrupted):
        console.note("interrupted")
    elif as_json:
        console.say(_as_json(error, exit_code(error, interrupted=interrupted)))
    else:
        hint = "" if verbose > 1 or _is_expected(error) else " (run again with -vv and report it)"
        console.say(f"{PROGRAM}: {_message(error)}{hint}")


def _is_interruption(error: BaseException, interrupted: bool) -> bool:
    """Tell whether an error says no more than that Ctrl-C was pressed."""
    if isinstance(error, KeyboardInterrupt) or (interrupted and isinstance(error, AbortError)):
        return True
    # Python wraps what is raised while it makes a class, as an import does
    cause = error.__cause__ or error.__context__
    return interrupted and cause is not None and _is_interruption(cause, interrupted)


def _as_json(error: BaseException, code: int) -> str:
    facts = {"type": type(error).__name__, "message": _message(error), "exit_code": code}
    for name in _FACTS:
        value = getattr(error, name, None)
        if value is not None:
            facts[name] = value
    return json.dumps({"error": facts}, default=str)


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and not isinstance(error, SonioxError):
        where = f"{_text(error.filename)}: " if _is_about_a_file(error) else ""
        return f"{where}{error.strerror}"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if _is_expected(error) else f"internal error: {type(error).__name__}: {text}"


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _is_about_a_file(error: BaseException) -> bool:
    """Tell whether a file of the command line could not be read or written."""
    return isinstance(error, OSError) and error.filename is not None


def _is_expected(error: BaseException) -> bool:
    return isinstance(error, (UsageError, OutputFailed, Terminated, SonioxError, OSError))
