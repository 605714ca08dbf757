"""Speech on the loudspeaker, as it arrives: `play(chunks)`, or a `Player` to stop it by hand.

Goes through PortAudio (`pip install soniox-sync[audio]`). Playing starts once 150 ms are there, so
that a network's jitter is not heard; when audio runs out it is counted and buffered anew.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from ..errors import AudioDeviceError, AudioUnavailableError, ConfigurationError, StateError
from .formats import RawAudio, is_raw, raw_format, stt_format_name
from .g711 import to_pcm
from .wav import WavParser

__all__ = ["Played", "Player", "play"]

Device = Union[int, str, None]

# what is kept ready for the device: more would be memory, and sound after a change of mind
_AHEAD_SEC = 1.0
# how long a device may take to play out what it was given, over what that lasts
_DRAIN_SEC = 5.0
# not every Ctrl-C ends a wait: it is looked for this often
_SLICE_SEC = 0.2
# what PortAudio plays -> its name for it
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
    """Says what was heard: `audio_sec` seconds, `underruns` gaps, whether it was `stopped`."""

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
    """Play audio while it comes, to its end; blocks. A `Speech` brings its format itself.

    `audio_format`: headerless PCM, `mulaw`, `alaw`, or `"wav"` (which tells rate and channels);
    default `pcm_s16le` at 24000 Hz. `device`: number or part of a name, `None` for the default.
    `start_buffer_ms`: how much audio is gathered before it begins to sound. `on_start` gets the
    `Player`, whose `stop()` may be called from any thread.

    Raises `AudioUnavailableError` without the audio library or any device, `AudioDeviceError` for
    a device that does not exist or went away, `ConfigurationError` for a format that is not
    samples, and what `chunks` raises (what came before it is not played out).
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
    """Plays what is written to it. `write` and `finish` in one thread, `stop` in any."""

    def __init__(
        self,
        *,
        audio_format: str = "pcm_s16le",
        sample_rate: Optional[int] = None,
        num_channels: int = 1,
        device: Device = None,
        start_buffer_ms: int = 150,
    ) -> None:
        self._library = _import_library()
        self._device = device
        self._start_buffer_ms = start_buffer_ms
        # Writer only
        self._parser = WavParser() if audio_format == "wav" else None
        self._rest = b""
        self._stream: Any = None
        # Set when the format is known, before the device runs
        self._shape: Optional[RawAudio] = None
        self._companded = ""
        # Guards the fields below. Held for a few bytes' copy: the device's thread takes it, too.
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._playing = False  # False while the start buffer fills
        self._ended = False
        self._stopped = False
        self._done = False
        self._played_bytes = 0
        self._underruns = 0
        if audio_format != "wav":
            self._set_format(audio_format, sample_rate or 24000, num_channels)

    # -- facts -----------------------------------------------------------------------------------

    @property
    def underruns(self) -> int:
        """Count the gaps: the device wanted audio and there was none."""
        return self._underruns

    @property
    def played_sec(self) -> float:
        """Give the seconds of audio that went to the device."""
        return 0.0 if self._shape is None else self._shape.bytes_to_sec(self._played_bytes)

    # -- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Take audio, in pieces of any size; waits while a second of it is ready.

        Gives False after `stop()`: then nothing is taken any more. Raises `AudioDeviceError`,
        `AudioUnavailableError` when the device cannot be opened.
        """
        if self._parser is not None:
            header = self._parser.feed(data)
            if header is None:
                return not self._stopped
            data, self._parser = self._parser.rest, None
            self._set_format(header.audio_format, header.sample_rate, header.num_channels)
        self._open()
        shape = self._shape
        assert shape is not None  # known by now
        if self._companded:
            data = to_pcm(data, self._companded)
        data = self._rest + data
        whole = shape.align_down(len(data))
        self._rest = data[whole:]
        ahead_sec = max(_AHEAD_SEC, self._start_buffer_ms / 1000)
        return self._queue(data[:whole], int(ahead_sec * shape.bytes_per_second))

    def _queue(self, data: bytes, limit: int) -> bool:
        with self._changed:
            while self._waiting_bytes > limit and not self._is_over():
                self._changed.wait(_SLICE_SEC)
            if self._stopped:
                return False
            if self._done:
                raise AudioDeviceError("the audio device went away while it played")
            if data:
                self._waiting.append(data)
                self._waiting_bytes += len(data)
        return True

    def _is_over(self) -> bool:
        return self._stopped or self._done

    def finish(self) -> Played:
        """Wait until everything was heard (or `stop()`); tell what was."""
        with self._changed:
            self._ended = True
            left = 0.0 if self._shape is None else self._shape.bytes_to_sec(self._waiting_bytes)
            until = time.monotonic() + left + _DRAIN_SEC
            while self._stream is not None and not self._is_over() and time.monotonic() < until:
                self._changed.wait(_SLICE_SEC)
        self.close()
        return Played(self.played_sec, self._underruns, self._stopped)

    def stop(self) -> None:
        """Be silent at once. Idempotent, never blocks for long, from any thread."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()

    def close(self) -> None:
        """Release the device; what was not heard is dropped. Idempotent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            if self._stopped or not self._done:
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
        if not is_raw(name) or name not in _DTYPES:
            raise ConfigurationError(
                f"audio_format {audio_format!r} cannot be played: ask for pcm_s16le or wav"
            )
        self._shape = RawAudio(name, sample_rate, num_channels)

    def _open(self) -> None:
        shape = self._shape
        if self._stream is not None or shape is None:
            return
        if self._ended:
            raise StateError("cannot write: the player was finished")
        try:
            self._stream = self._library.RawOutputStream(
                samplerate=shape.sample_rate,
                channels=shape.num_channels,
                dtype=_DTYPES[shape.format],
                device=self._device,
                callback=self._fill,
                finished_callback=self._device_done,
            )
            self._stream.start()
        except (self._library.PortAudioError, ValueError) as error:
            if self._device is not None:
                raise AudioDeviceError(
                    f"the audio device {self._device!r} cannot be opened: {error}"
                ) from error
            raise AudioUnavailableError(f"there is no loudspeaker to play on: {error}") from error

    def _fill(self, out: Any, frames: int, time: Any, status: Any) -> None:
        """Give the device what it wants. Its own thread; must not block."""
        wanted = len(out)
        with self._changed:
            data, over = self._take(wanted)
            self._changed.notify_all()
        out[: len(data)] = data
        if len(data) < wanted:
            out[len(data) :] = self._silence(wanted - len(data))
        if over:
            raise self._library.CallbackStop

    def _silence(self, size: int) -> bytes:
        assert self._shape is not None  # the device runs
        kind = raw_format(self._shape.format)
        return (b"\x80" if kind is not None and kind.encoding == "uint" else b"\0") * size

    def _take(self, wanted: int) -> tuple[bytes, bool]:
        """Take up to `wanted` bytes; also tells whether there will be no more. Under the lock."""
        if self._stopped:
            return b"", True
        if not self._playing:
            self._playing = self._ended or self._waiting_bytes >= self._start_bytes()
        if not self._playing:
            return b"", False
        taken: list[bytes] = []
        size = 0
        while self._waiting and size < wanted:
            piece = self._waiting.popleft()
            if size + len(piece) > wanted:
                self._waiting.appendleft(piece[wanted - size :])
                piece = piece[: wanted - size]
            taken.append(piece)
            size += len(piece)
        self._waiting_bytes -= size
        self._played_bytes += size
        if size < wanted and not self._ended:
            self._underruns += 1
            self._playing = False  # collect the start buffer again rather than stutter
        return b"".join(taken), self._ended and not self._waiting

    def _start_bytes(self) -> int:
        assert self._shape is not None  # the device runs
        return self._shape.ms_to_bytes(self._start_buffer_ms)

    def _device_done(self) -> None:
        with self._changed:
            self._done = True
            self._changed.notify_all()


def _import_library() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise AudioUnavailableError(
            'playing needs the audio library: python -m pip install "soniox-sync[audio]"'
        ) from error
    except OSError as error:  # the package is there, PortAudio itself is not
        raise AudioUnavailableError(
            f"PortAudio is missing ({error}): install it, on Debian and Ubuntu libportaudio2"
        ) from error
    return sounddevice
