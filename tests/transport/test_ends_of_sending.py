"""The close frame is the last one; interrupts and forks tear no frame."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import Callable

import pytest

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from soniox_sync.transport.sender import SendAfterClose, Sender
from soniox_sync.transport.sockets import DuplexSocket, SendTimeout
from tests.peers import BINARY, CLOSE, TEXT, Remote
from tests.transport.senders import BIG, Scripted, soon, text
from tests.waiting import WAIT, Task, eventually

# -- closing --------------------------------------------------------------------------------------


def test_close_frame_is_sent_once_and_last(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """However many threads close, there is one close frame and nothing after it."""
    sender, sock = scripted()
    sender.send(lambda: text("a"), soon())
    assert sender.send_close(1000, soon()) is True
    assert sender.send_close(1001, soon()) is True
    sender.reply_close(1002)
    sender.pong(b"late")
    sender.ping(b"late")
    with pytest.raises(SendAfterClose):
        sender.send(lambda: text("late"), soon())
    assert sender.try_send(lambda: text("late")) is False
    assert sock.frames() == [(TEXT, b"a"), (CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize(
    ("got", "answered"), [(1000, 1000), (1001, 1001), (1005, 1000), (4001, 4001)]
)
def test_reply_echoes_the_code(
    scripted: Callable[..., tuple[Sender, Scripted]], got: int, answered: int
) -> None:
    """The peer's close is answered with its own code; one without a code with 1000."""
    sender, sock = scripted()
    sender.reply_close(got)
    sender.reply_close(1011)
    assert sender.send_close(1000, soon()) is True
    assert sock.frames() == [(CLOSE, answered.to_bytes(2, "big"))]


def test_close_frame_follows_the_rest_of_the_last_frame(
    scripted: Callable[..., tuple[Sender, Scripted]],
) -> None:
    """A close frame, ours or an answer, is sent after the rest of an interrupted frame."""
    for close in (
        lambda sender: sender.send_close(1000, soon()),
        lambda sender: sender.reply_close(1000),
    ):
        sender, sock = scripted(5, 0)
        with pytest.raises(SendTimeout):
            sender.send(lambda: text("half a frame"), Deadline(0))
        close(sender)
        assert sock.frames() == [(TEXT, b"half a frame"), (CLOSE, b"\x03\xe8")]


def test_reply_waits_for_the_frame_being_written(
    pair: tuple[Sender, Remote, DuplexSocket],
) -> None:
    """The peer's close is answered after the frame that another thread is writing."""
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
    pair: tuple[Sender, Remote, DuplexSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock left acquired by Ctrl-C does not prevent the end."""
    sender, _, sock = pair
    monkeypatch.setattr("soniox_sync.transport.sender._RETIRE_SEC", 0.01)
    sender._lock.acquire()
    sock.shutdown()
    Task(sender.retire).result()
    assert sock._sock.fileno() == -1


def test_close_on_a_full_socket_ends_at_its_deadline(
    pair: tuple[Sender, Remote, DuplexSocket],
) -> None:
    """A close frame that cannot be written by the deadline is given up."""
    sender, _, sock = pair
    writer = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    assert sender.send_close(1000, Deadline(0.02)) is False
    reader = Task(lambda: sender.reply_close(1000))
    reader.result()
    sock.shutdown()
    with pytest.raises(OSError):
        writer.result()
    assert sender.send_close(1000, Deadline(0.02)) is False


def test_retire_waits_for_the_writer_inside(pair: tuple[Sender, Remote, DuplexSocket]) -> None:
    """The descriptor is closed only when no writer uses it; after that every send is refused."""
    sender, _, sock = pair
    writer = Task(lambda: sender.send(lambda: encode_frame(BINARY, BIG), soon()))
    eventually(lambda: sender._left_over, "the blocked writer")
    retiring = threading.Event()
    retire = Task(lambda: (retiring.set(), sender.retire()))
    assert retiring.wait(WAIT)
    assert sock._sock.fileno() >= 0
    sock.shutdown()
    with pytest.raises(OSError):
        writer.result()
    retire.result()
    assert sock._sock.fileno() == -1
    with pytest.raises(SendAfterClose):
        sender.send(lambda: text("late"), soon())


# -- signals --------------------------------------------------------------------------------------

_STORM = textwrap.dedent(
    """
    import random, signal, socket, ssl, sys, threading, time
    from soniox_sync.transport.deadline import Deadline
    from soniox_sync.transport.frames import BINARY, encode_frame
    from soniox_sync.transport.sender import SendAfterClose, Sender
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
            except SendAfterClose:
                cut += 1
                break
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        ours.close()
        server.join(10)
        theirs.close()
        assert result, "the server found a broken stream"
        frames += result[0]
    assert interrupts > 20, interrupts
    print(interrupts, "interrupts,", cut, "sockets shut,", frames, "frames")
    """
)


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="needs setitimer")
def test_storm_of_interrupts_never_tears_a_frame() -> None:
    """Wherever Ctrl-C interrupts a writer, the peer receives whole frames, each once."""
    done = subprocess.run([sys.executable, "-c", _STORM], capture_output=True, timeout=90)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert b"interrupts" in done.stdout


def test_forked_child_may_not_write(scripted: Callable[..., tuple[Sender, Scripted]]) -> None:
    """After a fork the child's copy accepts nothing."""
    sender, sock = scripted()
    sender.invalidate()
    with pytest.raises(SendAfterClose):
        sender.send(lambda: text("child"), soon())
    sender.pong(b"child")
    assert sock.frames() == []
