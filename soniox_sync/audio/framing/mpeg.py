"""MPEG audio: frames of mp3 and AAC (ADTS), each of which says how long it is.

Source: ISO 11172-3 and 13818-3 (layer 3), ISO 13818-7 (ADTS), id3.org.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from .base import Framing
from .reservoir import Reservoir, begins_before, has_encoder_delay

# kbit/s of layer 3 by the index in the frame's third byte
_MPEG_1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG_2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MP3_RATES = (44100, 48000, 32000)
_AAC_RATES = (
    96000,
    88200,
    64000,
    48000,
    44100,
    32000,
    24000,
    22050,
    16000,
    12000,
    11025,
    8000,
    7350,
)
# An mp3 frame that continues data of others needs them at a start: not each has to be one.
_NEXT_ENTRY_MS = 500.0
# If no frame follows within this much, it is no MPEG audio.
_MAX_SEARCH_BYTES = 256 * 1024


class MpegFrame(NamedTuple):
    """Header of a frame: its bytes, samples and rate in Hz; `kind` is common to all of a stream."""

    size: int
    samples: int
    rate: int
    kind: tuple[int, int]


def mp3_kbps(head: bytes) -> int:
    """Return the kbit/s of a frame of layer 3, 0 if there is no such frame."""
    if head[2] & 0x0C == 0x0C:  # a sample rate that does not exist
        return 0
    table = _MPEG_1_KBPS if head[1] & 0x18 == 0x18 else _MPEG_2_KBPS
    return table[head[2] >> 4]


def frame_kind(head: bytes) -> Optional[str]:
    """Recognise a frame by its first three bytes, which random bytes rarely match."""
    if len(head) < 3 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:  # layer 0: ADTS, with 13 known sample rates
        return "aac" if head[2] >> 2 & 15 < 13 else None
    # eleven bits of sync, a version that is not the reserved one, layer 3
    is_layer_3 = head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08 and head[1] & 6 == 2
    return "mp3" if is_layer_3 and mp3_kbps(head) else None


def frame_of(head: bytes) -> Optional[MpegFrame]:
    """Return the frame that begins with these seven bytes, `None` if it is none."""
    kind = frame_kind(head)
    if kind == "aac":
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        samples, rate = 1024 * ((head[6] & 3) + 1), _AAC_RATES[head[2] >> 2 & 15]
        return MpegFrame(size, samples, rate, (head[1] & 0xF6, rate)) if size > 7 else None
    if kind is None:
        return None
    version = head[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    rate = _MP3_RATES[head[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}[version]
    samples = 1152 if version == 3 else 576
    size = samples * 125 * mp3_kbps(head) // rate + (head[2] >> 1 & 1)
    return MpegFrame(size, samples, rate, (head[1] & 0xFE, rate))


class MpegFraming(Framing):
    """Frames of mp3 or AAC. The header is the frame with the encoder's delay, if there is one.

    Decoders that know that frame skip the delay at each start, others play it as silence at each
    start: with it in front, both are at the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kind: Optional[tuple[int, int]] = None  # of all frames, once one is sure
        self._samples_ms = 0.0  # of all frames so far
        self._last_entry_ms = 0.0
        self._reservoir = Reservoir()
        self._searched = 0  # bytes in a row that are no frame
        self._in_header = False  # tags and damage are not repeated

    def _step(self) -> int:
        data = self._pending
        if len(data) < 10:
            return 0
        if data[:3] == b"ID3":
            return self._tag(bytes(data[:10]))
        frame = frame_of(bytes(data[:7]))
        if frame is None or self._kind not in (None, frame.kind):
            return self._resync()
        if self._kind is None:  # two frames in a row are no chance
            if len(data) < frame.size + 7:
                return 0
            after = frame_of(bytes(data[frame.size : frame.size + 7]))
            if after is None or after.kind != frame.kind:
                return self._resync()
            self._kind = frame.kind
        if len(data) < frame.size:
            return 0
        self._frame(frame, bytes(data[: frame.size]))
        return frame.size

    def _tag(self, head: bytes) -> int:
        b = head[6:10]  # seven bits in each
        if head[3] not in (2, 3, 4) or max(b) > 0x7F:
            self._break_if(self._position == 0)
            return 3
        return 10 + (b[0] << 21 | b[1] << 14 | b[2] << 7 | b[3])

    def _resync(self) -> int:
        """Skip to what may be the next frame."""
        self._kind = None
        found = self._pending.find(b"\xff", 1)
        skipped = found if found > 0 else len(self._pending) - 1
        self._searched += skipped
        self._break_if(self._searched > _MAX_SEARCH_BYTES)
        return skipped

    def _frame(self, frame: MpegFrame, data: bytes) -> None:
        self._searched = 0
        is_mp3 = frame_kind(data) == "mp3"
        if not self._samples_ms and not self._header and is_mp3 and has_encoder_delay(data):
            self._header += data
            return
        now_ms, frame_ms = self._samples_ms, frame.samples * 1000 / frame.rate
        silent = self._silent_before(data) if is_mp3 else []
        self._samples_ms += frame_ms
        self._time(self._samples_ms)
        if silent is None:
            self._mark(self._position, now_ms, entry=False)
            return
        self._last_entry_ms = now_ms
        # the silent ones take time, and frames overlap by half with the one before
        silent_ms = len(silent) * frame_ms
        lead_ms = silent_ms + frame_ms if now_ms else 0.0
        start_ms = max(0.0, now_ms - silent_ms)
        self._mark(self._position, start_ms, inside=b"".join(silent), lead_ms=lead_ms)

    def _silent_before(self, data: bytes) -> Optional[list[bytes]]:
        """Return what an mp3 frame needs before it to be the first, `None` if it is no entry."""
        silent: Optional[list[bytes]] = []
        if self._samples_ms and begins_before(data):
            is_due = self._samples_ms - self._last_entry_ms >= _NEXT_ENTRY_MS
            silent = self._reservoir.before(data) if is_due else None
        self._reservoir.add(data)
        return silent
