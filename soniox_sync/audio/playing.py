"""Playing speech as it arrives: `play(chunks)`, or a `Player` for more control.

Uses PortAudio (`pip install soniox-sync[audio]`). Playback starts once 150 ms are buffered, so that
network jitter is not heard; when audio runs out, the gap is counted and buffering starts over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from .._support.checks import integer
from .._support.locks import new_condition, new_lock
from .._support.reprs import audio_shape, counted, summary
from ..errors import AudioDeviceError, AudioUnavailableError, ConfigurationError, StateError
from .buffering import PlayBuffer
from .formats import RawAudio, stt_format_name
from .g711 import to_pcm
from .portaudio import device_errors, load_sounddevice
from .wav.header import WavParser

Device = Union[int, str, None]

# how much is buffered for the device: more would only take memory
_AHEAD_SEC = 1.0
# how much longer than the duration of its audio a device may take: it has buffers of its own
_DRAIN_SEC = 5.0
# on some platforms Ctrl-C does not interrupt a wait, and is noticed only when it ends
_SLICE_SEC = 0.2
# formats that PortAudio plays -> their names there
_DTYPES = {
    "pcm_s16le": "int16",
    "pcm_s24le": "int24",
    "pcm_s32le": "int32",
    "pcm_f32le": "float32",
    "pcm_u8": "uint8",
    "pcm_s8": "int8",
}


@dataclass(frozen=True)
class Played:
    """What was played: `audio_sec` seconds, with `underruns` gaps; whether it was `stopped`."""

    audio_sec: float
    underruns: int
    stopped: bool


def play(
    chunks: Iterable[bytes],
    *,
    audio_format: Optional[str] = None,
    sample_rate: Optional[int] = None,
    num_channels: int = 1,
    device: Device = None,
    start_buffer_ms: int = 150,
    on_start: Optional[Callable[[Player], object]] = None,
) -> Played:
    """Play audio as it arrives, until it has ended; blocks. A `Speech` has its own format.

    `audio_format`: headerless PCM, `mulaw`, `alaw`, or `"wav"` (whose header has the rate, in Hz,
    and the channels); by default `pcm_s16le` at 24000 Hz. `device`: a number or part of a name,
    `None` for the default. `start_buffer_ms`: how many milliseconds of audio are collected before
    playback starts. `on_start` is called with the `Player`, whose `stop()` is thread-safe. An
    exception of `chunks` is raised here, and what is still buffered is not played.

    Raises
        AudioUnavailableError: no audio library, or no device at all.
        AudioDeviceError: the device does not exist or was lost.
        ConfigurationError: the format is compressed.
    """
    player = Player(
        audio_format=audio_format or getattr(chunks, "audio_format", None) or "pcm_s16le",
        sample_rate=sample_rate or getattr(chunks, "sample_rate", None),
        num_channels=num_channels,
        device=device,
        start_buffer_ms=start_buffer_ms,
    )
    with player:
        if on_start is not None:
            on_start(player)
        for chunk in chunks:
            if not player.write(chunk):
                break
        return player.finish()


class Player:
    """Player of what is written to it. Call `write` and `finish` in one thread, the rest in any."""

    def __init__(
        self,
        *,
        audio_format: str = "pcm_s16le",
        sample_rate: Optional[int] = None,
        num_channels: int = 1,
        device: Device = None,
        start_buffer_ms: int = 150,
    ) -> None:
        integer(0)("start_buffer_ms", start_buffer_ms)
        self._library = load_sounddevice()
        self._audio_format = audio_format
        self._device = device
        self._start_buffer_ms = start_buffer_ms
        # Writer only
        self._parser = WavParser() if audio_format == "wav" else None
        self._left: Optional[int] = None  # bytes of samples to come, if the header has a size
        self._split_frame = b""  # start of a frame that the next write completes
        self._seen_clears = 0  # `_clears` when the last write began
        self._finished = False
        self._stream: Any = None
        # Set when the format is known, before the device runs
        self._shape: Optional[RawAudio] = None
        self._companded = ""
        self._silence = b"\0"
        # Guards the fields below. Held only while bytes are copied: the device's thread takes it
        # too.
        self._lock = new_lock()
        self._changed = new_condition(self._lock)
        self._buffer = PlayBuffer()
        self._clears = 0  # calls of `clear()`
        self._stopped = False
        self._device_ended = False
        if audio_format != "wav":
            self._set_format(audio_format, sample_rate or 24000, num_channels)

    # -- facts -----------------------------------------------------------------------------------

    @property
    def underruns(self) -> int:
        """Number of gaps: how often the device needed audio and there was none."""
        return self._buffer.underruns

    @property
    def played_sec(self) -> float:
        """Seconds of audio that were passed to the device."""
        return self._seconds(self._buffer.played_bytes)

    @property
    def played_ms(self) -> float:
        """Milliseconds of audio that were passed to the device; what `clear()` drops never counts.

        What was passed on sounds within the latency of the device.
        """
        return self.played_sec * 1000

    @property
    def audio_format(self) -> str:
        """Format of what is written, as it was given."""
        return self._audio_format

    @property
    def sample_rate(self) -> Optional[int]:
        """Sample rate in Hz of what is written, `None` before the header of a WAV was written."""
        return None if self._shape is None else self._shape.sample_rate

    def __repr__(self) -> str:
        shape = self._shape
        known = audio_shape(shape.format, shape.sample_rate, shape.num_channels) if shape else "wav"
        gaps = f"with {counted(self.underruns, 'gap')}" if self.underruns else ""
        return summary(self, known, self._state, f"{self.played_sec:.1f} s", gaps)

    @property
    def _state(self) -> str:
        if self._stopped:
            return "stopped"
        if self._finished:
            return "finished"
        if self._device_ended:
            return "device lost"
        return "idle" if self._stream is None else "playing"

    def _seconds(self, num_bytes: int) -> float:
        return 0.0 if self._shape is None else self._shape.bytes_to_sec(num_bytes)

    # -- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Add audio, in chunks of any size; wait while a second of it is buffered.

        Returns False after `stop()`: then nothing more is played. A `clear()` ends the wait, and
        drops this audio as well.

        Raises
            AudioUnavailableError: there is no device at all.
            AudioDeviceError: the device cannot be opened, or was lost.
            ConfigurationError: not a WAV, or not one that can be played.
            StateError: after `finish()`.
        """
        if self._parser is not None:
            header = self._parser.feed(data)
            if header is None:
                return not self._stopped
            data, self._parser = self._parser.rest, None
            self._left = header.data_bytes
            self._set_format(header.audio_format, header.sample_rate, header.num_channels)
        if self._left is not None:
            data = data[: self._left]  # other RIFF chunks may follow
            self._left -= len(data)
        shape = self._shape
        assert shape is not None  # set by the header, or on construction
        if self._stream is None:
            self._open(shape)
        if self._companded:
            data = to_pcm(data, self._companded)
        clears = self._clears
        if clears != self._seen_clears:
            self._seen_clears, self._split_frame = clears, b""
        data = self._split_frame + data
        whole = shape.align_down(len(data))
        self._split_frame = data[whole:]
        ahead_sec = max(_AHEAD_SEC, self._start_buffer_ms / 1000)
        return self._put(data[:whole], int(ahead_sec * shape.bytes_per_second), clears)

    def _put(self, data: bytes, limit: int, clears: int) -> bool:
        with self._lock:
            while self._buffer.waiting_bytes > limit and not self._is_over():
                self._changed.wait(_SLICE_SEC)
            if self._stopped:
                return False
            if self._device_ended:
                raise AudioDeviceError("the audio device was lost during playback")
            if self._clears == clears:
                self._buffer.put(data)
        return True

    def _is_over(self) -> bool:
        return self._stopped or self._device_ended

    def finish(self) -> Played:
        """Wait until everything was played, or `stop()`, and return what was played."""
        self._finished = True
        with self._lock:
            self._buffer.end()
            left_sec = self._seconds(self._buffer.waiting_bytes)
            until = time.monotonic() + left_sec + _DRAIN_SEC
            while self._stream is not None and not self._is_over() and time.monotonic() < until:
                self._changed.wait(_SLICE_SEC)
        self.close()
        return Played(self.played_sec, self.underruns, self._stopped)

    def stop(self) -> None:
        """Stop the sound at once and drop what is buffered. Idempotent, thread-safe."""
        with self._lock:
            self._stopped = True
            self._buffer.clear()
            self._changed.notify_all()

    def clear(self) -> None:
        """Drop what was written and not yet played; what is written next is played as usual.

        Use it for an interruption. A `write` that waits in another thread returns, and its audio is
        dropped too. Does not block; thread-safe.
        """
        with self._lock:
            self._clears += 1
            self._buffer.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Release the device; what was not played is dropped. Idempotent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            if self._stopped or not self._device_ended:
                stream.abort()
            stream.close()

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- the device ------------------------------------------------------------------------------

    def _set_format(self, audio_format: str, sample_rate: int, num_channels: int) -> None:
        name = stt_format_name(audio_format)
        if name in ("mulaw", "alaw"):
            self._companded, name = name, "pcm_s16le"
        if name not in _DTYPES:
            raise ConfigurationError(
                f"audio_format: expected an uncompressed format, got {audio_format!r}: use "
                "pcm_s16le or wav"
            )
        self._shape = RawAudio(name, sample_rate, num_channels)
        if name == "pcm_u8":
            self._silence = b"\x80"
        self._buffer.start_bytes = self._shape.ms_to_bytes(self._start_buffer_ms)

    def _open(self, shape: RawAudio) -> None:
        if self._finished:
            raise StateError("cannot write: the player is finished")
        try:
            self._stream = self._library.RawOutputStream(
                samplerate=shape.sample_rate,
                channels=shape.num_channels,
                dtype=_DTYPES[shape.format],
                device=self._device,
                callback=self._fill,
                finished_callback=self._on_device_end,
            )
            self._stream.start()
        except device_errors(self._library) as error:
            if self._device is not None:
                raise AudioDeviceError(
                    f"the audio device {self._device!r} cannot be opened: {error}"
                ) from error
            raise AudioUnavailableError(f"no audio output device: {error}") from error

    def _fill(self, out: Any, frames: int, time: Any, status: Any) -> None:
        """Fill the device's buffer. Called on its own thread; must not block."""
        with self._lock:
            data = b"" if self._stopped else self._buffer.take(len(out))
            over = self._stopped or self._buffer.is_finished
            self._changed.notify_all()
        out[: len(data)] = data
        if len(data) < len(out):
            out[len(data) :] = self._silence * (len(out) - len(data))
        if over:
            raise self._library.CallbackStop

    def _on_device_end(self) -> None:
        with self._lock:
            self._device_ended = True
            self._changed.notify_all()
