"""Web pages: source and sink of a conversation over the WebSocket of a page.

No web framework is imported: whatever accepts the WebSocket passes it on. `examples/flask_agent`
has the page's part, in JavaScript.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Callable, Optional, TypeVar

from ._support.checks import (
    boolean,
    function,
    integer,
    number,
    suggests_keywords,
    text,
    wrong_type,
    wrong_value,
)
from .sources.base import SourceAudio
from .sources.duplex import SocketAudio

__all__ = ["WebSocketAudio"]

_log = logging.getLogger("soniox_sync")

Handler = TypeVar("Handler", bound=Callable[[dict[str, Any]], object])

# messages between the page and this class; a program may add its own
_OWN_EVENTS = ("clear",)


class WebSocketAudio(SocketAudio):
    """Microphone and loudspeaker of a web page, as the source and the sink of a conversation.

    `socket`: the page's WebSocket, of any framework whose handlers block: an object with
    `receive()` and `send(str or bytes)`. `input_rate`: in Hz, of the microphone's samples; a
    browser captures at the rate of its device, usually 44100 or 48000, which the page can put into
    the URL. `sample_rate`: in Hz, of what is written. `echo_free`: whether the page cancels echoes,
    as browsers do unless told otherwise.

    The page sends and gets samples as binary messages (`pcm_s16le`, one channel), and JSON objects
    as text. From the page::

        {"event": "played", "ms": 1240.5}    how much it has played so far: a few times a second
        {"event": "cleared", "ms": 1240.5}   the same, as the answer to "clear"
        {"event": "dtmf", "digit": "5"}      a key that was pressed
        {"event": "stop"}                    a hang-up, like the end of the connection

    A key goes to the handler of `on_dtmf`, any other message to that of `on_event`. To the page:
    `{"event": "clear"}`, when it has to drop what it has not played, and what `send_event` sends.
    `ms` counts the milliseconds of audio that were played since the page has connected; what it
    drops never counts.

    Nothing is read before the first use. Thread-safe.

    Raises
        ConfigurationError: a rate is below 1.
        InputTypeError: `socket` has no `receive()` and `send()`, or they need an event loop; or
            another value of the wrong type.
    """

    audio_format = "pcm_s16le"
    _thread_name = "soniox-source-page"

    @suggests_keywords()
    def __init__(
        self,
        socket: Any,
        *,
        input_rate: int = 16000,
        sample_rate: int = 24000,
        echo_free: bool = True,
    ) -> None:
        super().__init__(socket)
        integer(1)("input_rate", input_rate)
        integer(1)("sample_rate", sample_rate)
        boolean("echo_free", echo_free)
        # Immutable
        self.audio: SourceAudio = SourceAudio("pcm_s16le", input_rate, 1)
        self.sample_rate: int = sample_rate
        self.echo_free: bool = echo_free
        # Writer only
        self._half = b""  # of a sample, which the next write completes
        self._seen_clears = 0
        # Under _lock
        self._played_ms = 0.0
        self._limit_ms = 0.0  # what can have been played: the page cannot claim more
        self._offset_ms = 0.0  # of the page's count: what it played after a clear had been decided
        self._uncleared = 0  # clears that the page has not answered
        self._on_event: Optional[Callable[[dict[str, Any]], object]] = None

    @property
    def played_ms(self) -> float:
        """Milliseconds that the page has played, as far as it has reported.

        What `clear()` drops never counts, nor what the page played until it knew of it.
        """
        return self._played_ms

    def write(self, data: bytes) -> None:
        """Send audio to be played after what was sent before, and return once it is sent.

        Raises
            SonioxConnectionError: the page has gone.
            InputTypeError: not bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise wrong_type("data", "bytes", data)
        with self._lock:
            self._start_reading()
            clears = self._clears
        if clears != self._seen_clears:
            self._seen_clears, self._half = clears, b""
        data = self._half + bytes(data)
        whole = len(data) - len(data) % 2
        self._half = data[whole:]
        with self._turn_to_send():
            with self._lock:
                if self._clears != clears:
                    return
                self._limit_ms += whole * 500 / self.sample_rate
            if whole:
                self._send(data[:whole])

    def clear(self) -> None:
        """Have the page drop what it has not played. Does not wait for `write`. Thread-safe.

        Raises
            SonioxConnectionError: the page has gone.
        """
        with self._lock:
            self._clears += 1
            self._uncleared += 1
            self._limit_ms = self._played_ms
        self._send_urgent(json.dumps({"event": "clear"}))

    def send_event(self, event: str, **fields: Any) -> None:
        """Send a message of your own to the page: `{"event": event, ...fields}` as JSON.

        Raises
            SonioxConnectionError: the page has gone.
            ConfigurationError: `event` is empty, or `"clear"`, which is the sink's own.
            InputTypeError: `event` is not a `str`, or a field is nothing that JSON can represent.
        """
        text()("event", event)
        if event in _OWN_EVENTS:
            raise wrong_value("event", "another name", event, "it drops what is not played")
        try:
            message = json.dumps({"event": event, **fields})
        except TypeError as error:
            raise wrong_type("fields", "values that JSON can represent", fields) from error
        with self._turn_to_send():
            self._send(message)

    def on_event(self, handler: Handler) -> Handler:
        """Set the function that gets the page's own messages, each a `dict`; return it."""
        function("handler", handler)
        self._on_event = handler
        return handler

    # -- the reading thread -----------------------------------------------------------------------

    def _receive_bytes(self, data: bytes) -> bool:
        self._deliver(data)
        return True

    def _receive(self, message: dict[str, Any]) -> bool:
        event, handler = message.get("event"), self._on_event
        if event in ("played", "cleared"):
            self._count(event, message.get("ms"))
        elif event == "dtmf":
            self._press(message.get("digit"))
        elif event == "stop":
            return False
        elif handler is not None:
            self._call(lambda _: handler(message))
        else:
            _log.debug("! nobody handles the page's message %r", event)
        return True

    def _count(self, event: Any, ms: Any) -> None:
        """Take in how much the page has played.

        page          played_ms   the page has played
        played 300    300         300
        clear()       300         350, until it gets the message
        played 340    300         is ignored: it drops the rest
        cleared 350   300         50 more than count: the offset
        played 450    400         100 of what was written since
        """
        number(0)("ms", ms)
        with self._lock:
            if event == "cleared" and self._uncleared:
                self._uncleared -= 1
                self._offset_ms = ms - self._played_ms
            if self._uncleared == 0:
                known = min(ms - self._offset_ms, self._limit_ms)
                self._played_ms = max(self._played_ms, known)
