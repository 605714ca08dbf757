"""`FileSource`: a file, delivered as if it were being spoken now."""

from __future__ import annotations

import inspect
import io
import os
from typing import BinaryIO, Optional, Union, cast

from .._support.checks import input_path, integer, refused, suggests_keywords, wrong_type
from .._support.reprs import file_name
from .._support.types import FilePath, ReadableFile
from ..errors import AudioSourceError, StateError
from .base import SourceAudio, declared_audio
from .contents import is_seekable, open_contents
from .feeds import Feed, FileOptions
from .pacing import SourceClock
from .threaded import ThreadedSource

# longer chunks are no stream, and a chunk is read at once
_LONGEST_CHUNK_MS = 60_000


class FileSource(ThreadedSource):
    """Source that delivers a file: as samples where possible, else its bytes unchanged.

    - WAV: its samples, in the format of its header.
    - mp3, FLAC, Ogg Vorbis: decoded while they are read if `miniaudio` is installed (extra
      `sandbox`), to 16-bit samples, 16 kHz mono unless `sample_rate` and `num_channels` are given.
    - headerless audio: `audio_format`, `sample_rate` (Hz) and `num_channels` are required.
    - anything else: its bytes unchanged; `audio` is then `"auto"`, or the given format.

    `path`: a path, opened by `start()` and closed at the end; or a seekable binary file object,
    read from its current position and left open.

    `pace`: `True` (default) is real time, a number a multiple of it, `False` or 0 as fast as the
    handlers accept it. The schedule is absolute, and suspended during a pause. If handlers hold the
    source back by more than a second, the schedule is moved. Containers are paced by the mean rate
    in their header (mp3: its first frame), or by 128 kbit/s without one.

    `chunk_ms`: length of a chunk in milliseconds, at most a minute; decoders may deliver shorter
    ones.

    If a path was given, `start()` may be called again after the end, and starts from the beginning.
    `clock` is for tests. Thread-safe.

    Raises
        ConfigurationError: an illegal option, or headerless audio without its format.
        InputTypeError: an option of the wrong type, or neither a path nor a binary file.
    """

    _thread_name = "soniox-source-file"

    @suggests_keywords()
    def __init__(
        self,
        path: Union[FilePath, ReadableFile],
        *,
        pace: Union[bool, float, None] = True,
        chunk_ms: int = 120,
        audio_format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        num_channels: Optional[int] = None,
        clock: Optional[SourceClock] = None,
    ) -> None:
        super().__init__(pace=pace, clock=clock)
        if isinstance(path, (str, os.PathLike)):
            input_path("path", path)
        else:
            check_binary("path", "a path or a binary file object", path)
        integer(1, _LONGEST_CHUNK_MS)("chunk_ms", chunk_ms)
        # Immutable
        self._path = path
        declared = declared_audio(audio_format, sample_rate, num_channels)
        owned = isinstance(path, (str, os.PathLike))
        self._options = FileOptions(declared, sample_rate, num_channels, chunk_ms, owned)
        # Under _lock
        self._used = False

    def _open(self) -> Feed:
        path = self._path
        if isinstance(path, (str, os.PathLike)):
            if os.path.isdir(path):
                raise refused("path", "a file", "a directory", "pass its files one by one")
            file = cast(BinaryIO, open(path, "rb"))  # noqa: SIM115 - the feed closes it
            try:
                return open_contents(file, os.fspath(path), self._options)
            except BaseException:
                file.close()
                raise
        with self._lock:
            if self._used:
                raise StateError("cannot start again: a file object is read only once; pass a path")
            self._used = True
        file = cast(BinaryIO, path)
        if not is_seekable(file):
            raise refused("path", "a file that can seek", "a stream", "use PipeSource")
        return open_contents(file, str(getattr(file, "name", "")), self._options)

    def _describe(self) -> tuple[str, Optional[SourceAudio]]:
        return file_name(self._path), self.audio or self._options.declared

    @property
    def can_restart(self) -> bool:
        """Whether `restart()` works for this file; False before `start()`.

        True for samples (which have no header) and for mp3, ogg, flac, webm and aac; False for
        other containers.
        """
        run = self._run
        return run is not None and run.feed is not None and run.feed.can_restart

    def restart(self) -> None:
        """Start a new container: the header again, then the file from its current position.

        The file is not read from the start again, which would transcribe it twice; what is left
        before the next page, cluster or frame is dropped. One more chunk of the old container may
        be delivered: `on_restart` is called right before the first chunk of the new one. Samples
        have no header, so nothing of them is dropped. If no page, cluster or frame is left,
        `on_error` gets an `AudioSourceError`. A recording does not need this: it keeps what it may
        have to send again.

        Raises
            StateError: the source is not running.
            AudioSourceError: `can_restart` is False.
        """
        run = self._run
        if run is None or run.ended or run.feed is None:
            raise StateError("cannot restart: the source is not running")
        if run.feed.audio is not None and run.feed.audio.raw is not None:
            return  # samples have no header
        if not run.feed.can_restart:
            raise AudioSourceError("cannot restart: the header of this container is not known")
        run.restart = True


def check_binary(name: str, expected: str, file: object) -> None:
    """Refuse anything but a binary file object; `expected` is for the message.

    Raises
        InputTypeError: `file` is not a binary file object.
    """
    if isinstance(file, io.TextIOBase):
        raise wrong_type(name, expected, file, 'open it with "rb", or use its .buffer')
    if not callable(getattr(file, "read", None)):
        raise wrong_type(name, expected, file)
    if inspect.iscoroutinefunction(file.read):  # type: ignore[attr-defined]
        raise wrong_type(name, expected, file, "its read() needs an event loop: pass its .file")
