"""A speech connection: opening, key, keepalives, reconnecting, its end."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.config import TtsConnectionOptions
from soniox_sync.errors import (
    ConfigurationError,
    ConnectTimeoutError,
    NetworkError,
    SonioxConnectionError,
    StateError,
)
from soniox_sync.realtime.tts.connection import SharedConnection
from soniox_sync.runtime.connection import Connection
from tests.peers import RawPeer, Remote, close_frame, message
from tests.realtime.servers import (
    KEY,
    VOICE,
    audio,
    begin,
    client_for,
    connected_tts,
    failure,
    raised_by,
    whole,
)
from tests.waiting import WAIT, ManualClock, Task, eventually


@pytest.fixture
def connection_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """Provide a clock, advanced by the test, that new speech connections use."""
    clock = ManualClock()
    monkeypatch.setitem(Connection.__init__.__kwdefaults__, "clock", clock)
    yield clock
    assert clock.pending == 0, "timers were left behind"


KEEPALIVE = {"keep_alive": True}


def test_keepalives_are_sent_when_nothing_else_was(
    raw_peer: RawPeer, connection_clock: ManualClock
) -> None:
    """After connecting, a keepalive is sent after each interval without other messages."""
    with connected_tts(raw_peer, keepalive_interval_sec=5.0, ping_interval_sec=None) as (
        connection,
        remote,
    ):
        connection_clock.advance(4.9)
        connection.keep_alive()  # shows that nothing was sent before it
        assert remote.recv_message().json == KEEPALIVE
        connection_clock.advance(4.9)
        stream = begin(connection, remote, "s1")  # traffic: the interval starts over
        connection_clock.advance(4.9)
        stream.send_text("More.")
        assert remote.recv_message().json["text"] == "More."
        for _ in range(3):
            connection_clock.advance(5.0)
            assert remote.recv_message().json == KEEPALIVE
        remote.send(message(stream_id="s1", terminated=True))
        remote.fin()
        eventually(lambda: not connection.is_connected)
        connection_clock.advance(60)
        assert remote.recv_to_end() == b""  # no keepalive after the end


def test_a_keepalive_interval_is_at_least_a_second(
    raw_peer: RawPeer, connection_clock: ManualClock
) -> None:
    """A shorter interval than 1 s counts as 1 s."""
    with connected_tts(raw_peer, keepalive_interval_sec=0.1) as (connection, remote):
        connection_clock.advance(0.9)
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.send_text("x")
        assert remote.recv_message().json["voice"]
        assert remote.recv_message().json["text"] == "x"
        connection_clock.advance(1.0)
        assert remote.recv_message().json == KEEPALIVE


def test_no_keepalive_precedes_a_key_in_the_message(
    raw_peer: RawPeer, connection_clock: ManualClock
) -> None:
    """With `auth="message"` keepalives start with the first stream: before it they are useless."""
    client = client_for(raw_peer.url, auth="message")
    with connected_tts(raw_peer, client=client, ping_interval_sec=None) as (connection, remote):
        connection_clock.advance(30)
        stream = connection.stream(**VOICE, stream_id="s1")
        connection_clock.advance(30)
        stream.send_text("Hello.")
        assert remote.recv_message().json["api_key"] == KEY
        assert remote.recv_message().json["text"] == "Hello."
        connection_clock.advance(5)
        assert remote.recv_message().json == KEEPALIVE


@pytest.mark.parametrize("auth", ["header", "subprotocol", "message"])
def test_the_key_travels_in_exactly_one_place(auth: str) -> None:
    """Header, subprotocol or message: the key is only in the chosen one."""

    def answer(remote: Remote) -> bytes:
        assert remote.request is not None
        chosen = ["Sec-WebSocket-Protocol: soniox-api-key"] if auth == "subprotocol" else []
        return remote.request.accept(*chosen)

    with RawPeer(answer=answer) as peer:
        client = client_for(peer.url, auth=auth)
        with connected_tts(peer, client=client) as (connection, remote):
            stream = connection.stream(**VOICE)
            stream.send_text("Hello.")
            config, text = remote.recv_message().text, remote.recv_message().text
            request = remote.request
            assert request is not None
            places = {
                "header": request.headers.get("authorization") == f"Bearer {KEY}",
                "subprotocol": request.headers.get("sec-websocket-protocol", "").replace(" ", "")
                == f"soniox-api-key,{KEY}",
                "message": f'"api_key":"{KEY}"' in config,
            }
            assert [name for name, there in places.items() if there] == [auth]
            everything = request.raw.decode() + config + text
            assert everything.count(KEY) == 1
            assert KEY not in request.path


def test_a_key_callable_is_called_once_per_connection(raw_peer: RawPeer) -> None:
    """A callable is called once for each connection, not for the streams on it."""
    keys = iter(["key-1", "key-2"])
    client = client_for(raw_peer.url, api_key=lambda: next(keys))
    for number in (1, 2):
        with connected_tts(raw_peer, client=client) as (connection, remote):
            begin(connection, remote, "s1")
            begin(connection, remote, "s2")
            assert remote.request is not None
            assert remote.request.headers["authorization"] == f"Bearer key-{number}"


def test_a_connection_closed_while_idle_is_reopened_on_demand(raw_peer: RawPeer) -> None:
    """After the server closed an idle connection the next stream opens a new one by itself."""
    with connected_tts(raw_peer) as (connection, remote):
        closes: queue.SimpleQueue[int] = queue.SimpleQueue()
        errors: list[Any] = []
        connection.on("close", lambda: closes.put(1)).on("error", errors.append)
        stream = begin(connection, remote, "s1")
        remote.send(whole("s1", b"one"))
        stream.wait(WAIT)
        remote.send(close_frame(1001, "Timeout"))
        assert closes.get(True, WAIT)
        eventually(lambda: not connection.is_connected)
        assert stream.read(1) == b"one"
        second = connection.stream(**VOICE, stream_id="s1")
        with raw_peer.accept() as renewed:
            assert connection.is_connected
            second.send_text("Again.")
            assert renewed.recv_message().json["voice"]  # the config is sent again
            assert renewed.recv_message().json["text"] == "Again."
            renewed.send(whole("s1", b"two"))
            assert second.read(WAIT) == b"two"
            renewed.send(close_frame(1001))
            assert closes.get(True, WAIT)  # handlers outlive the connection
        assert errors == []


def test_connect_is_idempotent_and_reopens(raw_peer: RawPeer) -> None:
    """`connect()` does nothing while connected, and reopens a lost connection."""
    with connected_tts(raw_peer) as (connection, remote):
        assert connection.connect() is connection
        assert raw_peer.idle
        remote.reset()
        eventually(lambda: not connection.is_connected)
        connection.connect()
        with raw_peer.accept():
            assert connection.is_connected


def test_a_loss_is_reported_to_handlers_of_the_connection(raw_peer: RawPeer) -> None:
    """With live streams `error` is emitted once with the cause, then `close`; not by the reader.

    A handler may open the next stream, which reconnects.
    """
    seen: list[Any] = []
    over = threading.Event()
    with connected_tts(raw_peer) as (connection, remote):

        def again() -> None:
            seen.append("close")
            seen.append(connection.stream(**VOICE).state)
            over.set()

        connection.on("error", seen.append).on("close", again)
        begin(connection, remote, "s1")
        remote.reset()
        assert over.wait(WAIT)
        raw_peer.accept().close()
        assert [type(t).__name__ for t in seen[:1]] == ["SonioxConnectionError"]
        assert seen[1:3] == ["close", "active"]


def test_closing_sends_a_close_frame_and_fails_live_streams(raw_peer: RawPeer) -> None:
    """`close()` sends one close frame, fails live streams, is idempotent, and final."""
    with connected_tts(raw_peer) as (connection, remote):
        events: list[Any] = []
        connection.on("error", events.append).on("close", lambda: events.append("close"))
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"one"))
        eventually(lambda: stream.metrics.audio_bytes == 3)
        closing = Task(connection.close)
        got = remote.recv_message()
        assert (got.opcode, got.close_code) == (8, 1000)
        remote.send(close_frame(1000))
        closing.result()
        connection.close()
        assert remote.recv_to_end() == b""
        chunks = iter(stream)
        assert next(chunks) == b"one"
        error = raised_by(lambda: next(chunks))
        assert isinstance(error, SonioxConnectionError)
        assert error.code == "closed"
        assert events == ["close"]
        for call in (connection.connect, lambda: connection.stream(**VOICE)):
            assert isinstance(raised_by(call), StateError)
        assert isinstance(raised_by(connection.keep_alive), StateError)


def test_the_connect_deadline_holds_for_a_silent_server() -> None:
    """A server that never answers the upgrade is an error after the timeout, which it names."""
    with RawPeer(answer=lambda remote: None) as peer:
        multi_stream = client_for(peer.url).realtime.tts.multi_stream
        error = raised_by(lambda: multi_stream(connect_timeout_sec=0.1))
        assert isinstance(error, ConnectTimeoutError)
        assert isinstance(error, TimeoutError)
        assert "connect_timeout_sec" in str(error)
        peer.accept().close()


def test_an_unreachable_server_is_a_connection_error() -> None:
    """A refused TCP connection raises at once, naming the address."""
    with RawPeer() as peer:
        port = peer.port
    error = raised_by(client_for(f"ws://127.0.0.1:{port}/x").realtime.tts.multi_stream)
    assert isinstance(error, SonioxConnectionError)
    assert f"127.0.0.1:{port}" in str(error)


def test_two_threads_that_connect_at_once_open_one_connection(raw_peer: RawPeer) -> None:
    """A lost connection is replaced once, however many threads open a stream."""
    with connected_tts(raw_peer) as (connection, remote):
        remote.reset()
        eventually(lambda: not connection.is_connected)
        start = threading.Barrier(4)

        def open_one() -> Any:
            start.wait()
            return connection.stream(**VOICE)

        tasks = [Task(open_one) for _ in range(4)]
        for task in tasks:
            task.result()
        with raw_peer.accept():
            assert connection.active_streams == 4
            assert raw_peer.idle


def test_closing_wakes_a_thread_that_connects() -> None:
    """`close()` from another thread ends a hanging connect."""
    asked = threading.Event()

    def never(remote: Remote) -> None:
        asked.set()

    with RawPeer() as peer:
        connection = client_for(peer.url).realtime.tts.multi_stream()
        peer.accept().close()
        eventually(lambda: not connection.is_connected)
        peer._answer = never
        connecting = Task(lambda: connection.stream(**VOICE))
        assert asked.wait(WAIT)
        connection.close()
        assert isinstance(raised_by(connecting.result), (SonioxConnectionError, StateError))
        peer.accept().close()


def test_defaults_of_the_client_apply_to_each_stream(raw_peer: RawPeer) -> None:
    """`tts_defaults` apply to fields that a stream does not set."""
    client = client_for(raw_peer.url, tts_defaults={**VOICE, "speed": 1.2})
    with connected_tts(raw_peer, client=client) as (connection, remote):
        stream = connection.stream(voice="Nora", stream_id="s1", extra={"style": "calm"})
        stream.send_text("x")
        config = remote.recv_message().json
        assert (config["voice"], config["speed"], config["style"]) == ("Nora", 1.2, "calm")
        assert config["audio_format"] == "pcm_s16le"


def test_a_subprotocol_the_server_does_not_choose_leaks_no_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that ignores the subprotocol is an error, which does not show the key."""
    with caplog.at_level(logging.DEBUG), RawPeer() as peer:
        client = client_for(peer.url, auth="subprotocol")
        error = raised_by(client.realtime.tts.multi_stream)
        assert isinstance(error, (SonioxConnectionError, ConfigurationError))
        peer.accept().close()
    assert KEY not in caplog.text
    assert KEY not in str(error)


@pytest.mark.parametrize("why", ["cancelled", "failed"])
def test_a_terminated_that_never_comes_is_waited_for_10_s(
    raw_peer: RawPeer, connection_clock: ManualClock, why: str
) -> None:
    """The slot and id of a stream that is over are free after 10 s, whatever the server does."""
    with connected_tts(raw_peer, ping_interval_sec=None) as (connection, remote):
        stream = begin(connection, remote, "s1")
        if why == "failed":
            remote.send(failure(stream_id="s1"))
            assert isinstance(raised_by(lambda: stream.wait(WAIT)), NetworkError)
        else:
            stream.cancel()
            assert remote.recv_message().json["cancel"] is True
        remote.await_handled()
        connection_clock.advance(9.9)
        assert connection.active_streams == 1
        connection_clock.advance(0.2)
        assert connection.active_streams == 0
        again = connection.stream(**VOICE, stream_id="s1")
        again.cancel()


def test_a_closed_connection_asks_for_nothing() -> None:
    """Neither for a key nor for anything else: it only says that it is closed."""
    asked: list[str] = []
    anything: Any = lambda: asked.append("plan")  # noqa: E731
    shared = SharedConnection(
        anything, TtsConnectionOptions(), dialect=anything, send_timeout_sec=1.0
    )
    shared.close(0.0)
    with pytest.raises(StateError, match="closed"):
        shared.ready(lambda plan: asked.append("resolve"))
    assert asked == []
