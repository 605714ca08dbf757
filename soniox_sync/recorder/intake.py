"""Turning what a source delivers into headerless audio, where possible: a WAV loses its header."""

from __future__ import annotations

from typing import Optional

from ..audio.formats import RawAudio, is_raw, stt_format_name
from ..audio.signatures import SIGNATURE_BYTES, check_start, container_of
from ..audio.wav.header import WavHeader, WavParser
from ..errors import ConfigurationError

# the first bytes of a WAV that is cut inside its signature
_RIFF = (b"RIFF", b"RF64", b"BW64")


class Intake:
    """Determines the audio format: from the config, the source, or the first bytes.

    Not thread-safe. Headerless audio can be cut and replayed, a container cannot, so a WAV is
    turned into headerless audio (config `"auto"`)::

        accept(b"RIFF....")  -> b""         recognising a format takes sixteen bytes
        accept(b"WAVEfmt ")  -> b""         a WAV: its header is not complete
        accept(b"data....")  -> samples     audio == RawAudio("pcm_s16le", 16000, 1)
        accept(b"........")  -> samples     and b"" after the last one, for metadata chunks

        accept(b"OggS........") -> unchanged   audio is None: some container, passed on as it is
    """

    def __init__(
        self, audio_format: str, sample_rate: Optional[int], num_channels: Optional[int]
    ) -> None:
        self.audio: Optional[RawAudio] = None  # `None` for a container, and until it is known
        self.is_known: bool = False
        self._audio_format = audio_format
        self._parser: Optional[WavParser] = None
        self._start: Optional[bytes] = b""  # held back; `None` once it was enough to check
        self._samples_left: Optional[int] = None  # bytes of samples in a WAV whose length is known
        if is_raw(audio_format):
            self.declare(
                RawAudio(stt_format_name(audio_format), sample_rate or 0, num_channels or 0)
            )
        self._is_container = audio_format not in ("auto", "wav")

    def declare(self, audio: Optional[RawAudio]) -> None:
        """Set the audio format unless it is known already; `None` stands for a container."""
        if not self.is_known:
            self.audio, self.is_known = audio, True

    def accept(self, data: bytes) -> bytes:
        """Return the audio in `data`; `b""` while the format is not yet known.

        Raises
            ConfigurationError: a kind that the service cannot read, or not what was declared.
        """
        if not self.is_known and self._is_container:
            self.declare(None)
        if self._start is not None:
            self._start += data
            if len(self._start) < SIGNATURE_BYTES:
                return b""
            data, self._start = self._start, None
            self._check(data)
            if container_of(data) == "wav" and not self.is_known:
                self._parser = WavParser()
            else:
                self.declare(None)
        if self._parser is None or self.is_known:
            return self._samples(data)
        return self._begin(self._parser, self._parser.feed(data))

    def _check(self, start: bytes) -> None:
        check_start(start, self.audio.format if self.audio else self._audio_format)

    def _begin(self, parser: WavParser, header: Optional[WavHeader]) -> bytes:
        """Return the samples that were fed along with the header, once it is complete."""
        if header is None:
            return b""
        self._samples_left = header.data_bytes
        self.declare(header.raw_audio)
        return self._samples(parser.rest)

    def _samples(self, data: bytes) -> bytes:
        """Cut off what follows the samples of a WAV, such as metadata chunks."""
        if self._samples_left is None:
            return data
        data = data[: self._samples_left]
        self._samples_left -= len(data)
        return data

    def finish(self) -> bytes:
        """Return what was held back, when the source ends before the format is known.

        Raises
            ConfigurationError: a WAV is truncated inside its header, or as for `accept()`.
        """
        held, self._start = self._start or b"", None
        if held and held[:4] not in _RIFF:
            self._check(held)
        if self._parser is not None and not self.is_known:
            held = self._begin(self._parser, self._parser.finish())
        if not self.is_known:
            if self._parser is not None or held[:4] in _RIFF:
                raise ConfigurationError("the WAV ends inside its header, before any sample")
            self.declare(None)
        return held
