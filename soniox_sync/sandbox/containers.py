"""Audio with a header: recognised by its first bytes, WAV read here, others by miniaudio."""

from __future__ import annotations

import struct
import threading
from typing import Any, Optional, Protocol

from .pcm import RawDecoder
from .problems import Problem, bad_request

__all__ = ["CONTAINERS", "AutoDecoder", "Decoder", "WavDecoder", "sniff"]

# names that may be given as audio_format besides `auto` (PROTOCOL 6.1)
CONTAINERS = ("aac", "aiff", "amr", "asf", "flac", "mp3", "ogg", "wav", "webm")
# those miniaudio reads, by its own names
_BY_MINIAUDIO = {"mp3": "MP3", "flac": "FLAC", "ogg": "VORBIS"}
_SNIFF_BYTES = 16
_RATE = 16000


class Decoder(Protocol):
    """Turns the client's bytes into s16le mono; `sample_rate` is 0 until it is known."""

    sample_rate: int

    def feed(self, data: bytes) -> bytes:
        """Take bytes cut anywhere, give the audio that became readable. Raises `Problem`."""

    def finish(self) -> bytes:
        """Take the end, give the rest of the audio. Raises `Problem`."""

    def close(self) -> None:
        """Give back threads and memory."""


def sniff(head: bytes) -> Optional[str]:
    """Name the container that begins with `head`, `None` when it is none of the known."""
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"FORM":
        return "aiff"
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    # an MPEG frame: layer and bitrate must be legal, or any loud PCM would pass for mp3
    if len(head) >= 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6:
        return "mp3" if head[2] & 0xF0 not in (0x00, 0xF0) else None
    return None


_MAGIC = (
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"\x30\x26\xb2\x75", "asf"),
    (b"#!AMR", "amr"),
)


class AutoDecoder:
    """Waits for the first bytes, then hands over to the reader of that container.

    `expected` is the name the client gave, `None` for `auto`. `recognised` turns true with the
    first bytes that are understood; headerless audio never gets there.
    """

    def __init__(self, expected: Optional[str] = None) -> None:
        self._expected = expected
        self._head = b""
        self._inner: Optional[Decoder] = None

    @property
    def recognised(self) -> bool:
        """Tell whether the container is known."""
        return self._inner is not None

    @property
    def sample_rate(self) -> int:
        """Give the rate of the audio handed out, 0 while unknown."""
        return self._inner.sample_rate if self._inner is not None else 0

    @sample_rate.setter
    def sample_rate(self, value: int) -> None:
        raise AttributeError("sample_rate")

    def feed(self, data: bytes) -> bytes:
        """Decode what can be decoded."""
        if self._inner is not None:
            return self._inner.feed(data)
        self._head += data
        if len(self._head) < _SNIFF_BYTES:
            return b""
        found = sniff(self._head[:_SNIFF_BYTES])
        if self._expected is not None and found != self._expected:
            raise bad_request("Audio decode error.")
        if found is None:
            # memory is bounded: what is no known container now will never be one
            self._head = self._head[:_SNIFF_BYTES]
            return b""
        self._inner = _open(found)
        head, self._head = self._head, b""
        return self._inner.feed(head)

    def finish(self) -> bytes:
        """Decode the rest."""
        if self._inner is None:
            raise Problem("request_timeout", "Audio data decode timeout.")
        return self._inner.finish()

    def close(self) -> None:
        """Close the inner decoder."""
        if self._inner is not None:
            self._inner.close()


def _open(name: str) -> Decoder:
    if name == "wav":
        return WavDecoder()
    if name in _BY_MINIAUDIO:
        return MiniaudioDecoder(name)
    raise bad_request(f"Invalid audio data format: the sandbox cannot decode {name}.")


class WavDecoder:
    """Reads WAV as it streams in; a data size of 0 or near 4 GB means: until the end."""

    # bits -> raw format of PCM (tag 1) and of float (tag 3)
    _PCM = {8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le"}
    _FLOAT = {32: "pcm_f32le", 64: "pcm_f64le"}

    def __init__(self) -> None:
        self.sample_rate = 0
        self._head = b""
        self._raw: Optional[RawDecoder] = None
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """Parse the header once it is whole, then convert."""
        if self._raw is None or self._left == 0:
            data = self._parse(data)
        if self._raw is None or not data:
            return b""
        data = data[: self._left]
        self._left -= len(data)
        return self._raw.feed(data)

    def finish(self) -> bytes:
        """End. Raises `Problem` when not even the header came."""
        if self._raw is None:
            raise bad_request("Audio decode error.")
        return self._raw.finish()

    def close(self) -> None:
        """Hold nothing."""

    def _parse(self, data: bytes) -> bytes:
        """Read chunks up to the data; give the bytes behind its header."""
        if self._left == 0 and self._raw is not None and self._head == b"done":
            return b""
        self._head += data
        at = 12
        while len(self._head) >= at + 8:
            name, size = struct.unpack_from("<4sI", self._head, at)
            if name == b"data" and self._raw is not None:
                body, self._head = self._head[at + 8 :], b"done"
                self._left = size if 0 < size < 0x7FFFFFFF else 1 << 62
                return body
            if len(self._head) < at + 8 + size:
                return b""
            if name == b"fmt ":
                self._raw = self._format(self._head[at + 8 : at + 8 + size])
            at += 8 + size + (size & 1)
        return b""

    def _format(self, fmt: bytes) -> RawDecoder:
        if len(fmt) < 16:
            raise bad_request("Audio decode error.")
        tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
        if tag == 0xFFFE and len(fmt) >= 26:
            tag = struct.unpack_from("<H", fmt, 24)[0]
        names = {1: self._PCM.get(bits), 3: self._FLOAT.get(bits), 6: "alaw", 7: "mulaw"}
        name = names.get(tag)
        if name is None or not channels or not rate:
            raise bad_request("Audio decode error.")
        self.sample_rate = rate
        return RawDecoder(name, rate, channels)


class _Source:
    """Is a growing file: the decoder's thread waits here for bytes that are yet to come."""

    def __init__(self) -> None:
        # Guards all below. Leaf.
        self._more = threading.Condition()
        self._data = bytearray()
        self._at = 0
        self._whole = False

    def put(self, data: bytes) -> None:
        with self._more:
            self._data += data
            self._more.notify_all()

    def end(self) -> None:
        with self._more:
            self._whole = True
            self._more.notify_all()

    def read(self, size: int) -> bytes:
        with self._more:
            self._more.wait_for(lambda: self._whole or len(self._data) - self._at >= size)
            data = bytes(self._data[self._at : self._at + size])
            self._at += len(data)
            return data

    def seek(self, offset: int, origin: Any) -> bool:
        start = getattr(origin, "value", origin)
        with self._more:
            if start == 2:
                return False
            target = offset if start == 0 else self._at + offset
            self._more.wait_for(lambda: self._whole or len(self._data) >= target)
            if not 0 <= target <= len(self._data):
                return False
            self._at = target
            return True


class MiniaudioDecoder:
    """Decodes mp3, flac and ogg to 16 kHz mono on a thread of its own, as the bytes come.

    Raises `Problem` 400 naming the missing package when miniaudio is not installed.
    """

    sample_rate = _RATE

    def __init__(self, name: str) -> None:
        try:
            import miniaudio
        except ImportError:
            raise bad_request(
                f"Invalid audio data format: to decode {name}, the sandbox needs miniaudio "
                '(python -m pip install "soniox-sync[sandbox]").'
            ) from None
        self._source = _Source()
        # Guards _out and _failed. Leaf.
        self._lock = threading.Lock()
        self._out = bytearray()
        self._failed: Optional[str] = None
        self._thread = threading.Thread(
            target=self._decode, args=(miniaudio, name), name="soniox-sandbox-decode", daemon=True
        )
        self._thread.start()

    def feed(self, data: bytes) -> bytes:
        """Hand bytes to the decoder, take what it has."""
        self._source.put(data)
        return self._take()

    def finish(self) -> bytes:
        """Wait for the decoder to read all."""
        self._source.end()
        self._thread.join()
        return self._take()

    def close(self) -> None:
        """End the thread."""
        self._source.end()
        self._thread.join()

    def _take(self) -> bytes:
        with self._lock:
            if self._failed is not None:
                raise bad_request("Audio decode error.")
            out, self._out = bytes(self._out), bytearray()
        return out

    def _decode(self, miniaudio: Any, name: str) -> None:
        source = self._source

        class Reader(miniaudio.StreamableSource):  # type: ignore[misc]
            def read(self, num_bytes: int) -> bytes:
                return source.read(num_bytes)

            def seek(self, offset: int, origin: Any) -> bool:
                return source.seek(offset, origin)

        try:
            stream = miniaudio.stream_any(
                Reader(),
                getattr(miniaudio.FileFormat, _BY_MINIAUDIO[name]),
                output_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=1,
                sample_rate=_RATE,
                frames_to_read=_RATE // 10,
            )
            for samples in stream:
                with self._lock:
                    self._out += bytes(samples)
        except miniaudio.MiniaudioError as error:
            with self._lock:
                self._failed = str(error)
