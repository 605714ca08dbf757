"""Saving audio to files, and writing files that appear only when they are complete."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, Optional

from .._support.types import FilePath
from ..errors import StateError
from .flac import FlacSaver, with_sample_count
from .formats import default_tts_sample_rate, is_raw
from .saver import StreamSaver, Target, write_all
from .wav.header import wav_header
from .wav.writer import WavSaver

_SAVERS: Mapping[str, type[StreamSaver]] = {"wav": WavSaver, "flac": FlacSaver}


def save_audio(chunks: Iterable[bytes], target: Target, audio_format: str) -> int:
    """Write chunks of audio to a path or binary file object and return the number of bytes.

    The lengths in the header of a `"wav"` or `"flac"` are corrected at the end; other formats are
    written unchanged. A path is opened and closed, a file object is left open. If `chunks` raises,
    the file contains what was written before.
    """
    saver_class = _SAVERS.get(audio_format)
    if saver_class is not None:
        with saver_class(target) as saver:
            for chunk in chunks:
                saver.write(chunk)
        return saver.bytes_written
    if isinstance(target, (str, os.PathLike)):
        with open(target, "wb") as file:
            return save_audio(chunks, file, audio_format)
    total = 0
    for chunk in chunks:
        write_all(target, chunk)
        total += len(chunk)
    return total


def save_whole(
    chunks: Iterable[bytes], target: Target, audio_format: str, sample_rate: Optional[int] = None
) -> int:
    """Like `save_audio`, but an existing file is replaced only by complete audio.

    No audio at all, as of a text without words, becomes a WAV without samples.

    Raises
        StateError: no audio at all, in a format that needs some.
        OSError: the file cannot be written.
    """
    chunks = _some(chunks, audio_format, sample_rate)
    if not isinstance(target, (str, os.PathLike)):
        return save_audio(chunks, target, audio_format)
    with whole_file(target) as file:
        return save_audio(chunks, file, audio_format)


def _some(
    chunks: Iterable[bytes], audio_format: str, sample_rate: Optional[int]
) -> Iterator[bytes]:
    is_empty = True
    for chunk in chunks:
        is_empty = is_empty and not chunk
        yield chunk
    if is_empty and audio_format == "wav":
        rate = sample_rate or default_tts_sample_rate("wav")
        yield wav_header(sample_rate=rate, data_bytes=0)
    elif is_empty and not is_raw(audio_format):
        raise StateError(f"cannot save {audio_format}: nothing was spoken, the text has no words")


def with_true_lengths(audio: bytes) -> bytes:
    """Return a streamed WAV or FLAC with its length in the header; other audio unchanged."""
    if audio.startswith(b"fLaC"):
        return with_sample_count(audio)
    if not audio.startswith(b"RIFF"):
        return audio
    file = io.BytesIO()
    save_audio((audio,), file, "wav")
    return file.getvalue()


@contextmanager
def whole_file(path: FilePath) -> Iterator[BinaryIO]:
    """Open a binary file for writing that replaces `path` when the block ends without an error.

    If the block raises, nothing is left behind and an existing file is unchanged. Anything that is
    not a regular file (a pipe, a device) is written to directly.

    Where a rename cannot work (a file that is a mount point), the file is copied in place.

    Raises
        OSError: as `open()` does, before anything is written; or the finished file could not be put
            in its place: the message says where it is.
    """
    # not the resolved path: if /dev/stdout or /dev/fd/63 is a pipe, it does not resolve to a name
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    target = os.path.realpath(path)  # a symbolic link keeps pointing to the file
    with _named(path):
        part = _open_part(target)
    try:
        with part:
            yield part
    except BaseException:
        os.unlink(part.name)
        raise
    with _named(path):
        _move(part.name, target)


def _open_part(target: str) -> BinaryIO:
    """Create the file that is to become `target`, in the same folder if that is possible."""
    with contextlib.suppress(FileNotFoundError):
        os.lstat(target)  # a name too long, or below a file, is an error now and not at the end
    name = f".{secrets.token_hex(4)}.part"  # short: the name of `target` may be as long as allowed
    try:
        return open(os.path.join(os.path.dirname(target), name), "xb")
    except OSError:
        if not os.path.isfile(target) or not os.access(target, os.W_OK):
            raise
        # a file that may be written, in a folder that may not
        return open(os.path.join(tempfile.gettempdir(), name), "xb")


def _move(part: str, target: str) -> None:
    """Rename `part` to `target`; where that cannot work, copy it."""
    try:
        if os.path.exists(target):
            shutil.copymode(target, part)
        os.replace(part, target)
        return
    except OSError:
        try:  # a file mounted by itself, or on another device, cannot be replaced
            shutil.copyfile(part, target)
        except OSError as error:
            kept = f"{error.strerror}; what was to be written is in {part}"
            raise OSError(error.errno, kept, target) from None
    os.unlink(part)


@contextmanager
def _named(path: FilePath) -> Iterator[None]:
    """Let an `OSError` name the path that the user knows."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
