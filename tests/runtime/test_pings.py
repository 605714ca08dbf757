"""Pings are answered at once; a peer that answers none of ours times out."""

from __future__ import annotations

from soniox_sync import SonioxConnectionError
from soniox_sync.runtime.connection import Connection
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from tests.peers import BINARY, PING, PONG, TEXT, Listener, Remote, frame, open_pair, text
from tests.runtime.pairs import BIG, Pair, text_frame
from tests.waiting import WAIT, ManualClock, Task, eventually


def test_pings_are_answered_when_idle(pair: Pair) -> None:
    """A ping is answered at once with its own payload, also between other messages."""
    _, remote, listener, _ = pair
    remote.send(frame(PING, b"abc"))
    got = remote.recv_frame()
    assert (got.opcode, got.payload, got.masked) == (PONG, b"abc", True)
    remote.send(text("x"), frame(PING, b""), frame(PONG, b"unasked"), text("y"))
    assert remote.recv_frame().payload == b""
    assert [listener.take(), listener.take()] == [(TEXT, b"x"), (TEXT, b"y")]


def test_ping_inside_a_fragmented_message_is_answered(pair: Pair) -> None:
    """A ping between two fragments is answered before the message is whole."""
    _, remote, listener, _ = pair
    remote.send(frame(TEXT, b"a", fin=False), frame(PING, b"now"))
    assert remote.recv_frame().payload == b"now"
    remote.send(frame(0, b"b"))
    assert listener.take() == (TEXT, b"ab")


def test_full_uplink_does_not_stop_the_downlink(pair: Pair) -> None:
    """While a writer waits for space, messages arrive and the latest ping is answered in time."""
    connection, remote, listener, _ = pair
    writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(60)))
    eventually(lambda: connection._sender and connection._sender._left_over, "the full uplink")
    for number in range(50):
        remote.send(frame(PING, b"%d" % number), text(f"m{number}"))
    assert [listener.take()[1] for _ in range(50)] == [b"m%d" % n for n in range(50)]
    assert not writer.done
    assert remote.recv_frame().payload == BIG
    writer.result()
    got = remote.recv_frame()
    assert (got.opcode, got.payload) == (PONG, b"49")


def test_a_quiet_server_is_pinged(pinging: Pair) -> None:
    """After a quiet interval a ping is sent; anything received postpones it."""
    _, remote, listener, clock = pinging
    clock.advance(19)
    remote.send(text("alive"))
    listener.take()
    clock.advance(19)
    remote.send(frame(PING, b"mark"))
    assert remote.recv_frame().payload == b"mark"
    clock.advance(20)
    assert remote.recv_frame().opcode == PING


def receive(connection: Connection, remote: Remote, answer: bytes, clock: ManualClock) -> None:
    """Send `answer` and wait until the reader has received it."""
    remote.send(answer)
    eventually(lambda: connection._heartbeat.last_received == clock.now(), "the received bytes")


def test_answered_pings_keep_the_connection(pinging: Pair) -> None:
    """A server that answers each ping, and sends nothing else, never times out."""
    connection, remote, _, clock = pinging
    for _ in range(10):
        clock.advance(20)
        ping = remote.recv_frame()
        assert ping.opcode == PING
        clock.advance(1)
        receive(connection, remote, frame(PONG, ping.payload), clock)
    assert connection.is_open


def test_silent_peer_times_out(pinging: Pair) -> None:
    """A peer that answers no ping times out after interval plus timeout, not before."""
    connection, remote, listener, clock = pinging
    clock.advance(34.9)
    assert connection.is_open
    assert not connection.closed.is_set()
    clock.advance(0.2)
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "ping_timeout"
    assert [f.opcode for f in remote.frames_to_end()] == [PING]
    assert connection.closed.wait(WAIT)
    assert clock.pending == 0


def test_silent_peer_times_out_when_the_timeout_exceeds_the_interval() -> None:
    """Later pings do not extend the deadline of the first unanswered one."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=5.0, ping_timeout_sec=12.0) as (
        connection,
        remote,
    ):
        clock.advance(5)
        assert remote.recv_frame().opcode == PING
        receive(connection, remote, frame(PONG), clock)
        clock.advance(16.9)
        assert connection.is_open
        clock.advance(0.2)
        assert listener.end().cause.code == "ping_timeout"
        assert connection.closed.wait(WAIT)
        assert clock.pending == 0


def test_missing_pongs_may_be_tolerated() -> None:
    """With a ping timeout of `None`, pings are sent but answers are not required."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=5.0, ping_timeout_sec=None) as (
        connection,
        remote,
    ):
        clock.advance(100)
        assert connection.is_open
        assert remote.recv_frame().opcode == PING


def test_full_uplink_does_not_block_the_clock() -> None:
    """A ping on a full uplink returns at once; a peer that still sends does not time out."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=20.0, ping_timeout_sec=15.0) as (
        connection,
        remote,
    ):
        writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(60)))
        eventually(lambda: connection._sender and connection._sender._left_over, "a full uplink")
        Task(lambda: clock.advance(20)).result()
        receive(connection, remote, text("still here"), clock)
        Task(lambda: clock.advance(16)).result()
        assert connection.is_open
        assert connection.try_send(lambda: text_frame("keepalive")) is False
        assert remote.recv_frame().payload == BIG
        writer.result()
        assert remote.recv_frame().opcode == PING


def test_a_silent_server_is_pinged_after_20_s_and_lost_after_20_more() -> None:
    """Unless the user says otherwise."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock) as (connection, remote):
        clock.advance(19.9)
        assert clock.pending == 1
        clock.advance(0.1)
        assert remote.recv_frame().opcode == PING
        clock.advance(19.9)
        assert connection.is_open
        clock.advance(0.1)
        assert listener.end().cause.code == "ping_timeout"
