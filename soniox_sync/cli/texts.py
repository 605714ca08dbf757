"""Text to speak: from the command line, or from standard input as it arrives."""

from __future__ import annotations

import codecs
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Callable, Union

from .console import Console, UsageError, is_terminal

__all__ = ["text_of"]

log: logging.Logger = logging.getLogger("soniox_sync.cli")

_READ_BYTES = 4096
_NO_TEXT = "there is no text to speak"


def text_of(words: Sequence[str], console: Console) -> Union[str, Iterator[str]]:
    """Return the words as one text, or for a single `-` an iterator over stdin as it arrives.

    Raises
        UsageError: there is no text; the iterator raises it at its end.
    """
    if list(words) != ["-"]:
        text = " ".join(map(_as_utf8, words))
        if not text.strip():
            raise UsageError(_NO_TEXT)
        return text
    if is_terminal(console.stdin):
        console.note("type the text to speak, then press Ctrl-D")
    log.info("reading stdin")
    return decoded_text(reader_of(console.binary_stdin()))


def _as_utf8(word: str) -> str:
    """Return an argument decoded as UTF-8 if the locale could not decode it."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return os.fsencode(word).decode(errors="replace")
    return word


def decoded_text(read: Callable[[], bytes]) -> Iterator[str]:
    """Yield UTF-8 text as soon as it is read; invalid bytes become U+FFFD.

    Raises
        UsageError: stdin cannot be read, or contains nothing but white space.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    spoken = False
    while True:
        try:
            data = read()
        except OSError as error:
            raise UsageError(f"cannot read stdin: {error.strerror or error}") from error
        text = decoder.decode(data, final=not data)
        spoken = spoken or bool(text.strip())
        if text:
            yield text
        if not data:
            break
    if not spoken:
        raise UsageError(_NO_TEXT)


def reader_of(stream: BinaryIO) -> Callable[[], bytes]:
    """Return a function that waits for data and reads what is available; `b""` at the end.

    It bypasses Python's buffered files: a blocked read holds a lock of theirs, for which the
    interpreter would wait at exit.
    """
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        read: Any = getattr(stream, "read1", stream.read)
        return lambda: bytes(read(_READ_BYTES))
    return lambda: os.read(descriptor, _READ_BYTES)
