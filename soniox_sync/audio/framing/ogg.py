"""Ogg: pages of Opus, Vorbis, FLAC or Speex. Source: RFC 3533, 7845, the Vorbis I specification."""

from __future__ import annotations

import struct
from typing import Optional

from .base import Framing
from .vorbis import VorbisStart, vorbis_start

_MARK = b"OggS"
_CONTINUED, _FIRST = 1, 2  # flags of a page
# Nothing shorter is the start of a stream that was joined in the middle.
_JOINED_AFTER_SEC = 10

# Opus: samples at 48 kHz of a frame, by the configuration in the upper five bits (RFC 6716, 3.1)
_OPUS_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


def opus_samples(packet: bytes) -> int:
    """Return how many samples, at 48 kHz, a packet of Opus decodes to."""
    code = packet[0] & 3
    count = (1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0
    return _OPUS_FRAMES[packet[0] >> 3] * count


class _Codec:
    """What a logical stream says about its audio: rate, header packets, what a start costs."""

    def __init__(self, packet: bytes) -> None:
        self.rate = 0  # 0: not audio that is known here
        self.headers = 1  # packets before the audio, the first one included
        self._vorbis: Optional[VorbisStart] = None
        self._is_opus = packet[:8] == b"OpusHead"
        self._speex_samples = 0  # of a packet
        if self._is_opus:
            self.rate, self.headers = 48000, 2
        elif packet[:1] == b"\x01" and (vorbis := vorbis_start(packet)):
            self._vorbis, self.rate, self.headers = vorbis, vorbis.rate, 3
        elif packet[:5] == b"\x7fFLAC" and len(packet) >= 30:
            self.rate = int.from_bytes(packet[27:30], "big") >> 4
            self.headers += struct.unpack_from(">H", packet, 7)[0]
        elif packet[:8] == b"Speex   " and len(packet) >= 72:
            self.rate, self.headers = struct.unpack_from("<I", packet, 36)[0], 2 + packet[68]
            frame, count = struct.unpack_from("<I4xI", packet, 56)
            self._speex_samples = frame * count

    def samples(self, packet: bytes) -> int:
        """Return how many samples a packet decodes to, 0 if it does not say that."""
        if self._is_opus and packet:
            return opus_samples(packet)
        return self._speex_samples

    def silent_samples(self, packet: bytes) -> int:
        """Return how many samples a decoder that starts with `packet` leaves out.

        Opus drops the pre-skip of its header at each start, but its positions count that too, so it
        makes no difference.
        """
        return self._vorbis.silent_samples(packet) if self._vorbis is not None else 0


class OggFraming(Framing):
    """Pages of an Ogg stream. Decoding can start at each that begins with a whole packet."""

    def __init__(self) -> None:
        super().__init__()
        self._codec: Optional[_Codec] = None
        self._serial = -1  # of the logical stream whose audio it is
        self._headers_left = 0
        self._at: Optional[int] = None  # position in samples where the next page starts
        self._is_damaged = False  # the page before this one is missing

    def _step(self) -> int:
        data = self._pending
        if data[:4] != _MARK[: len(data)]:
            return self._resync()
        if len(data) < 27 or len(data) < 27 + data[26]:
            return 0
        if data[4] != 0:  # there is one version
            self._break_if(self._position == 0)
            return 4
        sizes = bytes(data[27 : 27 + data[26]])
        size = 27 + len(sizes) + sum(sizes)
        if len(data) < size:
            return 0
        flags, position, serial = struct.unpack_from("<BqI", data, 5)
        body = bytes(data[27 + len(sizes) : size])
        if flags & _FIRST:
            self._first_page(serial, body)
        elif self._codec is None:  # all streams have begun
            self._break_if(True)
        elif serial == self._serial:
            self._page(self._codec, flags, position, sizes, body)
        return size

    def _resync(self) -> int:
        """Skip what is no page: damage, or a tag after the last one."""
        self._break_if(self._position == 0)
        self._is_damaged = True
        found = self._pending.find(_MARK, 1)
        return found if found > 0 else max(0, len(self._pending) - 3)

    def _first_page(self, serial: int, body: bytes) -> None:
        """Note the codec of a logical stream; after audio it starts another chain."""
        if not self._in_header:
            self._begin_header()
            self._codec = None
        codec = _Codec(body)
        if self._codec is None and codec.rate:
            self._codec, self._serial, self._at = codec, serial, None
            self._headers_left = codec.headers - 1

    def _page(self, codec: _Codec, flags: int, position: int, sizes: bytes, body: bytes) -> None:
        ends = sum(1 for size in sizes if size < 255)  # packets that end on this page
        if self._headers_left:
            self._headers_left = max(0, self._headers_left - ends)
            return
        if self._in_header:
            self._in_header = False
        is_first = self._at is None
        if self._at is None:
            self._at = self._first_position(codec, position, sizes, body)
        if self.is_broken:
            return
        # where a page starts is known from the one before it
        is_entry = not (flags & _CONTINUED or self._is_damaged)
        self._is_damaged = False
        skipped = codec.silent_samples(body) if is_entry and not is_first else 0
        ms = self._time((self._at + skipped) * 1000 / codec.rate)
        self._mark(self._position, ms, entry=is_entry)
        if position >= 0:  # -1: no packet ends here
            self._at = position
            self._time(position * 1000 / codec.rate)

    def _first_position(self, codec: _Codec, position: int, sizes: bytes, body: bytes) -> int:
        """Return where the first page of audio starts: not at 0 if a live stream was joined."""
        samples = at = start = 0
        for size in sizes:
            at += size
            if size < 255:
                samples += codec.samples(body[start:at])
                start = at
        if samples:
            return position - samples
        # the others do not say how long a packet is
        self._break_if(position > codec.rate * _JOINED_AFTER_SEC)
        return 0
