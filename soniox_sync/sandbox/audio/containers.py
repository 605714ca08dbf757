"""Audio in containers, recognised by its first bytes; only WAV is decoded in this module itself."""

from __future__ import annotations

import struct
import threading
from typing import Any, Optional, Protocol

from ..._support.locks import new_condition, new_lock
from ..problems import Problem, bad_request
from .opus import OpusDecoder, is_opus
from .pcm import RawDecoder

__all__ = ["CONTAINERS", "AutoDecoder", "Decoder", "WavDecoder", "sniff"]

# values of audio_format besides `auto` and the raw ones (PROTOCOL 6.1)
CONTAINERS = ("aac", "aiff", "amr", "asf", "flac", "mp3", "ogg", "wav", "webm")
# those that miniaudio decodes -> its own names
_BY_MINIAUDIO = {"mp3": "MP3", "flac": "FLAC", "ogg": "VORBIS"}
_SNIFF_BYTES = 16
# Hz, to which miniaudio decodes
_RATE = 16000
# size of a WAV whose data extends to the end of the stream
_UNLIMITED = 1 << 62


class Decoder(Protocol):
    """Decodes a client's bytes to s16le mono."""

    @property
    def sample_rate(self) -> int:
        """Rate of the decoded audio in Hz, 0 until it is known."""

    def feed(self, data: bytes) -> bytes:
        """Decode bytes, cut anywhere; return the audio that could be decoded so far.

        Raises
            Problem: the audio cannot be decoded.
        """

    def finish(self) -> bytes:
        """Return the rest of the audio.

        Raises
            Problem: the audio cannot be decoded.
        """

    def close(self) -> None:
        """Release threads and memory."""


def sniff(head: bytes) -> Optional[str]:
    """Return the name of the container that starts with `head`, `None` if it is unknown."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
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
    """Decoder that recognises the container by its first bytes.

    `expected` is the container that the client specified, `None` for `auto`. Audio without a header
    is never recognised.
    """

    def __init__(self, expected: Optional[str] = None) -> None:
        self._expected = expected
        self._head = b""
        self._inner: Optional[Decoder] = None

    @property
    def recognised(self) -> bool:
        """Whether the container is known."""
        return self._inner is not None

    @property
    def sample_rate(self) -> int:
        """Rate of the decoded audio in Hz, 0 until the container is known."""
        return self._inner.sample_rate if self._inner is not None else 0

    def feed(self, data: bytes) -> bytes:
        """Decode bytes; return the audio that could be decoded so far."""
        if self._inner is not None:
            return self._inner.feed(data)
        self._head += data
        if len(self._head) < _SNIFF_BYTES:
            return b""
        found = sniff(self._head[:_SNIFF_BYTES])
        if self._expected is not None and found != self._expected:
            raise bad_request("Audio decode error.")
        if found == "ogg" and is_opus(self._head) is None:
            return b""
        if found is None:
            # it will not be recognised later either, so the rest need not be kept
            self._head = self._head[:_SNIFF_BYTES]
            return b""
        self._inner = _open(found, self._head)
        head, self._head = self._head, b""
        return self._inner.feed(head)

    def finish(self) -> bytes:
        """Return the rest of the audio."""
        if self._inner is None:
            raise Problem("request_timeout", "Audio data decode timeout.")
        return self._inner.finish()

    def close(self) -> None:
        """Close the decoder of the container."""
        if self._inner is not None:
            self._inner.close()


def _open(name: str, head: bytes) -> Decoder:
    if name == "wav":
        return WavDecoder()
    if name == "ogg" and is_opus(head):
        return OpusDecoder()
    if name in _BY_MINIAUDIO:
        return MiniaudioDecoder(name)
    raise bad_request(f"Invalid audio data format: the sandbox cannot decode {name}.")


class WavDecoder:
    """Decodes WAV as it arrives; a data size of 0, or of 2 GiB and more, means unknown."""

    # bytes of a sample -> raw format of PCM (tag 1) and of float (tag 3)
    _PCM = {1: "pcm_u8", 2: "pcm_s16le", 3: "pcm_s24le", 4: "pcm_s32le"}
    _FLOAT = {4: "pcm_f32le", 8: "pcm_f64le"}

    def __init__(self) -> None:
        self.sample_rate: int = 0
        self._head = b""
        self._raw: Optional[RawDecoder] = None
        # bytes of the data chunk to come, None until it starts
        self._left: Optional[int] = None

    def feed(self, data: bytes) -> bytes:
        """Parse the header, then decode; anything after the data chunk is ignored."""
        if self._left is None:
            data = self._parse(data)
        if self._raw is None or self._left is None:
            return b""
        data = data[: self._left]
        self._left -= len(data)
        return self._raw.feed(data)

    def finish(self) -> bytes:
        """Return the rest of the audio.

        Raises
            Problem: the header is incomplete.
        """
        if self._raw is None:
            raise bad_request("Audio decode error.")
        return self._raw.finish()

    def close(self) -> None:
        """Do nothing."""

    def _parse(self, data: bytes) -> bytes:
        """Parse the chunks before the data; return the first bytes of the data."""
        self._head += data
        at = 12
        while len(self._head) >= at + 8:
            name, size = struct.unpack_from("<4sI", self._head, at)
            if name == b"data" and self._raw is not None:
                body, self._head = self._head[at + 8 :], b""
                self._left = size if 0 < size < 0x7FFFFFFF else _UNLIMITED
                return body
            end = at + 8 + size
            # one byte more: 0 pads an odd chunk, anything else begins the next one
            if len(self._head) <= end:
                return b""
            if name == b"fmt ":
                self._raw = self._format(self._head[at + 8 : end])
            at = end + (1 if size & 1 and not self._head[end] else 0)
        return b""

    def _format(self, fmt: bytes) -> RawDecoder:
        if len(fmt) < 16:
            raise bad_request("Audio decode error.")
        tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", fmt)
        if tag == 0xFFFE and len(fmt) >= 26:
            tag = struct.unpack_from("<H", fmt, 24)[0]
        size = (bits + 7) // 8
        if channels and (bits % 8 or not bits):  # stored in more bytes than its bits need
            size = max(size, align // channels)
        # the format tags of mmreg.h: PCM, float, A-law, mu-law; 0xFFFE above: in the extension
        names = {1: self._PCM.get(size), 3: self._FLOAT.get(size), 6: "alaw", 7: "mulaw"}
        name = names.get(tag)
        if name is None or not channels or not rate:
            raise bad_request("Audio decode error.")
        self.sample_rate = rate
        return RawDecoder(name, rate, channels)


class _Source:
    """Growing file, in which the decoder's thread waits for bytes that have not arrived yet."""

    def __init__(self) -> None:
        # Guards the fields below. Leaf.
        self._more = new_condition()
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
        start = getattr(origin, "value", origin)  # 0: the start, 1: here, 2: the end
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
    """Decodes mp3, flac and ogg to 16 kHz mono on a thread of its own, as the bytes arrive.

    Raises
        Problem: 400 if miniaudio is not installed; the message names the package.
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
        self._lock = new_lock()
        self._out = bytearray()
        self._failed: Optional[str] = None
        self._thread = threading.Thread(
            target=self._decode, args=(miniaudio, name), name="soniox-sandbox-decode", daemon=True
        )
        self._thread.start()

    def feed(self, data: bytes) -> bytes:
        """Pass bytes to the decoder; return the audio decoded so far."""
        self._source.put(data)
        return self._take()

    def finish(self) -> bytes:
        """Wait for the decoder; return the rest of the audio."""
        self._source.end()
        self._thread.join()
        return self._take()

    def close(self) -> None:
        """Stop the thread."""
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
