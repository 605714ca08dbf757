"""Audio to transcribe: a file, standard input or the microphone, as an audio source."""

from __future__ import annotations

import argparse
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Optional, Union

from ..audio.formats import is_raw
from ..sources import AudioSource, FileSource, MicrophoneSource, PipeSource
from .console import Console, InputError
from .inputs import is_url

__all__ = ["open_source"]

log: logging.Logger = logging.getLogger("soniox_sync.cli")

# Extensions of raw audio, besides the names of the raw formats.
_RAW_SUFFIXES = (".pcm", ".raw", ".s16", ".s16le", ".ulaw", ".alaw")


@contextmanager
def open_source(
    args: argparse.Namespace, console: Console, source: Optional[str]
) -> Iterator[AudioSource]:
    """Open a source: a path, `-` for stdin, or `None` for the microphone. The recording starts it.

    Regular files, including a redirected stdin, are sent in real time and decoded where possible;
    data from pipes is sent as it arrives.

    Raises
        InputError: the input cannot be read, is empty, or is raw audio of unknown format.
    """
    if source is None:
        log.info("reading the microphone")
        yield MicrophoneSource()
        return
    if is_url(source):
        raise InputError(
            "a URL cannot be transcribed in real time: download it, or let the service do so: "
            f"soniox-sync jobs submit {source}"
        )
    log.info("reading %s", "stdin" if source == "-" else source)
    if source == "-":
        yield _stdin_source(args, console)
    elif _is_regular(source):
        _check_has_header(args, source)
        _check_not_empty(source, source)
        yield FileSource(source, pace=_pace(args, True), **_format_fields(args))
    else:
        with _opened(source) as file:
            yield PipeSource(file, pace=_pace(args, False), **_format_fields(args))


def _stdin_source(args: argparse.Namespace, console: Console) -> AudioSource:
    if console.stdin is not None and console.stdin.isatty():
        raise InputError(
            "stdin is a terminal: pipe audio into this command, give a FILE, or use --mic"
        )
    stdin = console.binary_stdin()
    if _is_regular(stdin):
        _check_not_empty(stdin, "stdin")
        return FileSource(stdin, pace=_pace(args, True), **_format_fields(args))
    return PipeSource(stdin, pace=_pace(args, False), **_format_fields(args))


def _check_not_empty(file: Union[str, BinaryIO], name: str) -> None:
    if os.stat(file if isinstance(file, str) else file.fileno()).st_size == 0:
        raise InputError(f"{name} is empty: there is nothing to transcribe")


def _is_regular(file: Union[str, BinaryIO]) -> bool:
    """Return whether a file is a regular one, which is seekable; a pipe is not.

    Raises
        InputError: it does not exist, or is a directory.
    """
    try:
        mode = os.stat(file if isinstance(file, str) else file.fileno()).st_mode
    except (AttributeError, OSError, ValueError) as error:
        if isinstance(file, str):
            raise _cannot_read(file, error) from error
        return False  # no descriptor
    if stat.S_ISDIR(mode):
        name = file if isinstance(file, str) else "stdin"
        raise InputError(f"cannot read {name}: it is a directory")
    return stat.S_ISREG(mode)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")  # blocks until a named pipe has a writer
    except OSError as error:
        raise _cannot_read(path, error) from error


def _cannot_read(path: str, error: Exception) -> InputError:
    # a ValueError: the path contains a null character
    return InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}")


def _check_has_header(args: argparse.Namespace, source: str) -> None:
    suffix = os.path.splitext(source)[1].lower()
    if args.audio_format is None and (suffix in _RAW_SUFFIXES or is_raw(suffix[1:])):
        raise InputError(
            f"{source} looks like raw audio, without a header: give its format, for example "
            "--audio-format pcm_s16le --sample-rate 16000 --channels 1"
        )


def _pace(args: argparse.Namespace, default: bool) -> Union[bool, float]:
    return default if args.pace is None else float(args.pace)


def _format_fields(args: argparse.Namespace) -> dict[str, Any]:
    if args.audio_format is None:
        return {}
    return {
        "audio_format": args.audio_format,
        "sample_rate": args.sample_rate,
        "num_channels": args.channels,
    }
