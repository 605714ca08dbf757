"""Speech in the format that was asked for (PROTOCOL 6.2)."""

from __future__ import annotations

import array
import io
import struct
import sys
from typing import Any, Callable, Optional, Protocol

from . import g711
from .problems import bad_request

__all__ = ["Encoder", "open_encoder"]

# nobody knows the length of a streamed WAV
_UNKNOWN = 0xFFFFFFFF
_DEFAULT_MP3_BITRATE = 64000


class Encoder(Protocol):
    """Turns s16le mono, whole samples, into one audio format."""

    def feed(self, pcm: bytes) -> bytes:
        """Encode; may hold back."""

    def finish(self) -> bytes:
        """Give what was held back, and the container's end."""


def open_encoder(audio_format: str, sample_rate: int, bitrate: Optional[int]) -> Encoder:
    """Make the encoder for one stream.

    Raises `Problem` 400, naming what to install, when the sandbox cannot write the format.
    """
    convert = _CONVERTERS.get(audio_format)
    if convert is not None:
        return _Converter(convert)
    if audio_format == "wav":
        return _Wav(sample_rate)
    if audio_format == "mp3":
        return _Mp3(sample_rate, bitrate)
    if audio_format == "flac":
        return _Flac(sample_rate)
    raise bad_request(
        f"The sandbox cannot write {audio_format}: no encoder for it is known. Use wav or pcm_*."
    )


def _to_float(pcm: bytes) -> bytes:
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    values = array.array("f", [sample / 32768 for sample in samples])
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


_CONVERTERS: dict[str, Callable[[bytes], bytes]] = {
    "pcm_s16le": bytes,
    "pcm_f32le": _to_float,
    "pcm_mulaw": g711.encode_mulaw,
    "pcm_alaw": g711.encode_alaw,
}


class _Converter:
    def __init__(self, convert: Callable[[bytes], bytes]) -> None:
        self.feed = convert

    def finish(self) -> bytes:
        return b""


class _Wav:
    """Writes PCM behind one header whose sizes say: unknown."""

    def __init__(self, sample_rate: int) -> None:
        self._head = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            _UNKNOWN,
            b"WAVE",
            b"fmt ",
            16,
            1,
            1,
            sample_rate,
            sample_rate * 2,
            2,
            16,
            b"data",
            _UNKNOWN,
        )

    def feed(self, pcm: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + pcm

    def finish(self) -> bytes:
        return self.feed(b"")


class _Mp3:
    """Writes mp3 with lameenc, if that is installed."""

    def __init__(self, sample_rate: int, bitrate: Optional[int]) -> None:
        try:
            import lameenc
        except ImportError:
            raise bad_request(
                "The sandbox needs lameenc to write mp3 (python -m pip install lameenc). "
                "wav and pcm_* need nothing."
            ) from None
        self._lame: Any = lameenc.Encoder()
        self._lame.set_bit_rate((bitrate or _DEFAULT_MP3_BITRATE) // 1000)
        self._lame.set_in_sample_rate(sample_rate)
        self._lame.set_channels(1)
        self._lame.set_quality(7)
        silence = getattr(self._lame, "silence", None)
        if silence is not None:
            silence()

    def feed(self, pcm: bytes) -> bytes:
        return bytes(self._lame.encode(pcm)) if pcm else b""

    def finish(self) -> bytes:
        return bytes(self._lame.flush())


class _Flac:
    """Writes flac with soundfile, if that is installed; the file is whole only at the end."""

    def __init__(self, sample_rate: int) -> None:
        try:
            import soundfile
        except ImportError:
            raise bad_request(
                "The sandbox needs soundfile to write flac (python -m pip install soundfile). "
                "wav and pcm_* need nothing."
            ) from None
        self._file = io.BytesIO()
        self._flac: Any = soundfile.SoundFile(
            self._file, "w", sample_rate, 1, subtype="PCM_16", format="FLAC"
        )

    def feed(self, pcm: bytes) -> bytes:
        self._flac.buffer_write(pcm, dtype="int16")
        return b""

    def finish(self) -> bytes:
        self._flac.close()
        return self._file.getvalue()
