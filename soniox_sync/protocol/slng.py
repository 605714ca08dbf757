"""How the SLNG gateway spells the messages of speech and of transcription (PROTOCOL 8.2, 8.4).

Its speech route speaks the native protocol with a `type` in every message. Of its transcription
routes one passes the native protocol through, with a `type` in the start message and another end
(`rt-v4`), newer ones pass everything through, and two speak a protocol of the gateway's own
(`rt-v3`, the bridge). Each dialect is data and pure functions, as the native one is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import ConfigurationError
from .dialects import NATIVE_STT, Frame, SttDialect, TtsDialect, Wire
from .messages import encode
from .slng_transcripts import read_transcripts

__all__ = [
    "SLNG_STT_BRIDGE",
    "SLNG_STT_PASSED",
    "SLNG_STT_RT_V3",
    "SLNG_STT_RT_V4",
    "SLNG_TTS",
    "holds_error",
    "model_of_speech",
    "open_envelope",
    "read_error",
]

# word -> the number that the service would use: the gateway's own words, then the service's, which
# may come through without their number (PROTOCOL 5.10)
_STATUS = {
    "auth_error": 401,
    "unauthorized": 401,
    "forbidden": 403,
    "rate_limit_exceeded": 429,
    "invalid_request": 400,
    "model_not_available": 400,
    "invalid_stream_state": 400,
    "max_concurrent_streams_reached": 400,
    "unauthenticated": 401,
    "organization_balance_exhausted": 402,
    "organization_monthly_budget_exhausted": 402,
    "project_monthly_budget_exhausted": 402,
    "permission_denied": 403,
    "temp_api_key_session_expired": 403,
    "request_timeout": 408,
    "max_duration_reached": 413,
    "max_audio_duration_reached": 413,
    "limit_exceeded": 429,
    "max_concurrent_connections_reached": 429,
    "internal_error": 500,
    "service_unavailable": 503,
}
_ERROR_FIELDS = ("error_code", "error_type", "error_message", "error")
_NOTHING: tuple[Any, ...] = (None, "", {}, False)
_ADVICE = {
    "auth_error": "check the gateway's key (api_key=, SLNG_API_KEY)",
    "unauthorized": "check the gateway's key (api_key=, SLNG_API_KEY)",
    "backend_connection_failed": (
        "the gateway could not reach the service: check provider_key= (X-Slng-Provider-Key) if "
        "you gave one, else try again"
    ),
}


# -- what all routes share ------------------------------------------------------------------------


def open_envelope(frame: Frame) -> tuple[str, Frame]:
    """Give a frame's type in lower case, `""` without one, and its fields, nested or not.

    Some answers hold their payload under `data`, or `error`; types differ in case (PROTOCOL 8.3).
    """
    kind = frame.get("type")
    for nest in ("data", "error"):
        inner = frame.get(nest)
        if isinstance(inner, dict):
            kind = inner.get("type") if kind is None else kind
            frame = {**{name: frame[name] for name in frame if name != "data"}, **inner}
    return (kind.lower() if isinstance(kind, str) else ""), frame


def holds_error(kind: str, frame: Frame) -> bool:
    """Tell whether an opened frame reports an error, of whatever type it calls itself."""
    return kind == "error" or any(frame.get(name) not in _NOTHING for name in _ERROR_FIELDS)


def read_error(frame: Frame) -> Frame:
    """Turn an error of the gateway (its code a word) or the service (a number) into a native one.

    The fields of the gateway's frame stay, for `error.raw`.
    """
    code, slug = None, frame.get("error_type")
    for told in (frame.get("error_code"), frame.get("code")):
        if isinstance(told, str) and not told.isdigit():
            slug = slug or told
        elif code is None:
            code = told
    known = slug if isinstance(slug, str) else ""
    said = [frame.get(name) for name in ("error_message", "message", "error")]
    texts = [text for text in said if isinstance(text, str) and text.strip(". ")]
    text = texts[0] if texts else "the gateway reported an error without a message"
    if known in _ADVICE:
        text = f"{text.rstrip('. ')}: {_ADVICE[known]}"
    return {
        **frame,
        "error_code": _STATUS.get(known) if code is None else code,
        "error_type": slug,
        "error_message": text,
    }


# -- speech (PROTOCOL 8.2) ------------------------------------------------------------------------


def model_of_speech(model: str) -> str:
    """Give the service's name of a speech model that may be named as the gateway's route is."""
    bare = model[len("soniox/") :] if model.startswith("soniox/") else model
    return bare.replace(":", "-")


def _init(wire: Wire) -> str:
    return encode({"type": "init", **wire, "model": model_of_speech(wire["model"])})


def _speech_text(stream_id: str, text: str, end: bool) -> str:
    return encode({"type": "text", "stream_id": stream_id, "text": text, "text_end": end})


def _read_speech(frame: Frame) -> Optional[Frame]:
    kind, frame = open_envelope(frame)
    if kind in ("audio_end", "terminated"):
        frame = {**frame, kind: True}
    elif kind == "audio_chunk" and "audio" not in frame and isinstance(frame.get("data"), str):
        frame = {**frame, "audio": frame["data"]}
    # what it does not know (`ready`, ...) holds nothing that a stream could use
    return read_error(frame) if holds_error(kind, frame) else frame


SLNG_TTS = TtsDialect(
    name="slng",
    config=_init,
    text=_speech_text,
    cancel=lambda stream_id: encode({"type": "clear", "stream_id": stream_id, "cancel": True}),
    keep_alive=None,  # none is documented on this route, and an unknown message may end it
    read=_read_speech,
)


# -- transcription: the native protocol, passed through -------------------------------------------


def _read_passed(frame: Frame) -> Optional[Frame]:
    kind, opened = open_envelope(frame)
    if holds_error(kind, opened):
        return {"tokens": [], **read_error(opened)}
    if not kind or "tokens" in opened or opened.get("finished") is True:
        return opened
    return None  # `ready` and whatever else the gateway may say of its own


SLNG_STT_RT_V4 = SttDialect(
    name="slng rt-v4",
    start=lambda wire: encode({"type": "config", **wire}),
    finalize=NATIVE_STT.finalize,
    keep_alive=NATIVE_STT.keep_alive,
    end='{"type":""}',
    read=_read_passed,
)

# routes newer than the gateway's documents: users found that these refuse a `type` in the start
# message, and want each service's own spelling of everything else
SLNG_STT_PASSED = SttDialect(
    name="slng passed",
    start=encode,
    finalize=NATIVE_STT.finalize,
    keep_alive=NATIVE_STT.keep_alive,
    end=NATIVE_STT.end,
    read=_read_passed,
)


# -- transcription: the gateway's own protocol ----------------------------------------------------

# fields of the native start message that the gateway's own cannot say
_UNSAID = (
    "language_hints_strict",
    "context",
    "enable_language_identification",
    "enable_endpoint_detection",
    "max_endpoint_delay_ms",
    "endpoint_sensitivity",
    "endpoint_latency_adjustment_level",
    "translation",
    "client_reference_id",
)
_ENCODINGS = {"pcm_s16le": "linear16", "mp3": "mp3", "opus": "opus"}


def _refuse(wire: Wire, route: str, more: tuple[str, ...] = ()) -> None:
    """Raise `ConfigurationError` for what a route has no words for: dropped, it would be missed."""
    unsaid = [name for name in (*_UNSAID, *more) if wire.get(name)]
    if (wire.get("num_channels") or 1) != 1:
        unsaid.append(f"num_channels={wire['num_channels']}")
    if unsaid:
        raise ConfigurationError(
            f"the gateway's {route} does not take {', '.join(unsaid)}: leave that out, or use "
            "model='rt-v4'"
        )


def _typed_start(wire: Wire, fields: Mapping[str, Any]) -> str:
    known = {"model", "audio_format", "sample_rate", "num_channels", "language_hints"}
    known |= {"enable_speaker_diarization", *_UNSAID}
    extra = {name: value for name, value in wire.items() if name not in known}
    said = {name: value for name, value in fields.items() if value is not None}
    return encode({"type": "init", "config": {**said, **extra}})


def _language(wire: Wire) -> Optional[str]:
    hints = wire.get("language_hints")
    return hints[0] if hints else None


def _start_rt_v3(wire: Wire) -> str:
    _refuse(wire, "rt-v3")
    fields = {
        "language": _language(wire),
        "sample_rate": wire.get("sample_rate"),
        "audio_format": wire.get("audio_format"),
        "enable_partials": True,
        "enable_speaker_diarization": wire.get("enable_speaker_diarization"),
        "language_hints": wire.get("language_hints"),
    }
    return _typed_start(wire, fields)


def _start_bridge(wire: Wire) -> str:
    _refuse(wire, "bridge", ("enable_speaker_diarization",))
    encoding = _ENCODINGS.get(wire.get("audio_format", ""))
    if encoding is None:
        raise ConfigurationError(
            f"the gateway's bridge takes audio_format {', '.join(_ENCODINGS)}, not "
            f"{wire.get('audio_format')!r}"
        )
    if len(wire.get("language_hints") or ()) > 1:
        raise ConfigurationError("the gateway's bridge takes one language: give one language hint")
    fields = {
        "sample_rate": wire.get("sample_rate"),
        "encoding": encoding,
        "language": _language(wire),
        "enable_partials": True,
    }
    return _typed_start(wire, fields)


def _finalize(trailing_silence_ms: Optional[int]) -> str:
    return '{"type":"finalize"}'  # the gateway's own knows no more than that


def _audio(data: bytes) -> str:
    return f'{{"type":"audio","data":"{base64.b64encode(data).decode("ascii")}"}}'


def _read_typed(frame: Frame) -> Optional[Frame]:
    kind, frame = open_envelope(frame)
    if holds_error(kind, frame):
        return {"tokens": [], **read_error(frame)}
    return {"ready": True} if kind == "ready" else read_transcripts(kind, frame)


SLNG_STT_RT_V3 = SttDialect(
    name="slng rt-v3",
    start=_start_rt_v3,
    finalize=_finalize,
    keep_alive='{"type":"keepalive"}',
    end='{"type":"close"}',
    audio=_audio,
    read=_read_typed,
    ready_first=True,
    ends_by_closing=True,
    tells_times=False,
)

SLNG_STT_BRIDGE = SttDialect(
    name="slng bridge",
    start=_start_bridge,
    finalize=_finalize,
    keep_alive='{"type":"keepalive"}',
    end='{"type":"close"}',
    read=_read_typed,
    ready_first=True,
    ends_by_closing=True,
    tells_times=False,
)
