"""Translation between the SLNG gateway's messages and the service's (PROTOCOL 8.2 - 8.4).

Strict: anything that the gateway's documentation does not mention is refused, so that a client that
sends it is detected here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from ..catalog import VOICES
from ..dialects import Dialect
from ..problems import bad_request

__all__ = ["PASSED_STT", "PASSED_STT_V5", "SPEECH", "Segments", "Transcripts", "voice_config"]

# used for a message that the gateway does not have: the service refuses it
_REFUSED: Any = None
_MARKERS = ("<end>", "<fin>")
_ENCODINGS = {"linear16": "pcm_s16le", "mp3": "mp3", "opus": "ogg"}
# error types with another name in the gateway
_ERROR_CODES = {"unauthenticated": "auth_error"}

Message = Mapping[str, Any]


def _untyped(message: Message) -> dict[str, Any]:
    return {name: message[name] for name in message if name != "type"}


def _error(message: Message) -> Message:
    error_type = str(message.get("error_type"))
    code = _ERROR_CODES.get(error_type, error_type)
    return {"type": "error", "code": code, "message": message.get("error_message")}


# -- speech ---------------------------------------------------------------------------------------

_SPEECH_FIELDS = {"text": {"stream_id", "text", "text_end"}, "clear": {"stream_id", "cancel"}}
_ERROR_FIELDS = ("error_code", "error_message", "stream_id")


def _decode_speech(value: Any) -> list[Any]:
    if not isinstance(value, dict) or "api_key" in value:
        return [_REFUSED]
    kind, fields = value.get("type"), _untyped(value)
    if kind == "init":
        return [fields]
    return [fields if set(fields) == _SPEECH_FIELDS.get(str(kind)) else _REFUSED]


def _encode_speech(message: Message) -> list[Message]:
    if "error_code" in message:
        fields = {name: message[name] for name in _ERROR_FIELDS if name in message}
        return [{"type": "error", **fields}]
    kind = "terminated" if message.get("terminated") else "audio_chunk"
    return [{"type": kind, **message}]


SPEECH = Dialect("slng", _decode_speech, _encode_speech)


# -- speech over the generic bridge ---------------------------------------------------------------

_VOICE_FORMATS = {
    "linear16": "pcm_s16le",
    "mp3": "mp3",
    "opus": "opus",
    "mulaw": "pcm_mulaw",
    "alaw": "pcm_alaw",
}


def voice_config(init: Message, model: str) -> dict[str, Any]:
    """Translate the bridge's `init` into the service's config, without a stream.

    `model` is the route's; the defaults are those of the sandbox, as none are documented. Fields
    for other providers are ignored.

    Raises
        Problem: 400 for a value that cannot be translated.
    """
    config, named = init.get("config"), init.get("model")
    if not isinstance(config, (dict, type(None))) or not isinstance(named, (str, type(None))):
        raise bad_request("Invalid message format")
    given = config or {}
    encoding = _or_default(given.get("encoding"), "linear16")
    audio_format = _VOICE_FORMATS.get(encoding.lower()) if isinstance(encoding, str) else None
    if audio_format is None:
        raise bad_request(f"Unsupported encoding: use {', '.join(_VOICE_FORMATS)}.")
    return {
        "model": _or_default(named, model).rpartition("/")[2].replace(":", "-"),
        "language": _or_default(given.get("language"), "en"),
        "voice": _or_default(init.get("voice"), next(iter(VOICES))),
        "audio_format": audio_format,
        "sample_rate": given.get("sample_rate"),
        "speed": given.get("speed"),
    }


def _or_default(value: Any, default: str) -> Any:
    return default if value is None or value == "" else value


class Segments:
    """Encoder of the bridge's messages for one connection. Used under the connection's lock.

    A stream is a segment, which starts with its first audio. A message that the service does not
    have has its type under `gateway`; its other fields are passed on. `binary`: whether audio is
    sent in binary messages instead of base64.
    """

    def __init__(self) -> None:
        self.binary: bool = False
        self._segment: Optional[str] = None
        self._sequence = 0

    def encode(self, message: Message) -> list[Union[Message, bytes]]:
        """Translate one message."""
        if "error_code" in message:
            return [_error(message)]
        if "gateway" in message:
            hidden = ("gateway", "stream_id")
            fields = {name: message[name] for name in message if name not in hidden}
            return [{"type": message["gateway"], **fields}]
        segment = message["stream_id"]
        if message.get("terminated"):
            started = segment == self._segment
            return [{"type": "segment_end", "segment_id": segment}] if started else []
        found: list[Union[Message, bytes]] = []
        if segment != self._segment:
            self._segment = segment
            found.append({"type": "segment_start", "segment_id": segment})
        if message["audio"] and self.binary:
            found.append(base64.b64decode(message["audio"]))
        elif message["audio"]:
            self._sequence += 1
            data = message["audio"]
            found.append({"type": "audio_chunk", "data": data, "sequence": self._sequence})
        return found


# -- transcription, passed through ----------------------------------------------------------------


def _decode_typed_start(value: Any) -> list[Any]:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "config":
        return [_untyped(value)]
    return [value if kind in ("finalize", "keepalive", "") else _REFUSED]


def _decode_untyped_start(value: Any) -> list[Any]:
    typed_start = isinstance(value, dict) and "type" in value and "model" in value
    return [_REFUSED if typed_start else value]


PASSED_STT = Dialect("slng rt-v4", _decode_typed_start, lambda message: [message])
PASSED_STT_V5 = Dialect("slng rt-v5", _decode_untyped_start, lambda message: [message])


# -- transcription in the gateway's own messages --------------------------------------------------


def _decode_transcription(value: Any) -> list[Union[Any, bytes]]:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return [_REFUSED]
    if kind == "init":
        config = value.get("config")
        return [_native_start(config) if isinstance(config, dict) else _REFUSED]
    if kind == "audio":
        try:
            return [base64.b64decode(value.get("data", "*"), validate=True)]
        except (binascii.Error, TypeError, ValueError):
            return [_REFUSED]
    controls = {"finalize": "finalize", "keepalive": "keepalive", "close": ""}
    return [{"type": controls[kind]} if kind in controls else _REFUSED]


def _native_start(config: Message) -> dict[str, Any]:
    hints = config.get("language_hints")
    if hints is None and config.get("language") is not None:
        hints = [config["language"]]
    encoding = config.get("encoding", "linear16")
    return {
        "model": "stt-rt-v4",
        "audio_format": config.get("audio_format", _ENCODINGS.get(str(encoding), encoding)),
        "sample_rate": config.get("sample_rate", 16000),
        "num_channels": 1,
        "enable_endpoint_detection": config.get("enable_vad", True),
        "enable_speaker_diarization": config.get("enable_speaker_diarization"),
        "language_hints": hints,
    }


class Transcripts:
    """Codec of the gateway's own messages for one session.

    `decode` is called by the reader, `encode` under the session's lock. A final transcript ends
    when the speaker pauses, at a finalize, and at the end of the audio. Partial ones are not sent
    if the start request disables them.
    """

    def __init__(self, *, utterance_ends: bool) -> None:
        self._utterance_ends = utterance_ends
        self._final: list[Message] = []  # tokens of the next final transcript
        # set before the first response
        self._partials = True

    def decode(self, value: Any) -> list[Union[Any, bytes]]:
        """Translate one message of a client."""
        config = value.get("config") if isinstance(value, dict) else None
        if isinstance(config, dict) and value.get("type") == "init":
            self._partials = config.get("enable_partials") is not False
        return _decode_transcription(value)

    def encode(self, message: Message) -> list[Message]:
        """Translate one response of the service."""
        if message.get("error_code") is not None:
            return [_error(message)]
        found: list[Message] = []
        partial: list[Message] = []
        for token in message.get("tokens", ()):
            if token["text"] in _MARKERS:
                found += self._final_transcript()
                if token["text"] == "<end>" and self._utterance_ends:
                    found.append({"type": "utterance_end"})
            else:
                (self._final if token["is_final"] else partial).append(token)
        if message.get("finished"):
            return found + self._final_transcript()
        return found + self._partial_transcript(partial)

    def _final_transcript(self) -> list[Message]:
        tokens, self._final = self._final, []
        if not tokens:
            return []
        seconds = (tokens[-1]["end_ms"] - tokens[0]["start_ms"]) / 1000
        about = {"language": tokens[-1].get("language", "en"), "duration": seconds}
        return [{"type": "final_transcript", **_transcript(tokens), **about}]

    def _partial_transcript(self, partial: Sequence[Message]) -> list[Message]:
        tokens = [*self._final, *partial]
        if not tokens or not self._partials:
            return []
        return [{"type": "partial_transcript", **_transcript(tokens), "tokens": tokens}]


def _transcript(tokens: Sequence[Message]) -> dict[str, Any]:
    known = [token["confidence"] for token in tokens]
    text = "".join(token["text"] for token in tokens).strip()
    return {"transcript": text, "confidence": round(sum(known) / len(known), 3)}
