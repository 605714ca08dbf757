"""Speech delivered to handlers: order, failures in them, slowness of them."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import pytest
from peers import WAIT, RawPeer, Task, eventually, frame, message
from servers import VOICE, audio, begin, client_for, raised_by, terminated, tts_line, whole

from soniox_sync.errors import StateError


def test_handlers_get_what_waited_first_then_the_rest_in_order(raw_peer: RawPeer) -> None:
    """A handler registered late gets the queued audio first, then live audio, then the ends."""
    heard: list[Any] = []
    over = threading.Event()
    times = {"characters": ["a"], "character_start_times_seconds": [0.0]}
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(audio("s1", b"1"), audio("s1", b"2", timestamps=times))
        eventually(lambda: stream.metrics.audio_bytes == 2)
        stream.on("audio_end", lambda: heard.append("end"))
        stream.on("terminated", lambda: (heard.append("terminated"), over.set()))
        stream.on("error", heard.append)
        stream.on("audio", lambda chunk, timestamps: heard.append((chunk, timestamps)))
        line.send(audio("s1", b"3"), audio("s1", b"4", end=True), terminated("s1"))
        assert over.wait(WAIT)
        assert heard == [
            (b"1", None),
            (b"2", times),
            (b"3", None),
            (b"4", None),
            "end",
            "terminated",
        ]


def test_a_handler_may_take_the_audio_alone(raw_peer: RawPeer) -> None:
    """A handler with one parameter gets the chunk without the timestamps."""
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        stream.on("audio", heard.put)
        stream.on("audio", lambda chunk: heard.put(chunk.upper()))
        line.send(audio("s1", b"one"))
        assert [heard.get(True, WAIT), heard.get(True, WAIT)] == [b"one", b"ONE"]


def test_push_excludes_pull_and_pull_excludes_push(raw_peer: RawPeer) -> None:
    """After a data handler iterating raises StateError; after iterating a data handler does."""
    with tts_line(raw_peer) as (connection, line):
        pushed, pulled = begin(connection, line, "s1"), begin(connection, line, "s2")
        pushed.on("audio", lambda chunk: None)
        for call in (lambda: iter(pushed), pushed.events, pushed.read):
            assert isinstance(raised_by(call), StateError)
        iter(pulled)
        error = raised_by(lambda: pulled.on("audio", lambda chunk: None))
        assert isinstance(error, StateError)
        pulled.on("terminated", lambda: None)  # no data: allowed beside iteration
        line.send(whole("s2", b"two"))
        assert pulled.read(WAIT) == b"two"


def test_control_handlers_work_beside_iteration(raw_peer: RawPeer) -> None:
    """`audio_end` and `terminated` handlers run once each though the audio is pulled."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        stream.on("audio_end", lambda: told.put("end"))
        stream.once("terminated", lambda: told.put("terminated"))
        line.send(whole("s1", b"one"))
        assert [told.get(True, WAIT), told.get(True, WAIT)] == ["end", "terminated"]
        assert stream.read(WAIT) == b"one"
        stream.on("terminated", lambda: told.put("late"))
        assert told.get(True, WAIT) == "late"  # it happened before: told all the same
        assert told.empty()


def test_a_handler_that_raises_stops_nothing(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a handler is logged, told as `error` once, and the next chunk comes."""
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    errors: list[BaseException] = []
    over = threading.Event()

    def broken(chunk: bytes) -> None:
        heard.put(chunk)
        if chunk == b"1":
            raise LookupError("no speaker")

    def broken_too(error: BaseException) -> None:
        errors.append(error)
        raise ValueError("the error handler is broken as well")

    with caplog.at_level(logging.ERROR), tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        stream.on("audio", broken).on("error", broken_too).on("terminated", over.set)
        line.send(audio("s1", b"1"), whole("s1", b"2"))
        assert over.wait(WAIT)
        assert [heard.get(True, WAIT), heard.get(True, WAIT)] == [b"1", b"2"]
        assert [str(error) for error in errors] == ["no speaker"]
        assert stream.state == "ended"
        stream.wait(WAIT)
        assert connection.is_connected
    assert "no speaker" in caplog.text


@pytest.mark.parametrize("what", ["stream", "connection", "cancel"])
def test_a_handler_may_end_everything(raw_peer: RawPeer, what: str) -> None:
    """A handler may call close() or cancel(); the end of its own stream drops what waits."""
    calls: list[bytes] = []
    returned = threading.Event()
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")

        def end(chunk: bytes) -> None:
            calls.append(chunk)
            {"stream": stream.close, "connection": connection.close, "cancel": stream.cancel}[
                what
            ]()
            returned.set()

        stream.on("audio", end)
        line.send(audio("s1", b"1"), audio("s1", b"2"))
        got = line.recv_message()
        if what == "connection":
            assert got.opcode == 8
            line.fin()
        else:
            assert got.json == {"stream_id": "s1", "cancel": True}
            line.send(terminated("s1"))
        assert returned.wait(WAIT)
        if what != "connection":
            stream.wait(WAIT)
    # a closed connection loses its streams, which deliver what came before
    assert calls == ([b"1", b"2"] if what == "connection" else [b"1"])


def test_a_blocked_handler_delays_neither_line_nor_neighbours(raw_peer: RawPeer) -> None:
    """While a handler blocks, pongs, keepalives and the pulls of other streams go on."""
    entered, release = threading.Event(), threading.Event()
    with tts_line(raw_peer) as (connection, line):
        slow, other = begin(connection, line, "slow"), begin(connection, line, "other")

        def block(chunk: bytes) -> None:
            entered.set()
            release.wait(WAIT)

        slow.on("audio", block)
        line.send(audio("slow", b"1"))
        assert entered.wait(WAIT)
        line.send(frame(9, b"are you there"))
        assert line.recv_frame().payload == b"are you there"
        connection.keep_alive()
        assert line.recv_message().json == {"keep_alive": True}
        chunks = iter(other)
        for n in range(50):
            line.send(audio("other", b"%d" % n))
            assert next(chunks) == b"%d" % n
        other.send_text("More.")
        assert line.recv_message().json["text"] == "More."
        assert not release.is_set()
        release.set()


def test_the_push_backlog_is_bounded(raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio behind a blocked handler meets the same bound as a queue nobody reads."""
    from soniox_sync import tts_stream
    from soniox_sync.errors import BufferOverflowError

    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 10_000)
    release = threading.Event()
    errors: queue.SimpleQueue[BaseException] = queue.SimpleQueue()
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        stream.on("audio", lambda chunk: release.wait(WAIT)).on("error", errors.put)
        line.send(*(audio("s1", bytes(1000)) for _ in range(12)))
        with pytest.raises(BufferOverflowError):
            stream.wait(WAIT)
        release.set()
        assert isinstance(errors.get(True, WAIT), BufferOverflowError)
        line.send(terminated("s1"))
        eventually(lambda: connection.active_streams == 0)
        assert errors.empty()


def test_handlers_of_two_streams_share_one_thread(raw_peer: RawPeer) -> None:
    """Handlers of one connection run one at a time, on its callback thread, not the reader's."""
    threads: set[str] = set()
    running: list[int] = []
    most: list[int] = []
    over = threading.Semaphore(0)

    def note(chunk: bytes) -> None:
        running.append(1)
        most.append(len(running))
        threads.add(threading.current_thread().name)
        running.pop()

    with tts_line(raw_peer) as (connection, line):
        streams = [begin(connection, line, f"s{n}") for n in range(3)]
        for stream in streams:
            stream.on("audio", note).on("terminated", over.release)
        for _ in range(30):
            line.send(*(audio(f"s{n}", b"x") for n in range(3)))
        line.send(*(whole(f"s{n}", b"y") for n in range(3)))
        for _ in streams:
            assert over.acquire(timeout=WAIT)
    assert len(threads) == 1
    assert "callback" in threads.pop()
    assert max(most) == 1


def test_off_forgets_a_handler(raw_peer: RawPeer) -> None:
    """A handler taken off is not called any more; an unknown event is refused by name."""
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    never: list[Any] = []
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        stream.on("audio", never.append).on("audio", heard.put).off("audio", never.append)
        line.send(audio("s1", b"one"))
        assert heard.get(True, WAIT) == b"one"
        assert never == []
        error = raised_by(lambda: stream.on("sound", heard.put))
        assert "'sound'" in str(error)
        assert "'audio'" in str(error)


def test_an_owned_connection_ends_with_its_handler(raw_peer: RawPeer) -> None:
    """A single stream closed by its own handler closes its connection, without a deadlock."""
    done = threading.Event()
    stream = client_for(raw_peer.url).realtime.tts(**VOICE)
    line = raw_peer.line()
    stream.on("audio", lambda chunk: (stream.close(), done.set()))
    sending = Task(lambda: stream.send_text("Hello."))
    name = line.recv_message().json["stream_id"]
    sending.result()
    assert line.recv_message().json["text"] == "Hello."
    line.send(message(stream_id=name, audio="b25l"))
    assert line.recv_message().json["cancel"] is True
    line.send(terminated(name))
    assert line.recv_message().opcode == 8
    line.close()
    assert done.wait(WAIT)
