"""From the arguments of `record()` and `transcribe()` to a `Recording`, all checked first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .cancel import CancelToken
from .config import (
    ResolvedConnectionConfig,
    SttConfig,
    SttSessionOptions,
    merge_stt_config,
)
from .errors import (
    AudioPermissionError,
    AudioUnavailableError,
    ConfigurationError,
    InputTypeError,
)
from .protocol.recorder_actions import RecorderSettings
from .recording import Recording
from .sources import (
    AudioSource,
    MicrophoneSource,
    PermissionResolver,
    PermissionStatus,
    as_source,
)
from .stt import SessionObserver, SttSession

if TYPE_CHECKING:
    from .host import RealtimeHost

SessionConfig = Union[
    SttConfig,
    Mapping[str, Any],
    Callable[[ResolvedConnectionConfig], Union[SttConfig, Mapping[str, Any]]],
]

_FORMAT_FIELDS = ("audio_format", "sample_rate", "num_channels")


@dataclass(frozen=True)
class RecordingOptions:
    """Holds the options of `record()` that are neither source nor config, checked."""

    auto_reconnect: bool
    max_reconnect_attempts: int
    reconnect_base_delay_sec: float
    reset_transcript_on_reconnect: bool
    replay_window_sec: float
    rotate_after_sec: Optional[float]
    translation_watchdog: bool
    catch_up_speed: Optional[float]
    catch_up_burst_sec: float
    buffer_queue_size: int

    def __post_init__(self) -> None:
        _count("max_reconnect_attempts", self.max_reconnect_attempts, 0)
        _count("buffer_queue_size", self.buffer_queue_size, 1)
        _number("reconnect_base_delay_sec", self.reconnect_base_delay_sec, 0.0)
        # a quarter of a second of audio travels at once: less could never be sent
        _number("replay_window_sec", self.replay_window_sec, 1.0)
        _number("catch_up_burst_sec", self.catch_up_burst_sec, 0.25)
        if self.rotate_after_sec is not None:
            _number("rotate_after_sec", self.rotate_after_sec, 1.0)
        if self.catch_up_speed is not None:
            # slower than real time the recording would fall behind for ever
            _number("catch_up_speed", self.catch_up_speed, 1.0)

    def settings(
        self, *, finish_timeout_sec: float, can_restart: bool, new_key_possible: bool
    ) -> RecorderSettings:
        """Give the part that the recorder decides by."""
        return RecorderSettings(
            auto_reconnect=self.auto_reconnect,
            max_reconnect_attempts=self.max_reconnect_attempts,
            reconnect_base_delay_sec=self.reconnect_base_delay_sec,
            replay_window_sec=self.replay_window_sec,
            rotate_after_sec=self.rotate_after_sec,
            translation_watchdog=self.translation_watchdog,
            catch_up_speed=self.catch_up_speed,
            catch_up_burst_sec=self.catch_up_burst_sec,
            buffer_queue_size=self.buffer_queue_size,
            finish_timeout_sec=finish_timeout_sec,
            can_restart=can_restart,
            new_key_possible=new_key_possible,
        )


def _count(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigurationError(f"{name}: expected an int of {low} or more")


def _number(name: str, value: Any, low: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= low:
        raise ConfigurationError(f"{name}: expected a number of {low:g} or more")


def source_for(source: Any, pace: Union[bool, float, None], options: dict[str, Any]) -> AudioSource:
    """Make a source of what `transcribe()` was given; headerless audio is told by the config."""
    told = {name: options.get(name) for name in _FORMAT_FIELDS}
    if told["audio_format"] in (None, "auto"):
        told = dict.fromkeys(_FORMAT_FIELDS)
    return as_source(source, pace=pace, **told)


def make_recording(
    client: RealtimeHost,
    source: Optional[AudioSource],
    config: SessionConfig,
    session_options: Union[SttSessionOptions, Mapping[str, Any], None],
    cancel: Optional[CancelToken],
    options: RecordingOptions,
) -> Recording:
    """Build a recording that is ready to start; nothing is opened."""
    if source is None:
        source = MicrophoneSource()
    if not (callable(getattr(source, "start", None)) and callable(getattr(source, "stop", None))):
        raise InputTypeError(f"source: {type(source).__name__} has no start() and stop()")
    chosen = (
        client._session_options
        if session_options is None
        else SttSessionOptions.coerce(session_options)
    )
    resolved = client._addresses("transcribe_websocket")
    first = _with_format(_merged(resolved, config), source)
    options = client._recording_options(options, first)
    if cancel is not None:
        cancel.raise_if_cancelled()
    if isinstance(source, MicrophoneSource) and client._permissions is not None:
        _ask_for_microphone(client._permissions)
    unused = [resolved]  # a config callable is asked once per session: the first has been

    def make_session(wire: SttConfig, observer: SessionObserver, token: CancelToken) -> SttSession:
        addresses = unused.pop() if unused else client._addresses("transcribe_websocket")
        resolution = (addresses, client._key_for(addresses))
        return client._session(wire, chosen, token, observer, resolution)

    return Recording(
        source,
        first,
        make_session,
        options.settings(
            finish_timeout_sec=chosen.finish_timeout_sec,
            can_restart=callable(getattr(source, "restart", None)),
            new_key_possible=client._makes_new_keys,
        ),
        cancel=cancel,
        max_buffered_events=chosen.max_buffered_events,
        reset_transcript_on_reconnect=options.reset_transcript_on_reconnect,
    )


def _ask_for_microphone(permissions: PermissionResolver) -> None:
    """Ask the client's resolver. Raises the audio error of a refusal."""
    answer = permissions.check("microphone")
    if answer.status != PermissionStatus.GRANTED and answer.can_request:
        answer = permissions.request("microphone")
    if answer.status == PermissionStatus.UNAVAILABLE:
        raise AudioUnavailableError("there is no microphone: permissions= said unavailable")
    if answer.status != PermissionStatus.GRANTED:
        raise AudioPermissionError("the microphone may not be used: permissions= did not grant it")


def _merged(resolved: ResolvedConnectionConfig, config: SessionConfig) -> SttConfig:
    """Lay the config over the client's defaults; asks a callable with the addresses resolved."""
    if callable(config):
        config = config(resolved)
    return merge_stt_config(resolved.stt_defaults, config)


def _with_format(config: SttConfig, source: AudioSource) -> SttConfig:
    """Let the source say what it delivers where the config does not; check the whole."""
    audio = getattr(source, "audio", None)
    if audio is not None and config.audio_format == "auto":
        config = merge_stt_config(
            config,
            {
                "audio_format": audio.audio_format,
                "sample_rate": audio.sample_rate,
                "num_channels": audio.num_channels,
            },
        )
    config.validate()
    return config
