"""Contents of a file: samples after a WAV header, headerless samples, or a container."""

from __future__ import annotations

import os
from typing import BinaryIO, Optional

from .._support.checks import refused, wrong_type
from ..audio import RawAudio
from ..audio.formats import chunk_bytes
from ..audio.signatures import check_start
from ..audio.wav.reader import WavReader, read_some
from ..errors import AudioSourceError
from .base import UNKNOWN_AUDIO, SourceAudio
from .containers import HEAD_BYTES, bytes_per_second, find_entry, header_of, sniff
from .decode import open_decoded
from .feeds import Feed, FileFeed, FileOptions

# For a container whose header has no rate: 128 kbit/s.
_ASSUMED_BYTES_PER_SECOND = 16_000.0

# Usual extensions of headerless files; all other files are recognised by their first bytes.
_HEADERLESS_SUFFIXES = frozenset({".pcm", ".raw", ".s16", ".s16le", ".ulaw", ".alaw"})


def is_seekable(file: BinaryIO) -> bool:
    """Return whether the file can seek to its current position."""
    try:
        # memory-mapped files had no seekable() before 3.13
        if hasattr(file, "seekable") and not file.seekable():
            return False
        file.seek(file.tell())
    except (AttributeError, OSError, ValueError):
        return False
    return True


def open_contents(file: BinaryIO, name: str, options: FileOptions) -> Feed:
    """Return a feed for a seekable file, from its current position.

    Raises
        ConfigurationError: the file is empty, cannot be transcribed in real time, contradicts the
            declared format, or is headerless by its name and no format was declared.
    """
    declared = options.declared
    start = file.tell()
    head = file.read(HEAD_BYTES) or b""
    if not isinstance(head, (bytes, bytearray, memoryview)):
        raise wrong_type("audio", "a file whose read() returns bytes", head, 'open it with "rb"')
    head = bytes(head)
    file.seek(start)
    if not head:
        _refuse_empty(name, start)
    shown = os.path.basename(name)
    check_start(head, declared.audio_format if declared is not None else "auto", file_name=shown)
    if declared is not None and declared.raw is not None:
        return RawFeed(file, declared.raw, declared, options)
    kind = sniff(head)
    if kind is None:
        _refuse_headerless(name, declared)
    if kind == "wav":
        return WavFeed(WavReader(file), file, shown, options)
    return open_decoded(kind, file, start, options) or ContainerFeed(file, start, kind, options)


def _refuse_empty(name: str, start: int) -> None:
    what = os.path.basename(name) or "the input"
    advice = "go back before, with seek(0)" if start else ""
    state = "is at its end" if start else "is empty"
    raise refused("audio", "audio to transcribe", f"no audio: {what} {state}", advice)


def _refuse_headerless(name: str, declared: Optional[SourceAudio]) -> None:
    if declared is None and os.path.splitext(name)[1].lower() in _HEADERLESS_SUFFIXES:
        raise refused(
            "audio_format",
            f"the format of {os.path.basename(name)}, which is headerless",
            "none",
            'give audio_format, sample_rate and num_channels, for instance "pcm_s16le", 16000, 1',
        )


class WavFeed(FileFeed):
    """Samples of a WAV, without its header and what follows the samples."""

    def __init__(self, reader: WavReader, file: BinaryIO, shown: str, options: FileOptions) -> None:
        super().__init__(file, options)
        header = reader.header
        self.audio: SourceAudio = SourceAudio(
            header.audio_format, header.sample_rate, header.num_channels
        )
        self.bytes_per_second: float = float(header.raw_audio.bytes_per_second)
        self._chunks = reader.chunks(options.chunk_ms)
        self._first = next(self._chunks, None)
        if self._first is None:
            got = f"no audio: {shown or 'the input'} is a WAV without samples"
            raise refused("audio", "audio to transcribe", got)

    def read(self) -> Optional[bytes]:
        """Return the next chunk, in whole frames."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._chunks, None)


class RawFeed(FileFeed):
    """Bytes of a headerless file; an incomplete frame at the end is dropped."""

    def __init__(
        self, file: BinaryIO, shape: RawAudio, audio: SourceAudio, options: FileOptions
    ) -> None:
        super().__init__(file, options)
        self.audio = audio
        self.bytes_per_second: float = float(shape.bytes_per_second)
        self._shape = shape
        self._size = chunk_bytes(shape, options.chunk_ms)

    def read(self) -> Optional[bytes]:
        """Return the next chunk, in whole frames."""
        data = b""
        while len(data) < self._size and (more := read_some(self._file, self._size - len(data))):
            data += more  # an unbuffered file may return a part
        return data[: self._shape.align_down(len(data))] or None


class ContainerFeed(FileFeed):
    """Bytes of a container; after `restart` its header comes first."""

    def __init__(
        self, file: BinaryIO, start: int, kind: Optional[str], options: FileOptions
    ) -> None:
        super().__init__(file, options)
        self.audio: SourceAudio = options.declared or UNKNOWN_AUDIO
        rate = bytes_per_second(kind, file, start) or _ASSUMED_BYTES_PER_SECOND
        self.bytes_per_second = rate
        self._start = start
        self._kind = kind
        self._header = header_of(kind, file, start)
        self.can_restart: bool = self._header is not None
        self._size = max(1, int(rate * options.chunk_ms / 1000))
        self._seek_entry = False
        file.seek(start)

    def restart(self) -> None:
        """Make the next chunk the header, and continue at the next page, cluster or frame."""
        if self._file.tell() > self._start:
            self._seek_entry = True

    def read(self) -> Optional[bytes]:
        """Return the next chunk, which may be cut anywhere."""
        if self._seek_entry:
            self._seek_entry = False
            return self._read_entry()
        return read_some(self._file, self._size) or None

    def _read_entry(self) -> Optional[bytes]:
        """Return the header and the first whole unit from here.

        Raises
            AudioSourceError: none is left, so that the rest of the file would be missing.
        """
        # With header pages H1 H2 and audio pages A-D, read up to * when `restart` is called:
        #
        #     H1 H2 A B* C D    the rest of B is dropped; next: H1 H2 C ..., then D
        #     H1* H2 A B        next: H1 H2 A ...: the header pages are not searched
        header = self._header or b""
        self._file.seek(max(self._file.tell(), self._start + len(header)))
        pending = b""
        while data := read_some(self._file, 64 * 1024):
            pending += data
            found = find_entry(self._kind, pending)
            if found is not None:
                self._file.seek(found - len(pending), os.SEEK_CUR)
                return header + read_some(self._file, self._size)
            pending = pending[-3:]  # the start of a four-byte mark
        raise AudioSourceError(
            "cannot restart: the rest of the file has no point at which decoding can start, so its "
            "end is missing"
        )
