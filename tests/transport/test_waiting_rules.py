"""Rules of waiting and of room that show in one place each."""

from __future__ import annotations

import queue
import sys
import threading
from typing import Any, Optional

import pytest

from soniox_sync.transport import deadline as module
from soniox_sync.transport import latch
from soniox_sync.transport.deadline import (
    Deadline,
    acquire,
    join_thread,
    slice_sec,
    take_from,
    wait_for,
)
from soniox_sync.transport.frames import FrameReader
from soniox_sync.transport.latch import Latch
from soniox_sync.transport.proxies import Proxy, environment_proxy, is_socks
from tests.peers import TEXT, frame
from tests.waiting import ManualClock, Task

# -- deadlines -----------------------------------------------------------------------------------


def test_a_deadline_passes_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a moment before; 0 has passed, `None` never does, nor does one beyond any lock."""
    clock = ManualClock()
    monkeypatch.setattr("time.monotonic", clock.now)
    deadline = Deadline(1.0)
    clock.advance(0.999)
    assert not deadline.passed
    clock.advance(0.001)
    assert deadline.passed
    assert Deadline(0).passed and Deadline(-1).remaining() == 0.0
    for endless in (None, threading.TIMEOUT_MAX, float("inf")):
        assert Deadline(endless).remaining() is None and not Deadline(endless).passed
    assert Deadline(threading.TIMEOUT_MAX - 1).remaining() is not None


def test_while_the_interpreter_ends_every_deadline_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads that could end a wait do not run any more."""
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    for deadline in (Deadline(None), Deadline(100.0)):
        assert deadline.passed and deadline.remaining() == 0.0 and deadline.at_most(5.0) == 0.0


def test_only_the_main_thread_waits_in_slices() -> None:
    """There Ctrl-C is raised, which does not wake a lock everywhere."""
    assert slice_sec() == 0.2
    assert Task(slice_sec).result() is None


class Waits:
    """Event, lock and queue that record how long they are waited for, and never have anything."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.asked: list[Optional[float]] = []

    def _wait(self, timeout: Optional[float]) -> bool:
        self.asked.append(timeout)
        assert len(self.asked) < 20
        self._clock.advance(timeout or 0.0)
        return False

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: Optional[float] = None) -> bool:
        return self._wait(timeout)

    def acquire(self, timeout: float = -1) -> bool:
        return self._wait(timeout)

    def join(self, timeout: Optional[float] = None) -> None:
        self._wait(timeout)

    def is_alive(self) -> bool:
        return True

    def empty(self) -> bool:
        return True

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        self._wait(timeout if block else 0.0)
        raise queue.Empty

    def get_nowait(self) -> Any:
        raise queue.Empty


@pytest.mark.parametrize("kind", ["event", "lock", "thread", "queue"])
@pytest.mark.parametrize(("sliced", "asked"), [(True, [0.25, 0.25, 0.125]), (False, [0.625])])
def test_a_wait_ends_at_its_deadline(
    monkeypatch: pytest.MonkeyPatch, kind: str, sliced: bool, asked: list[float]
) -> None:
    """In slices in the main thread, else at once."""
    clock = ManualClock()
    monkeypatch.setattr("time.monotonic", clock.now)
    monkeypatch.setattr(module, "slice_sec", lambda: 0.25 if sliced else None)
    waits: Any = Waits(clock)
    deadline = Deadline(0.625)
    if kind == "event":
        assert wait_for(waits, deadline) is False
    elif kind == "lock":
        assert acquire(waits, deadline) is False
    elif kind == "thread":
        assert join_thread(waits, deadline) is False
    else:
        with pytest.raises(queue.Empty):
            take_from(waits, deadline)
    assert waits.asked == asked


def test_an_item_that_is_there_is_not_waited_for() -> None:
    """The stream is ahead of its consumer: no clock is asked."""

    class Ahead(Waits):
        def empty(self) -> bool:
            return False

        def get_nowait(self) -> int:
            return 7

    waits: Any = Ahead(ManualClock())
    assert take_from(waits, Deadline(None)) == 7
    assert waits.asked == []


def test_a_thread_that_ends_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the slices."""

    class Ending(Waits):
        def is_alive(self) -> bool:
            return len(self.asked) < 2

    monkeypatch.setattr(module, "slice_sec", lambda: 0.25)
    waits: Any = Ending(ManualClock())
    assert join_thread(waits, Deadline(None)) is True
    assert waits.asked == [0.25, 0.25]


@pytest.mark.parametrize("sliced", [True, False])
def test_an_item_that_is_there_is_taken_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch, sliced: bool
) -> None:
    """`0` polls."""
    monkeypatch.setattr(module, "slice_sec", lambda: 0.5 if sliced else None)
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    items.put(7)
    assert take_from(items, Deadline(0)) == 7
    with pytest.raises(queue.Empty):
        take_from(items, Deadline(0))


def test_a_lock_that_is_free_is_acquired_after_the_deadline() -> None:
    """And one that is not is not."""
    lock = threading.Lock()
    assert acquire(lock, Deadline(0)) is True
    assert acquire(lock, Deadline(0)) is False
    assert Task(lambda: acquire(lock, Deadline(0))).result() is False


def test_a_thread_that_has_ended_is_joined_after_the_deadline() -> None:
    """Its end is all that counts."""
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert join_thread(thread, Deadline(0)) is True


# -- the latch -----------------------------------------------------------------------------------


def test_a_latch_waits_in_slices_of_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted waiter may have left the gate closed: the flag is looked at again."""
    clock = ManualClock()
    monkeypatch.setattr("time.monotonic", clock.now)
    made = Latch()
    waits: Any = Waits(clock)
    opened: list[bool] = []
    waits.release = lambda: opened.append(True)
    made._gate = waits
    assert latch._SLICE_SEC == 1.0
    assert made.wait(2.5) is False
    assert waits.asked == [1.0, 1.0, 0.5]
    assert opened == []  # or the waits after it would be none


def test_a_latch_that_is_set_is_not_waited_for() -> None:
    """Until it is cleared."""
    made = Latch()
    assert made.wait(0) is False
    made.set()
    made.set()
    assert made.is_set() and made.wait(0) is True and made.wait() is True
    made.clear()
    made.clear()
    assert not made.is_set() and made.wait(0) is False


# -- room for frames -----------------------------------------------------------------------------


def test_a_buffer_grows_with_what_comes_and_not_before() -> None:
    """Full reads double it, up to 256 KB; an idle connection keeps 4 KB."""
    reader = FrameReader()
    sizes = []
    for _ in range(8):
        room = reader.room()
        sizes.append(len(room) // 1024)
        room[:] = frame(TEXT, bytes(len(room) - (4 if len(room) < 65_540 else 10)))
        reader.filled(len(room))
        assert len(reader.messages()) == 1
    assert sizes == [4, 8, 16, 32, 64, 128, 256, 256]


@pytest.mark.parametrize(("count", "grows"), [(11, True), (12, False)])
def test_a_buffer_that_brings_enough_messages_does_not_grow(count: int, grows: bool) -> None:
    """More results at once would only start the garbage collector."""
    reader = FrameReader()
    for _ in range(2):
        room = reader.room()
        small = frame(TEXT, b"") * (count - 1)
        room[:] = small + frame(TEXT, bytes(len(room) - len(small) - 4))
        reader.filled(len(room))
        assert len(reader.messages()) == count
    assert len(reader.room()) == (16 if grows else 8) * 1024


def test_what_is_not_parsed_yet_stays_when_room_is_made() -> None:
    """Half a frame is moved to the front, whatever else is done with the buffer."""
    reader = FrameReader()
    wire = frame(TEXT, b"a" * 3000) + frame(TEXT, b"b" * 3000)
    found = []
    while wire:
        room = reader.room()
        assert len(room) >= 1
        count = min(len(room), len(wire), 4000)
        room[:count] = wire[:count]
        wire = wire[count:]
        reader.filled(count)
        found += reader.messages()
    reader.check()
    assert found == [(TEXT, b"a" * 3000), (TEXT, b"b" * 3000)]


def filled(reader: FrameReader, wire: bytes) -> int:
    """Read `wire`; return how much room there was for it."""
    room = reader.room()
    room[: len(wire)] = wire
    reader.filled(len(wire))
    reader.messages()
    return len(room)


@pytest.mark.parametrize(("left", "room"), [(4096, 4096), (4095, 4096 + 1003)])
def test_the_rest_is_moved_to_the_front_if_less_than_four_kilobytes_are_left(
    left: int, room: int
) -> None:
    """With more, what is left of the buffer is worth a read."""
    reader = FrameReader()
    filled(reader, frame(TEXT, bytes(4092)))  # a full read: the next ones have 8 KB
    whole = frame(TEXT, bytes(1000))
    assert len(whole) == 1004
    part = frame(TEXT, bytes(5000))[: 8192 - left - len(whole)]
    assert filled(reader, whole + part) == 8192
    assert len(reader.room()) == room


def test_a_buffer_of_the_right_size_is_kept() -> None:
    """It is replaced to grow, and by a smaller one once a large frame is done."""
    reader = FrameReader()
    first = reader.room().obj
    filled(reader, frame(TEXT, b"a"))
    assert reader.room().obj is first
    large = frame(TEXT, bytes(20_000))
    for start in range(0, len(large), 1000):  # only the last read is a full one
        filled(reader, large[start : start + 1000])
    assert len(reader.room()) == 8192


# -- proxies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://proxy.invalid:8080", "proxy.invalid:8080"),
        ("http://proxy.invalid", "proxy.invalid"),
        ("proxy.invalid", "proxy.invalid"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("socks5://[::1]", "[::1]:1080"),
        ("SOCKS5://proxy.invalid", "proxy.invalid:1080"),
        ("http://", "without a host"),
        ("http://:8080", "without a host"),
        ("http://proxy.invalid:x", "with a malformed URL"),
    ],
)
def test_a_proxy_is_named_by_host_and_port(url: str, name: str) -> None:
    """As far as they can be read, and never with its credentials."""
    assert Proxy(url, "proxy=").name == name
    assert str(Proxy(url, "HTTP_PROXY")) == f"the proxy {name} (from HTTP_PROXY)"


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("proxy=", "correct or leave out proxy="),
        ("the system's settings", "correct the proxy in the system's settings"),
        ("HTTPS_PROXY", "correct or unset HTTPS_PROXY, or start the proxy"),
    ],
)
def test_the_remedy_is_where_the_proxy_is_configured(source: str, remedy: str) -> None:
    """Each message ends with it, except of one that answered."""
    proxy = Proxy("http://p.invalid", source)
    assert proxy.remedy == remedy
    assert proxy.unreachable("why").endswith(f"cannot be reached: why: {remedy}")
    assert proxy.unresolved().endswith(f"could not be resolved: {remedy}")
    assert "refused the connection (why): check its URL" in proxy.refused("why")


def test_this_machine_has_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy cannot reach its loopback; names that only begin like it are others."""
    monkeypatch.setenv("ALL_PROXY", "http://p.invalid")
    for host in ("localhost", "::1", "127.0.0.1", "127.9.9.9"):
        assert environment_proxy(True, host) is None
    for host in ("localhost.invalid", "128.0.0.1", "127x.invalid"):
        assert environment_proxy(True, host) is not None
    assert is_socks("SOCKS5h") and is_socks("socks4") and not is_socks("http")
