"""How the SLNG gateway's messages and the service's translate into each other (PROTOCOL 8.2 - 8.4).

Written from the gateway's side, strictly: what its documents do not name is refused, so that a
client which sends it is found out here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from .catalog import VOICES
from .dialects import Dialect
from .problems import bad_request

__all__ = ["PASSED_STT", "PASSED_STT_V5", "SPEECH", "Segments", "Transcripts", "voice_config"]

# stands for a message that the gateway does not know; the service refuses it
_REFUSED: Any = None
_MARKS = ("<end>", "<fin>")
_ENCODINGS = {"linear16": "pcm_s16le", "mp3": "mp3", "opus": "ogg"}
# the gateway's words for the service's slugs
_SLUGS = {"unauthenticated": "auth_error"}

Message = Mapping[str, Any]


def _rest(value: Message) -> dict[str, Any]:
    return {name: value[name] for name in value if name != "type"}


def _error(message: Message) -> Message:
    slug = str(message.get("error_type"))
    code = _SLUGS.get(slug, slug)
    return {"type": "error", "code": code, "message": message.get("error_message")}


# -- speech ---------------------------------------------------------------------------------------

_SPEECH_FIELDS = {"text": {"stream_id", "text", "text_end"}, "clear": {"stream_id", "cancel"}}


def _decode_speech(value: Any) -> list[Any]:
    if not isinstance(value, dict) or "api_key" in value:
        return [_REFUSED]
    kind, rest = value.get("type"), _rest(value)
    if kind == "init":
        return [rest]
    return [rest if set(rest) == _SPEECH_FIELDS.get(str(kind)) else _REFUSED]


def _encode_speech(message: Message) -> list[Message]:
    if "error_code" in message:
        told = ("error_code", "error_message", "stream_id")
        return [{"type": "error", **{name: message[name] for name in told if name in message}}]
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
    of other providers are passed over. Raises `Problem` 400 for what has no translation.
    """
    config, named = init.get("config"), init.get("model")
    if not isinstance(config, (dict, type(None))) or not isinstance(named, (str, type(None))):
        raise bad_request("Invalid message format")
    said = config or {}
    encoding = _given(said.get("encoding"), "linear16")
    audio_format = _VOICE_FORMATS.get(encoding.lower()) if isinstance(encoding, str) else None
    if audio_format is None:
        raise bad_request(f"Unsupported encoding: use {', '.join(_VOICE_FORMATS)}.")
    return {
        "model": _given(named, model).rpartition("/")[2].replace(":", "-"),
        "language": _given(said.get("language"), "en"),
        "voice": _given(init.get("voice"), next(iter(VOICES))),
        "audio_format": audio_format,
        "sample_rate": said.get("sample_rate"),
        "speed": said.get("speed"),
    }


def _given(value: Any, default: str) -> Any:
    return default if value is None or value == "" else value


class Segments:
    """Makes the bridge's messages of one connection's streams. Used under the service's lock.

    A stream is a segment that starts with its first audio. What the service has no message for is
    given as a `mark`, the type of a message, with the fields of it.
    """

    def __init__(self) -> None:
        self._segment: Optional[str] = None
        self._sequence = 0

    def encode(self, message: Message) -> list[Message]:
        """Translate one message of the service, or a mark."""
        if "error_code" in message:
            return [_error(message)]
        if "mark" in message:
            fields = {name: message[name] for name in message if name not in ("mark", "stream_id")}
            return [{"type": message["mark"], **fields}]
        segment = message["stream_id"]
        if message.get("terminated"):
            known = segment == self._segment
            return [{"type": "segment_end", "segment_id": segment}] if known else []
        return [*self._begin(segment), *self._chunk(message["audio"])]

    def _begin(self, segment: str) -> list[Message]:
        if segment == self._segment:
            return []
        self._segment = segment
        return [{"type": "segment_start", "segment_id": segment}]

    def _chunk(self, audio: str) -> list[Message]:
        if not audio:
            return []
        self._sequence += 1
        return [{"type": "audio_chunk", "data": audio, "sequence": self._sequence}]


# -- transcription, passed through ----------------------------------------------------------------


def _decode_passed(value: Any) -> list[Any]:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "config":
        return [_rest(value)]
    return [value if kind in ("finalize", "keepalive", "") else _REFUSED]


def _decode_untyped(value: Any) -> list[Any]:
    typed_start = isinstance(value, dict) and "type" in value and "model" in value
    return [_REFUSED if typed_start else value]


PASSED_STT = Dialect("slng rt-v4", _decode_passed, lambda message: [message])
PASSED_STT_V5 = Dialect("slng rt-v5", _decode_untyped, lambda message: [message])


# -- transcription in the gateway's own messages --------------------------------------------------


def _read_typed(value: Any) -> list[Union[Any, bytes]]:
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
    """Makes the gateway's transcripts of one session's responses. Used under the session's lock.

    A finished piece ends where the speaker pauses, at a finalize, and at the end of the audio.
    Provisional ones are left out if the start says so.
    """

    def __init__(self, *, utterance_ends: bool) -> None:
        self._utterance_ends = utterance_ends
        self._said: list[Message] = []
        # set before the first response
        self._partials = True

    def decode(self, value: Any) -> list[Union[Any, bytes]]:
        """Translate one message of a client."""
        config = value.get("config") if isinstance(value, dict) else None
        if isinstance(config, dict) and value.get("type") == "init":
            self._partials = config.get("enable_partials") is not False
        return _read_typed(value)

    def encode(self, message: Message) -> list[Message]:
        """Translate one response of the service."""
        if message.get("error_code") is not None:
            return [_error(message)]
        told: list[Message] = []
        guess: list[Message] = []
        for token in message.get("tokens", ()):
            if token["text"] in _MARKS:
                told += self._piece()
                told += self._pause() if token["text"] == "<end>" else []
            else:
                (self._said if token["is_final"] else guess).append(token)
        if message.get("finished"):
            return told + self._piece()
        return told + self._guess(guess)

    def _piece(self) -> list[Message]:
        said, self._said = self._said, []
        if not said:
            return []
        seconds = (said[-1]["end_ms"] - said[0]["start_ms"]) / 1000
        language = said[-1].get("language", "en")
        about = {"language": language, "duration": seconds}
        return [{"type": "final_transcript", **_transcript(said), **about}]

    def _pause(self) -> list[Message]:
        return [{"type": "utterance_end"}] if self._utterance_ends else []

    def _guess(self, guess: Sequence[Message]) -> list[Message]:
        tokens = [*self._said, *guess]
        if not tokens or not self._partials:
            return []
        return [{"type": "partial_transcript", **_transcript(tokens), "tokens": tokens}]


def _transcript(tokens: Sequence[Message]) -> dict[str, Any]:
    known = [token["confidence"] for token in tokens]
    average: Optional[float] = round(sum(known) / len(known), 3)
    text = "".join(token["text"] for token in tokens).strip()
    return {"transcript": text, "confidence": average}
