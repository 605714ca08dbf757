"""Writing WAV files, from samples or from a stream, and correcting the lengths in their header.

The header of a stream is written before its length is known. It contains 0xFFFFFFFF or 0 instead,
which readers take as "to the end"; a file gets the true length after the last byte was written.
Files above 4 GiB keep 0xFFFFFFFF.
"""

from __future__ import annotations

import struct
from typing import Optional

from ...errors import ConfigurationError
from ..saver import StreamSaver, Target, write_all
from .header import UNKNOWN_SIZE, WavHeader, WavParser, wav_header, wav_sizes


class WavSaver(StreamSaver):
    """Writer for a WAV that arrives as a stream; `close()` corrects the lengths in its header.

    `target` is a path (opened and closed here) or a binary file object (written from its current
    position, left open). Bytes are written as they arrive. `close()` corrects the header if the
    file is seekable and not in append mode; otherwise the header is left unchanged. Bytes that are
    not a WAV are written unchanged. Use it as a context manager: after an exception inside, the
    lengths still match what was written. Not thread-safe.
    """

    _kind = "WAV"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._parser: Optional[WavParser] = WavParser()
        self._head = bytearray()  # the first bytes, until the header is known
        self.header: Optional[WavHeader] = None

    def _describe(self) -> str:
        return "" if self.header is None else self.header.describe()

    def _follow(self, data: bytes) -> None:
        self._head += data if self._parser is not None else b""
        self._parse(data)

    def _parse(self, data: Optional[bytes]) -> None:
        """Parse until the header is complete or turns out not to be one; `None`: the end."""
        if self._parser is None:
            return
        try:
            parser = self._parser
            self.header = parser.finish() if data is None else parser.feed(data)
        except ConfigurationError:  # not a WAV, or one of unknown layout: written as it is
            self._parser = None
        if self.header is not None:
            self._parser = None
            del self._head[self.header.data_offset :]

    def _correct(self, start: int) -> None:
        self._parse(None)
        if self.header is None or self._head[:4] != b"RIFF":
            return
        length = self._written - self.header.data_offset
        if self._is_consistent(length) or not self._can_go_back(start):
            return
        if length % 2:
            write_all(self._file, b"\0")  # chunks are padded to even lengths
        riff, data = wav_sizes(self.header.data_offset, length)
        self._set(start + 4, riff)
        self._set(start + self.header.data_offset - 4, data)
        fact = self._head.find(b"fact\4\0\0\0")
        if fact >= 0:  # the chunk that counts the frames of companded samples
            frames = length // self.header.raw_audio.bytes_per_frame
            self._set(start + fact + 8, min(frames, UNKNOWN_SIZE))

    def _is_consistent(self, length: int) -> bool:
        """Return whether the lengths in the stream are right, also if other chunks follow."""
        file_bytes = struct.unpack_from("<I", self._head, 4)[0] + 8
        known = self.header.data_bytes if self.header else None
        return known is not None and known <= length and file_bytes == self._written

    def _set(self, position: int, value: int) -> None:
        self._patch(position, struct.pack("<I", value))


class WavWriter(WavSaver):
    """Writer of samples into a WAV: the header is written at once, its lengths by `close()`.

    `audio_format`: little-endian PCM, float, `mulaw` or `alaw`. `target` and the rest as in
    `WavSaver`; `write()` takes samples, in chunks of any size.

    Raises
        ConfigurationError: WAV cannot hold that format.
    """

    def __init__(
        self,
        target: Target,
        *,
        sample_rate: int,
        num_channels: int = 1,
        audio_format: str = "pcm_s16le",
    ) -> None:
        header = wav_header(audio_format, sample_rate=sample_rate, num_channels=num_channels)
        super().__init__(target)
        try:
            self.write(header)
        except BaseException:  # the caller gets no object that could close the file
            self.close()
            raise

    def __enter__(self) -> WavWriter:
        return self
