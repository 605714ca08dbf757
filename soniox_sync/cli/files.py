"""Output files of commands, which appear only when they are complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..audio.saving import whole_file
from ..errors import SonioxError
from .console import OutputFailed, UsageError

__all__ = ["output_file"]


@contextmanager
def output_file(path: str) -> Iterator[BinaryIO]:
    """Open a file that appears at `path` when the block ends without an error.

    Raises
        UsageError: the file cannot be created.
        OutputFailed: the file cannot be written, for example because the disk is full.
    """
    opened = False
    try:
        with whole_file(path) as file:
            opened = True
            yield file
    except OSError as error:
        if isinstance(error, SonioxError):
            raise  # connection errors are OSErrors too
        kind = OutputFailed if opened else UsageError
        raise kind(f"cannot write {path}: {error.strerror or error}") from error
