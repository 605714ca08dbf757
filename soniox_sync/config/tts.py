"""`TtsStreamInput` and `TtsStreamConfig`: what a stream of speech is told, checked before sending.

Rates and bitrates are checked for the formats the service documents; other names pass, the
service decides. Source: PROTOCOL 3.1, 3.4, 6.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from ..audio.formats import TTS_FORMATS, default_tts_sample_rate, is_raw, tts_format_name
from ..errors import ConfigurationError, InputTypeError
from ._values import (
    Check,
    Unchosen,
    Value,
    boolean,
    check_extra,
    field_names,
    integer,
    layer,
    number,
    run_checks,
    stack,
    text,
)
from .constants import (
    DEFAULT_TTS_MODEL,
    MAX_CLIENT_REFERENCE_ID_CHARS,
    MAX_NAME_CHARS,
    MAX_STREAM_ID_CHARS,
    TTS_MAX_TEXT_BYTES,
    TTS_SPEED_MAX,
    TTS_SPEED_MIN,
)

_MODEL = Unchosen(DEFAULT_TTS_MODEL)


@dataclass(frozen=True, eq=False, repr=False)
class TtsStreamInput(Value):
    """Says how text is to be spoken; every field may be left to `tts_defaults`.

    `voice`: a built-in name or the id of a cloned voice. `sample_rate`: Hz (24000, companded
    formats 8000, when `None`). `bitrate`: bits per second, lossy formats only. `speed`: 0.7 to 1.3
    (default 1.0). `reduce_silence`, `return_timestamps`: default False. `client_reference_id`: at
    most 256 characters. `stream_id`: 1 to 256 characters, a new UUID when `None`. `extra`: further
    fields for the server, sent as they are. Immutable; checked by `resolve_tts_config`.
    """

    model: str = _MODEL
    language: Optional[str] = None
    voice: Optional[str] = None
    audio_format: Optional[str] = None
    sample_rate: Optional[int] = None
    bitrate: Optional[int] = None
    speed: Optional[float] = None
    reduce_silence: Optional[bool] = None
    return_timestamps: Optional[bool] = None
    client_reference_id: Optional[str] = None
    stream_id: Optional[str] = None
    extra: Optional[Mapping[str, Any]] = None


@dataclass(frozen=True, eq=False, repr=False)
class TtsStreamConfig(Value):
    """Is the complete config of one stream, as `resolve_tts_config` makes it.

    Fields as in `TtsStreamInput`, the five required ones present. Immutable.
    """

    model: str
    language: str
    voice: str
    audio_format: str
    stream_id: str
    sample_rate: Optional[int] = None
    bitrate: Optional[int] = None
    speed: Optional[float] = None
    reduce_silence: Optional[bool] = None
    return_timestamps: Optional[bool] = None
    client_reference_id: Optional[str] = None
    extra: Optional[Mapping[str, Any]] = None

    def validate(self) -> TtsStreamConfig:
        """Check every field and give the object back.

        Raises
            ConfigurationError: a value the service would refuse; names field and limit.
            InputTypeError: a value of the wrong type.
        """
        for name in REQUIRED_FIELDS:
            _CHECKS[name](name, getattr(self, name))  # None is refused here, not skipped
        run_checks(self, _CHECKS)
        _check_listed(self)
        check_extra(self.extra, _WIRE_FIELDS)
        return self

    def to_wire(self) -> dict[str, Any]:
        """Give the config message as a new dict, without key, `None`s and the service's defaults.

        Raises
            ConfigurationError, InputTypeError: as `validate()`.
        """
        self.validate()
        wire = {name: value for name in _WIRE_FIELDS if (value := getattr(self, name)) is not None}
        for name, default in _SERVER_DEFAULTS.items():
            if wire.get(name) == default:
                del wire[name]
        wire["audio_format"] = tts_format_name(wire["audio_format"])
        wire.update(self.extra or {})
        return wire


_WIRE_FIELDS = (
    "stream_id",
    "model",
    "language",
    "voice",
    "audio_format",
    "sample_rate",
    "bitrate",
    "speed",
    "reduce_silence",
    "return_timestamps",
    "client_reference_id",
)

# Models without the feature may refuse even its default (PROTOCOL 3.1, trap 22).
_SERVER_DEFAULTS: Mapping[str, Any] = {
    "speed": 1.0,
    "reduce_silence": False,
    "return_timestamps": False,
}

REQUIRED_FIELDS = ("model", "language", "voice", "audio_format", "stream_id")

_name = text(MAX_NAME_CHARS)

_CHECKS: Mapping[str, Check] = {
    "model": _name,
    "language": _name,
    "voice": _name,
    "audio_format": _name,
    "stream_id": text(MAX_STREAM_ID_CHARS),
    "sample_rate": integer(1, unit="Hz"),
    "bitrate": integer(1, unit="bit/s"),
    "speed": number(TTS_SPEED_MIN, TTS_SPEED_MAX),
    "reduce_silence": boolean,
    "return_timestamps": boolean,
    "client_reference_id": text(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True),
}

_HINT = "; a field this library does not know goes through extra={...}"


def _check_listed(config: TtsStreamConfig) -> None:
    name = tts_format_name(config.audio_format)
    known = TTS_FORMATS.get(name)
    if known is None:
        return
    if config.sample_rate is not None and config.sample_rate not in known.sample_rates:
        raise ConfigurationError(
            f"sample_rate of {name} must be one of {_listed(known.sample_rates)}, "
            f"not {config.sample_rate}"
        )
    if config.bitrate is None or config.bitrate in known.bitrates:
        return
    if not known.bitrates:
        raise ConfigurationError(f"{name} takes no bitrate")
    raise ConfigurationError(
        f"bitrate of {name} must be one of {_listed(known.bitrates)}, not {config.bitrate}"
    )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


TtsInput = Union[TtsStreamInput, Mapping[str, Any], None]


def merge_tts_input(
    defaults: TtsInput = None, input: TtsInput = None, **over: Any
) -> TtsStreamInput:
    """Lay `input`, then keyword arguments, over the defaults.

    In a `TtsStreamInput` only fields that were set count. In a mapping every name counts, and
    `None` switches a default off (`model` falls back to its own). `extra` dicts are joined.

    Raises
        ConfigurationError: an unknown name, with the nearest known one.
        InputTypeError: neither a `TtsStreamInput` nor a mapping.
    """
    merged = stack(
        (
            layer(TtsStreamInput, defaults, "tts_defaults", _HINT),
            layer(TtsStreamInput, input, "the speech input", _HINT),
            layer(TtsStreamInput, over, "the speech input", _HINT),
        )
    )
    if merged.get("model", "") is None:
        del merged["model"]
    return TtsStreamInput(**merged)


def resolve_tts_config(
    defaults: TtsInput = None, input: TtsInput = None, **overrides: Any
) -> TtsStreamConfig:
    """Merge, complete and check the config of one stream.

    A `stream_id` is made up (a UUID) unless given. Raw formats always get a `sample_rate`, so that
    audio and its label cannot disagree (PROTOCOL 6.2). Merging is that of `merge_tts_input`.

    Raises
        ConfigurationError: required fields are missing (all are named), an unknown name, or a
            value out of its limits. InputTypeError: a value of the wrong type.
    """
    merged = merge_tts_input(defaults, input, **overrides)
    fields = {name: getattr(merged, name) for name in field_names(TtsStreamInput)}
    if fields["stream_id"] is None:
        fields["stream_id"] = new_stream_id()
    _refuse_missing(fields)
    audio_format = fields["audio_format"]
    if fields["sample_rate"] is None and isinstance(audio_format, str) and is_raw(audio_format):
        fields["sample_rate"] = default_tts_sample_rate(audio_format)
    fields["model"] = _plain(fields["model"])
    return TtsStreamConfig(**fields).validate()


def _refuse_missing(fields: Mapping[str, Any]) -> None:
    missing = [name for name in REQUIRED_FIELDS if fields[name] is None]
    if missing:
        example = "language='en', voice='Adrian', audio_format='pcm_s16le'"
        raise ConfigurationError(
            f"speech needs {', '.join(missing)}: pass them here or in tts_defaults, "
            f"for instance {example}"
        )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Unchosen) else value


def new_stream_id() -> str:
    """Make up a stream id that no other stream has."""
    import uuid  # not needed by transcription, and slow to import

    return str(uuid.uuid4())


def check_tts_text(text: Any, already_sent_bytes: int = 0) -> int:
    """Check a piece of text for one stream and give its length in UTF-8 bytes.

    `already_sent_bytes` is what the stream was sent before: the service counts 5000 bytes per
    stream, however chunked (PROTOCOL 3.4). Empty text is the caller's business.

    Raises
        ConfigurationError: the stream's text would exceed the limit, or the text holds half of a
            surrogate pair, which no encoding can carry. InputTypeError: not a `str`.
    """
    if not isinstance(text, str):
        raise InputTypeError(f"text must be a str, not {type(text).__name__}")
    size = _utf8_length(text)
    if already_sent_bytes + size > TTS_MAX_TEXT_BYTES:
        before = f" after {already_sent_bytes} sent before" if already_sent_bytes else ""
        raise ConfigurationError(
            f"text is too long: {size} bytes{before}, a stream takes {TTS_MAX_TEXT_BYTES} "
            "UTF-8 bytes; use further streams, or client.realtime.speak() which rolls them"
        )
    return size


def _utf8_length(text: str) -> int:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError as exc:
        raise ConfigurationError(
            f"text holds half of a surrogate pair at character {exc.start}: "
            "it was cut or decoded wrongly"
        ) from None
