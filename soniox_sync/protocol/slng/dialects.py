"""Messages of the SLNG gateway for speech and transcription (PROTOCOL 8.2, 8.4).

Speech uses the native protocol with a `type` in every message. Of the transcription routes, one
passes the native protocol through, except for a `type` in the start message and another end message
(`rt-v4`); newer ones pass everything through; two use the gateway's own protocol (`rt-v3`, the
bridge).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional

from ...errors import ConfigurationError
from ..dialects import NATIVE_STT, Frame, SttDialect, TtsDialect, Wire
from ..messages import encode
from .transcripts import TranscriptReader

# error code -> HTTP status that the service would send: the gateway's own codes, then those of the
# service, which may be passed on without their number (PROTOCOL 5.10)
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


# -- all routes -----------------------------------------------------------------------------------


def open_envelope(frame: Frame) -> tuple[str, Frame]:
    """Return the type of a frame in lower case (`""`: none), and its fields without nesting.

    Some frames have their fields under `data` or `error`; types differ in case (PROTOCOL 8.3).
    """
    kind = frame.get("type")
    for nest in ("data", "error"):
        inner = frame.get(nest)
        if isinstance(inner, dict):
            kind = inner.get("type") if kind is None else kind
            frame = {**{name: frame[name] for name in frame if name != "data"}, **inner}
    return (kind.lower() if isinstance(kind, str) else ""), frame


def holds_error(kind: str, frame: Frame) -> bool:
    """Return whether a frame from `open_envelope()` reports an error, whatever its type."""
    return kind == "error" or any(frame.get(name) not in _NOTHING for name in _ERROR_FIELDS)


def read_error(frame: Frame) -> Frame:
    """Return the native frame for an error of the gateway (whose code is a word) or the service.

    The fields of the gateway's frame are kept, for `error.raw`. An example:

        {"type": "error", "code": "auth_error", "message": "Invalid key."}
        -> {"error_code": 401, "error_type": "auth_error",
            "error_message": "Invalid key: check the gateway's key (...)", and the fields above}
    """
    status, word = None, frame.get("error_type")
    for code in (frame.get("error_code"), frame.get("code")):
        if isinstance(code, str) and not code.isdigit():
            word = word or code
        elif status is None:
            status = code
    known = word if isinstance(word, str) else ""
    messages = [frame.get(name) for name in ("error_message", "message", "error")]
    texts = [text for text in messages if isinstance(text, str) and text.strip(". ")]
    text = texts[0] if texts else "the gateway reported an error without a message"
    if known in _ADVICE:
        text = f"{text.rstrip('. ')}: {_ADVICE[known]}"
    return {
        **frame,
        "error_code": _STATUS.get(known) if status is None else status,
        "error_type": word,
        "error_message": text,
    }


# -- speech (PROTOCOL 8.2) ------------------------------------------------------------------------


def model_of_speech(model: str) -> str:
    """Return the service's name for a speech model, which may be given as the gateway's route."""
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
    # other types (`ready`, ...) are not about a stream
    return read_error(frame) if holds_error(kind, frame) else frame


SLNG_TTS = TtsDialect(
    name="slng",
    config=_init,
    text=_speech_text,
    cancel=lambda stream_id: encode({"type": "clear", "stream_id": stream_id, "cancel": True}),
    keep_alive=None,  # none is documented, and an unknown message may end the connection
    read=_read_speech,
)


# -- transcription: the native protocol, passed through -------------------------------------------


def _read_passed(frame: Frame) -> Optional[Frame]:
    kind, opened = open_envelope(frame)
    if holds_error(kind, opened):
        return {"tokens": [], **read_error(opened)}
    if not kind or "tokens" in opened or opened.get("finished") is True:
        return opened
    return None  # `ready`, and other messages of the gateway itself


SLNG_STT_RT_V4 = SttDialect(
    name="slng rt-v4",
    start=lambda wire: encode({"type": "config", **wire}),
    finalize=NATIVE_STT.finalize,
    keep_alive=NATIVE_STT.keep_alive,
    end='{"type":""}',
    read=_read_passed,
)

# routes newer than the gateway's docs: users report that they refuse a `type` in the start message
# and expect native messages otherwise
SLNG_STT_PASSED = SttDialect(
    name="slng passed",
    start=encode,
    finalize=NATIVE_STT.finalize,
    keep_alive=NATIVE_STT.keep_alive,
    end=NATIVE_STT.end,
    read=_read_passed,
)


# -- transcription: the gateway's own protocol ----------------------------------------------------

# fields of the native start message that the gateway's own protocol lacks
_UNSUPPORTED = (
    "language_hints_strict",
    "context",
    "enable_language_identification",
    "enable_endpoint_detection",
    "max_endpoint_delay_ms",
    "endpoint_sensitivity",
    "endpoint_latency_adjustment_level",
    "enable_agent_text_input",
    "translation",
    "client_reference_id",
)
_ENCODINGS = {"pcm_s16le": "linear16", "mp3": "mp3", "opus": "opus"}


def _refuse(wire: Wire, route: str, more: tuple[str, ...] = ()) -> None:
    """Raise `ConfigurationError` for fields that a route lacks, instead of dropping them."""
    unsupported = [name for name in (*_UNSUPPORTED, *more) if wire.get(name)]
    if (wire.get("num_channels") or 1) != 1:
        unsupported.append(f"num_channels={wire['num_channels']}")
    if unsupported:
        raise ConfigurationError(
            f"the gateway's {route} does not take {', '.join(unsupported)}: leave that out, or use "
            "model='rt-v4'"
        )


def _typed_start(wire: Wire, fields: Mapping[str, Any]) -> str:
    known = {"model", "audio_format", "sample_rate", "num_channels", "language_hints"}
    known |= {"enable_speaker_diarization", *_UNSUPPORTED}
    extra = {name: value for name, value in wire.items() if name not in known}
    given = {name: value for name, value in fields.items() if value is not None}
    return encode({"type": "init", "config": {**given, **extra}})


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
    return '{"type":"finalize"}'  # the gateway's own protocol has no trailing_silence_ms


def _audio(data: bytes) -> str:
    return f'{{"type":"audio","data":"{base64.b64encode(data).decode("ascii")}"}}'


def _typed_reader() -> Callable[[Frame], Optional[Frame]]:
    transcripts = TranscriptReader()

    def read(frame: Frame) -> Optional[Frame]:
        kind, frame = open_envelope(frame)
        if holds_error(kind, frame):
            return {"tokens": [], **read_error(frame)}
        return {"ready": True} if kind == "ready" else transcripts.read(kind, frame)

    return read


SLNG_STT_RT_V3 = SttDialect(
    name="slng rt-v3",
    start=_start_rt_v3,
    finalize=_finalize,
    keep_alive='{"type":"keepalive"}',
    end='{"type":"close"}',
    audio=_audio,
    reader=_typed_reader,
    waits_for_ready=True,
    ends_by_closing=True,
    has_times=False,
)

# with audio in binary frames
SLNG_STT_BRIDGE = replace(SLNG_STT_RT_V3, name="slng bridge", start=_start_bridge, audio=None)
