"""Files that a command writes: whole or not at all, with failures told by the name they got."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..audio.whole import whole_file
from ..errors import SonioxError
from .console import OutputFailed, UsageError

__all__ = ["written_file"]


@contextmanager
def written_file(path: str) -> Iterator[BinaryIO]:
    """Open a file that takes its place under `path` when the block ends well; see `whole_file`.

    Raises:
        UsageError: it cannot be made. OutputFailed: it cannot be written, as on a full disk.
    """
    begun = False
    try:
        with whole_file(path) as file:
            begun = True
            yield file
    except OSError as error:
        if isinstance(error, SonioxError):
            raise  # of the connection
        kind = OutputFailed if begun else UsageError
        raise kind(f"cannot write {path}: {error.strerror or error}") from error
