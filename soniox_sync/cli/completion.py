"""Shell completion, with `argcomplete` from the extra `cli`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Optional, TextIO, Union

from .parser import Parser

__all__ = ["complete", "is_asked"]

Completer = Callable[..., Sequence[str]]

_REGIONS = ("us", "eu", "jp", "in")
# What the values of an option or argument are called that are names of files or folders.
_FILES = ("FILE", "PATH", "DIR", "FOLDER")
# descriptor on which the scripts of argcomplete read
_SHELL_DESCRIPTOR = 8


def is_asked() -> bool:
    """Return whether a shell asks for completions, instead of running a command."""
    return "_ARGCOMPLETE" in os.environ


def complete(
    parser: Parser, output: Optional[TextIO] = None, leave: Callable[[int], object] = os._exit
) -> None:
    """Write the completions to the shell and end the process.

    `output`: by default what the shell reads. `leave`: called with the exit code.
    """
    try:
        import argcomplete
    except ImportError:
        # the shell still asks after the package was removed: the command must not run
        leave(1)
        return
    for each in _parsers(parser):
        for action in each._actions:
            completer = _completer_of(each, action)
            if completer is not None:
                action.completer = completer  # type: ignore[attr-defined]
    try:
        output = output or _shell()
    except OSError:
        leave(1)  # no shell reads it
        return
    # options only after a dash: what is wanted after a command is a file
    argcomplete.autocomplete(
        parser,
        always_complete_options=False,
        exit_method=leave,
        output_stream=output,
        default_completer=_files,  # type: ignore[arg-type]
    )


def _shell() -> TextIO:
    """Open what the shell reads. `argcomplete` would fail at a name that is not UTF-8."""
    file: Union[str, int] = os.environ.get("_ARGCOMPLETE_STDOUT_FILENAME") or _SHELL_DESCRIPTOR
    return open(file, "w", encoding=sys.getfilesystemencoding(), errors="surrogateescape")


def _files(prefix: str, **_asked: object) -> Sequence[str]:
    """Return the files and folders that begin with `prefix`, whatever bytes their names have."""
    folder, slash, start = prefix.rpartition("/")
    top = os.path.expanduser(f"{folder}{slash}") or os.curdir
    try:
        names = os.listdir(top)
    except OSError:
        return ()
    found = [
        f"{folder}{slash}{name}{'/' if os.path.isdir(os.path.join(top, name)) else ''}"
        for name in names
        if name.startswith(start) and (start or not name.startswith("."))
    ]
    # the shell splits its answer at control characters
    return sorted(name for name in found if not any(char < " " for char in name))


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _parsers(child)


def _completer_of(parser: argparse.ArgumentParser, action: argparse.Action) -> Optional[Completer]:
    """Return what completes a value; `None` for choices and files, which `argcomplete` knows."""
    metavar = str(action.metavar or action.dest).upper()
    if action.choices is not None or any(name in metavar for name in _FILES):
        return None
    if action.dest == "region":
        return _fixed(_REGIONS)
    if action.dest == "audio_format":
        return _fixed(_formats(parser.prog.split()[-1]))
    return _fixed(())


def _formats(command: str) -> Sequence[str]:
    from ..audio.formats import RAW_FORMATS, STT_CONTAINERS, TTS_FORMATS

    return sorted(TTS_FORMATS if command == "speak" else {*STT_CONTAINERS, *RAW_FORMATS})


def _fixed(values: Sequence[str]) -> Completer:
    return lambda **_asked: values
