"""The sender writes whole frames in order, whatever happens to the writing threads."""

from __future__ import annotations

import threading
from typing import Callable

import pytest

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from soniox_sync.transport.sender import SendAfterClose, Sender
from soniox_sync.transport.sockets import DuplexSocket, SendTimeout
from tests.peers import BINARY, CLOSE, PING, PONG, TEXT, Remote
from tests.transport.senders import BIG, Scripted, soon, text
from tests.waiting import Task, eventually

# -- sending --------------------------------------------------------------------------------------


def test_frames_are_sent_in_order(scripted: Callable[..., tuple[Sender, Scripted]]) -> None:
    """One or several frames of a call are sent whole and in order."""
    sender, sock = scripted()
    sender.send(lambda: text("a"), soon())
    sender.send(lambda: [text("b"), text("c")], soon())
    sender.send(list, soon())
    sender.send(lambda: b"", soon())
    assert sock.frames() == [(TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")]
    assert len(sock.offers) == 3


@pytest.mark.parametrize("step", [1, 3, 7])
def test_slow_socket_gets_whole_frames(
    scripted: Callable[..., tuple[Sender, Scripted]], step: int
) -> None:
    """A socket that accepts a few bytes at a time, or none, gets the same frames."""
    sender, sock = scripted(0, step, 0, 0, step, last=step)
    sender.send(lambda: [text("hello"), text("world")], soon())
    assert sock.frames() == [(TEXT, b"hello"), (TEXT, b"world")]
    assert sock.waits == 3


def test_retry_offers_the_same_bytes_first(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """After a socket accepted nothing the next call passes the same bytes, and no fewer.

    OpenSSL requires that after want-write, from any writer.
    """
    sender, sock = scripted(0, 0, 0, 0, 0, 0, 0)
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("first"), Deadline(0))
    sender.pong(b"p")
    assert not sender.try_send(lambda: text("never made"))
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("second"), Deadline(0))
    sock.script.clear()
    sender.send(lambda: text("third"), soon())
    for before, after in zip(sock.offers, sock.offers[1:]):
        if before not in sock.wire[: len(before)]:
            assert after.startswith(before)
    assert [payload for _, payload in sock.frames()] == [b"first", b"p", b"second", b"third"]


def test_timed_out_frame_is_finished_by_the_next_writer(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """The rest of a frame whose send timed out is sent by the next writer."""
    sender, sock = scripted(5, 0)
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("half a frame"), Deadline(0))
    assert len(sock.wire) == 5
    sender.send(lambda: text("next"), soon())
    assert sock.frames() == [(TEXT, b"half a frame"), (TEXT, b"next")]


def test_interrupt_while_waiting_tears_no_frame(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """Ctrl-C in a writer that waits for space loses no byte: the frame is finished later."""
    sender, sock = scripted(5, 0)

    def interrupted(deadline: Deadline) -> None:
        raise KeyboardInterrupt

    sock.await_room = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        sender.send(lambda: text("half a frame"), soon())
    assert not sock.was_cut
    sender.send(lambda: text("next"), soon())
    assert sock.frames() == [(TEXT, b"half a frame"), (TEXT, b"next")]


@pytest.mark.parametrize("how", ["send", "try_send"])
def test_interrupt_with_bytes_uncounted_shuts_the_socket(
    scripted: Callable[..., tuple[Sender, Scripted]], how: str
) -> None:
    """Ctrl-C between sending bytes and counting them shuts the socket: none is sent twice."""

    def sent_and_interrupted(sock: Scripted, offered: bytes) -> int:
        sock.wire += offered
        raise KeyboardInterrupt

    sender, sock = scripted(sent_and_interrupted)
    with pytest.raises(KeyboardInterrupt):
        if how == "send":
            sender.send(lambda: text("sent"), soon())
        else:
            sender.try_send(lambda: text("sent"))
    assert sock.was_cut
    with pytest.raises(SendAfterClose):
        sender.send(lambda: text("next"), soon())
    assert not sender.try_send(lambda: text("next"))
    sender.pong(b"")
    assert sock.frames() == [(TEXT, b"sent")]


def test_what_make_raises_passes_through(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """An exception of `make` passes through; nothing is sent, and the lock is released."""
    sender, sock = scripted()

    def refuse() -> bytes:
        raise ValueError("not now")

    for send in (lambda: sender.send(refuse, soon()), lambda: sender.try_send(refuse)):
        with pytest.raises(ValueError, match="not now"):
            send()
    sender.send(lambda: text("a"), soon())
    assert sock.frames() == [(TEXT, b"a")]


def test_dead_socket_raises_and_frees_the_lock(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A socket error is raised to the writer; control frames ignore it; nothing hangs."""
    sender, _ = scripted(*[BrokenPipeError()] * 6)
    with pytest.raises(BrokenPipeError):
        sender.send(lambda: text("a"), soon())
    with pytest.raises(BrokenPipeError):
        sender.try_send(lambda: text("a"))
    sender.pong(b"")
    sender.ping(b"")
    assert sender.send_close(1000, soon()) is False
    sender.reply_close(1000)
    sender.retire()


def test_writers_do_not_mix(pair: tuple[Sender, Remote, DuplexSocket]) -> None:
    """Frames of many threads are sent whole, those of each thread in order."""
    sender, remote, _ = pair
    sizes = [10, 200, 40_000]

    def write(name: int) -> None:
        for number in range(30):
            body = bytes((name, number)) * sizes[number % 3]
            sender.send(lambda body=body: encode_frame(BINARY, body), soon())

    writers = [Task(lambda name=name: write(name)) for name in range(4)]
    seen: dict[int, list[int]] = {}
    for _ in range(120):
        got = remote.recv_frame()
        assert set(got.payload[::2]) == {got.payload[0]}
        seen.setdefault(got.payload[0], []).append(got.payload[1])
    assert seen == {name: list(range(30)) for name in range(4)}
    for writer in writers:
        writer.result()


def test_send_waits_for_another_writer_until_its_deadline(
    pair: tuple[Sender, Remote, DuplexSocket],
) -> None:
    """A second writer waits for the first until its own deadline at most."""
    sender, _, sock = pair
    first = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._lock.locked() and sender._left_over, "the blocked writer")
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("second"), Deadline(0.02))
    sock.shutdown()
    with pytest.raises(OSError):
        first.result()


# -- without waiting ------------------------------------------------------------------------------


def test_try_send_does_nothing_while_another_writes(
    pair: tuple[Sender, Remote, DuplexSocket],
) -> None:
    """While another thread writes, no frame is made and the call returns at once."""
    sender, remote, _ = pair
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return text("keepalive")

    first = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    assert sender.try_send(make) is False
    assert made == []
    assert remote.recv_frame().payload == BIG
    first.result()
    assert sender.try_send(make) is True
    assert remote.recv_frame().text == "keepalive"


def test_try_send_keeps_what_the_socket_did_not_accept(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A partly sent frame counts as sent, is made once, and is finished by the next writer."""
    sender, sock = scripted(4, 0)
    assert sender.try_send(lambda: text("keepalive")) is True
    assert sender.is_behind is True
    assert sender.try_send(lambda: [text("a"), text("b")]) is True
    assert sender.is_behind is False
    assert sock.frames() == [(TEXT, b"keepalive"), (TEXT, b"a"), (TEXT, b"b")]


# -- control frames -------------------------------------------------------------------------------


def test_pong_is_sent_at_once_when_idle(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """When no other thread writes, a pong or ping is written at once."""
    sender, sock = scripted()
    sender.pong(b"one")
    sender.ping(b"two")
    assert sock.frames() == [(PONG, b"one"), (PING, b"two")]


def test_pongs_never_wait_and_the_latest_wins(
    pair: tuple[Sender, Remote, DuplexSocket],
) -> None:
    """On a full uplink a pong returns at once; when there is space, the last one is sent."""
    sender, remote, _ = pair
    writer = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    reader = Task(lambda: [sender.pong(b"%d" % n) for n in range(1000)] and sender.ping(b"ping"))
    reader.result()
    assert not writer.done
    assert remote.recv_frame().payload == BIG
    writer.result()
    assert [(got.opcode, got.payload) for got in (remote.recv_frame(), remote.recv_frame())] == [
        (PONG, b"999"),
        (PING, b"ping"),
    ]


def test_waiting_pong_precedes_the_next_frame(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A pong that found no space is written before the next message, between whole frames."""
    sender, sock = scripted(3, 0, 0, 0)
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("first"), Deadline(0))
    sender.pong(b"late")
    sender.pong(b"later")
    sock.script.clear()
    sender.send(lambda: [text("second"), text("third")], soon())
    assert sock.frames() == [
        (TEXT, b"first"),
        (PONG, b"later"),
        (TEXT, b"second"),
        (TEXT, b"third"),
    ]


def test_pong_during_a_write_is_sent_by_the_writer(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A ping that arrives while a thread writes is answered by that thread."""
    sender, sock = scripted()

    def ping_arrives(sock: Scripted, offered: bytes) -> int:
        Task(lambda: sender.pong(b"answer")).result()
        return len(offered)

    sock.script = [ping_arrives]
    sender.send(lambda: text("audio"), soon())
    assert sock.frames() == [(TEXT, b"audio"), (PONG, b"answer")]


def test_a_control_frame_gives_up_at_the_first_error(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """The connection is lost, which the reader notices itself."""
    sender, sock = scripted(5, 0, BrokenPipeError())
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("half a frame"), Deadline(0))
    sender.pong(b"late")
    assert len(sock.offers) == 3


# -- waiting for another writer -------------------------------------------------------------------


def test_try_send_waits_for_another_writer_if_it_may(
    pair: tuple[Sender, Remote, DuplexSocket],
) -> None:
    """With a deadline it waits for its turn; for room it never waits."""
    sender, remote, _ = pair
    first = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    assert sender.try_send(lambda: text("no time"), Deadline(0.01)) is False
    second = Task(lambda: sender.try_send(lambda: text("in time"), soon()))
    assert remote.recv_frame().payload == BIG
    first.result()
    assert second.result() is True
    sender.send(lambda: b"", soon())  # what found no room was left to the next writer
    assert remote.recv_frame().text == "in time"


class _LateLock:
    """Lock at whose release something happens, before others can acquire it."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._happens: list[Callable[[], None]] = [happens]

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        if self._happens:
            self._happens.pop()()
        self._lock.release()


@pytest.mark.parametrize("how", ["send", "try_send"])
def test_a_pong_that_comes_while_a_writer_leaves_is_sent_by_it(
    scripted: Callable[..., tuple[Sender, Scripted]], how: str
) -> None:
    """Whoever queues a control frame relies on the writer that held the lock."""
    sender, sock = scripted()
    sender._lock = _LateLock(lambda: sender.pong(b"late"))  # type: ignore[assignment]
    if how == "send":
        sender.send(lambda: text("audio"), soon())
    else:
        assert sender.try_send(lambda: text("audio"))
    assert sock.frames() == [(TEXT, b"audio"), (PONG, b"late")]


def test_nothing_follows_a_close_frame(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """It is sent once, as the answer too, and no control frame comes after it."""
    sender, sock = scripted()
    assert sender.send_close(1000, soon()) is True
    assert sender.send_close(1001, soon()) is True
    sender.reply_close(1000)
    sender.pong(b"")
    sender.ping(b"")
    assert sender.try_send(lambda: text("late")) is False
    assert [opcode for opcode, _ in sock.frames()] == [CLOSE]


@pytest.mark.parametrize(("code", "answer"), [(1000, 1000), (1001, 1001), (1005, 1000)])
def test_a_close_frame_is_answered_with_its_code(
    scripted: Callable[..., tuple[Sender, Scripted]], code: int, answer: int
) -> None:
    """1005 stands for a frame without a code, and may not be sent itself."""
    sender, sock = scripted()
    sender.reply_close(code)
    assert sock.frames() == [(CLOSE, answer.to_bytes(2, "big"))]
