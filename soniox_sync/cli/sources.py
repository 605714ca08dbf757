"""What is to be transcribed: a file, standard input, the microphone, as a source of the library."""

from __future__ import annotations

import argparse
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Union

from ..audio.formats import is_raw
from ..sources import AudioSource, FileSource, MicrophoneSource, PipeSource
from .console import Console, UsageError

__all__ = ["opened_source"]

log = logging.getLogger("soniox_sync.cli")

# how files of bare samples are called, besides by the name of their format
_HEADERLESS = (".pcm", ".raw", ".s16", ".s16le", ".ulaw", ".alaw")


@contextmanager
def opened_source(args: argparse.Namespace, console: Console) -> Iterator[AudioSource]:
    """Give the source that the arguments name; it is started by who transcribes it.

    Regular files, also behind `<`, are paced as if spoken now and decoded where that is possible;
    what cannot seek is taken as it comes.

    Raises:
        UsageError: it cannot be read, or not without saying what it is.
    """
    name = "stdin" if args.source == "-" else args.source
    log.info("reading %s", "the microphone" if args.mic else name)
    if args.mic:
        yield MicrophoneSource()
    elif args.source == "-":
        yield _stdin_source(args, console)
    elif _is_regular(args.source):
        _check_has_header(args)
        _check_not_empty(args.source, args.source)
        yield FileSource(args.source, pace=_pace(args, True), **_told(args))
    else:
        with _opened(args.source) as file:
            yield PipeSource(file, pace=_pace(args, False), **_told(args))


def _stdin_source(args: argparse.Namespace, console: Console) -> AudioSource:
    if console.stdin is not None and console.stdin.isatty():
        raise UsageError(
            "stdin is this terminal: pipe audio into the command, or name a FILE, or use --mic"
        )
    stdin = console.binary_stdin()
    if _is_regular(stdin):
        _check_not_empty(stdin, "stdin")
        return FileSource(stdin, pace=_pace(args, True), **_told(args))
    return PipeSource(stdin, pace=_pace(args, False), **_told(args))


def _check_not_empty(file: Union[str, BinaryIO], name: str) -> None:
    if os.stat(file if isinstance(file, str) else file.fileno()).st_size == 0:
        raise UsageError(f"{name} is empty: there is nothing to transcribe")


def _is_regular(file: Union[str, BinaryIO]) -> bool:
    """Tell whether a file lies on a disk, rather than being written by someone at present."""
    try:
        mode = os.stat(file if isinstance(file, str) else file.fileno()).st_mode
    except (AttributeError, OSError, ValueError) as error:
        if isinstance(file, str):
            raise _cannot_read(file, error) from error
        return False  # no file of the system at all
    if stat.S_ISDIR(mode):
        name = file if isinstance(file, str) else "stdin"
        raise UsageError(f"cannot read {name}: it is a directory")
    return stat.S_ISREG(mode)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")  # waits for the writer of a named pipe
    except OSError as error:
        raise _cannot_read(path, error) from error


def _cannot_read(path: str, error: Exception) -> UsageError:
    # a ValueError tells of a character that no path may hold
    return UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")


def _check_has_header(args: argparse.Namespace) -> None:
    ending = os.path.splitext(args.source)[1].lower()
    if args.audio_format is None and (ending in _HEADERLESS or is_raw(ending[1:])):
        raise UsageError(
            f"{args.source} has no header that says what it is: add for instance "
            "--audio-format pcm_s16le --sample-rate 16000 --channels 1"
        )


def _pace(args: argparse.Namespace, usual: bool) -> Union[bool, float]:
    return usual if args.pace is None else float(args.pace)


def _told(args: argparse.Namespace) -> dict[str, Any]:
    if args.audio_format is None:
        return {}
    return {
        "audio_format": args.audio_format,
        "sample_rate": args.sample_rate,
        "num_channels": args.channels,
    }
