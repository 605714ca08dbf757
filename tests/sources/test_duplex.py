"""Sources and sinks over a WebSocket: what a call and a page have in common."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import SonioxConnectionError, StateError
from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sources import duplex
from soniox_sync.sources.duplex import SocketAudio
from soniox_sync.telephony import TwilioCall
from soniox_sync.web import WebSocketAudio
from tests.sources.sockets import ConnectionClosed, FakeSocket, Heard
from tests.waiting import WAIT, Task, eventually


@pytest.fixture
def socket() -> Iterator[FakeSocket]:
    """Provide a WebSocket that is closed after the test."""
    socket = FakeSocket()
    yield socket
    socket.close()


def test_audio_is_delivered_until_the_connection_ends(socket: FakeSocket) -> None:
    """The end of the connection is a hang-up, whatever the framework raises or returns."""
    for end in (ConnectionClosed(1006), None, ConnectionResetError(), EOFError()):
        own = FakeSocket(b"ab", b"cd", end)
        heard = Heard()
        source = WebSocketAudio(own)
        source.start(heard.handlers)
        assert [heard.next() for _ in range(3)] == [b"ab", b"cd", "end"]
        with pytest.raises(SonioxConnectionError, match="hung up"):
            source.write(b"ab")
        with pytest.raises(StateError, match="hung up"):
            source.start(heard.handlers)


def test_a_mistake_is_no_hang_up(socket: FakeSocket) -> None:
    """An error that does not come from the connection ends the source as an error."""
    heard = Heard()
    WebSocketAudio(socket).start(heard.handlers)
    error = TypeError("receive() got an unexpected keyword")
    socket.give(error)
    assert heard.next() is error
    assert heard.is_empty


@pytest.mark.parametrize("message", ["no json", "[1]", '{"event": ', "5"])
def test_a_message_that_is_no_object_is_an_error(socket: FakeSocket, message: str) -> None:
    """The error says what was expected."""
    heard = Heard()
    WebSocketAudio(socket).start(heard.handlers)
    socket.give(message)
    error = heard.next()
    assert isinstance(error, ConfigurationError)
    assert str(error) == "socket: expected messages that are JSON objects, got another message"


def test_audio_before_the_start_is_kept(socket: FakeSocket) -> None:
    """What arrives between the first use and `start()` comes first; none of it is lost."""
    source = WebSocketAudio(socket)
    source.write(b"")  # the first use
    for data in (b"one", b"two"):
        socket.give(data)
    socket.receiving.clear()
    heard = Heard()
    source.start(heard.handlers)
    socket.give(b"three")
    assert [heard.next() for _ in range(3)] == [b"one", b"two", b"three"]


def test_a_hang_up_before_the_start_is_reported(socket: FakeSocket) -> None:
    """Who starts listening after the end gets the audio, and then the end."""
    socket.give(b"one")
    source = WebSocketAudio(socket)
    source.write(b"")
    socket.give(None)
    thread = next(each for each in threading.enumerate() if each.name == "soniox-source-page")
    thread.join(WAIT)
    heard = Heard()
    source.start(heard.handlers)
    assert [heard.next(), heard.next()] == [b"one", "end"]


def test_no_handler_is_called_after_stop(socket: FakeSocket) -> None:
    """`stop()` waits for the handler that runs; what comes later is dropped."""
    entered, leave = threading.Event(), threading.Event()
    calls = []

    def on_data(data: bytes) -> None:
        calls.append(data)
        entered.set()
        assert leave.wait(WAIT)

    source = WebSocketAudio(socket)
    source.start(Heard(on_data).handlers)
    socket.give(b"one")
    assert entered.wait(WAIT)
    stopping = Task(source.stop)
    assert not stopping.done
    leave.set()
    stopping.result()
    socket.give(b"two")
    heard = Heard()
    eventually(lambda: socket.is_drained)
    source.start(heard.handlers)
    socket.give(b"three")
    assert heard.next() in (b"two", b"three")
    assert calls == [b"one"]


def test_stop_inside_a_handler_returns(socket: FakeSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler may stop its own source: it does not wait for itself."""
    monkeypatch.setattr(duplex, "_HANDLER_SEC", 3600.0)
    done: queue.SimpleQueue[str] = queue.SimpleQueue()

    def on_data(data: bytes) -> None:
        source.stop()
        done.put("stopped")

    source = WebSocketAudio(socket)
    source.start(Heard(on_data).handlers)
    socket.give(b"one")
    assert done.get(timeout=WAIT) == "stopped"


def test_a_paused_source_drops_what_arrives(socket: FakeSocket) -> None:
    """After `resume()` the audio goes on where it is."""
    passed: queue.SimpleQueue[str] = queue.SimpleQueue()
    heard = Heard()
    source = WebSocketAudio(socket)
    source.on_event(lambda message: passed.put(message["event"]))
    source.start(heard.handlers)
    source.pause()
    socket.give(b"one")
    socket.give({"event": "mine"})
    assert passed.get(timeout=WAIT) == "mine"
    source.resume()
    socket.give(b"two")
    assert heard.next() == b"two"


def test_a_running_source_is_not_started_again(socket: FakeSocket) -> None:
    """Its handlers stay as they are."""
    source = WebSocketAudio(socket)
    source.start(Heard().handlers)
    with pytest.raises(StateError, match="running"):
        source.start(Heard().handlers)


def test_a_socket_that_cannot_send_is_a_hang_up(socket: FakeSocket) -> None:
    """The error names its cause."""
    socket.fail_send = ConnectionClosed(1006)
    with pytest.raises(SonioxConnectionError, match="ConnectionClosed") as caught:
        WebSocketAudio(socket).write(b"ab")
    assert caught.value.__cause__ is socket.fail_send


def test_close_hangs_up(socket: FakeSocket) -> None:
    """It closes the WebSocket once; the handlers learn of it as of any hang-up."""
    heard = Heard()
    with WebSocketAudio(socket) as source:
        source.start(heard.handlers)
    assert heard.next() == "end"
    source.close()
    assert socket.closes == 1
    with pytest.raises(SonioxConnectionError):
        source.write(b"ab")


class AsyncSocket:
    """What a framework with an event loop passes."""

    async def receive(self) -> str:
        """Return a message."""
        return ""

    async def send(self, data: str) -> None:
        """Send a message."""


@pytest.mark.parametrize("kind", [TwilioCall, WebSocketAudio])
@pytest.mark.parametrize("socket_like", [None, object(), AsyncSocket()])
def test_what_is_no_blocking_socket_is_refused(kind: type[SocketAudio], socket_like: Any) -> None:
    """The error comes from the constructor, and names the argument."""
    with pytest.raises(InputTypeError, match=r"^socket: expected"):
        kind(socket_like)
