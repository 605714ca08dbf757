"""`MicrophoneSource`: an input device through PortAudio.

A byte's walk: PortAudio's audio thread copies it into a bounded queue, nothing else; the source's
own thread hands it on. So neither the network nor the user's code can disturb the capture.
"""

from __future__ import annotations

import sys
import threading
from typing import Callable, Optional, Union

from ..audio import RawAudio
from ..errors import ConfigurationError, StateError
from ._portaudio import as_audio_error, device_errors, load_sounddevice
from .base import AudioSourceHandlers, SourceAudio
from .capture import Capture, LossCounts, MuteWatch
from .file import checked_chunk_ms

__all__ = ["MicrophoneSource"]

# PortAudio's samples are the machine's own
_NATIVE = "pcm_s16le" if sys.byteorder == "little" else "pcm_s16be"


class MicrophoneSource:
    """Delivers an input device as 16-bit samples, in pieces of `chunk_ms`.

    `device`: number or part of a name as `python -m sounddevice` lists them, `None` the system's
    choice. `sample_rate`: Hz. `channels`: 1 unless the device is to be heard in more.
    `mute_after_sec`: after so much unbroken digital silence (every sample 0, as a muted device or
    a system without permission delivers it) `on_muted` is called, with the first other sample
    `on_unmuted`; `None`: never. The silence itself is delivered, it is time that passes.
    `stall_sec`: a device that delivers nothing at all for so long is lost (Bluetooth takes up to
    2 s to begin); `None`: wait for ever.

    While 10 s of audio wait to be handed on, what comes is dropped, the oldest is kept:
    `dropped_chunks` and `dropped_ms` count it, `overflows` counts the gaps PortAudio reported
    itself, and each is logged as a warning. A lost device arrives at `on_error` as
    `AudioDeviceError`; `restart()` opens it anew. Nothing is imported or opened before `start()`.
    Needs the extra `audio`. Thread-safe.

    Raises
        ConfigurationError, InputTypeError: a rate, channel number or length that is not positive.
    """

    is_live = True
    can_restart = True

    def __init__(
        self,
        *,
        device: Union[int, str, None] = None,
        sample_rate: int = 16000,
        channels: int = 1,
        chunk_ms: int = 60,
        mute_after_sec: Optional[float] = 1.0,
        stall_sec: Optional[float] = 5.0,
    ) -> None:
        for name, seconds in (("mute_after_sec", mute_after_sec), ("stall_sec", stall_sec)):
            if seconds is not None and not seconds > 0:
                raise ConfigurationError(f"{name} must be positive or None, not {seconds}")
        # Immutable
        self.audio = SourceAudio(_NATIVE, sample_rate, channels)
        self._shape = RawAudio(_NATIVE, sample_rate, channels)
        self._device = device
        self._chunk_ms = checked_chunk_ms(chunk_ms)
        self._mute_after_sec = mute_after_sec
        self._stall_sec = stall_sec
        self._counts = LossCounts(self._shape)
        # Guards _capture and every call on its stream. Held across PortAudio calls, which wait for
        # the audio thread; that one takes no lock. Never held across join or handlers.
        self._lock = threading.Lock()
        self._capture: Optional[Capture] = None

    @property
    def dropped_chunks(self) -> int:
        """Count the pieces that were dropped since this source was made."""
        return self._counts.chunks

    @property
    def dropped_ms(self) -> int:
        """Count the milliseconds that were dropped since this source was made."""
        return self._counts.dropped_ms

    @property
    def overflows(self) -> int:
        """Count the gaps that PortAudio reported since this source was made."""
        return self._counts.overflows

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Open the device; return once it captures.

        Raises
            AudioUnavailableError: sounddevice or PortAudio is not installed.
            AudioPermissionError: the system refuses the microphone.
            AudioDeviceError: no such device, busy, or it does not offer rate or channels.
            StateError: the source is running.
        """
        self._start(handlers, MuteWatch(self._shape, self._mute_after_sec))

    def _start(self, handlers: AudioSourceHandlers, mute: MuteWatch) -> None:
        with self._lock:
            if self._capture is not None and not self._capture.over:
                raise StateError("cannot start: this source captures already")
            self._capture = self._open(handlers, mute)

    def _open(self, handlers: AudioSourceHandlers, mute: MuteWatch) -> Capture:
        sounddevice = load_sounddevice()
        capture = Capture(handlers, self._shape, self._lock, self._counts, mute, self._stall_sec)
        try:
            capture.stream = sounddevice.RawInputStream(
                samplerate=self._shape.sample_rate,
                blocksize=max(1, self._shape.sample_rate * self._chunk_ms // 1000),
                device=self._device,
                channels=self._shape.num_channels,
                dtype="int16",
                callback=capture.on_audio,
                finished_callback=capture.on_finished,
            )
            capture.stream.start()
        except BaseException as error:
            capture.close()
            if isinstance(error, device_errors(sounddevice)):
                raise as_audio_error(error, "open the microphone") from error
            raise
        capture.thread.start()
        return capture

    def stop(self) -> None:
        """Close the device, hand over what it had captured, end.

        Called from inside a handler it leaves out what was still queued. No handler is called
        once this returned. Idempotent.
        """
        with self._lock:
            capture = self._capture
            if capture is None:
                return
            capture.close()
        capture.join()  # not under the lock: the thread may be inside a handler that asks for it

    def pause(self) -> None:
        """Stop the device; what it had captured is still handed over. Idempotent.

        Raises
            AudioDeviceError: the device refused.
        """
        with self._lock:
            if self._capture is not None:
                _checked(self._capture.pause, "pause the microphone")

    def resume(self) -> None:
        """Let the device capture again. Idempotent.

        Raises
            AudioDeviceError, AudioPermissionError: the device is gone, or refused.
        """
        with self._lock:
            if self._capture is not None:
                _checked(self._capture.resume, "resume the microphone")

    def restart(self) -> None:
        """Close the device and open it anew, with the same handlers, also after `on_error`.

        Samples have no header, so this is for devices that were lost. A pause ends.

        Raises
            StateError: it was never started. Else as `start()`.
        """
        with self._lock:
            capture = self._capture
            if capture is None:
                raise StateError("cannot restart: the microphone was not started")
        self.stop()
        self._start(capture.handlers, capture.mute)


def _checked(call: Callable[[], object], doing: str) -> None:
    try:
        call()
    except device_errors(load_sounddevice()) as error:
        raise as_audio_error(error, doing) from error
