"""Telephone calls: source and sink of a conversation over the media streams of a carrier.

No web framework is imported: whatever accepts the WebSocket passes it on.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Optional

from ._support.checks import refused, wrong_type
from .errors import SonioxConnectionError
from .sources.base import SourceAudio
from .sources.duplex import SocketAudio

__all__ = ["TwilioCall"]

_RATE = 8000  # Hz, and bytes per second
# Twilio confirms what was played by the mark behind it: this is how exactly it is known
_PIECE_BYTES = _RATE // 10
# the message `start` is the second of a stream; a peer that does not send it is not Twilio
_START_SEC = 10.0


class TwilioCall(SocketAudio):
    """Telephone call over Twilio's media streams, as the source and the sink of a conversation.

    `socket`: the WebSocket of a bidirectional stream (`<Connect><Stream url="wss://..."/>`), of
    any framework whose handlers block: an object with `receive()` and `send(str)`.

    The caller's audio is 8 kHz mulaw, and what is written has to be that, too (a conversation sees
    to it). A `stop` message, or the end of the connection, is a hang-up: `on_end`, and writing
    raises. Keys go to the handler of `on_dtmf`. Twilio keeps what is written in a buffer; marks
    behind every 100 ms tell what of it was played.

    Nothing is read before the first use. Thread-safe.

    Raises
        InputTypeError: `socket` has no `receive()` and `send()`, or they need an event loop.
    """

    audio_format = "pcm_mulaw"
    sample_rate = _RATE
    _thread_name = "soniox-source-call"

    def __init__(self, socket: Any) -> None:
        super().__init__(socket)
        # Immutable
        self.audio: SourceAudio = SourceAudio("mulaw", _RATE, 1)
        # Under _lock
        self._stream_sid = ""
        self._call_sid = ""
        self._parameters: dict[str, str] = {}
        self._written = 0  # number of the last mark
        self._played_bytes = 0
        # marks that Twilio has not returned: number, and bytes before it, `None` once cleared
        self._marks: deque[tuple[int, Optional[int]]] = deque()

    @property
    def call_sid(self) -> str:
        """Twilio's id of the call; waits for the stream to start.

        Raises
            SonioxConnectionError: the connection ended before, or is not Twilio's.
        """
        self._wait_for_start()
        return self._call_sid

    @property
    def parameters(self) -> Mapping[str, str]:
        """Parameters of the stream (`<Parameter name="..." value="..."/>`); waits like `call_sid`.

        Raises
            SonioxConnectionError: as for `call_sid`.
        """
        self._wait_for_start()
        return dict(self._parameters)

    @property
    def played_ms(self) -> float:
        """Milliseconds that were played to the caller, as far as Twilio has confirmed it.

        What `clear()` drops never counts.
        """
        return self._played_bytes * 1000 / _RATE

    def write(self, data: bytes) -> None:
        """Send audio, 8 kHz mulaw, to be played after what was sent before.

        Returns once it is sent. What remains of it when `clear()` is called is dropped.

        Raises
            SonioxConnectionError: the caller has hung up.
            InputTypeError: not bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise wrong_type("data", "bytes", data)
        self._wait_for_start()
        data, clears = bytes(data), self._clears
        for at in range(0, len(data), _PIECE_BYTES):
            piece = data[at : at + _PIECE_BYTES]
            with self._turn_to_send():
                with self._lock:
                    if self._clears != clears:
                        return
                    self._written += 1
                    self._marks.append((self._written, len(piece)))
                    name = str(self._written)
                payload = base64.b64encode(piece).decode()
                self._send(self._message("media", media={"payload": payload}))
                self._send(self._message("mark", mark={"name": name}))

    def clear(self) -> None:
        """Have Twilio drop what it has not played. Does not wait for `write`. Thread-safe.

        Raises
            SonioxConnectionError: the caller has hung up.
        """
        with self._lock:
            self._clears += 1
            waiting = any(size is not None for _, size in self._marks)
            # Twilio returns these marks now, which does not mean that anything was played
            self._marks = deque((number, None) for number, _ in self._marks)
        if waiting:
            self._send_urgent(self._message("clear"))

    def _message(self, event: str, **fields: Any) -> str:
        return json.dumps({"event": event, "streamSid": self._stream_sid, **fields})

    def _wait_for_start(self) -> None:
        with self._lock:
            self._start_reading()
            self._changed.wait_for(lambda: self._stream_sid or self._over, _START_SEC)
            if not self._stream_sid:
                ended = (
                    "the connection ended" if self._over else f"nothing came for {_START_SEC:g} s"
                )
                raise SonioxConnectionError(
                    f"{ended} before Twilio's message `start`: is this a media stream?"
                ) from self._error

    # -- the reading thread -----------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> bool:
        event = message.get("event")
        fields = _object(message.get(str(event)))
        if event == "start":
            self._begin(fields, message)
        elif event == "media" and fields.get("track", "inbound") == "inbound":
            self._deliver(_audio_of(fields.get("payload", "")))
        elif event == "mark":
            self._confirm(str(fields.get("name")))
        elif event == "dtmf":
            self._press(fields.get("digit"))
        return event != "stop"

    def _begin(self, fields: dict[str, Any], message: dict[str, Any]) -> None:
        media = _object(fields.get("mediaFormat"))
        encoding, rate = media.get("encoding", "audio/x-mulaw"), media.get("sampleRate", _RATE)
        if encoding != "audio/x-mulaw" or rate != _RATE:
            raise refused("socket", "a stream of 8 kHz mulaw", f"{encoding} at {rate} Hz")
        with self._lock:
            self._call_sid = str(fields.get("callSid", ""))
            self._parameters = _object(fields.get("customParameters"))
            self._stream_sid = str(fields.get("streamSid") or message.get("streamSid") or "")
            self._changed.notify_all()

    def _confirm(self, name: str) -> None:
        """Count what is before a mark that has returned; marks of others are not in the list."""
        with self._lock:
            if not any(str(number) == name for number, _ in self._marks):
                return
            while True:
                number, size = self._marks.popleft()
                self._played_bytes += size or 0
                if str(number) == name:
                    return


def _object(value: object) -> dict[str, Any]:
    """Return a part of a message; an empty one if it is missing, or something else."""
    return value if isinstance(value, dict) else {}


def _audio_of(payload: object) -> bytes:
    """Return the audio in a message.

    Raises
        ConfigurationError: it is not base64: this is not Twilio.
    """
    try:
        return base64.b64decode(payload, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        expected = "media messages with a payload in base64"
        raise refused("socket", expected, f"another payload ({error})") from error
