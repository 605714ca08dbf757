"""Protocol of audio sources, its handlers, and the format of what a source delivers.

Anything with `start(handlers)` and `stop()` is a source; the rest is optional, see `AudioSource`.
Source: PROTOCOL 9 (AudioSource, AudioSourceHandlers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Protocol

from .._support.checks import text
from .._support.once import once
from .._support.reprs import audio_shape, summary
from ..audio import AUTO_FORMAT, RawAudio, is_raw, stt_format_name
from ..audio.formats import check_shape_given


@dataclass(frozen=True)
class SourceAudio:
    """Format of what a source delivers: `audio_format` as transcription spells it.

    Sample rate (Hz) and channels are known for headerless audio, and `None` for containers, whose
    format is their own name or `"auto"`.

    Raises
        ConfigurationError: a headerless format without rate or channels, or with illegal ones.
        InputTypeError: a value of the wrong type.
    """

    audio_format: str
    sample_rate: Optional[int] = None
    num_channels: Optional[int] = None

    def __post_init__(self) -> None:
        text(empty=True)("audio_format", self.audio_format)
        check_shape_given(self.audio_format, self.sample_rate, self.num_channels)
        _ = self.raw  # checks rate and channels

    @once  # asked for each chunk
    def raw(self) -> Optional[RawAudio]:
        """Sample format of headerless audio, for times and pacing; `None` for containers."""
        if self.sample_rate is None or self.num_channels is None or not is_raw(self.audio_format):
            return None
        return RawAudio(self.audio_format, self.sample_rate, self.num_channels)


def describe_audio(audio: Optional[SourceAudio]) -> str:
    """Return a format for the repr of a source; nothing while it is not known."""
    if audio is None:
        return ""
    return audio_shape(audio.audio_format, audio.sample_rate, audio.num_channels)


# bytes whose container the service detects
UNKNOWN_AUDIO = SourceAudio(AUTO_FORMAT)


def declared_audio(
    audio_format: Optional[str], sample_rate: Optional[int], num_channels: Optional[int]
) -> Optional[SourceAudio]:
    """Return the format that the user declared; `None` for none, or `"auto"`.

    Raises
        ConfigurationError: a headerless format without rate or channels.
        InputTypeError: a value of the wrong type.
    """
    if audio_format is None or audio_format == AUTO_FORMAT:
        return None
    text(empty=True)("audio_format", audio_format)
    if not is_raw(audio_format):
        return SourceAudio(str(audio_format))
    return SourceAudio(stt_format_name(audio_format), sample_rate, num_channels)


@dataclass(repr=False)
class AudioSourceHandlers:
    """Handlers that a source calls one at a time, in order, on its own thread.

    `on_data(bytes)`: the next audio, never empty. `on_error(exception)`: the source failed and has
    ended; called once. `on_end()`: a finite source has delivered its last data; called once, never
    after `on_error` or a `stop()`. `on_muted()`, `on_unmuted()`: the device started or stopped
    delivering digital silence. `on_restart()`, or `on_restart(at_ms)` if the source knows the time:
    what follows is a new container, which starts `at_ms` milliseconds into the audio; see
    `AudioSource.restart`. It is not called for headerless audio. All but the first two are
    optional. An argument of another type ends the recording with an `InputTypeError`, after what
    was heard before.
    """

    on_data: Callable[[bytes], object]
    on_error: Callable[[BaseException], object]
    on_muted: Optional[Callable[[], object]] = None
    on_unmuted: Optional[Callable[[], object]] = None
    on_end: Optional[Callable[[], object]] = None
    on_restart: Optional[Callable[..., object]] = None

    def __repr__(self) -> str:
        return summary(self, *[name for name, handler in vars(self).items() if handler is not None])


class AudioSource(Protocol):
    """Source of audio: delivers it to handlers, from a thread of its own.

    Besides the two methods below, a source may have any of these:

    - `pause()`, `resume()`: stop and continue delivering; one more chunk may still arrive.
    - `restart()`: start a new container, so that what follows can be decoded on its own. Called
      after a lost session, for containers that cannot be sent again from the middle (all but WebM,
      Matroska, Ogg, FLAC, mp3 and AAC). Nothing is sent until `on_restart` is called or a chunk
      begins with a header; what is lost until then is counted, by the clock if `on_restart` does
      not say where the new container starts.
    - `is_live` (bool, `True` when absent): a live source captures in real time and its `on_data`
      must not block; any other may be held back by an `on_data` that blocks.
    - `echo_free` (bool, `True` when absent): whether its audio is free of what is played meanwhile.
      A conversation does not listen to a source that hears the agent while the agent speaks.
    - `audio` (`SourceAudio` or `None`): the format of what is delivered, known when `start()`
      returns or, for a stream that starts with a header, before its first `on_data`.
    """

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Start capturing or reading, and return once that has started.

        Raises
            AudioSourceError: capture is not possible; its class says why.
            OSError: a file could not be opened.
            StateError: the source is running.
        """

    def stop(self) -> None:
        """Stop; no handler is called after this has returned.

        Idempotent; thread-safe, also in a handler. The caller must make sure that
        a handler that blocks returns.
        """
