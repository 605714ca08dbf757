"""`FileSource`: a file as if it were spoken now."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, Optional, Union

from ..errors import ConfigurationError, InputTypeError, StateError
from .base import told_audio
from .contents import is_seekable, open_contents
from .threaded import Feed, SourceClock, ThreadedSource

__all__ = ["FileSource", "check_binary", "checked_chunk_ms"]


class FileSource(ThreadedSource):
    """Delivers a file: samples where it holds any or can be decoded, else its bytes.

    - WAV: its samples, format from its header.
    - mp3, FLAC, Ogg Vorbis: decoded as they are read when `miniaudio` is installed (extra
      `sandbox`), to 16-bit samples, 16 kHz mono unless `sample_rate` and `num_channels` say
      otherwise.
    - headerless audio: `audio_format`, `sample_rate` (Hz) and `num_channels` must be given.
    - anything else: its bytes as they are, `audio` then says `"auto"` or the format given.

    `path`: a path, opened by `start()` and closed at the end; or a binary file object that can
    seek, read from where it stands and left open.

    `pace`: `True` (default) is real time, a number a factor of it, `False` or 0 as fast as the
    handlers take it. The schedule is absolute and stands still while paused. Handlers that hold
    the source back by more than a second move it. Containers are paced by the mean rate
    their header tells (mp3: its first frame), or by 128 kbit/s when it does not.

    `chunk_ms`: length of a piece; decoders may give shorter ones.

    `start()` may be called again after the end when a path was given: it starts at the beginning.
    `clock` is for tests. Thread-safe.

    Raises
        ConfigurationError, InputTypeError: refused options, headerless audio without its format.
    """

    _thread_name = "soniox-source-file"

    def __init__(
        self,
        path: Union[str, os.PathLike[str], BinaryIO],
        *,
        pace: Union[bool, float, None] = True,
        chunk_ms: int = 120,
        audio_format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        num_channels: Optional[int] = None,
        clock: Optional[SourceClock] = None,
    ) -> None:
        super().__init__(pace=pace, clock=clock)
        if not isinstance(path, (str, os.PathLike)):
            check_binary(path, "FileSource needs a path or a binary file object")
        # Immutable
        self._path = path
        self._chunk_ms = checked_chunk_ms(chunk_ms)
        self._told = told_audio(audio_format, sample_rate, num_channels)
        self._sample_rate = sample_rate
        self._num_channels = num_channels
        # Under _lock
        self._used = False

    def _open(self) -> Feed:
        path = self._path
        if isinstance(path, (str, os.PathLike)):
            file: BinaryIO = open(path, "rb")  # noqa: SIM115 - the feed closes it
            try:
                return self._look_into(file, os.fspath(path), owned=True)
            except BaseException:
                file.close()
                raise
        self._use()
        if not is_seekable(path):
            raise ConfigurationError("FileSource needs a file that can seek: use PipeSource")
        return self._look_into(path, str(getattr(path, "name", "")), owned=False)

    def _use(self) -> None:
        with self._lock:
            if self._used:
                raise StateError("cannot start again: a file object is read once; give a path")
            self._used = True

    def _look_into(self, file: BinaryIO, name: str, *, owned: bool) -> Feed:
        return open_contents(
            file,
            name=name,
            owned=owned,
            told=self._told,
            sample_rate=self._sample_rate,
            num_channels=self._num_channels,
            chunk_ms=self._chunk_ms,
        )

    @property
    def can_restart(self) -> bool:
        """Tell whether `restart()` works for this file; false before `start()`.

        It does for samples (nothing has to be done) and for mp3, ogg, flac, webm and aac; it does
        not for other containers.
        """
        run = self._run
        return run is not None and run.feed is not None and run.feed.can_restart

    def restart(self) -> None:
        """Begin a new container: its header again, then the file goes on where it was.

        The file is not read from its beginning, which would transcribe it twice; what lies between
        here and the next page, cluster or frame is left out. The piece on its way still belongs to
        the old container: `on_restart` is called right before the first of the new one. Samples
        have no header, so nothing is left out of them.

        Raises
            StateError: the source is not running. AudioSourceError: `can_restart` is false.
        """
        self._restart()


def checked_chunk_ms(value: int) -> int:
    """Give a chunk length in milliseconds. Raises `ConfigurationError`, `InputTypeError`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"chunk_ms must be an int, not {type(value).__name__}")
    if value < 1:
        raise ConfigurationError(f"chunk_ms must be positive, not {value}")
    return value


def check_binary(file: object, wanted: str) -> None:
    """Refuse what is no binary file object. Raises `InputTypeError` that begins with `wanted`."""
    if isinstance(file, io.TextIOBase):
        raise InputTypeError(f'{wanted}, not one of text: open it with "rb", or use its .buffer')
    if not callable(getattr(file, "read", None)):
        raise InputTypeError(f"{wanted}, not {type(file).__name__}")
