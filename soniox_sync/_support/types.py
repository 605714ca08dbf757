"""Type aliases for what users may pass as audio, files and the like."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Protocol, Union

if TYPE_CHECKING:
    from typing_extensions import Buffer as Buffer
else:
    Buffer = bytes  # annotations are not evaluated; aliases of them are

FilePath = Union[str, "os.PathLike[str]"]
# a trace goes to a path, a file object (text or binary), or a callable that gets each line
TraceTo = Union[FilePath, "TraceFile", Callable[[dict[str, Any]], object], None]
Verify = Union[bool, FilePath]  # whether to check certificates, or a file of trusted authorities


class ReadableFile(Protocol):
    """Binary file object that can be read."""

    def read(self, size: int = ..., /) -> bytes:
        """Return at most `size` bytes, all if negative; `b""` at the end."""
        ...


class WritableFile(Protocol):
    """Binary file object that can be written."""

    def write(self, data: bytes, /) -> object:
        """Write bytes; return how many were accepted, or `None`."""


class TraceFile(Protocol):
    """File object, text or binary, to which the lines of a trace are written."""

    def write(self, line: Any, /) -> object:
        """Write one line; of a binary file, return how many bytes were accepted, or `None`."""
