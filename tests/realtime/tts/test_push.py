"""Speech delivered to handlers: their order, failures and slowness."""

from __future__ import annotations

import logging
import queue
import threading
from functools import partial
from typing import Any

import pytest

from soniox_sync.errors import StateError
from soniox_sync.protocol.tts import Timestamps
from tests.peers import RawPeer, frame, message
from tests.realtime.servers import (
    VOICE,
    audio,
    begin,
    client_for,
    connected_tts,
    raised_by,
    terminated,
    whole,
)
from tests.waiting import WAIT, Task, eventually


def test_handlers_get_queued_audio_first_and_everything_in_order(raw_peer: RawPeer) -> None:
    """A handler registered late gets the queued audio first, then live audio, then the ends."""
    received: list[Any] = []
    over = threading.Event()
    times = {
        "characters": ["a"],
        "character_start_times_seconds": [0.0],
        "character_end_times_seconds": [0.1],
    }
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"1"), audio("s1", b"2", timestamps=times))
        eventually(lambda: stream.metrics.audio_bytes == 2)
        stream.on("audio_end", lambda: received.append("end"))
        stream.on("terminated", lambda: (received.append("terminated"), over.set()))
        stream.on("error", received.append)
        stream.on("audio", lambda chunk, timestamps: received.append((chunk, timestamps)))
        remote.send(audio("s1", b"3"), audio("s1", b"4", end=True), terminated("s1"))
        assert over.wait(WAIT)
        assert received == [
            (b"1", None),
            (b"2", Timestamps(("a",), (0.0,), (0.1,))),
            (b"3", None),
            (b"4", None),
            "end",
            "terminated",
        ]


def test_a_handler_may_accept_only_the_audio(raw_peer: RawPeer) -> None:
    """A handler with one parameter gets the chunk without the timestamps."""
    received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.on("audio", received.put)
        stream.on("audio", lambda chunk: received.put(chunk.upper()))
        remote.send(audio("s1", b"one"))
        assert [received.get(True, WAIT), received.get(True, WAIT)] == [b"one", b"ONE"]


def test_push_excludes_pull_and_pull_excludes_push(raw_peer: RawPeer) -> None:
    """With a data handler iterating raises StateError, and the reverse."""
    with connected_tts(raw_peer) as (connection, remote):
        pushed, pulled = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        pushed.on("audio", lambda chunk: None)
        for call in (lambda: iter(pushed), pushed.events, pushed.read):
            assert isinstance(raised_by(call), StateError)
        iter(pulled)
        error = raised_by(lambda: pulled.on("audio", lambda chunk: None))
        assert isinstance(error, StateError)
        pulled.on("terminated", lambda: None)  # not a data event: allowed beside iteration
        remote.send(whole("s2", b"two"))
        assert pulled.read(WAIT) == b"two"


def test_control_handlers_work_beside_iteration(raw_peer: RawPeer) -> None:
    """`audio_end` and `terminated` handlers run once each although the audio is pulled."""
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.on("audio_end", lambda: seen.put("end"))
        stream.once("terminated", lambda: seen.put("terminated"))
        remote.send(whole("s1", b"one"))
        assert [seen.get(True, WAIT), seen.get(True, WAIT)] == ["end", "terminated"]
        assert stream.read(WAIT) == b"one"
        stream.on("terminated", lambda: seen.put("late"))
        assert seen.get(True, WAIT) == "late"  # it happened before: reported all the same
        assert seen.empty()


def test_a_handler_that_raises_stops_nothing(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a handler is logged, reported as `error` once, and the next chunk follows."""
    received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    errors: list[BaseException] = []
    over = threading.Event()

    def broken(chunk: bytes) -> None:
        received.put(chunk)
        if chunk == b"1":
            raise LookupError("no speaker")

    def broken_too(error: BaseException) -> None:
        errors.append(error)
        raise ValueError("the error handler is broken as well")

    with caplog.at_level(logging.ERROR), connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.on("audio", broken).on("error", broken_too).on("terminated", over.set)
        remote.send(audio("s1", b"1"), whole("s1", b"2"))
        assert over.wait(WAIT)
        assert [received.get(True, WAIT), received.get(True, WAIT)] == [b"1", b"2"]
        assert [str(error) for error in errors] == ["no speaker"]
        assert stream.state == "ended"
        stream.wait(WAIT)
        assert connection.is_connected
    assert "no speaker" in caplog.text


@pytest.mark.parametrize("what", ["stream", "connection", "cancel"])
def test_a_handler_may_end_everything(raw_peer: RawPeer, what: str) -> None:
    """A handler may call close() or cancel(); the end of its own stream drops queued audio."""
    calls: list[bytes] = []
    returned = threading.Event()
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")

        def end(chunk: bytes) -> None:
            calls.append(chunk)
            {"stream": stream.close, "connection": connection.close, "cancel": stream.cancel}[
                what
            ]()
            returned.set()

        stream.on("audio", end)
        remote.send(audio("s1", b"1"), audio("s1", b"2"))
        got = remote.recv_message()
        if what == "connection":
            assert got.opcode == 8
            remote.fin()
        else:
            assert got.json == {"stream_id": "s1", "cancel": True}
            remote.send(terminated("s1"))
        assert returned.wait(WAIT)
        if what != "connection":
            stream.wait(WAIT)
    # streams of a closed connection fail after delivering what they received
    assert calls == ([b"1", b"2"] if what == "connection" else [b"1"])


def test_a_blocked_handler_delays_no_other_work(raw_peer: RawPeer) -> None:
    """While a handler blocks, pongs, keepalives and pulls of other streams continue."""
    entered, release = threading.Event(), threading.Event()
    with connected_tts(raw_peer) as (connection, remote):
        slow, other = begin(connection, remote, "slow"), begin(connection, remote, "other")

        def block(chunk: bytes) -> None:
            entered.set()
            release.wait(WAIT)

        slow.on("audio", block)
        remote.send(audio("slow", b"1"))
        assert entered.wait(WAIT)
        remote.send(frame(9, b"are you there"))
        assert remote.recv_frame().payload == b"are you there"
        connection.keep_alive()
        assert remote.recv_message().json == {"keep_alive": True}
        chunks = iter(other)
        for n in range(50):
            remote.send(audio("other", b"%d" % n))
            assert next(chunks) == b"%d" % n
        other.send_text("More.")
        assert remote.recv_message().json["text"] == "More."
        assert not release.is_set()
        release.set()


def test_the_push_backlog_is_bounded(raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio behind a blocked handler has the same bound as an unread queue."""
    from soniox_sync.errors import BufferOverflowError
    from soniox_sync.realtime.tts import stream as tts_stream

    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 10_000)
    release = threading.Event()
    errors: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.on("audio", lambda chunk: release.wait(WAIT)).on("error", errors.put)
        remote.send(*(audio("s1", bytes(1000)) for _ in range(12)))
        with pytest.raises(BufferOverflowError):
            stream.wait(WAIT)
        release.set()
        assert isinstance(errors.get(True, WAIT), BufferOverflowError)
        remote.send(terminated("s1"))
        eventually(lambda: connection.active_streams == 0)
        assert errors.empty()


def test_a_last_chunk_without_room_is_no_end_of_the_audio(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk is lost and the stream has failed: the audio must not pass for complete."""
    from soniox_sync.realtime.tts import stream as tts_stream

    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 1000)
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        for event in ("audio_end", "error", "terminated"):
            stream.on(event, lambda *_, event=event: told.put(event))
        remote.send(audio("s1", bytes(1000), end=True), terminated("s1"))
        assert list(iter(lambda: told.get(True, WAIT), "terminated")) == ["error"]


def test_each_stream_runs_its_handlers_on_its_own_thread(raw_peer: RawPeer) -> None:
    """Handlers of one stream run one at a time, in order, on a thread named after the stream."""
    threads: dict[str, set[str]] = {f"s{n}": set() for n in range(3)}
    chunks: dict[str, list[bytes]] = {name: [] for name in threads}
    running: dict[str, int] = dict.fromkeys(threads, 0)
    most: list[int] = []
    over = threading.Semaphore(0)

    def note(name: str, chunk: bytes) -> None:
        running[name] += 1
        most.append(running[name])
        threads[name].add(threading.current_thread().name)
        chunks[name].append(chunk)
        running[name] -= 1

    with connected_tts(raw_peer) as (connection, remote):
        for name in threads:
            stream = begin(connection, remote, name)
            stream.on("audio", partial(note, name))
            stream.on("terminated", over.release)
        for n in range(30):
            remote.send(*(audio(name, b"%d" % n) for name in threads))
        remote.send(*(whole(name, b"end") for name in threads))
        for _ in threads:
            assert over.acquire(timeout=WAIT)
    for name in threads:
        assert threads[name] == {f"soniox-callback-{name}"}
        assert chunks[name] == [*(b"%d" % n for n in range(30)), b"end"]
    assert max(most) == 1


def test_a_blocked_handler_delays_no_handler_of_another_stream(raw_peer: RawPeer) -> None:
    """A handler may wait for another stream's handler, on the same connection."""
    entered, release = threading.Event(), threading.Event()
    seen: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with connected_tts(raw_peer) as (connection, remote):
        slow, other = begin(connection, remote, "slow"), begin(connection, remote, "other")
        slow.on("audio", lambda chunk: (entered.set(), release.wait(WAIT)))
        other.on("audio", seen.put).on("terminated", release.set)
        remote.send(audio("slow", b"1"))
        assert entered.wait(WAIT)
        remote.send(audio("other", b"2"), whole("other", b"3"))
        assert [seen.get(True, WAIT), seen.get(True, WAIT)] == [b"2", b"3"]
        assert release.wait(WAIT)  # set by the other stream's handler


def test_streams_with_handlers_leave_no_thread(raw_peer: RawPeer) -> None:
    """A hundred streams with handlers leave no callback thread; without handlers none starts."""

    def callback_threads() -> list[str]:
        names = [thread.name for thread in threading.enumerate()]
        return [name for name in names if name.startswith("soniox-callback")]

    with connected_tts(raw_peer) as (connection, remote):
        quiet = begin(connection, remote, "quiet")
        remote.send(whole("quiet", b"1"))
        assert quiet.read(WAIT) == b"1"
        assert callback_threads() == []
        for n in range(100):
            over = threading.Event()
            stream = begin(connection, remote, f"s{n}")
            stream.on("audio", lambda chunk: None).on("terminated", over.set)
            remote.send(whole(f"s{n}", b"1"))
            assert over.wait(WAIT)
        eventually(lambda: callback_threads() == [])


def test_off_removes_a_handler(raw_peer: RawPeer) -> None:
    """A removed handler is no longer called; an unknown event is refused by name."""
    received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    never: list[Any] = []
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.on("audio", never.append).on("audio", received.put).off("audio", never.append)
        remote.send(audio("s1", b"one"))
        assert received.get(True, WAIT) == b"one"
        assert never == []
        error = raised_by(lambda: stream.on("sound", received.put))
        assert "'sound'" in str(error)
        assert "'audio'" in str(error)


def test_an_owned_connection_ends_with_its_handler(raw_peer: RawPeer) -> None:
    """A single stream closed by its own handler closes its connection, without a deadlock."""
    done = threading.Event()
    stream = client_for(raw_peer.url).realtime.tts(**VOICE)
    remote = raw_peer.accept()
    stream.on("audio", lambda chunk: (stream.close(), done.set()))
    sending = Task(lambda: stream.send_text("Hello."))
    name = remote.recv_message().json["stream_id"]
    sending.result()
    assert remote.recv_message().json["text"] == "Hello."
    remote.send(message(stream_id=name, audio="b25l"))
    assert remote.recv_message().json["cancel"] is True
    remote.send(terminated(name))
    assert remote.recv_message().opcode == 8
    remote.close()
    assert done.wait(WAIT)
