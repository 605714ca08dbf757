"""`as_source`: the source for whatever a user calls audio."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import Any, Optional, Union, cast

from ..errors import InputTypeError
from .base import AudioSource
from .contents import is_seekable
from .file import FileSource, check_binary
from .iterable import IterableSource
from .pipe import PipeSource

__all__ = ["as_source"]

_ACCEPTED = (
    "a path, bytes, a binary file object, an iterable of bytes, or an object with start() and "
    "stop() (AudioSource)"
)


def as_source(
    obj: Any,
    *,
    pace: Union[bool, float, None] = None,
    audio_format: Optional[str] = None,
    sample_rate: Optional[int] = None,
    num_channels: Optional[int] = None,
) -> AudioSource:
    """Make the source that delivers `obj`; nothing is opened yet.

    An `AudioSource` is given back as it is, the options are then not for it. Paths, bytes and
    files that can seek become a `FileSource`, streams a `PipeSource`, other iterables an
    `IterableSource`. `pace=None`: real time for a `FileSource`, else as fast as it comes.
    `audio_format`, `sample_rate` (Hz) and `num_channels` tell what headerless audio is.

    Raises
        InputTypeError: none of these; the message says what is accepted.
        ConfigurationError: a headerless format without rate or channels, a refused pace.
    """
    if callable(getattr(obj, "start", None)) and callable(getattr(obj, "stop", None)):
        return cast(AudioSource, obj)
    kind, subject = _kind_of(obj)
    if pace is None:
        pace = kind is FileSource
    source: AudioSource = kind(
        subject,
        pace=pace,
        audio_format=audio_format,
        sample_rate=sample_rate,
        num_channels=num_channels,
    )
    return source


def _kind_of(obj: Any) -> tuple[Any, Any]:
    """Choose the class of source, and give what it reads."""
    if isinstance(obj, (str, os.PathLike)):
        return FileSource, obj
    if hasattr(obj, "read"):
        check_binary(obj, f"audio must be {_ACCEPTED}")
        return (FileSource if is_seekable(obj) else PipeSource), obj
    data = _buffer(obj)
    if data is not None:
        return FileSource, io.BytesIO(data)
    if isinstance(obj, Iterable):
        return IterableSource, obj
    raise InputTypeError(f"audio must be {_ACCEPTED}, not {type(obj).__name__}")


def _buffer(obj: Any) -> Optional[bytes]:
    if isinstance(obj, bytes):
        return obj
    try:
        return memoryview(obj).tobytes()
    except TypeError:
        return None
