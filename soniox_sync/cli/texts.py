"""Text to speak: from the command line, or from standard input while it is still being written."""

from __future__ import annotations

import codecs
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Callable, Union

from .console import Console, UsageError, is_terminal

__all__ = ["text_of"]

log = logging.getLogger("soniox_sync.cli")

_READ_BYTES = 4096
_NO_TEXT = "there is no text to speak"


def text_of(words: Sequence[str], console: Console) -> Union[str, Iterator[str]]:
    """Give the text of the command line, or for a single `-` that of stdin as it comes.

    Raises:
        UsageError: there is none; that of stdin raises it at its end.
    """
    if list(words) != ["-"]:
        text = " ".join(map(_decoded, words))
        if not text.strip():
            raise UsageError(_NO_TEXT)
        return text
    if is_terminal(console.stdin):
        console.note("type what to say; Ctrl-D ends it")
    log.info("reading stdin")
    return decoded_text(reader_of(console.binary_stdin()))


def _decoded(word: str) -> str:
    """Make up for a locale that could not decode the command line: it is UTF-8 nearly always."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return os.fsencode(word).decode(errors="replace")
    return word


def decoded_text(read: Callable[[], bytes]) -> Iterator[str]:
    """Give UTF-8 as text, as soon as it is read; bytes that are no text become U+FFFD.

    Raises:
        UsageError: at the end, when there was nothing but white space; or it cannot be read.
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
    """Give a function that reads what a stream has, at least a byte, `b""` at its end.

    It goes round Python's buffered files: the interpreter, when it exits, waits for their locks,
    which a thread that reads would hold.
    """
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        read: Any = getattr(stream, "read1", stream.read)
        return lambda: bytes(read(_READ_BYTES))
    return lambda: os.read(descriptor, _READ_BYTES)
