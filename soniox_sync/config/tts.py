"""`TtsStreamInput` and `TtsStreamConfig`: the config of a speech stream, checked before it is sent.

Rates and bitrates are checked for the formats that the service documents; other formats are
accepted, and the service decides. Source: PROTOCOL 3.1, 3.4, 6.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from .._support.checks import (
    Check,
    boolean,
    encoded,
    integer,
    number,
    one_of,
    refused,
    run_checks,
    text,
    wrong_type,
    wrong_value,
)
from ..audio.formats import TTS_FORMATS, default_tts_sample_rate, is_raw, tts_format_name
from ..errors import ConfigurationError
from ._values import Unchosen, Value, check_extra, field_names, merge
from .constants import DEFAULT_TTS_MODEL, MAX_CLIENT_REFERENCE_ID_CHARS, MAX_NAME_CHARS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import TtsKeywords

_MODEL = Unchosen(DEFAULT_TTS_MODEL)
_MAX_TEXT_BYTES = 5000  # of one stream, in any number of messages


@dataclass(frozen=True, eq=False, repr=False)
class TtsStreamInput(Value):
    """Options of a speech stream; every field may be set in `tts_defaults` instead.

    `voice`: a built-in name or the id of a cloned voice. `sample_rate`: Hz (`None`: 24000, for
    companded formats 8000). `bitrate`: bits per second, only for lossy formats. `speed`: 0.7 to 1.3
    (default 1.0). `reduce_silence`, `return_timestamps`: default False. `client_reference_id`: at
    most 256 characters. `stream_id`: 1 to 256 characters, `None`: a new UUID. `extra`: further
    fields for the server, sent unchanged. Immutable.

    Raises
        ConfigurationError: a value that the service would refuse.
        InputTypeError: a value of the wrong type.
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

    if TYPE_CHECKING:

        def replace(  # type: ignore[override]
            self, **changes: Unpack[TtsKeywords]
        ) -> TtsStreamInput:
            """Return a copy with some fields changed."""

    def __post_init__(self) -> None:
        run_checks(vars(self), _CHECKS, required=("model",))
        check_extra(self.extra, _WIRE_FIELDS)


@dataclass(frozen=True, eq=False, repr=False)
class TtsStreamConfig(Value):
    """Complete config of one stream, from `resolve_tts_config`.

    Fields as in `TtsStreamInput`, of which five are required. Immutable.

    Raises
        ConfigurationError: a value that the service would refuse.
        InputTypeError: a value of the wrong type.
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

    if TYPE_CHECKING:

        def replace(  # type: ignore[override]
            self, **changes: Unpack[TtsKeywords]
        ) -> TtsStreamConfig:
            """Return a copy with some fields changed."""

    def __post_init__(self) -> None:
        run_checks(vars(self), _CHECKS, REQUIRED_FIELDS)
        _check_listed(self)
        check_extra(self.extra, _WIRE_FIELDS)

    def to_wire(self) -> dict[str, Any]:
        """Return the config message as a new dict, without key, `None`s and the service's defaults.

        Raises
            ConfigurationError: `extra` has been changed and contains a name that is refused.
            InputTypeError: `extra` has been changed and contains a name that is not a `str`.
        """
        check_extra(self.extra, _WIRE_FIELDS)
        wire = {name: value for name in _WIRE_FIELDS if (value := getattr(self, name)) is not None}
        for name, default in _SERVER_DEFAULTS.items():
            if wire.get(name) == default:
                del wire[name]
        wire["audio_format"] = tts_format_name(wire["audio_format"])
        wire.update(self.extra or {})
        return wire


# the id first, as in the service's documentation
_WIRE_FIELDS = (
    "stream_id",
    *(name for name in field_names(TtsStreamConfig) if name not in ("stream_id", "extra")),
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
    "stream_id": text(256),
    "sample_rate": integer(1, unit="Hz"),
    "bitrate": integer(1, unit="bit/s"),
    "speed": number(0.7, 1.3),
    "reduce_silence": boolean,
    "return_timestamps": boolean,
    "client_reference_id": text(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True),
}


def _check_listed(config: TtsStreamConfig) -> None:
    known = TTS_FORMATS.get(tts_format_name(config.audio_format))
    if known is None:
        return
    if config.sample_rate is not None:
        one_of(known.sample_rates, f"for {known.name}")("sample_rate", config.sample_rate)
    if config.bitrate is not None:
        if not known.bitrates:
            raise wrong_value("bitrate", f"None, as {known.name} has no bitrate", config.bitrate)
        one_of(known.bitrates, f"for {known.name}")("bitrate", config.bitrate)


TtsInput = Union[TtsStreamInput, Mapping[str, Any], None]


def merge_tts_input(
    defaults: TtsInput = None, input: TtsInput = None, **over: Unpack[TtsKeywords]
) -> TtsStreamInput:
    """Return the defaults, overridden by `input` and then by keyword arguments.

    In a `TtsStreamInput` only fields that were set count. In a mapping every name counts, and
    `None` turns a default off (`model` then has its own default). `extra` dicts are merged.

    Raises
        ConfigurationError: an unknown name, with the nearest known one, or an invalid value.
        InputTypeError: neither a `TtsStreamInput` nor a mapping, or a value of the wrong type.
    """
    merged = merge(TtsStreamInput, ("tts_defaults", defaults), ("input", input), ("speech", over))
    if merged.get("model", "") is None:
        del merged["model"]
    return TtsStreamInput(**merged)


def resolve_tts_config(
    defaults: TtsInput = None, input: TtsInput = None, **overrides: Unpack[TtsKeywords]
) -> TtsStreamConfig:
    """Return the complete config of one stream, merged as by `merge_tts_input`.

    Without a `stream_id` it gets a new UUID. For raw formats the `sample_rate` is always set, so
    that the audio always has the rate in the config (PROTOCOL 6.2).

    Raises
        ConfigurationError: required fields are missing (the message lists them), an unknown name,
            or a value out of range.
        InputTypeError: a value of the wrong type.
    """
    merged = merge_tts_input(defaults, input, **overrides)
    fields = {name: getattr(merged, name) for name in field_names(TtsStreamInput)}
    if fields["stream_id"] is None:
        fields["stream_id"] = new_stream_id()
    missing = [name for name in REQUIRED_FIELDS if fields[name] is None]
    if missing:
        raise missing_fields(missing, " here or in tts_defaults")
    if fields["sample_rate"] is None and is_raw(fields["audio_format"]):
        fields["sample_rate"] = default_tts_sample_rate(fields["audio_format"])
    fields["model"] = str(fields["model"])  # a plain str, whatever subclass it was
    return TtsStreamConfig(**fields)


def missing_fields(names: Sequence[str], where: str = "") -> ConfigurationError:
    """Return the error for required fields that were not given; `where` they can be passed."""
    keywords = [f"{name}=..." for name in names]
    listed = " and ".join(filter(None, (", ".join(keywords[:-1]), keywords[-1])))
    return ConfigurationError(f"speech needs {', '.join(names)}: pass {listed}{where}")


def new_stream_id() -> str:
    """Return a unique stream id."""
    import uuid  # not needed by transcription, and slow to import

    return str(uuid.uuid4())


def check_tts_text(text: Any, already_sent_bytes: int = 0) -> int:
    """Return the length in UTF-8 bytes of a chunk of text, if it fits into one stream.

    `already_sent_bytes` is what was sent on the stream before: the service counts 5000 bytes per
    stream, in any number of messages (PROTOCOL 3.4). Empty text is not refused here.

    Raises
        ConfigurationError: the stream's text would exceed the limit, or contains half of a
            surrogate pair, which cannot be encoded.
        InputTypeError: not a `str`.
    """
    if not isinstance(text, str):
        raise wrong_type("text", "a str", text)
    size = len(text) if text.isascii() else len(encoded("text", text))
    if already_sent_bytes + size > _MAX_TEXT_BYTES:
        before = f" after {already_sent_bytes} sent before" if already_sent_bytes else ""
        raise refused(
            "text",
            f"at most {_MAX_TEXT_BYTES} UTF-8 bytes for one stream",
            f"{size}{before}",
            "use more streams, or client.realtime.speak(), which does that by itself",
        )
    return size
