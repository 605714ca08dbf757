"""`MicrophoneSource`: an input device through PortAudio.

PortAudio's audio thread only copies the audio into a bounded queue; the source's own thread
delivers it. So neither the network nor the user's code can disturb the capture.
"""

from __future__ import annotations

import sys
from typing import Callable, Optional

from .._support.checks import integer, positive_seconds, suggests_keywords
from .._support.locks import new_lock
from .._support.reprs import summary
from ..audio import RawAudio
from ..audio.portaudio import as_audio_error, device_errors, load_sounddevice
from ..errors import StateError
from .base import AudioSourceHandlers, SourceAudio, describe_audio
from .capture import Capture, LossCounts, MuteWatch
from .permissions import Device, device_name

# PortAudio's samples have the byte order of the machine
_NATIVE = "pcm_s16le" if sys.byteorder == "little" else "pcm_s16be"


class MicrophoneSource:
    """Source that delivers the audio of an input device, as 16-bit samples in chunks of `chunk_ms`.

    `device`: a number or part of a name from the list of `python -m sounddevice`, `None` for the
    system default. `sample_rate`: in Hz. `channels`: number of channels to capture.

    `mute_after_sec`: after this many seconds of unbroken digital silence (every sample is 0, as
    from a muted device or without permission) `on_muted` is called, and `on_unmuted` at the first
    other sample; `None`: never. The silence itself is delivered, because time passes.

    `stall_sec`: a device that delivers nothing at all for this many seconds is lost (Bluetooth
    takes up to 2 s to start); `None`: no limit.

    If 10 s of audio are waiting to be delivered, new audio is dropped: `dropped_chunks` and
    `dropped_ms` count it, `overflows` counts the gaps that PortAudio itself reported, and each is
    logged as a warning. A lost device is reported to `on_error` as `AudioDeviceError`; `restart()`
    opens it again. Nothing is imported or opened before `start()`. Needs the extra `audio`.
    Thread-safe.

    Raises
        ConfigurationError: a rate, number of channels or duration is not positive.
        InputTypeError: a value of the wrong type.
    """

    is_live = True
    can_restart = True
    # the microphone of a laptop hears its loudspeaker, and nothing here takes that out again
    echo_free = False

    @suggests_keywords()
    def __init__(
        self,
        *,
        device: Device = None,
        sample_rate: int = 16000,
        channels: int = 1,
        chunk_ms: int = 60,
        mute_after_sec: Optional[float] = 1.0,
        stall_sec: Optional[float] = 5.0,
    ) -> None:
        integer(1)("chunk_ms", chunk_ms)
        for name, seconds in (("mute_after_sec", mute_after_sec), ("stall_sec", stall_sec)):
            if seconds is not None:
                positive_seconds(name, seconds)
        # Immutable
        self.audio: SourceAudio = SourceAudio(_NATIVE, sample_rate, channels)
        self._shape = RawAudio(_NATIVE, sample_rate, channels)
        self._device = device
        self._chunk_ms = chunk_ms
        self._mute_after_sec = mute_after_sec
        self._stall_sec = stall_sec
        self._counts = LossCounts(self._shape)
        # Guards _capture and every call on its stream. Held during PortAudio calls, which wait for
        # the audio thread; that thread takes no lock. Never held during a join or a handler.
        self._lock = new_lock()
        self._capture: Optional[Capture] = None

    def __repr__(self) -> str:
        capture = self._capture
        if capture is None:
            state = "not started"
        else:
            state = "stopped" if capture.ended else "paused" if capture.paused else "running"
        lost = f"{self.dropped_ms} ms dropped" if self.dropped_ms else ""
        return summary(self, device_name(self._device), describe_audio(self.audio), state, lost)

    @property
    def dropped_chunks(self) -> int:
        """Number of chunks dropped since this source was made."""
        return self._counts.chunks

    @property
    def dropped_ms(self) -> int:
        """Milliseconds of audio dropped since this source was made."""
        return self._counts.dropped_ms

    @property
    def overflows(self) -> int:
        """Number of gaps reported by PortAudio since this source was made."""
        return self._counts.overflows

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Open the device, and return once it is capturing.

        Raises
            AudioUnavailableError: sounddevice or PortAudio is not installed.
            AudioPermissionError: the system does not allow use of the microphone.
            AudioDeviceError: the device does not exist, is busy, or does not support the rate or
                the number of channels.
            StateError: the source is running.
        """
        self._start(handlers, MuteWatch(self._shape, self._mute_after_sec))

    def _start(self, handlers: AudioSourceHandlers, mute: MuteWatch) -> None:
        with self._lock:
            if self._capture is not None and not self._capture.ended:
                raise StateError("cannot start: this source is already capturing")
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
        """Close the device, deliver what it has captured, and end.

        Called inside a handler, it drops what is still queued. No handler is called after this has
        returned. Idempotent.
        """
        with self._lock:
            capture = self._capture
            if capture is None:
                return
            capture.close()
        capture.join()  # not under the lock: the thread may be in a handler that wants the lock

    def pause(self) -> None:
        """Stop the device; what it has captured is still delivered. Idempotent.

        Raises
            AudioDeviceError: the device cannot be stopped.
        """
        with self._lock:
            if self._capture is not None:
                _checked(self._capture.pause, "pause the microphone")

    def resume(self) -> None:
        """Restart the device after `pause()`. Idempotent.

        Raises
            AudioDeviceError: the device was lost.
            AudioPermissionError: the system does not allow use of the microphone.
        """
        with self._lock:
            if self._capture is not None:
                _checked(self._capture.resume, "resume the microphone")

    def restart(self) -> None:
        """Close the device and open it again with the same handlers, also after `on_error`.

        Samples have no header, so this is only needed for a lost device. It ends a pause.

        Raises
            StateError: it was never started.
            AudioUnavailableError, AudioPermissionError, AudioDeviceError: as `start()`.
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
