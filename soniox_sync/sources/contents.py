"""What is in a file: samples behind a WAV header, bare samples, a container."""

from __future__ import annotations

import os
from typing import BinaryIO, Optional, cast

from ..audio import AUTO_FORMAT, RawAudio
from ..audio.wav import WavReader
from ..errors import ConfigurationError
from .base import SourceAudio
from .containers import HEAD_BYTES, bytes_per_second, find_entry, header_of, sniff
from .decode import open_decoded
from .threaded import Feed

__all__ = ["ContainerFeed", "RawFeed", "WavFeed", "is_seekable", "open_contents"]

# A second of a container that does not say: 128 kbit/s.
_ASSUMED_BYTES_PER_SECOND = 16_000.0

# How a file of bare samples is often called; WAV and all others are told by their first bytes.
_HEADERLESS_SUFFIXES = frozenset({".pcm", ".raw", ".s16", ".s16le", ".ulaw", ".alaw"})


def is_seekable(file: BinaryIO) -> bool:
    """Tell whether the file can go back to where it stands."""
    try:
        # memory-mapped files had no seekable() before 3.13
        if hasattr(file, "seekable") and not file.seekable():
            return False
        file.seek(file.tell())
    except (AttributeError, OSError, ValueError):
        return False
    return True


def open_contents(
    file: BinaryIO,
    *,
    name: str,
    owned: bool,
    told: Optional[SourceAudio],
    sample_rate: Optional[int],
    num_channels: Optional[int],
    chunk_ms: int,
) -> Feed:
    """Look at a file that can seek, from where it stands, and make what reads it.

    `told`: the format the user gave. `owned`: close the file at the end. `sample_rate` and
    `num_channels` are for decoders.

    Raises
        ConfigurationError: the name says bare samples and their format was not told.
    """
    if told is not None and told.raw is not None:
        return RawFeed(file, told.raw, told, chunk_ms, owned=owned)
    start = file.tell()
    kind = sniff(file.read(HEAD_BYTES) or b"")
    file.seek(start)
    if kind is None and told is None:
        _refuse_headerless(name)
    if kind == "wav":
        feed: Optional[Feed] = _open_wav(file, start, chunk_ms, owned=owned)
    else:
        feed = open_decoded(
            kind,
            file,
            start,
            owned=owned,
            sample_rate=sample_rate,
            num_channels=num_channels,
            chunk_ms=chunk_ms,
        )
    return feed or ContainerFeed(file, start, kind, told, chunk_ms, owned=owned)


def _refuse_headerless(name: str) -> None:
    if os.path.splitext(name)[1].lower() in _HEADERLESS_SUFFIXES:
        raise ConfigurationError(
            f"{os.path.basename(name)} is headerless audio: give audio_format, sample_rate and "
            'num_channels, for instance "pcm_s16le", 16000, 1'
        )


def _open_wav(file: BinaryIO, start: int, chunk_ms: int, *, owned: bool) -> Optional[Feed]:
    try:
        reader = WavReader(file)
    except ConfigurationError:  # compressed samples inside: the service may read them
        file.seek(start)
        return None
    return WavFeed(reader, file, chunk_ms, owned=owned)


def _read(file: BinaryIO, size: int) -> bytes:
    data = cast(Optional[bytes], file.read(size))
    if data is None:
        raise BlockingIOError("the file is non-blocking and has nothing yet")
    return data


class _FileFeed:
    """Is what feeds from files have in common."""

    can_restart = True

    def __init__(self, file: BinaryIO, *, owned: bool) -> None:
        self._file = file
        self._owned = owned

    def restart(self) -> None:
        """Do nothing: samples have no header."""

    def wake(self) -> None:
        """Do nothing: files do not keep one waiting."""

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()


class WavFeed(_FileFeed):
    """Gives the samples of a WAV, without header and without chunks behind the samples."""

    def __init__(self, reader: WavReader, file: BinaryIO, chunk_ms: int, *, owned: bool) -> None:
        super().__init__(file, owned=owned)
        header = reader.header
        self.audio = SourceAudio(header.audio_format, header.sample_rate, header.num_channels)
        self.bytes_per_second = float(header.raw_audio.bytes_per_second)
        self._chunks = reader.chunks(chunk_ms)

    def read(self) -> Optional[bytes]:
        """Give the next piece, whole frames."""
        return next(self._chunks, None)


class RawFeed(_FileFeed):
    """Gives the bytes of a headerless file; a frame cut off at its very end is left out."""

    def __init__(
        self, file: BinaryIO, shape: RawAudio, audio: SourceAudio, chunk_ms: int, *, owned: bool
    ) -> None:
        super().__init__(file, owned=owned)
        self.audio = audio
        self.bytes_per_second = float(shape.bytes_per_second)
        self._shape = shape
        self._size = max(shape.ms_to_bytes(chunk_ms), shape.bytes_per_frame)

    def read(self) -> Optional[bytes]:
        """Give the next piece, whole frames."""
        data = b""
        while len(data) < self._size and (more := _read(self._file, self._size - len(data))):
            data += more  # an unbuffered file may give a part
        return data[: self._shape.align_down(len(data))] or None


class ContainerFeed(_FileFeed):
    """Gives a container as it is; `restart` puts its header before what comes next."""

    def __init__(
        self,
        file: BinaryIO,
        start: int,
        kind: Optional[str],
        told: Optional[SourceAudio],
        chunk_ms: int,
        *,
        owned: bool,
    ) -> None:
        super().__init__(file, owned=owned)
        self.audio = told or SourceAudio(AUTO_FORMAT)
        rate = bytes_per_second(kind, file, start) or _ASSUMED_BYTES_PER_SECOND
        self.bytes_per_second = rate
        self._start = start
        self._kind = kind
        self._header = header_of(kind, file, start)
        self.can_restart = self._header is not None
        self._size = max(1, int(rate * chunk_ms / 1000))
        self._seek_entry = False
        file.seek(start)

    def restart(self) -> None:
        """Let the next piece be the header, then go on at the next page, cluster or frame."""
        if self._file.tell() > self._start:
            self._seek_entry = True

    def read(self) -> Optional[bytes]:
        """Give the next piece, cut anywhere."""
        if self._seek_entry:
            self._seek_entry = False
            return self._entry()
        return _read(self._file, self._size) or None

    def _entry(self) -> Optional[bytes]:
        """Give the header and the first whole unit from here; `None` when none is left."""
        header = self._header or b""
        # the header's own pages are no entry
        self._file.seek(max(self._file.tell(), self._start + len(header)))
        pending = b""
        while data := _read(self._file, 64 * 1024):
            pending += data
            found = find_entry(self._kind, pending)
            if found is not None:
                self._file.seek(found - len(pending), os.SEEK_CUR)
                return header + _read(self._file, self._size)
            pending = pending[-3:]  # the mark may lie across two pieces
        return None
