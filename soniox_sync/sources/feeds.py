"""`Feed`: what the thread of a source reads from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Optional, Protocol

from .base import SourceAudio


class Feed(Protocol):
    """Content of one run of a source. Only the source's thread calls `read` and `close`."""

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Format of what is read, `None` before the header was read."""

    @property
    def bytes_per_second(self) -> Optional[float]:
        """Bytes of one second, for the pace; `None` when unknown."""

    @property
    def can_restart(self) -> bool:
        """Whether `restart` works."""

    def read(self) -> Optional[bytes]:
        """Return the next bytes, `b""` if there are none yet, `None` at the end."""

    def restart(self) -> None:
        """Make the next `read` return the container's header first."""

    def wake(self) -> None:
        """Make a blocked `read` return, if that is possible. Thread-safe."""

    def close(self) -> None:
        """Release what was opened."""


@dataclass(frozen=True)
class FileOptions:
    """How a file is to be read.

    `declared`: the format the user gave. `sample_rate` (Hz) and `num_channels` are those of decoded
    samples; `None`: 16000 and 1. `chunk_ms`: length of a chunk. `owned`: close the file at the end.
    """

    declared: Optional[SourceAudio]
    sample_rate: Optional[int]
    num_channels: Optional[int]
    chunk_ms: int
    owned: bool


class FileFeed:
    """Base of the feeds that read from files."""

    can_restart = True

    def __init__(self, file: BinaryIO, options: FileOptions) -> None:
        self._file = file
        self._owned = options.owned

    def restart(self) -> None:
        """Do nothing: samples have no header."""

    def wake(self) -> None:
        """Do nothing: reading a file does not block for long."""

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()
