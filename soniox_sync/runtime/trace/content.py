"""Messages and bodies as JSON: audio as length and digest, or whole; secrets redacted."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Optional

from ..._support.accel import b64decode, json_loads
from ..redaction import MASK
from .redaction import Redaction, Verbatim

# as much of a digest as tells two chunks apart
_DIGEST_CHARS = 16
# the fields of a message that hold audio in base64: a gateway has it in `data` of these types
_AUDIO = "audio"
_DATA = "data"
_DATA_TYPES = frozenset({"audio", "audio_chunk"})
# levels of nesting at which audio is looked for
_DEEPEST = 50

Content = dict[str, Any]


class Encoder:
    """Messages and bodies as the fields of a line. Thread-safe.

    `audio`: whether a trace contains audio, or only its length and digest.
    """

    def __init__(self, redaction: Redaction, audio: bool) -> None:
        self._redaction = redaction
        self._audio = audio

    def sent(self, payload: bytes) -> Content:
        """Return a text that is sent, as `message` does, after learning what is secret in it."""
        try:
            value = json_loads(payload)
        except ValueError:
            value = payload.decode("utf-8", "replace")
        self._redaction.learn(value)
        return self.message(payload)

    def message(self, payload: bytes) -> Content:
        """Return a text as `json`, or as `text` if it is no JSON."""
        try:
            value = json_loads(payload)
        except ValueError:
            return {"text": self._redaction.text(payload.decode("utf-8", "replace"))}
        return {"json": self.value(value, payload)}

    def text(self, data: bytes) -> str:
        """Return a body as a text; its secrets are found by field if it is JSON."""
        content = self.message(data)
        if "text" in content:
            return str(content["text"])
        return json.dumps(content["json"], ensure_ascii=False)

    def body(self, data: bytes) -> Content:
        """Return a body as `json`, `text`, or `binary` if it is no text."""
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return self.binary(data)
        return self.message(data)

    def binary(self, data: bytes) -> Content:
        """Return bytes as `binary`."""
        return {"binary": self.audio(data)}

    def value(self, value: Any, payload: bytes) -> Any:
        """Return parsed JSON, whose text is `payload`, with audio replaced and redacted."""
        # a name may also be spelled by escapes, and the type of a gateway's message in capitals
        if any(mark in payload for mark in (b"udio", b"UDIO", b"\\u00")):
            value = self._without_audio(value, 0)
        return self._redaction.value(value)

    def _without_audio(self, value: Any, depth: int) -> Any:
        if depth == _DEEPEST:
            return MASK
        if isinstance(value, list):
            return [self._without_audio(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        kind = value.get("type")
        names = (_AUDIO, _DATA) if str(kind).lower() in _DATA_TYPES else (_AUDIO,)
        return {
            name: (
                self._decoded(item)
                if name in names and isinstance(item, str) and item
                else self._without_audio(item, depth + 1)
            )
            for name, item in value.items()
        }

    def _decoded(self, text: str) -> Any:
        raw = text.encode("utf-8", "surrogatepass")
        try:
            return self.audio(b64decode(raw))
        except ValueError:  # the trace must show that this is no base64, and yet not contain it
            return text if self._audio else Verbatim(**self.audio(raw), invalid=True)

    def audio(self, data: bytes) -> dict[str, Any]:
        """Return the audio object of these bytes."""
        found = Verbatim(bytes=len(data), sha256=_digest(data))
        if self._audio:
            data = self._redaction.data(data)  # it may be no audio
            found["data"] = base64.b64encode(data).decode("ascii")
        return found


def audio_json(data: bytes) -> bytes:
    """Return the audio object of these bytes, without them, as JSON."""
    return b'{"bytes":%d,"sha256":"%b"}' % (len(data), _digest(data).encode("ascii"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGEST_CHARS]


def stream_of(value: Any) -> Optional[str]:
    """Return the `stream_id` of a parsed message, `None` if it has none."""
    found = value.get("stream_id") if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else None
