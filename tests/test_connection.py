"""One connection: read by one thread, ended once, for the first cause, whoever asks."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from peers import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    WAIT,
    Listener,
    ManualClock,
    RawLine,
    RawPeer,
    Task,
    close_frame,
    eventually,
    fragments,
    frame,
    open_pair,
    text,
)

from soniox_sync import (
    AbortError,
    CancelToken,
    NetworkError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
)
from soniox_sync.connection import Connection
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame

Pair = tuple[Connection, RawLine, Listener, ManualClock]
BIG = b"x" * 4_000_000


def out(content: str) -> bytes:
    return encode_frame(TEXT, content.encode())


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Give a connection, the far end of its line, its receiver, and its clock; no pings."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=None) as (connection, line):
        yield connection, line, listener, clock


@pytest.fixture
def pinging() -> Iterator[Pair]:
    """Give the same with pings every 20 s, answered within 15."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=20.0, ping_timeout_sec=15.0) as (
        connection,
        line,
    ):
        yield connection, line, listener, clock


# -- messages -------------------------------------------------------------------------------------


def test_messages_arrive_in_order(pair: Pair) -> None:
    """Text and binary messages, whole or fragmented, reach the receiver as they were sent."""
    _, line, listener, _ = pair
    line.send(text("a"), frame(BINARY, b"b"), fragments(TEXT, b"c", b"d", b""), text("é"))
    got = [listener.take() for _ in range(4)]
    assert got == [(TEXT, b"a"), (BINARY, b"b"), (TEXT, b"cd"), (TEXT, "é".encode())]


def test_messages_go_out(pair: Pair) -> None:
    """What is sent reaches the server masked, whole, in order."""
    connection, line, _, _ = pair
    connection.send(lambda: out("one"))
    connection.send(lambda: [out("two"), out("three")])
    assert connection.try_send(lambda: out("four"))
    got = [line.recv_frame() for _ in range(4)]
    assert [g.text for g in got] == ["one", "two", "three", "four"]
    assert all(g.masked and g.fin and not g.rsv for g in got)


def test_huge_message_is_read_and_dripping_one_too(pair: Pair) -> None:
    """A message of several megabytes, and one that comes byte by byte, arrive whole."""
    _, line, listener, _ = pair
    feeder = Task(lambda: line.send(frame(BINARY, BIG)))
    assert listener.take() == (BINARY, BIG)
    feeder.result()
    line.send_dripping(text("slowly"))
    assert listener.take() == (TEXT, b"slowly")


def test_what_a_receiver_raises_ends_the_line(pair: Pair) -> None:
    """An error of the receiver is the cause of the end; one of ours stays as it is."""
    _, line, listener, _ = pair
    error = SonioxConnectionError("malformed", code="protocol_error")

    def refuse(messages: Any) -> None:
        raise error

    listener.received = refuse  # type: ignore[method-assign]
    line.send(text("x"))
    assert listener.end().cause is error
    assert line.frames_to_end() == []


def test_foreign_errors_of_a_receiver_are_wrapped(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours does not hide: it is logged and told as an internal error."""
    _, line, listener, _ = pair

    def fail(messages: Any) -> None:
        raise KeyError("a fault of the test")

    listener.received = fail  # type: ignore[method-assign]
    line.send(text("x"))
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "internal_error"
    assert isinstance(cause.__cause__, KeyError)
    assert "a fault of the test" in caplog.text


# -- ends by the peer -----------------------------------------------------------------------------


def test_close_of_the_peer_is_answered_and_told(pair: Pair) -> None:
    """A close frame is echoed once, what came before it delivered, code and reason told."""
    connection, line, listener, _ = pair
    line.send(text("last"), close_frame(1001, "going"), text("never"))
    end = listener.end()
    assert (end.cause, end.code, end.reason) == (None, 1001, "going")
    assert "1001" in end.describe()
    assert "going" in end.describe()
    assert listener.payloads == [b"last"]
    answers = line.frames_to_end()
    assert [(a.opcode, a.close_code) for a in answers] == [(CLOSE, 1001)]
    assert not connection.is_open


def test_close_without_a_code_is_answered(pair: Pair) -> None:
    """A close frame without a code is told as 1005 and answered with 1000."""
    _, line, listener, _ = pair
    line.send(close_frame(None))
    assert listener.end().code == 1005
    assert [a.close_code for a in line.frames_to_end()] == [1000]


def test_end_without_goodbye_is_told(pair: Pair) -> None:
    """An EOF gives an end without a code: the users of a line decide what it means."""
    _, line, listener, _ = pair
    line.send(text("last"))
    line.fin()
    end = listener.end()
    assert (end.cause, end.code) == (None, None)
    assert "lost" in end.describe()
    assert listener.payloads == [b"last"]


def test_end_inside_a_frame_delivers_what_was_whole(pair: Pair) -> None:
    """Half a frame before the EOF is no message."""
    _, line, listener, _ = pair
    line.send(text("whole"), text("torn off")[:-3])
    line.fin()
    assert listener.end().code is None
    assert listener.payloads == [b"whole"]


def test_reset_is_a_lost_connection(raw_peer: RawPeer) -> None:
    """A TCP reset gives a retriable error after the messages before it."""
    listener = Listener()
    connection = Connection(Target(raw_peer.url), listener)
    connection.open(WAIT)
    line = raw_peer.line()
    line.send(text("last"))
    assert listener.take() == (TEXT, b"last")
    line.reset()
    end = listener.end()
    assert isinstance(end.cause, SonioxConnectionError)
    with pytest.raises(SonioxConnectionError):
        connection.send(lambda: out("late"))
    assert connection.done.wait(WAIT)


_GARBAGE = [
    frame(TEXT, b"x", rsv=4),
    frame(TEXT, b"x", mask=b"abcd"),
    frame(3, b"x"),
    frame(PING, b"x" * 126),
    b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    frame(TEXT)[:1] + b"\x7f\xff" + b"\xff" * 7,
]


@pytest.mark.parametrize("garbage", _GARBAGE)
def test_garbage_after_good_messages_delivers_those(pair: Pair, garbage: bytes) -> None:
    """A violation ends the line with its close code, after every message before it."""
    _, line, listener, _ = pair
    line.send(text("one"), frame(PING, b"p"), text("two"), garbage, text("never"))
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "protocol_error"
    assert listener.payloads == [b"one", b"two"]
    sent = line.frames_to_end()
    assert [s.opcode for s in sent] == [PONG, CLOSE]
    assert sent[-1].close_code in (1002, 1009)


@pytest.mark.parametrize(
    "bad", [frame(CLOSE, b"\x03"), close_frame(1006), frame(CLOSE, b"\x03\xe8\xff")]
)
def test_bad_close_frames_are_violations(pair: Pair, bad: bytes) -> None:
    """A close frame that breaks the rules is no orderly end."""
    _, line, listener, _ = pair
    line.send(text("one"), bad)
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "protocol_error"
    assert listener.payloads == [b"one"]
    assert line.frames_to_end()[-1].close_code in (1002, 1007)


# -- ends by us -----------------------------------------------------------------------------------


def test_close_says_goodbye_and_takes_in_what_is_in_flight(pair: Pair) -> None:
    """close() sends one close frame, the reader reads to the peer's answer, then all is over."""
    connection, line, listener, _ = pair
    closing = Task(lambda: connection.close(WAIT))
    assert line.recv_frame().close_code == 1000
    line.send(text("in flight"), close_frame(1000))
    closing.result()
    end = listener.end()
    assert (end.cause, end.code) == (None, 1000)
    assert listener.payloads == [b"in flight"]
    assert line.frames_to_end() == []
    assert connection.done.is_set()


def test_close_is_idempotent_from_any_thread(pair: Pair) -> None:
    """Many closes at once are one close frame and one end."""
    connection, line, listener, _ = pair
    closers = [Task(lambda: connection.close(WAIT)) for _ in range(5)]
    assert line.recv_frame().opcode == CLOSE
    line.send(close_frame(1000))
    for closer in closers:
        closer.result()
    connection.close()
    listener.end()
    assert line.frames_to_end() == []


def test_close_on_a_silent_peer_ends_at_its_timeout(pair: Pair) -> None:
    """A peer that never answers holds close() for its timeout, not longer."""
    connection, line, listener, _ = pair
    began = time.monotonic()
    connection.close(0.05)
    assert connection.done.is_set()
    assert time.monotonic() - began < WAIT / 2
    assert listener.end().cause is None
    assert [f.opcode for f in line.frames_to_end()] == [CLOSE]


def test_close_on_a_full_uplink_is_bounded(pair: Pair) -> None:
    """A writer stuck on a peer that reads nothing neither holds close() nor survives it."""
    connection, line, listener, _ = pair
    writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(60)))
    eventually(lambda: connection._sender and connection._sender._left_over, "the full uplink")
    connection.close(0.05)
    with pytest.raises(SonioxConnectionError):
        writer.result()
    listener.end()
    assert line.recv_to_end()


def test_sends_after_close_are_refused(pair: Pair) -> None:
    """After close() sends raise an error that says so, try_send says no."""
    connection, _, _, _ = pair
    connection.close(0.01)
    with pytest.raises(SonioxConnectionError) as caught:
        connection.send(lambda: out("late"))
    assert caught.value.code == "closed"
    assert connection.try_send(lambda: out("late")) is False


def test_never_opened_connection_closes(raw_peer: RawPeer) -> None:
    """close() before open() is legal, at once, and final."""
    connection = Connection(Target(raw_peer.url), Listener())
    connection.close()
    assert connection.done.is_set()
    with pytest.raises(SonioxConnectionError):
        connection.send(lambda: out("x"))


# -- causes ---------------------------------------------------------------------------------------


def test_first_cause_wins_and_sticks(pair: Pair) -> None:
    """The first fail() is the cause for ever; each caller gets a fresh exception chained to it."""
    connection, _, listener, _ = pair
    first = NetworkError("the first")
    connection.fail(first)
    connection.fail(NetworkError("the second"))
    connection.close()
    assert listener.end().cause is first
    raised = []
    for call in (
        connection.raise_cause,
        lambda: connection.send(lambda: out("x")),
        connection.raise_cause,
    ):
        with pytest.raises(NetworkError, match="the first") as caught:
            call()
        raised.append(caught.value)
    assert len({id(error) for error in (*raised, first)}) == 4
    assert all(error.__cause__ is first for error in raised)
    connection.fail(NetworkError("the third"))
    assert connection.cause is first


def test_racing_causes_leave_one(pair: Pair) -> None:
    """Many causes at once, a reset among them: one wins, for everybody."""
    connection, line, listener, _ = pair
    causes = [NetworkError(str(n)) for n in range(8)]
    barrier = threading.Barrier(9)

    def fail(cause: NetworkError) -> None:
        barrier.wait()
        connection.fail(cause)

    tasks = [Task(lambda cause=cause: fail(cause)) for cause in causes]
    barrier.wait()
    line.close()
    for task in tasks:
        task.result()
    end = listener.end()
    assert end.cause is connection.cause
    assert end.cause is None or end.cause in causes or isinstance(end.cause, SonioxConnectionError)


def test_cause_after_close_does_not_rewrite_it(pair: Pair) -> None:
    """What fails while we close is no error: we asked for the end."""
    connection, line, listener, _ = pair
    closing = Task(lambda: connection.close(WAIT))
    assert line.recv_frame().opcode == CLOSE
    connection.fail(NetworkError("late"))
    closing.result()
    assert listener.end().cause is None


def test_servers_last_word_beats_the_broken_pipe(raw_peer: RawPeer) -> None:
    """A send that fails first looks for what the server said before it hung up."""
    listener = Listener()
    connection = Connection(Target(raw_peer.url), listener)
    said = NetworkError("the server said why")

    def received(messages: Any) -> None:
        raise said

    listener.received = received  # type: ignore[method-assign]
    connection.open(WAIT)
    line = raw_peer.line()
    line.send(text("error frame"))
    line.close()
    with pytest.raises(NetworkError, match="said why"):
        for _ in range(10_000):
            connection.send(lambda: encode_frame(BINARY, b"x" * 60_000))
    connection.close()
    assert listener.end().cause is said


@pytest.mark.parametrize(
    "refusal",
    [
        StateError("not now"),
        SonioxConnectionError("the stream's own", code="protocol_error"),
        SonioxTimeoutError("the stream's own"),
        ValueError("odd"),
    ],
)
def test_what_make_raises_is_not_the_lines_end(pair: Pair, refusal: Exception) -> None:
    """A refusal while deciding passes through as it is, nothing is sent, the line lives on."""
    connection, line, _, _ = pair

    def make() -> bytes:
        raise refusal

    with pytest.raises(type(refusal)) as caught:
        connection.send(make)
    assert caught.value is refusal
    assert connection.is_open
    connection.send(lambda: out("next"))
    assert line.recv_frame().text == "next"


def test_send_timeout_kills_the_line(pair: Pair) -> None:
    """A server that takes no data for the send timeout is given up: half a frame is on the wire."""
    connection, line, listener, _ = pair
    with pytest.raises(SonioxConnectionError) as caught:
        connection.send(lambda: encode_frame(BINARY, BIG), Deadline(0.05))
    assert caught.value.code == "send_timeout"
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "send_timeout"
    assert line.recv_to_end()


def test_cut_gives_no_cause(pair: Pair) -> None:
    """cut() ends the line without blame."""
    connection, _, listener, _ = pair
    connection.cut()
    assert listener.end().cause is None


def test_expected_close_is_cut_when_it_does_not_come(pair: Pair) -> None:
    """After its last message the server has a while to close by itself, then the line is cut."""
    connection, line, listener, clock = pair
    connection.expect_close(2.0)
    connection.expect_close(60.0)
    clock.advance(1.9)
    assert not connection.done.is_set()
    clock.advance(0.2)
    end = listener.end()
    assert (end.cause, end.code) == (None, None)
    assert line.frames_to_end() == []
    assert connection.done.wait(WAIT)
    assert clock.pending == 0


def test_expected_close_that_comes_is_orderly(pair: Pair) -> None:
    """A server that closes by itself in time ends the line, and no timer is left."""
    connection, line, listener, clock = pair
    connection.expect_close(2.0)
    line.send(close_frame(1000))
    assert listener.end().code == 1000
    assert connection.done.wait(WAIT)
    assert clock.pending == 0


# -- pings ----------------------------------------------------------------------------------------


def test_pings_are_answered_when_idle(pair: Pair) -> None:
    """A ping is answered at once with its own payload, also between other messages."""
    _, line, listener, _ = pair
    line.send(frame(PING, b"abc"))
    got = line.recv_frame()
    assert (got.opcode, got.payload, got.masked) == (PONG, b"abc", True)
    line.send(text("x"), frame(PING, b""), frame(PONG, b"unasked"), text("y"))
    assert line.recv_frame().payload == b""
    assert [listener.take(), listener.take()] == [(TEXT, b"x"), (TEXT, b"y")]


def test_ping_inside_a_fragmented_message_is_answered(pair: Pair) -> None:
    """A ping between two fragments is answered before the message is whole."""
    _, line, listener, _ = pair
    line.send(frame(TEXT, b"a", fin=False), frame(PING, b"now"))
    assert line.recv_frame().payload == b"now"
    line.send(frame(0, b"b"))
    assert listener.take() == (TEXT, b"ab")


def test_full_uplink_does_not_stop_the_downlink(pair: Pair) -> None:
    """While a writer waits for room messages arrive, and the latest ping is answered in time."""
    connection, line, listener, _ = pair
    writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(60)))
    eventually(lambda: connection._sender and connection._sender._left_over, "the full uplink")
    for number in range(50):
        line.send(frame(PING, b"%d" % number), text(f"m{number}"))
    assert [listener.take()[1] for _ in range(50)] == [b"m%d" % n for n in range(50)]
    assert not writer.done
    assert line.recv_frame().payload == BIG
    writer.result()
    got = line.recv_frame()
    assert (got.opcode, got.payload) == (PONG, b"49")


def test_ping_goes_out_when_the_server_is_quiet(pinging: Pair) -> None:
    """After a quiet interval a ping goes out; any sign of life postpones it."""
    _, line, listener, clock = pinging
    clock.advance(19)
    line.send(text("alive"))
    listener.take()
    clock.advance(19)
    line.send(frame(PING, b"mark"))
    assert line.recv_frame().payload == b"mark"
    clock.advance(20)
    assert line.recv_frame().opcode == PING


def heard(connection: Connection, line: RawLine, answer: bytes, clock: ManualClock) -> None:
    """Send a sign of life and wait until the reader has taken it in."""
    line.send(answer)
    eventually(lambda: connection._heartbeat.heard == clock.now(), "the sign of life")


def test_answered_pings_keep_the_line(pinging: Pair) -> None:
    """A server that answers each ping, and says nothing else, is alive for ever."""
    connection, line, _, clock = pinging
    for _ in range(10):
        clock.advance(20)
        ping = line.recv_frame()
        assert ping.opcode == PING
        clock.advance(1)
        heard(connection, line, frame(PONG, ping.payload), clock)
    assert connection.is_open


def test_dead_peer_is_noticed(pinging: Pair) -> None:
    """A peer that answers no ping ends the line at ping interval plus timeout, not before."""
    connection, line, listener, clock = pinging
    clock.advance(34.9)
    assert connection.is_open
    assert not connection.done.is_set()
    clock.advance(0.2)
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "ping_timeout"
    assert [f.opcode for f in line.frames_to_end()] == [PING]
    assert connection.done.wait(WAIT)
    assert clock.pending == 0


def test_dead_peer_is_noticed_when_the_timeout_exceeds_the_interval() -> None:
    """Later pings do not postpone the verdict on the first that was not answered."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=5.0, ping_timeout_sec=12.0) as (
        connection,
        line,
    ):
        clock.advance(5)
        assert line.recv_frame().opcode == PING
        heard(connection, line, frame(PONG), clock)
        clock.advance(16.9)
        assert connection.is_open
        clock.advance(0.2)
        assert listener.end().cause.code == "ping_timeout"
        assert connection.done.wait(WAIT)
        assert clock.pending == 0


def test_missing_pongs_may_be_tolerated() -> None:
    """With a ping timeout of None pings go out and nobody judges their answers."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=5.0, ping_timeout_sec=None) as (
        connection,
        line,
    ):
        clock.advance(100)
        assert connection.is_open
        assert line.recv_frame().opcode == PING


def test_full_uplink_does_not_block_the_clock() -> None:
    """The clock's ping on a full line returns at once; a peer that still talks is alive."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=20.0, ping_timeout_sec=15.0) as (
        connection,
        line,
    ):
        writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(60)))
        eventually(lambda: connection._sender and connection._sender._left_over, "a full uplink")
        Task(lambda: clock.advance(20)).result()
        heard(connection, line, text("still here"), clock)
        Task(lambda: clock.advance(16)).result()
        assert connection.is_open
        assert connection.try_send(lambda: out("keepalive")) is False
        assert line.recv_frame().payload == BIG
        writer.result()
        assert line.recv_frame().opcode == PING


# -- tokens, threads, forks -----------------------------------------------------------------------


def test_cancel_after_opening_is_somebody_elses(raw_peer: RawPeer) -> None:
    """The token of open() concerns opening only."""
    token = CancelToken()
    connection = Connection(Target(raw_peer.url), Listener())
    connection.open(WAIT, token)
    token.cancel()
    assert connection.is_open
    assert connection.cause is None
    connection.fail(AbortError("end of the test"))
    assert connection.done.wait(WAIT)


def test_one_named_daemon_thread(raw_peer: RawPeer) -> None:
    """A connection has one thread, from open() on, and none after its end."""
    before = set(threading.enumerate())
    connection = Connection(Target(raw_peer.url), Listener(), ping_interval_sec=None)
    assert set(threading.enumerate()) == before
    connection.open(WAIT)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    assert thread.name.startswith("soniox-reader-")
    raw_peer.line().close()
    thread.join(WAIT)
    assert not thread.is_alive()
    connection.close()


def test_receiver_that_fails_at_the_end_is_logged(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the receiver does at the end, the connection is done for everybody."""
    connection, line, listener, _ = pair

    def fail(end: Any) -> None:
        raise ValueError("a fault of the test")

    listener.ended = fail  # type: ignore[method-assign]
    line.fin()
    assert connection.done.wait(WAIT)
    assert "a fault of the test" in caplog.text


@pytest.mark.parametrize("ending", ["close", "fail", "fin", "reset"])
def test_hundred_ends_under_load(ending: str, raw_peer: RawPeer) -> None:
    """However a busy line ends, every sender comes back and the end is told once."""
    for _ in range(10):
        listener = Listener()
        connection = Connection(Target(raw_peer.url), listener)
        connection.open(WAIT)
        line = raw_peer.line()

        def push(connection: Connection = connection) -> int:
            sent = 0
            while True:
                try:
                    connection.send(lambda: encode_frame(BINARY, b"x" * 3000))
                except SonioxError:
                    return sent
                sent += 1

        senders = [Task(push) for _ in range(3)]
        line.recv_exactly(20_000)
        line.send(text("hello"))
        ends: dict[str, Callable[[], None]] = {
            "close": lambda c=connection: c.close(0.05),
            "fail": lambda c=connection: c.fail(NetworkError("x")),
            "fin": line.close,
            "reset": line.reset,
        }
        ends[ending]()
        for sender in senders:
            sender.result()
        listener.end()
        assert connection.done.wait(WAIT)
        connection.close()


_FORK = """
    import os, socket, sys, threading, warnings
    warnings.simplefilter("ignore")
    sys.path.insert(0, {tests!r})
    from peers import Listener, RawPeer, text, TEXT, WAIT
    from soniox_sync import SonioxConnectionError
    from soniox_sync.connection import Connection
    from soniox_sync.transport.connect import Target
    from soniox_sync.transport.frames import encode_frame

    peer = RawPeer()
    listener = Listener()
    connection = Connection(Target(peer.url), listener)
    connection.open(WAIT)
    line = peer.line()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert not connection.is_open
            assert [error.code for error in listener.forks] == ["forked"], listener.forks
            for call in (connection.raise_cause, lambda: connection.send(lambda: b"child")):
                try:
                    call()
                except SonioxConnectionError as error:
                    assert error.code == "forked", error.code
                else:
                    raise AssertionError("the child could use its parent's line")
            assert connection.try_send(lambda: b"child") is False
            connection.close()
            connection.fail(ValueError("child"))
            connection.cut()
            assert connection.done.is_set()
            fresh = Connection(Target(peer.url), Listener())
            fresh.open(WAIT)
            fresh.send(lambda: encode_frame(TEXT, b"from the child"))
            fresh.close(0.2)
            code = 0
        finally:
            os._exit(code)
    child = peer.line()
    assert child.recv_frame().text == "from the child"
    child.close()
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    connection.send(lambda: encode_frame(TEXT, b"from the parent"))
    assert line.recv_frame().text == "from the parent"
    line.send(text("and back"))
    assert listener.take() == (TEXT, b"and back")
    connection.close(0.1)
    peer.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_forked_child_leaves_the_parents_line_alone() -> None:
    """In a forked child inherited lines are dead with a clear error; the parent's live on."""
    from pathlib import Path

    script = textwrap.dedent(_FORK).format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
