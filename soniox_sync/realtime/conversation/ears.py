"""The source, seen from a conversation: its clock, silence while the agent speaks, its end."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from ...audio import RawAudio
from ...audio.samples import buffer_bytes
from ...errors import SonioxError
from ...runtime.clock import Clock
from ...sources.base import AudioSource, AudioSourceHandlers, SourceAudio

# How long after the agent has spoken silence is recognised instead of the microphone: a room's
# echo, and the buffers of loudspeaker and microphone, are gone by then.
_ECHO_SEC = 0.5
# no source delivers chunks so long; between two of them its clock goes on for no longer
_LONGEST_CHUNK_MS = 250.0


class Ears:
    """Source that passes on another one's audio, and keeps its clock. Thread-safe.

    The clock is the audio delivered so far; between two chunks it goes on with the time, for
    as long as the last chunk took. `on_gone` is called once, when the source has ended or failed
    because its peer is gone.
    """

    def __init__(
        self, source: AudioSource, is_half_duplex: bool, on_gone: Callable[[], None], clock: Clock
    ) -> None:
        # Immutable
        self.source = source
        self.is_live: bool = bool(getattr(source, "is_live", True))
        self._clock = clock
        self._is_half_duplex = is_half_duplex
        self._on_gone = on_gone
        if callable(getattr(source, "restart", None)):
            self.restart: Callable[[], object] = source.restart  # type: ignore[attr-defined]
        # Source's thread only
        self._bytes = 0
        # Written by the source's thread
        self._thread: Optional[threading.Thread] = None
        self._captured_ms = 0.0
        self._chunk_ms = 0.0
        self._chunk_at = clock.now()
        self._started_at = self._chunk_at
        # Written by the threads of the conversation
        self._agent_speaks = False
        self._quiet_at = 0.0

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Format of the source."""
        audio: Optional[SourceAudio] = getattr(self.source, "audio", None)
        return audio

    @property
    def now_ms(self) -> float:
        """Current position of the source's clock."""
        now = self._clock.now()
        if self._raw is None:  # of a container nobody knows how much a chunk is
            return (now - self._started_at) * 1000
        since_ms = (now - self._chunk_at) * 1000
        return self._captured_ms + min(since_ms, self._chunk_ms, _LONGEST_CHUNK_MS)

    @property
    def _raw(self) -> Optional[RawAudio]:
        audio = self.audio
        return None if audio is None else audio.raw

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on the thread on which the source delivers."""
        return threading.current_thread() is self._thread

    # -- the agent -------------------------------------------------------------------------------

    def agent_speaks(self) -> None:
        """The agent is about to be heard."""
        self._agent_speaks = True

    def agent_is_quiet(self) -> None:
        """Nothing of it is heard any more."""
        if self._agent_speaks:
            self._quiet_at = self._clock.now() + _ECHO_SEC
            self._agent_speaks = False

    @property
    def _is_covered(self) -> bool:
        return self._is_half_duplex and (self._agent_speaks or self._clock.now() < self._quiet_at)

    # -- the source ------------------------------------------------------------------------------

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Start the source; see `AudioSource`."""
        self._started_at = self._chunk_at = self._clock.now()

        def on_end(*unexpected: object) -> None:  # the recording refuses an argument
            self._thread = threading.current_thread()
            self._on_gone()
            ended: Optional[Callable[..., object]] = handlers.on_end
            if ended is not None:
                ended(*unexpected)

        def on_error(error: Any = None) -> None:
            if isinstance(error, ConnectionError) and handlers.on_end is not None:
                on_end()  # the peer is gone: a hang-up, not a failure
            else:
                handlers.on_error(error)

        self.source.start(
            AudioSourceHandlers(
                on_data=lambda data: handlers.on_data(self._heard(data)),
                on_error=on_error,
                on_muted=handlers.on_muted,
                on_unmuted=handlers.on_unmuted,
                on_end=on_end,
                on_restart=handlers.on_restart,
            )
        )

    def _heard(self, data: bytes) -> bytes:
        self._thread = threading.current_thread()
        raw = self._raw
        if raw is None:
            return data
        try:
            audio = buffer_bytes("audio", data, raw.format, raw.num_channels)
        except SonioxError:
            return data  # no audio: the recording refuses it, and ends the conversation
        self._bytes += len(audio)
        self._chunk_ms = len(audio) / raw.bytes_per_second * 1000
        self._captured_ms = self._bytes / raw.bytes_per_second * 1000
        self._chunk_at = self._clock.now()
        return silence_of(raw.format) * len(audio) if self._is_covered else audio

    def stop(self) -> None:
        """Stop the source."""
        self.source.stop()

    def pause(self) -> None:
        """Pause the source, if it can."""
        self._optional("pause")

    def resume(self) -> None:
        """Resume the source, if it can."""
        self._optional("resume")

    def _optional(self, name: str) -> None:
        method: Any = getattr(self.source, name, None)
        if callable(method):
            method()

    def __repr__(self) -> str:
        return repr(self.source)


def silence_of(audio_format: str) -> bytes:
    """Return the byte of which silence consists, close enough, in a headerless format."""
    if audio_format in ("pcm_u8", "pcm_u16le"):
        return b"\x80"
    return {"mulaw": b"\xff", "alaw": b"\xd5"}.get(audio_format, b"\0")
