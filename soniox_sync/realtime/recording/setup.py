"""Making a `Recording` from the arguments of `record()` and `transcribe()`, all checked first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ..._support.checks import refuse_async, refuse_awaitable, wrong_type
from ...cancel import CancelToken, check_cancel
from ...config import ResolvedConnectionConfig, SttConfig, SttSessionOptions, merge_stt_config
from ...config._values import field_names, refuse_unknown_keywords
from ...config.recording import RecordingOptions
from ...errors import AudioPermissionError, AudioUnavailableError, ConfigurationError
from ...recorder.actions import RecorderContext
from ...service import FirstMade, access_for
from ...sources import (
    AudioSource,
    MicrophoneSource,
    PermissionResolver,
    PermissionStatus,
    as_source,
)
from ...sources.choose import is_source
from ..stt.core import SessionCore, SessionObserver
from .capture import StartConfig
from .recording import Recording

if TYPE_CHECKING:
    from ...service import Service
    from ...sources.choose import AudioLike

SessionConfig = Union[
    SttConfig,
    Mapping[str, Any],
    Callable[[ResolvedConnectionConfig], Union[SttConfig, Mapping[str, Any]]],
]


def split_keywords(
    call: Callable[..., object], keywords: Mapping[str, object], buffer_queue_size: int
) -> tuple[RecordingOptions, dict[str, object]]:
    """Return the options among the keywords of a recording, and the fields of `SttConfig`.

    `call`: the method that was given them. `buffer_queue_size`: the client's, used if they have
    none.

    Raises
        ConfigurationError: an unknown name, or an invalid value of an option.
        InputTypeError: an option of the wrong type.
    """
    names = field_names(RecordingOptions)
    refuse_unknown_keywords(call, keywords, (*names, *field_names(SttConfig)))
    options: dict[str, Any] = {name: keywords[name] for name in names if name in keywords}
    if options.get("buffer_queue_size") is None:
        options["buffer_queue_size"] = buffer_queue_size
    fields = {name: value for name, value in keywords.items() if name not in names}
    return RecordingOptions(**options), fields


def source_for(source: AudioLike, pace: Union[bool, float, None], config: SttConfig) -> AudioSource:
    """Return a source for the first argument of `transcribe()`.

    The config defines the format of headerless audio; with `"auto"` the source detects it.
    """
    if config.audio_format == "auto":
        return as_source(source, pace=pace, audio_format="auto")
    return as_source(
        source,
        pace=pace,
        audio_format=config.audio_format,
        sample_rate=config.sample_rate,
        num_channels=config.num_channels,
    )


def given_source(source: Optional[AudioSource]) -> AudioSource:
    """Return the source that `record()` was given, by default the microphone.

    Raises
        InputTypeError: not a source.
    """
    if source is None:
        return MicrophoneSource()
    if is_source(source):
        return source
    advice = "files, bytes and iterables are for transcribe(), or for the sources that read them"
    raise wrong_type("source", "an AudioSource, with start() and stop()", source, advice)


def make_recording(
    service: Service,
    make_source: Callable[[SttConfig], AudioSource],
    config: SessionConfig,
    session_options: Union[SttSessionOptions, Mapping[str, Any], None],
    cancel: Optional[CancelToken],
    options: RecordingOptions,
) -> tuple[Recording, StartConfig]:
    """Return a recording that is ready to start, with all arguments checked, and its config.

    Nothing is opened. `make_source` is called with the config, which contains the format that the
    source is to deliver.
    """
    chosen = service.settings.session_options_over(session_options, "session_options")
    addresses = FirstMade(lambda: service.addresses("transcribe_websocket"))
    merged = _merged(addresses.first, config)
    source = make_source(merged)
    first = _with_format(merged, source)
    options = _fitted(options, service.why_not_resumable(first))
    if cancel is not None:
        check_cancel("cancel", cancel)
        cancel.raise_if_cancelled()
    check_permission(service, source)

    def make_session(wire: SttConfig, observer: SessionObserver, token: CancelToken) -> SessionCore:
        plan = service.stt_plan(access_for(service, addresses(), chosen), wire)
        return SessionCore(plan, chosen, observer, cancel=token)

    start_config = StartConfig(first, can_have_endpoints=_can_have_endpoints(service, first))
    recording = Recording(
        source,
        start_config,
        make_session,
        options,
        RecorderContext(
            finish_timeout_sec=chosen.finish_timeout_sec,
            can_restart=callable(getattr(source, "restart", None)),
            can_wait=not getattr(source, "is_live", True),
            new_key_possible=service.can_renew_key
            if chosen.api_key is None
            else callable(chosen.api_key),
        ),
        cancel=cancel,
        max_buffered_events=chosen.max_buffered_events,
    )
    return recording, start_config


def _can_have_endpoints(service: Service, config: SttConfig) -> bool:
    """Return whether the route of this transcription supports endpoint detection."""
    try:
        service.why_not_resumable(config.replace(enable_endpoint_detection=True))
    except ConfigurationError:
        return False
    return True


def _fitted(options: RecordingOptions, why_not_resumable: Optional[str]) -> RecordingOptions:
    """Switch off what needs a second session if the service cannot resume."""
    if why_not_resumable is None:
        return options
    if options.auto_reconnect:
        raise ConfigurationError(f"{why_not_resumable}: pass auto_reconnect=False")
    return replace(options, rotate_after_sec=None)


def check_permission(service: Service, source: AudioSource) -> None:
    """Ask the client's resolver before a microphone is used.

    Raises
        AudioPermissionError, AudioUnavailableError: it refuses.
    """
    if isinstance(source, MicrophoneSource) and service.settings.permissions is not None:
        _ask_for_microphone(service.settings.permissions)


def _ask_for_microphone(permissions: PermissionResolver) -> None:
    """Ask the client's resolver, and raise the audio error if it refuses."""
    answer = permissions.check("microphone")
    if answer.status != PermissionStatus.GRANTED and answer.can_request:
        answer = permissions.request("microphone")
    if answer.status == PermissionStatus.UNAVAILABLE:
        raise AudioUnavailableError("no microphone: permissions= reports it as unavailable")
    if answer.status != PermissionStatus.GRANTED:
        raise AudioPermissionError("the microphone may not be used: permissions= did not allow it")


def _merged(resolved: ResolvedConnectionConfig, config: SessionConfig) -> SttConfig:
    """Return `config` on top of the client's defaults; a callable is called with `resolved`."""
    expected = "SttConfig, a mapping or a callable"
    if callable(config):
        refuse_async("session_config", config)
        expected = "SttConfig or a mapping from the callable"
        config = config(resolved)
        refuse_awaitable("session_config", expected, config)
    if not isinstance(config, (SttConfig, Mapping)):
        raise wrong_type("session_config", expected, config)
    return merge_stt_config(resolved.stt_defaults, config)


def _with_format(config: SttConfig, source: AudioSource) -> SttConfig:
    """Fill in the source's format if the config has none, and check the config."""
    audio = getattr(source, "audio", None)
    if audio is not None and config.audio_format == "auto":
        names = ("audio_format", "sample_rate", "num_channels")
        config = merge_stt_config(config, {name: getattr(audio, name) for name in names})
    config.validate()
    return config
