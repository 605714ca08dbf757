"""`as_source`: an audio source for whatever the user passes as audio."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import Any, Optional, Union, cast

from .._support.checks import not_a_path, wrong_type
from .._support.types import Buffer, FilePath, ReadableFile
from ..audio.samples import SampleBytes, buffer_bytes
from ..errors import InputTypeError
from .base import AudioSource
from .contents import is_seekable
from .file import FileSource, check_binary
from .iterable import IterableSource
from .pipe import PipeSource

_ACCEPTED = (
    "a path, bytes, a binary file object, an iterable of bytes, or an object with start() and "
    "stop() (AudioSource)"
)


AudioLike = Union[FilePath, Buffer, ReadableFile, Iterable[Buffer], AudioSource]


def as_source(
    obj: AudioLike,
    *,
    pace: Union[bool, float, None] = None,
    audio_format: Optional[str] = None,
    sample_rate: Optional[int] = None,
    num_channels: Optional[int] = None,
) -> AudioSource:
    """Return a source that delivers `obj`; nothing is opened yet.

    An `AudioSource` is returned unchanged, and the options do not apply to it. Paths, bytes and
    seekable files become a `FileSource`, streams a `PipeSource`, other iterables an
    `IterableSource`. `pace=None`: real time for a `FileSource`, else as fast as data arrives.
    `audio_format`, `sample_rate` (Hz) and `num_channels` describe headerless audio. Buffers of
    samples (numpy, `array`) must hold what `audio_format` says; without one they become an
    `IterableSource`, and must hold what the recording's `audio_format` says.

    Raises
        ConfigurationError: a headerless format without rate or channels, an illegal pace.
        InputTypeError: `obj` is none of these; the message says what is accepted.
    """
    if is_source(obj):
        return cast(AudioSource, obj)
    kind, subject = _kind_of(obj, audio_format, num_channels)
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


def is_source(obj: object) -> bool:
    """Return whether an object has the methods of a source.

    Raises
        InputTypeError: it is the class of a source.
    """
    if not all(callable(getattr(obj, name, None)) for name in ("start", "stop")):
        return False
    if isinstance(obj, type):
        raise InputTypeError(f"audio: expected a source, got its class; write {obj.__name__}()")
    return True


def _kind_of(obj: Any, audio_format: Optional[str], num_channels: Optional[int]) -> tuple[Any, Any]:
    """Return the class of source, and what it reads."""
    if isinstance(obj, (str, os.PathLike)):
        return FileSource, obj
    if hasattr(obj, "read"):
        check_binary("audio", _ACCEPTED, obj)
        return (FileSource if is_seekable(obj) else PipeSource), obj
    if _is_buffer(obj):
        data = buffer_bytes("audio", obj, audio_format, num_channels)
        not_a_path("audio", _ACCEPTED, data)
        if isinstance(data, SampleBytes):
            return IterableSource, [data]
        return FileSource, io.BytesIO(data)
    if isinstance(obj, Iterable):
        return IterableSource, obj
    advice = "there is no event loop here: pass a plain generator"
    raise wrong_type("audio", _ACCEPTED, obj, advice if hasattr(obj, "__aiter__") else "")


def _is_buffer(obj: Any) -> bool:
    """Return whether the object is one piece of audio: a buffer, or what should have been one."""
    try:
        memoryview(obj)
    except TypeError:
        # a tensor is iterable, too, but its items are no chunks
        return hasattr(obj, "__array__")
    except ValueError:  # a released memoryview
        return True
    return True
