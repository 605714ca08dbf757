"""The one way out: whole frames in order, whatever happens to their writers."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Callable

import pytest
from peers import BINARY, CLOSE, PING, PONG, TEXT, WAIT, RawLine, Task, eventually

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from soniox_sync.transport.sender import LineClosed, Sender
from soniox_sync.transport.sockets import LineSocket, SendTimeout, wrap

BIG = b"x" * 300_000


class Scripted(LineSocket):
    """Takes as many bytes per call as the script says; an exception in it is raised."""

    def __init__(self, *script: object, last: int = 1 << 30) -> None:
        super().__init__(socket.socket())
        self.script = list(script)
        self.last = last
        self.wire = bytearray()
        self.offers: list[bytes] = []
        self.waits = 0
        self.was_cut = False

    def try_send(self, data: object) -> int:
        taken = self.script.pop(0) if self.script else self.last
        offered = bytes(data)  # type: ignore[call-overload]
        self.offers.append(offered)
        if isinstance(taken, BaseException):
            raise taken
        if callable(taken):
            taken = taken(self, offered)
        assert isinstance(taken, int)
        self.wire += offered[:taken]
        return min(taken, len(offered))

    def await_room(self, deadline: Deadline) -> None:
        self.waits += 1
        if deadline.passed:
            raise SendTimeout("no room in the script")

    def shutdown(self) -> None:
        self.was_cut = True

    def frames(self) -> list[tuple[int, bytes]]:
        """Parse what went out; half a frame fails the test."""
        ours, theirs = socket.socketpair()
        with ours, RawLine(theirs) as line:
            feeder = Task(lambda: (ours.sendall(bytes(self.wire)), ours.shutdown(1)))
            found = [(got.opcode, got.payload) for got in line.frames_to_end()]
            feeder.result()
        return found


@pytest.fixture
def scripted() -> Iterator[Callable[..., tuple[Sender, Scripted]]]:
    made: list[Scripted] = []

    def make(*script: object, last: int = 1 << 30) -> tuple[Sender, Scripted]:
        line = Scripted(*script, last=last)
        made.append(line)
        return Sender(line), line

    yield make
    for line in made:
        line.close()


@pytest.fixture
def pair() -> Iterator[tuple[Sender, RawLine, LineSocket]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    line = wrap(ours)
    far = RawLine(theirs)
    yield Sender(line), far, line
    line.close()
    far.close()


def text(content: str) -> bytes:
    return encode_frame(TEXT, content.encode())


def soon() -> Deadline:
    return Deadline(WAIT)


# -- sending --------------------------------------------------------------------------------------


def test_frames_go_out_in_order(scripted: Callable[..., tuple[Sender, Scripted]]) -> None:
    """One frame or several of one call reach the wire whole and in order."""
    sender, line = scripted()
    sender.send(lambda: text("a"), soon())
    sender.send(lambda: [text("b"), text("c")], soon())
    sender.send(list, soon())
    sender.send(lambda: b"", soon())
    assert line.frames() == [(TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")]
    assert len(line.offers) == 3


@pytest.mark.parametrize("step", [1, 3, 7])
def test_slow_line_gets_whole_frames(
    scripted: Callable[..., tuple[Sender, Scripted]], step: int
) -> None:
    """A line that takes a few bytes at a time, or none, gets the same frames."""
    sender, line = scripted(0, step, 0, 0, step, last=step)
    sender.send(lambda: [text("hello"), text("world")], soon())
    assert line.frames() == [(TEXT, b"hello"), (TEXT, b"world")]
    assert line.waits == 3


def test_retry_offers_the_same_bytes_first(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """After a line took nothing the next offer begins with the same bytes and is no shorter.

    OpenSSL asks for that after want-write, from whichever writer comes next.
    """
    sender, line = scripted(0, 0, 0, 0, 0, 0, 0)
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("first"), Deadline(0))
    sender.pong(b"p")
    assert not sender.try_send(lambda: text("never made"))
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("second"), Deadline(0))
    line.script.clear()
    sender.send(lambda: text("third"), soon())
    for before, after in zip(line.offers, line.offers[1:]):
        if before not in line.wire[: len(before)]:
            assert after.startswith(before)
    assert [payload for _, payload in line.frames()] == [b"first", b"p", b"second", b"third"]


def test_timed_out_frame_is_finished_by_the_next_writer(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A send that timed out half way leaves the rest to whoever writes next: no half frame."""
    sender, line = scripted(5, 0)
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("half a frame"), Deadline(0))
    assert len(line.wire) == 5
    sender.send(lambda: text("next"), soon())
    assert line.frames() == [(TEXT, b"half a frame"), (TEXT, b"next")]


def test_interrupt_while_waiting_keeps_the_line_whole(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """Ctrl-C in a writer that waits for room loses no byte: the frame is finished later."""
    sender, line = scripted(5, 0)

    def interrupted(deadline: Deadline) -> None:
        raise KeyboardInterrupt

    line.await_room = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        sender.send(lambda: text("half a frame"), soon())
    assert not line.was_cut
    sender.send(lambda: text("next"), soon())
    assert line.frames() == [(TEXT, b"half a frame"), (TEXT, b"next")]


@pytest.mark.parametrize("how", ["send", "try_send"])
def test_interrupt_with_bytes_uncounted_gives_the_line_up(
    scripted: Callable[..., tuple[Sender, Scripted]], how: str
) -> None:
    """Ctrl-C after bytes went out, before they were counted, cuts the line: none is repeated."""

    def sent_and_interrupted(line: Scripted, offered: bytes) -> int:
        line.wire += offered
        raise KeyboardInterrupt

    sender, line = scripted(sent_and_interrupted)
    with pytest.raises(KeyboardInterrupt):
        if how == "send":
            sender.send(lambda: text("sent"), soon())
        else:
            sender.try_send(lambda: text("sent"))
    assert line.was_cut
    with pytest.raises(LineClosed):
        sender.send(lambda: text("next"), soon())
    assert not sender.try_send(lambda: text("next"))
    sender.pong(b"")
    assert line.frames() == [(TEXT, b"sent")]


def test_what_make_raises_passes_through(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A refusal while deciding sends nothing, and the line is free for the next."""
    sender, line = scripted()

    def refuse() -> bytes:
        raise ValueError("not now")

    for send in (lambda: sender.send(refuse, soon()), lambda: sender.try_send(refuse)):
        with pytest.raises(ValueError, match="not now"):
            send()
    sender.send(lambda: text("a"), soon())
    assert line.frames() == [(TEXT, b"a")]


def test_dead_line_raises_and_frees_the_lock(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """An error of the socket reaches the writer; control frames swallow it; nobody hangs."""
    sender, _ = scripted(*[BrokenPipeError()] * 6)
    with pytest.raises(BrokenPipeError):
        sender.send(lambda: text("a"), soon())
    with pytest.raises(BrokenPipeError):
        sender.try_send(lambda: text("a"))
    sender.pong(b"")
    sender.ping(b"")
    assert sender.send_close(1000, "", soon()) is False
    sender.reply_close(1000)
    sender.retire()


def test_writers_do_not_mix(pair: tuple[Sender, RawLine, LineSocket]) -> None:
    """Frames of many threads come out whole, each thread's in its order."""
    sender, far, _ = pair
    sizes = [10, 200, 40_000]

    def write(name: int) -> None:
        for number in range(30):
            body = bytes((name, number)) * sizes[number % 3]
            sender.send(lambda body=body: encode_frame(BINARY, body), soon())

    writers = [Task(lambda name=name: write(name)) for name in range(4)]
    seen: dict[int, list[int]] = {}
    for _ in range(120):
        got = far.recv_frame()
        assert set(got.payload[::2]) == {got.payload[0]}
        seen.setdefault(got.payload[0], []).append(got.payload[1])
    assert seen == {name: list(range(30)) for name in range(4)}
    for writer in writers:
        writer.result()


def test_send_gives_up_on_a_busy_line(pair: tuple[Sender, RawLine, LineSocket]) -> None:
    """A second writer waits for the first at most until its own deadline."""
    sender, _, line = pair
    first = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._lock.locked() and sender._left_over, "the blocked writer")
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("second"), Deadline(0.02))
    line.shutdown()
    with pytest.raises(OSError):
        first.result()


# -- without waiting ------------------------------------------------------------------------------


def test_try_send_leaves_a_busy_line_alone(pair: tuple[Sender, RawLine, LineSocket]) -> None:
    """While another writes, or the line is full, nothing is made and nothing waits."""
    sender, far, _ = pair
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return text("keepalive")

    first = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    assert sender.try_send(make) is False
    assert made == []
    assert far.recv_frame().payload == BIG
    first.result()
    assert sender.try_send(make) is True
    assert far.recv_frame().text == "keepalive"


def test_try_send_keeps_what_the_line_did_not_take(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A frame that went half is queued: told as sent, finished by the next writer, made once."""
    sender, line = scripted(4, 0)
    assert sender.try_send(lambda: text("keepalive")) is True
    assert sender.try_send(lambda: [text("a"), text("b")]) is True
    assert line.frames() == [(TEXT, b"keepalive"), (TEXT, b"a"), (TEXT, b"b")]


# -- control frames -------------------------------------------------------------------------------


def test_pong_goes_out_at_once_on_an_idle_line(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """On a free line a pong and a ping are written by whoever asks."""
    sender, line = scripted()
    sender.pong(b"one")
    sender.ping(b"two")
    assert line.frames() == [(PONG, b"one"), (PING, b"two")]


def test_pongs_never_wait_and_the_latest_wins(
    pair: tuple[Sender, RawLine, LineSocket],
) -> None:
    """On a full uplink a pong returns at once; when there is room, the last one goes out."""
    sender, far, _ = pair
    writer = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    reader = Task(lambda: [sender.pong(b"%d" % n) for n in range(1000)] and sender.ping(b"ping"))
    reader.result()
    assert not writer.done
    assert far.recv_frame().payload == BIG
    writer.result()
    assert [(got.opcode, got.payload) for got in (far.recv_frame(), far.recv_frame())] == [
        (PONG, b"999"),
        (PING, b"ping"),
    ]


def test_waiting_pong_goes_before_the_next_frame(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A pong that found no room is written before the next message, between whole frames."""
    sender, line = scripted(3, 0, 0, 0)
    with pytest.raises(SendTimeout):
        sender.send(lambda: text("first"), Deadline(0))
    sender.pong(b"late")
    sender.pong(b"later")
    line.script.clear()
    sender.send(lambda: [text("second"), text("third")], soon())
    assert line.frames() == [
        (TEXT, b"first"),
        (PONG, b"later"),
        (TEXT, b"second"),
        (TEXT, b"third"),
    ]


def test_pong_during_a_write_is_not_forgotten(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A ping that arrives while somebody writes is answered by that writer, not by chance."""
    sender, line = scripted()

    def ping_arrives(line: Scripted, offered: bytes) -> int:
        Task(lambda: sender.pong(b"answer")).result()
        return len(offered)

    line.script = [ping_arrives]
    sender.send(lambda: text("audio"), soon())
    assert line.frames() == [(TEXT, b"audio"), (PONG, b"answer")]


# -- closing --------------------------------------------------------------------------------------


def test_close_frame_goes_out_once_and_last(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """However often and whoever closes, there is one close frame and nothing after it."""
    sender, line = scripted()
    sender.send(lambda: text("a"), soon())
    assert sender.send_close(1000, "bye", soon()) is True
    assert sender.send_close(1001, "again", soon()) is True
    sender.reply_close(1002)
    sender.pong(b"late")
    sender.ping(b"late")
    with pytest.raises(LineClosed):
        sender.send(lambda: text("late"), soon())
    assert sender.try_send(lambda: text("late")) is False
    assert line.frames() == [(TEXT, b"a"), (CLOSE, b"\x03\xe8bye")]


@pytest.mark.parametrize(
    ("got", "answered"), [(1000, 1000), (1001, 1001), (1005, 1000), (4001, 4001)]
)
def test_reply_echoes_the_code(
    scripted: Callable[..., tuple[Sender, Scripted]], got: int, answered: int
) -> None:
    """The peer's close is answered with its own code; one without a code with 1000."""
    sender, line = scripted()
    sender.reply_close(got)
    sender.reply_close(1011)
    assert sender.send_close(1000, "", soon()) is True
    assert line.frames() == [(CLOSE, answered.to_bytes(2, "big"))]


def test_close_frame_follows_the_rest_of_the_last_frame(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A close frame comes after the rest of a frame that was cut short, from both sides."""
    for close in (
        lambda sender: sender.send_close(1000, "", soon()),
        lambda sender: sender.reply_close(1000),
    ):
        sender, line = scripted(5, 0)
        with pytest.raises(SendTimeout):
            sender.send(lambda: text("half a frame"), Deadline(0))
        close(sender)
        assert line.frames() == [(TEXT, b"half a frame"), (CLOSE, b"\x03\xe8")]


def test_reply_waits_for_the_frame_being_written(
    pair: tuple[Sender, RawLine, LineSocket],
) -> None:
    """The peer's close is answered, after the frame that another thread is writing meanwhile."""
    sender, peer, _ = pair
    inside, go = threading.Event(), threading.Event()

    def make() -> bytes:
        inside.set()
        assert go.wait(WAIT)
        return text("on its way")

    writer = Task(lambda: sender.send(make, soon()))
    assert inside.wait(WAIT)
    answering = Task(lambda: sender.reply_close(1000))
    go.set()
    answering.result()
    writer.result()
    got = [peer.recv_frame() for _ in range(2)]
    assert [(f.opcode, f.payload) for f in got] == [(TEXT, b"on its way"), (CLOSE, b"\x03\xe8")]


def test_retire_does_not_wait_for_a_lost_lock(
    pair: tuple[Sender, RawLine, LineSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that Ctrl-C took away, lock in hand, does not keep the line from ending."""
    sender, _, line = pair
    monkeypatch.setattr("soniox_sync.transport.sender._RETIRE_SEC", 0.01)
    sender._lock.acquire()
    line.shutdown()
    Task(sender.retire).result()
    assert line._sock.fileno() == -1


def test_close_on_a_full_line_ends_at_its_deadline(
    pair: tuple[Sender, RawLine, LineSocket],
) -> None:
    """A close frame that finds no room, or a busy line, is given up at the deadline."""
    sender, _, line = pair
    writer = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    assert sender.send_close(1000, "", Deadline(0.02)) is False
    reader = Task(lambda: sender.reply_close(1000))
    reader.result()
    line.shutdown()
    with pytest.raises(OSError):
        writer.result()
    assert sender.send_close(1000, "", Deadline(0.02)) is False


def test_retire_waits_for_the_writer_inside(pair: tuple[Sender, RawLine, LineSocket]) -> None:
    """The descriptor is given back only when no writer uses it; then nobody writes any more."""
    sender, _, line = pair
    writer = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    retiring = threading.Event()
    retire = Task(lambda: (retiring.set(), sender.retire()))
    assert retiring.wait(WAIT)
    assert line._sock.fileno() >= 0
    line.shutdown()
    with pytest.raises(OSError):
        writer.result()
    retire.result()
    assert line._sock.fileno() == -1
    with pytest.raises(LineClosed):
        sender.send(lambda: text("late"), soon())


# -- signals --------------------------------------------------------------------------------------

_STORM = textwrap.dedent(
    """
    import random, signal, socket, ssl, sys, threading, time
    from soniox_sync.transport.deadline import Deadline
    from soniox_sync.transport.frames import BINARY, encode_frame
    from soniox_sync.transport.sender import LineClosed, Sender
    from soniox_sync.transport.sockets import wrap

    class Interrupt(BaseException):
        pass

    armed = False

    def strike(*_):
        if armed:
            raise Interrupt

    def serve(sock, result):
        data = bytearray()
        while True:
            try:
                got = sock.recv(65536)
            except ConnectionError:
                break
            if not got:
                break
            data += got
        at, bodies = 0, []
        while at + 14 <= len(data):
            assert data[at] == 0x82, "not the start of a frame at %d: %r" % (at, data[at:at + 8])
            assert data[at + 1] == 0xFE, "not our length"
            size = int.from_bytes(data[at + 2:at + 4], "big")
            if at + 8 + size > len(data):
                break
            key = data[at + 4:at + 8]
            body = bytes(b ^ key[i % 4] for i, b in enumerate(data[at + 8:at + 8 + size]))
            assert body == body[:4] * (size // 4), "torn body"
            bodies.append(int.from_bytes(body[:4], "big"))
            at += 8 + size
        assert bodies == sorted(set(bodies)), "a frame came twice or out of order"
        result.append(len(bodies))

    signal.signal(signal.SIGALRM, strike)
    interrupts = cut = frames = 0
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        result = []
        server = threading.Thread(target=serve, args=(theirs, result))
        server.start()
        sender = Sender(wrap(ours))
        number = 0
        while number < 1500:
            number += 1
            frame = encode_frame(BINARY, number.to_bytes(4, "big") * 100)
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.0003))
            try:
                armed = True
                try:
                    sender.send(lambda: frame, Deadline(5))
                finally:
                    armed = False
            except Interrupt:
                interrupts += 1
                armed = False
                if sender._lock.locked():
                    break  # between taking the lock and the try: nothing can be done about it
            except LineClosed:
                cut += 1
                break
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        ours.close()
        server.join(10)
        theirs.close()
        assert result, "the far end found a broken stream"
        frames += result[0]
    assert interrupts > 20, interrupts
    print(interrupts, "interrupts,", cut, "lines given up,", frames, "frames")
    """
)


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="needs setitimer")
def test_storm_of_interrupts_never_tears_a_frame() -> None:
    """Whenever Ctrl-C strikes a writer, the peer sees whole frames, each once."""
    done = subprocess.run([sys.executable, "-c", _STORM], capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert b"interrupts" in done.stdout


def test_forked_child_may_not_write(scripted: Callable[..., tuple[Sender, Scripted]]) -> None:
    """After a fork the child's copy takes nothing, even if the lock was copied taken."""
    sender, line = scripted()
    sender._lock.acquire()
    sender._slot_lock.acquire()
    sender.renew_locks()
    with pytest.raises(LineClosed):
        sender.send(lambda: text("child"), soon())
    sender.pong(b"child")
    assert line.frames() == []
