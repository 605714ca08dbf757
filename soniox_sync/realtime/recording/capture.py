"""What the source of a recording delivers: its format, its audio, its end."""

from __future__ import annotations

import threading
from typing import Optional, Protocol

from ..._support.checks import refused
from ..._support.locks import new_condition
from ...audio.samples import buffer_bytes
from ...config import SttConfig
from ...errors import SonioxError
from ...recorder.actions import Send
from ...recorder.intake import Intake
from ...recorder.recorder import Recorder
from ...runtime.clock import Clock
from ...sources.base import AudioSource
from ...transport.deadline import slice_sec
from .pump import Pump

# A thread that brings audio sends so many messages at once; more is a backlog, and the pump's.
_MOST_SENDS = 8


class StartConfig:
    """Config that a recording starts with. Until then endpoint detection may be switched on."""

    def __init__(self, config: SttConfig, *, can_have_endpoints: bool = True) -> None:
        self.config: SttConfig = config
        self._can_have_endpoints = can_have_endpoints

    @property
    def has_endpoints(self) -> bool:
        """Whether endpoint detection is on."""
        return self.config.enable_endpoint_detection is True

    def prefer_endpoints(self) -> None:
        """Switch endpoint detection on, unless the user set it or the service lacks it."""
        if self.config.enable_endpoint_detection is None and self._can_have_endpoints:
            self.config = self.config.replace(enable_endpoint_detection=True)


class Host(Protocol):
    """What audio is captured for: the runtime of a recording."""

    def changed(self, *, may_send: bool = False) -> Optional[Send]:
        """Look for what is due, and return it if it is audio, to be sent by the caller.

        Under the lock.
        """

    def offer(self, send: Send, *, by_live_source: bool) -> Optional[bytes]:
        """Send audio without waiting; return what is left to send, `None` if nothing is."""


class Capture:
    """Captures what a source delivers, and sends it, on the source's thread.

    A source that is not live waits in `on_data()` while it has to; a live one never does.
    """

    def __init__(
        self,
        source: AudioSource,
        config: StartConfig,
        recorder: Recorder,
        pump: Pump,
        lock: threading.RLock,
        clock: Clock,
        host: Host,
    ) -> None:
        # Immutable
        self._source = source
        self._config = config
        self._recorder = recorder
        self._pump = pump
        self._clock = clock
        self._host = host
        self._is_live = bool(getattr(source, "is_live", True))
        # Under the recording's lock
        given = config.config
        self._intake = Intake(given.audio_format, given.sample_rate, given.num_channels)
        self.wire_config: Optional[SttConfig] = None  # once the audio's format is known
        self._is_running = False
        self._is_released = False  # a source that is held back in on_data must return
        self.is_held: bool = False  # a source waits in on_data
        self._lock = lock
        self._room = new_condition(lock)  # a source that is held back may continue

    def invalidate(self) -> None:
        """Stop no source in a forked child, where its thread does not run."""
        self._is_running = False

    # -- its life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Record that the source is about to start. Under the lock."""
        self._is_running = True
        self._take_format()

    def stop(self) -> bool:
        """Return whether the source is still to be stopped; first let go what is held back."""
        with self._lock:
            was_running, self._is_running = self._is_running, False
            self.release()
        return was_running

    def release(self) -> None:
        """Hold the source back no longer. Under the lock."""
        self._is_released = True
        self._room.notify_all()

    def let_go(self) -> None:
        """Let a source that is held back continue, if it may. Under the lock."""
        if not self._must_wait():
            self._room.notify_all()

    def ended(self, error: Optional[BaseException]) -> None:
        """Capture what was held back, and accept no more. Under the lock."""
        recorder = self._recorder
        try:
            rest = self._intake.finish()
        except SonioxError as incomplete:
            recorder.fail(error or incomplete)
            return
        self._settle_format()
        if rest:
            recorder.capture(rest)
        if error is None and not (self._is_live or recorder.has_audio):
            error = refused("audio", "audio to transcribe", "no audio at all")
        recorder.source_ended(error)

    # -- its audio -------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Capture audio, and send what can go out at once. On the source's thread."""
        try:
            with self._lock:
                send = self._take(data)
            if send is not None:
                self._send(send)
        finally:
            self._pump.start_if_needed()

    def _take(self, data: bytes) -> Optional[Send]:
        """Capture audio; return what the caller is to send now. Under the lock."""
        recorder, pump = self._recorder, self._pump
        if not (self._is_live or pump.is_quiet):
            self._wait_for_room()
        audio = self._accept(data)
        if audio:
            now = self._clock.now()
            send = recorder.pass_through(audio, now) if pump.is_quiet else None
            if send is not None:
                pump.take_turn()
                return send
            recorder.capture(audio, now)
        return self._host.changed(may_send=True)

    def _wait_for_room(self) -> None:
        try:
            while self._must_wait():
                self.is_held = True
                self._room.wait(slice_sec())
        finally:
            self.is_held = False

    def _must_wait(self) -> bool:
        if self._is_released or self._recorder.state.is_over:
            return False
        return self._recorder.must_wait

    def _accept(self, data: bytes) -> bytes:
        """Return the audio in what was delivered; none if it cannot be audio.

        Then the source counts as failed: what it delivered before is still transcribed.
        """
        if self.wire_config is None:
            self._take_format()
        try:
            audio = self._intake.accept(data if type(data) is bytes else self._bytes_of(data))
        except SonioxError as error:
            if self._recorder.has_audio:
                self._recorder.source_ended(error)
            else:  # nothing to transcribe
                self._recorder.fail(error)
            return b""
        if self.wire_config is None:
            self._settle_format()
        return audio

    def _bytes_of(self, data: bytes) -> bytes:
        """Return what a source delivered; one of the user's may deliver an array of samples."""
        audio = self._intake.audio
        if audio is None:
            return buffer_bytes("audio", data, self._config.config.audio_format)
        return buffer_bytes("audio", data, audio.format, audio.num_channels)

    def _send(self, send: Send) -> None:
        """Send audio as far as that takes no wait; the rest is the pump's. The caller's turn."""
        try:
            for left in reversed(range(_MOST_SENDS)):
                rest = self._host.offer(send, by_live_source=self._is_live)
                with self._lock:
                    if rest is not None:
                        self._pump.hand_over(Send(send.number, rest))
                        return
                    has_changed = self._pump.release()
                    if self._pump.is_quiet:
                        return
                    if self._recorder.is_settled() and not has_changed:
                        self._pump.is_quiet = True
                        return
                    following = self._host.changed(may_send=left > 0)
                if following is None:
                    return
                send = following
        except BaseException:  # Ctrl-C, where a source delivers on the main thread
            with self._lock:
                self._pump.release()
                self._host.changed()
            raise

    # -- its format ------------------------------------------------------------------------------

    def _take_format(self) -> None:
        """Use the format that the source declares, as soon as it has one. Under the lock."""
        if not self._intake.is_known:
            raw = getattr(getattr(self._source, "audio", None), "raw", None)
            if raw is not None:
                self._intake.declare(raw)
        self._settle_format()

    def _settle_format(self) -> None:
        """Pass the format to the recorder and the sessions once it is known. Under the lock."""
        if self.wire_config is not None or not self._intake.is_known:
            return
        audio = self._intake.audio
        self.wire_config = self._config.config
        if audio is not None:
            self.wire_config = self.wire_config.replace(
                audio_format=audio.format,
                sample_rate=audio.sample_rate,
                num_channels=audio.num_channels,
            )
        self._recorder.set_audio_format(audio)
