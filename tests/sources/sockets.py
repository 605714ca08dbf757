"""The WebSocket of a web framework, whose other side is the test."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any, Callable, Optional, Union

from soniox_sync.sources import AudioSourceHandlers
from tests.waiting import WAIT


class ConnectionClosed(Exception):
    """What `simple_websocket` raises once the connection has ended."""


class FakeSocket:
    """Blocking WebSocket: `give` puts a message in, `sent` has what was sent."""

    def __init__(self, *messages: Any) -> None:
        self._incoming: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._outgoing: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.receiving = threading.Event()
        self.closes = 0
        self.fail_send: Optional[Exception] = None
        self.hold_send = threading.Event()  # set: sending returns at once
        self.hold_send.set()
        self.sending = threading.Event()
        for message in messages:
            self.give(message)

    def give(self, message: Any) -> None:
        """Have the other side send a message: a mapping, text or bytes; `None` or an error too."""
        self._incoming.put(json.dumps(message) if isinstance(message, dict) else message)

    @property
    def is_drained(self) -> bool:
        """Whether every message was received."""
        return self._incoming.empty()

    def receive(self) -> Union[str, bytes, None]:
        """Return the next message, or raise the next error."""
        self.receiving.set()
        message = self._incoming.get()
        if isinstance(message, Exception):
            self._incoming.put(message)  # it stays closed
            raise message
        result: Union[str, bytes, None] = message
        return result

    def send(self, data: Union[str, bytes]) -> None:
        """Note a message."""
        self.sending.set()
        assert self.hold_send.wait(WAIT)
        if self.fail_send is not None:
            raise self.fail_send
        self._outgoing.put(data if isinstance(data, bytes) else json.loads(data))

    def sent(self) -> Any:
        """Return the next message that was sent."""
        return self._outgoing.get(timeout=WAIT)

    def all_sent(self) -> list[Any]:
        """Return what was sent and not looked at yet."""
        found = []
        while not self._outgoing.empty():
            found.append(self._outgoing.get())
        return found

    def close(self) -> None:
        """Close it."""
        self.closes += 1
        self.give(ConnectionClosed(1000))


class Heard:
    """Handlers that note what they are called with."""

    def __init__(self, on_data: Optional[Callable[[bytes], object]] = None) -> None:
        self._calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.handlers = AudioSourceHandlers(
            on_data=on_data or self._calls.put,
            on_error=self._calls.put,
            on_end=lambda: self._calls.put("end"),
        )

    def next(self) -> Any:
        """Return the next audio, error or `"end"`."""
        return self._calls.get(timeout=WAIT)

    @property
    def is_empty(self) -> bool:
        """Whether no handler was called that the test has not looked at."""
        return self._calls.empty()
