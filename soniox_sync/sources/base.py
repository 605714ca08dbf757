"""What an audio source is: the protocol, its handlers, the shape of what it delivers.

Anything with `start(handlers)` and `stop()` is a source; the rest is optional, see `AudioSource`.
Source: PROTOCOL 9 (AudioSource, AudioSourceHandlers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Protocol

from ..audio import AUTO_FORMAT, RawAudio, is_raw, stt_format_name
from ..errors import ConfigurationError, InputTypeError

__all__ = ["UNKNOWN_AUDIO", "AudioSource", "AudioSourceHandlers", "SourceAudio", "told_audio"]


@dataclass(frozen=True)
class SourceAudio:
    """Says what a source delivers: `audio_format` as transcription spells it.

    Rate (Hz) and channels are known for headerless audio and `None` for containers, whose format
    is their own name or `"auto"`.

    Raises
        ConfigurationError: a headerless format without rate or channels, or with refused ones.
    """

    audio_format: str
    sample_rate: Optional[int] = None
    num_channels: Optional[int] = None

    def __post_init__(self) -> None:
        if not isinstance(self.audio_format, str):
            raise InputTypeError(
                f"audio_format must be a str, not {type(self.audio_format).__name__}"
            )
        if is_raw(self.audio_format):
            self._check_raw()

    def _check_raw(self) -> None:
        for name in ("sample_rate", "num_channels"):
            if getattr(self, name) is None:
                raise ConfigurationError(
                    f"audio_format {self.audio_format!r} is headerless: {name} is needed"
                )
        assert self.raw is not None  # made for its checks of rate and channels

    @property
    def raw(self) -> Optional[RawAudio]:
        """Give the shape of headerless audio, for times and pacing; `None` for containers."""
        if self.sample_rate is None or self.num_channels is None or not is_raw(self.audio_format):
            return None
        return RawAudio(self.audio_format, self.sample_rate, self.num_channels)


# bytes whose container is for the service to find
UNKNOWN_AUDIO = SourceAudio(AUTO_FORMAT)


def told_audio(
    audio_format: Optional[str], sample_rate: Optional[int], num_channels: Optional[int]
) -> Optional[SourceAudio]:
    """Give what the user said about the audio; `None` when it was nothing, or `"auto"`.

    Raises
        ConfigurationError: a headerless format without rate or channels.
        InputTypeError: of the wrong types.
    """
    if audio_format is None or audio_format == AUTO_FORMAT:
        return None
    if not isinstance(audio_format, str):
        raise InputTypeError(f"audio_format must be a str, not {type(audio_format).__name__}")
    if not is_raw(audio_format):
        return SourceAudio(str(audio_format))
    return SourceAudio(stt_format_name(audio_format), sample_rate, num_channels)


@dataclass
class AudioSourceHandlers:
    """Is what a source calls: one handler at a time, in order, from its own thread.

    `on_data(bytes)`: the next audio, never empty. `on_error(exception)`: the source failed and has
    ended; called once. `on_end()`: a finite source gave its last data; called once, never after
    `on_error` or a `stop()`. `on_muted()`, `on_unmuted()`: the device began or ceased to deliver
    digital silence. `on_restart()`: what follows begins a new container, see
    `AudioSource.restart`; not called for headerless audio. All but the first two are optional.
    """

    on_data: Callable[[bytes], object]
    on_error: Callable[[BaseException], object]
    on_muted: Optional[Callable[[], object]] = None
    on_unmuted: Optional[Callable[[], object]] = None
    on_end: Optional[Callable[[], object]] = None
    on_restart: Optional[Callable[[], object]] = None


class AudioSource(Protocol):
    """Delivers audio to handlers, from a thread of its own.

    Besides the two methods below, a source may have any of these:

    - `pause()`, `resume()`: cease and go on delivering; a piece on its way may still arrive.
    - `restart()`: begin a new container, so that what follows can be read on its own. Sources of
      headerless audio need none.
    - `is_live` (bool, `True` when absent): a live source captures at its own time and its
      `on_data` must not block; any other may be held back by an `on_data` that blocks.
    - `audio` (`SourceAudio` or `None`): what is delivered, known once `start()` returned or, for
      a stream whose header is yet to come, before its first `on_data`.
    """

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Begin; return once capture began.

        Raises
            AudioSourceError: capture is not possible; its class says why.
            OSError: a file could not be opened.
            StateError: the source is running.
        """

    def stop(self) -> None:
        """End; no handler is called once this returned.

        Idempotent; legal from any thread, also from inside a handler. A handler that blocks must
        be made to return by whoever stops the source.
        """
