"""Making a `Conversation` that listens from the arguments of `converse()`, all checked first."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from ..._support.checks import mapping, refuse_unknown, takes, wrong_value
from ...audio import RawAudio, tts_format_name
from ...cancel import CancelToken, check_cancel
from ...config import SttConfig, TtsConnectionOptions, TtsStreamInput, merge_stt_config
from ...config._values import field_names, layer
from ...config.conversation import ConversationOptions
from ...config.options import split_tts_options
from ...config.patience import PATIENT, Patience
from ...config.recording import RecordingOptions
from ...conversation.agent import Voice
from ...conversation.words import default_backchannels
from ...errors import ConfigurationError
from ...runtime.clock import Clock, process_clock
from ...service import FirstMade, Service
from ...sources import AudioSource
from ...sources.choose import AudioLike
from ..pool.pool import TtsPool
from ..recording.recording import Recording
from ..recording.setup import check_permission, make_recording, source_for
from ..speech import Speech
from ..speech.opening import quiet_limits, read_speech_config
from ..tts.connection import SharedConnection
from .conversation import Conversation
from .ears import Ears
from .replies import TextFilter
from .runtime import ConversationRuntime
from .sinks import Sink, SinkLike
from .voice import MakeSpeech

_numbers = itertools.count(1)

# of the sink, not of the voice
_FORMAT_FIELDS = ("audio_format", "sample_rate")
VOICE_FIELDS = (
    *("model", "language", "voice", "speed", "reduce_silence", "client_reference_id", "extra"),
)
_NOT_OF_A_VOICE = (*_FORMAT_FIELDS, "bitrate", "return_timestamps", "stream_id")
# a stream that was cut may hold its connection back for a moment: the next one takes another
_CONNECTIONS = 2

Reply = Callable[[str, Conversation], Union[str, Iterable[Optional[str]], None]]
Connect = Callable[[Callable[[], Any], TtsConnectionOptions], SharedConnection]


@dataclass(frozen=True)
class SpeechOptions:
    """How the agent's texts are spoken, apart from the voice."""

    shape: RawAudio
    timestamps: bool
    max_quiet_sec: float
    patience: Mapping[str, Any]
    connection: TtsConnectionOptions

    def fields(self, voice: Voice) -> dict[str, Any]:
        """Return the fields of a speech with this voice."""
        shape = self.shape
        name = tts_format_name(shape.format)
        return {**voice, "audio_format": name, "sample_rate": shape.sample_rate}


def open_conversation(
    service: Service,
    connect: Connect,
    source: AudioLike,
    reply: Reply,
    sink: SinkLike,
    *,
    text_filter: Optional[TextFilter],
    options: Union[ConversationOptions, Mapping[str, Any], None],
    stt: Union[SttConfig, Mapping[str, Any], None],
    tts: Optional[Mapping[str, Any]],
    cancel: Optional[CancelToken],
    keywords: Mapping[str, Any],
    clock: Clock = process_clock,
) -> Conversation:
    """Check everything that can be checked now, then start to listen. Does not block."""
    _check_functions(reply, text_filter, cancel)
    chosen, speech_fields = _split(options, tts, keywords)
    output = Sink(sink)
    plans = FirstMade(service.tts_plan)  # resolves addresses and key now: errors are raised here
    speech, given = _speech(output, speech_fields)
    check_voice = _voice_check(plans, speech)
    voice = check_voice(given)
    recording, ears, has_times = _recording(
        service,
        source,
        chosen,
        stt,
        voice["language"],
        speech.patience,
        clock,
        on_gone=lambda: runtime.hang_up(),
    )
    pool = TtsPool(lambda: connect(plans, speech.connection), max_connections=_CONNECTIONS)
    # `reply` gets the conversation, which must not be kept alive by its own threads
    handle: list[weakref.ref[Conversation]] = []
    runtime = ConversationRuntime(
        chosen,
        _backchannels(chosen, voice),
        voice,
        recording,
        ears,
        output,
        pool,
        _speech_maker(pool, speech),
        speech.shape,
        _caller_of(reply, handle),
        text_filter,
        clock,
        f"soniox-conversation-{next(_numbers)}",
    )
    # routes without times do not answer a finalize either
    runtime.turns.answers_finalize = has_times
    conversation = Conversation(runtime, cancel, check_voice)
    handle.append(weakref.ref(conversation))
    _connect_keys(source, runtime)
    runtime.start()
    return conversation


def _check_functions(
    reply: Reply, text_filter: Optional[TextFilter], cancel: Optional[CancelToken]
) -> None:
    takes("text", "conversation")("reply", reply)
    if text_filter is not None:
        takes("texts")("text_filter", text_filter)
    if cancel is not None:
        check_cancel("cancel", cancel)
        cancel.raise_if_cancelled()


def _voice_check(
    plans: FirstMade[Any], speech: SpeechOptions
) -> Callable[[Mapping[str, Any]], Voice]:
    """Return the check of a voice's fields, which adds those that have defaults."""

    def check(fields: Mapping[str, Any]) -> Voice:
        refuse_unknown(fields, field_names(TtsStreamInput), "set_voice()")
        for name in fields:
            if name in _NOT_OF_A_VOICE:
                raise ConfigurationError(f"{name}: belongs to the sink, not to a voice")
        config = read_speech_config(plans.first, speech.timestamps, speech.fields(fields))
        found = ((name, getattr(config, name)) for name in VOICE_FIELDS)
        return {name: value for name, value in found if value is not None}

    return check


def _speech_maker(pool: TtsPool, speech: SpeechOptions) -> MakeSpeech:
    def make(text: Iterable[str], voice: Voice) -> Speech:
        return pool.speak(
            text,
            max_quiet_sec=speech.max_quiet_sec,
            timestamps=speech.timestamps,
            **{**speech.fields(voice), **speech.patience},
        )

    return make


def _caller_of(reply: Reply, handle: list[weakref.ref[Conversation]]) -> Callable[[str], Any]:
    def call(text: str) -> Any:
        conversation = handle[0]()
        return None if conversation is None else reply(text, conversation)

    return call


def _backchannels(options: ConversationOptions, voice: Voice) -> Iterable[str]:
    if options.backchannels is None:
        return default_backchannels(voice["language"])
    return options.backchannels


def _split(
    options: Union[ConversationOptions, Mapping[str, Any], None],
    tts: Optional[Mapping[str, Any]],
    keywords: Mapping[str, Any],
) -> tuple[ConversationOptions, dict[str, Any]]:
    """Return the options, and the keywords of the speech: flat ones win."""
    names = field_names(ConversationOptions)
    flat = {name: value for name, value in keywords.items() if name in names}
    if tts is not None:
        mapping("tts", tts)
        refuse_unknown(tts, SPEECH_FIELDS, "tts")
    fields = {**(tts or {}), **{k: v for k, v in keywords.items() if k not in names}}
    if isinstance(options, ConversationOptions):
        return options.replace(**flat) if flat else options, fields
    given = layer(ConversationOptions, options, "options")
    return ConversationOptions(**{**given, **flat}), fields


SPEECH_FIELDS = (
    *field_names(TtsStreamInput),
    *field_names(TtsConnectionOptions),
    *field_names(Patience),
    "max_quiet_sec",
    "timestamps",
)


def _speech(sink: Sink, given: Mapping[str, Any]) -> tuple[SpeechOptions, dict[str, Any]]:
    """Return how texts are spoken, and the fields of the first voice."""
    connection, rest = split_tts_options(given)
    patience = {name: rest.pop(name) for name in field_names(Patience) if name in rest}
    Patience(**{**PATIENT, **patience})  # checks it
    max_quiet_sec = rest.pop("max_quiet_sec", 3.0)
    quiet_limits(max_quiet_sec)
    # without them, what was heard is only known in proportion to the audio
    stamps = rest.pop("return_timestamps", None)
    timestamps = rest.pop("timestamps", True if stamps is None else stamps)
    audio_format, sample_rate = rest.pop("audio_format", None), rest.pop("sample_rate", None)
    TtsStreamInput(audio_format=audio_format, sample_rate=sample_rate)  # checks them
    for name in ("bitrate", "stream_id"):
        if rest.pop(name, None) is not None:
            raise wrong_value(name, "None, as a conversation has many streams", given[name])
    shape = sink.shape(audio_format, sample_rate)
    return SpeechOptions(shape, timestamps, max_quiet_sec, patience, connection), rest


def _recording(
    service: Service,
    source: AudioLike,
    options: ConversationOptions,
    stt: Union[SttConfig, Mapping[str, Any], None],
    language: str,
    patience: Mapping[str, Any],
    clock: Clock,
    on_gone: Callable[[], None],
) -> tuple[Recording, Ears, bool]:
    """Return a recording that loses nothing, not started yet, and whether words have times."""
    layer(SttConfig, stt, "stt")  # checks it, by this name
    config = merge_stt_config(None, stt)
    if config.enable_endpoint_detection is False and options.turn_end == "endpoint":
        raise wrong_value(
            "enable_endpoint_detection",
            "True",
            False,
            'turns end at endpoints; see turn_end="manual"',
        )
    made: list[Ears] = []

    def make_source(merged: SttConfig) -> AudioSource:
        inner = source_for(source, None, merged)
        check_permission(service, inner)
        is_half = is_half_duplex(options, inner)
        made.append(Ears(inner, is_half, on_gone, clock))
        return made[0]

    def complete(resolved: Any) -> SttConfig:
        merged = merge_stt_config(resolved.stt_defaults, config)
        if merged.language_hints is None:
            merged = merged.replace(language_hints=[language])
        if merged.enable_endpoint_detection is None:
            merged = _with_endpoints(service, merged, options)
        return merged

    resolved = service.addresses("transcribe_websocket")
    final = complete(resolved)
    can_resume = service.why_not_resumable(final) is None
    given = {**PATIENT, **patience, "auto_reconnect": can_resume}
    if getattr(source, "speed", 1.0) > 1.0:
        # a scripted caller, whose time passes faster: sent no faster than usual, it would be heard
        # later and later
        given["catch_up_speed"] = None
    limits = RecordingOptions(**given, buffer_queue_size=service.settings.buffer_queue_size)
    recording, _ = make_recording(service, make_source, final, None, None, limits)
    return recording, made[0], can_resume


def _with_endpoints(service: Service, config: SttConfig, options: ConversationOptions) -> SttConfig:
    """Switch endpoints on; where turns are ended by hand, only if the service has them."""
    with_endpoints = config.replace(enable_endpoint_detection=True)
    try:
        service.why_not_resumable(with_endpoints)
    except ConfigurationError:
        if options.turn_end == "endpoint":
            raise
        return config
    return with_endpoints


def is_half_duplex(options: ConversationOptions, source: AudioSource) -> bool:
    """Return whether silence is to be recognised while the agent speaks."""
    if options.duplex is not None:
        is_half = options.duplex == "half"
    else:
        is_half = getattr(source, "echo_free", True) is False
    audio = getattr(source, "audio", None)
    if is_half and audio is not None and audio.raw is None:
        raise wrong_value(
            "duplex", "'full'", "half", "only headerless audio can be replaced by silence"
        )
    return is_half


def _connect_keys(source: Any, runtime: ConversationRuntime) -> None:
    """Have the keys of a telephone reported, if the source has any."""
    register = getattr(source, "on_dtmf", None)
    if callable(register):
        register(lambda digit: runtime.post(lambda turns, at: turns.dtmf(at, str(digit))))
