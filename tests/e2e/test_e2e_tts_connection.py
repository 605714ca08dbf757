"""A speech connection as a thing: opening, key, keepalives, reconnecting, its end."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from peers import WAIT, ManualClock, RawLine, RawPeer, Task, close_frame, eventually, message
from servers import KEY, VOICE, audio, begin, client_for, raised_by, tts_line, whole

from soniox_sync import tts as tts_module
from soniox_sync.errors import (
    ConfigurationError,
    ConnectTimeoutError,
    SonioxConnectionError,
    StateError,
)


@pytest.fixture
def hand_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """Give every new speech connection a clock that the test moves."""
    clock = ManualClock()
    defaults = tts_module.TtsConnection.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "clock", clock)
    yield clock
    assert clock.pending == 0, "timers were left behind"


KEEPALIVE = {"keep_alive": True}


def test_keepalives_go_out_when_nothing_else_did(
    raw_peer: RawPeer, hand_clock: ManualClock
) -> None:
    """From connect on a keepalive follows each quiet interval, and none follows other traffic."""
    with tts_line(raw_peer, keepalive_interval_sec=5.0, ping_interval_sec=None) as (
        connection,
        line,
    ):
        hand_clock.advance(4.9)
        connection.keep_alive()  # marks that nothing came before it
        assert line.recv_message().json == KEEPALIVE
        hand_clock.advance(4.9)
        stream = begin(connection, line, "s1")  # traffic: the interval starts over
        hand_clock.advance(4.9)
        stream.send_text("More.")
        assert line.recv_message().json["text"] == "More."
        for _ in range(3):
            hand_clock.advance(5.0)
            assert line.recv_message().json == KEEPALIVE
        line.send(message(stream_id="s1", terminated=True))
        line.fin()
        eventually(lambda: not connection.is_connected)
        hand_clock.advance(60)
        assert line.recv_to_end() == b""  # none after the end


def test_a_keepalive_interval_is_at_least_a_second(
    raw_peer: RawPeer, hand_clock: ManualClock
) -> None:
    """A shorter interval than 1 s counts as 1 s."""
    with tts_line(raw_peer, keepalive_interval_sec=0.1) as (connection, line):
        hand_clock.advance(0.9)
        connection.stream(**VOICE, stream_id="s1").send_text("x")
        assert line.recv_message().json["voice"]
        assert line.recv_message().json["text"] == "x"
        hand_clock.advance(1.0)
        assert line.recv_message().json == KEEPALIVE


def test_no_keepalive_precedes_a_key_in_the_message(
    raw_peer: RawPeer, hand_clock: ManualClock
) -> None:
    """With `auth="message"` keepalives start with the first stream: before it they are no use."""
    client = client_for(raw_peer.url, auth="message")
    with tts_line(raw_peer, client=client, ping_interval_sec=None) as (connection, line):
        hand_clock.advance(30)
        stream = connection.stream(**VOICE, stream_id="s1")
        hand_clock.advance(30)
        stream.send_text("Hello.")
        assert line.recv_message().json["api_key"] == KEY
        assert line.recv_message().json["text"] == "Hello."
        hand_clock.advance(5)
        assert line.recv_message().json == KEEPALIVE


@pytest.mark.parametrize("auth", ["header", "subprotocol", "message"])
def test_the_key_travels_in_exactly_one_place(auth: str) -> None:
    """Header, subprotocol or message: the key is in the one chosen and nowhere else."""

    def answer(line: RawLine) -> bytes:
        assert line.request is not None
        chosen = ["Sec-WebSocket-Protocol: soniox-api-key"] if auth == "subprotocol" else []
        return line.request.accept(*chosen)

    with RawPeer(answer=answer) as peer:
        client = client_for(peer.url, auth=auth)
        with tts_line(peer, client=client) as (connection, line):
            stream = connection.stream(**VOICE)
            stream.send_text("Hello.")
            config, text = line.recv_message().text, line.recv_message().text
            request = line.request
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


def test_a_key_callable_is_asked_once_per_connection(raw_peer: RawPeer) -> None:
    """A callable gives each connection its key once, streams on it ask for none."""
    keys = iter(["key-1", "key-2"])
    client = client_for(raw_peer.url, api_key=lambda: next(keys))
    for number in (1, 2):
        with tts_line(raw_peer, client=client) as (connection, line):
            begin(connection, line, "s1")
            begin(connection, line, "s2")
            assert line.request is not None
            assert line.request.headers["authorization"] == f"Bearer key-{number}"


def test_a_connection_closed_while_idle_is_opened_again_on_demand(raw_peer: RawPeer) -> None:
    """After the server closed an idle line the next stream goes over a new one, unasked."""
    with tts_line(raw_peer) as (connection, line):
        closes: queue.SimpleQueue[int] = queue.SimpleQueue()
        errors: list[Any] = []
        connection.on("close", lambda: closes.put(1)).on("error", errors.append)
        stream = begin(connection, line, "s1")
        line.send(whole("s1", b"one"))
        stream.wait(WAIT)
        line.send(close_frame(1001, "Timeout"))
        assert closes.get(True, WAIT)
        eventually(lambda: not connection.is_connected)
        assert stream.read(1) == b"one"
        second = connection.stream(**VOICE, stream_id="s1")
        with raw_peer.line() as renewed:
            assert connection.is_connected
            second.send_text("Again.")
            assert renewed.recv_message().json["voice"]  # its config goes with it
            assert renewed.recv_message().json["text"] == "Again."
            renewed.send(whole("s1", b"two"))
            assert second.read(WAIT) == b"two"
            renewed.send(close_frame(1001))
            assert closes.get(True, WAIT)  # handlers outlive the line
        assert errors == []


def test_connect_is_idempotent_and_reopens(raw_peer: RawPeer) -> None:
    """`connect()` does nothing on an open line and opens a new one on a dead one."""
    with tts_line(raw_peer) as (connection, line):
        assert connection.connect() is connection
        assert raw_peer.idle
        line.reset()
        eventually(lambda: not connection.is_connected)
        connection.connect()
        with raw_peer.line():
            assert connection.is_connected


def test_a_lost_line_is_told_to_its_connection(raw_peer: RawPeer) -> None:
    """`error` comes once with the cause when streams were lost, then `close`; both off the reader.

    A handler may open the next stream, which reconnects.
    """
    told: list[Any] = []
    over = threading.Event()
    with tts_line(raw_peer) as (connection, line):

        def again() -> None:
            told.append("close")
            told.append(connection.stream(**VOICE).state)
            over.set()

        connection.on("error", told.append).on("close", again)
        begin(connection, line, "s1")
        line.reset()
        assert over.wait(WAIT)
        raw_peer.line().close()
        assert [type(t).__name__ for t in told[:1]] == ["SonioxConnectionError"]
        assert told[1:3] == ["close", "active"]


def test_closing_says_goodbye_and_fails_live_streams(raw_peer: RawPeer) -> None:
    """`close()` sends one close frame, fails what lives, is idempotent, and final."""
    with tts_line(raw_peer) as (connection, line):
        events: list[Any] = []
        connection.on("error", events.append).on("close", lambda: events.append("close"))
        stream = begin(connection, line, "s1")
        line.send(audio("s1", b"one"))
        eventually(lambda: stream.metrics.audio_bytes == 3)
        closing = Task(connection.close)
        got = line.recv_message()
        assert (got.opcode, got.close_code) == (8, 1000)
        line.send(close_frame(1000))
        closing.result()
        connection.close()
        assert line.recv_to_end() == b""
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
    """A server that never answers the upgrade costs the connect timeout, named in the error."""
    with RawPeer(answer=lambda line: None) as peer:
        multi_stream = client_for(peer.url).realtime.tts.multi_stream
        error = raised_by(lambda: multi_stream(connect_timeout_sec=0.1))
        assert isinstance(error, ConnectTimeoutError)
        assert isinstance(error, TimeoutError)
        assert "connect_timeout_sec" in str(error)
        peer.line().close()


def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    """A refused TCP connection raises at once, naming the place."""
    with RawPeer() as peer:
        port = peer.port
    error = raised_by(client_for(f"ws://127.0.0.1:{port}/x").realtime.tts.multi_stream)
    assert isinstance(error, SonioxConnectionError)
    assert f"127.0.0.1:{port}" in str(error)


def test_two_threads_that_connect_at_once_open_one_line(raw_peer: RawPeer) -> None:
    """A dead line is replaced once, however many threads want a stream."""
    with tts_line(raw_peer) as (connection, line):
        line.reset()
        eventually(lambda: not connection.is_connected)
        start = threading.Barrier(4)

        def open_one() -> Any:
            start.wait()
            return connection.stream(**VOICE)

        tasks = [Task(open_one) for _ in range(4)]
        for task in tasks:
            task.result()
        with raw_peer.line():
            assert connection.active_streams == 4
            assert raw_peer.idle


def test_closing_wakes_a_thread_that_connects() -> None:
    """`close()` from another thread ends a connect that hangs."""
    asked = threading.Event()

    def never(line: RawLine) -> None:
        asked.set()

    with RawPeer() as peer:
        connection = client_for(peer.url).realtime.tts.multi_stream()
        peer.line().close()
        eventually(lambda: not connection.is_connected)
        peer._answer = never
        connecting = Task(lambda: connection.stream(**VOICE))
        assert asked.wait(WAIT)
        connection.close()
        assert isinstance(raised_by(connecting.result), (SonioxConnectionError, StateError))
        peer.line().close()


def test_defaults_of_the_client_lie_under_each_stream(raw_peer: RawPeer) -> None:
    """`tts_defaults` fill what a stream leaves out, and lose against what it says."""
    client = client_for(raw_peer.url, tts_defaults={**VOICE, "speed": 1.2})
    with tts_line(raw_peer, client=client) as (connection, line):
        connection.stream(voice="Nora", stream_id="s1", extra={"style": "calm"}).send_text("x")
        config = line.recv_message().json
        assert (config["voice"], config["speed"], config["style"]) == ("Nora", 1.2, "calm")
        assert config["audio_format"] == "pcm_s16le"


def test_a_subprotocol_the_server_does_not_choose_leaks_no_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that ignores the subprotocol is an error that shows the key nowhere."""
    with caplog.at_level(logging.DEBUG), RawPeer() as peer:
        client = client_for(peer.url, auth="subprotocol")
        error = raised_by(client.realtime.tts.multi_stream)
        assert isinstance(error, (SonioxConnectionError, ConfigurationError))
        peer.line().close()
    assert KEY not in caplog.text
    assert KEY not in str(error)
