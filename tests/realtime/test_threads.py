"""Many threads on one object: nothing lost, nothing mixed, no deadlock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from soniox_sync.errors import SonioxError, StateError
from tests.peers import BINARY, RawPeer, close_frame, message
from tests.realtime.servers import (
    RAW,
    VOICE,
    SttService,
    TtsService,
    audio,
    audio_of,
    client_for,
    connected_tts,
    finished,
    raised_by,
    result,
    terminated,
    token,
)
from tests.waiting import WAIT, Task

ROUNDS = 150


def together(*functions: Callable[[], Any]) -> list[Task]:
    """Start functions at the same time, each on its own thread."""
    start = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        start.wait(WAIT)
        return function()

    return [Task(lambda f=function: run(f)) for function in functions]


def outcome(task: Task) -> Any:
    """Return what a task returned, or the library's error it raised; anything else fails."""
    try:
        return task.result()
    except SonioxError as error:
        return error


def test_many_threads_send_on_five_streams(raw_peer: RawPeer) -> None:
    """Texts of ten threads arrive whole, each stream's config before its text, none lost."""
    with connected_tts(raw_peer) as (connection, remote):
        streams = [connection.stream(**VOICE, stream_id=f"s{n}") for n in range(5)]

        def send(stream: Any, who: int) -> None:
            for n in range(40):
                stream.send_text(f"{who}:{n} ")

        tasks = together(*(lambda s=s, w=w: send(s, w) for s in streams for w in (1, 2)))
        begun: set[str] = set()
        texts: dict[tuple[str, str], list[int]] = {}
        for _ in range(5 + 5 * 2 * 40):
            got = remote.recv_message().json
            if "voice" in got:
                assert got["stream_id"] not in begun
                begun.add(got["stream_id"])
                continue
            assert got["stream_id"] in begun, "text came before its config"
            who, _, number = got["text"].partition(":")
            texts.setdefault((got["stream_id"], who), []).append(int(number))
        for task in tasks:
            task.result()
    assert len(texts) == 10
    assert all(numbers == list(range(40)) for numbers in texts.values())


def test_five_threads_speak_over_one_connection() -> None:
    """Five threads, each opening one stream after another, get all of their own audio."""
    with TtsService() as service, client_for(service.url).realtime.tts.multi_stream() as shared:

        def speak(who: int) -> None:
            for n in range(12):
                name = f"{who}-{n}"
                with shared.stream(**VOICE, stream_id=name, wait_sec=WAIT) as stream:
                    stream.send_text("Hello.", end=True)
                    assert stream.read(WAIT) == b"".join(audio_of(name, 20))

        for task in together(*(lambda w=who: speak(w) for who in range(7))):
            task.result(60)
        assert service.opened == 1
        assert shared.active_streams == 0


def test_one_thread_sends_while_others_iterate_and_control() -> None:
    """Audio keeps its order while other threads finalize, keep alive and iterate."""
    chunks = [n.to_bytes(2, "big") * 100 for n in range(400)]
    with SttService() as service:
        session = client_for(service.url).realtime.stt(**RAW)
        stop = threading.Event()

        def control() -> int:
            count = 0
            while not stop.is_set():
                session.keep_alive()
                session.finalize()
                count += 1
            return count

        controlling = Task(control)
        reading = [Task(lambda: [event.text for event in session]) for _ in range(2)]
        session.send_stream(chunks)
        stop.set()
        assert controlling.result() > 0
        session.finish()
        texts = [task.result() for task in reading]
        session.close()
        assert [item for item in service.log if isinstance(item, bytes)] == chunks
    heard = sorted((t for part in texts for t in part if t), key=lambda t: int(t[1:]))
    assert heard == [f"w{n} " for n in range(400)]


def test_closing_races_with_iterating(raw_peer: RawPeer) -> None:
    """A stream iterated while its connection closes yields its audio, then ends or raises."""
    client = client_for(raw_peer.url)
    for _ in range(ROUNDS):
        connection = client.realtime.tts.multi_stream()
        remote = raw_peer.accept()
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.send_text("Hello.")
        remote.send(audio("s1", b"1"), audio("s1", b"2"))
        reading, closing, _ = together(
            lambda s=stream: list(s), connection.close, lambda ln=remote: ln.fin()
        )
        closing.result()
        got = outcome(reading)
        assert isinstance(got, SonioxError), got
        assert stream.state == "error"
        remote.close()


def test_closing_races_with_sending(raw_peer: RawPeer) -> None:
    """A send during a close succeeds or raises an error of the library."""
    client = client_for(raw_peer.url)
    for _ in range(ROUNDS):
        session = client.realtime.stt(**RAW)
        remote = raw_peer.accept()
        tasks = together(
            lambda s=session: s.send_audio(b"\1" * 50),
            lambda s=session: s.finalize(),
            session.close,
            lambda ln=remote: ln.fin(),
        )
        assert tasks[2].result() is None
        for task in tasks[:2]:
            assert outcome(task) is None or isinstance(outcome(task), SonioxError)
        assert session.state in ("closed", "error")
        remote.close()


def test_finishing_races_with_the_first_audio(raw_peer: RawPeer) -> None:
    """Audio that was sent is never ignored by a concurrent `finish()`."""
    client = client_for(raw_peer.url)
    for _ in range(ROUNDS):
        session = client.realtime.stt(**RAW)
        remote = raw_peer.accept()
        remote.recv_message()
        sending, finishing = together(
            lambda s=session: s.send_audio(b"\1\2"), lambda s=session: s.finish(WAIT)
        )
        got = remote.recv_message()
        if got.opcode == BINARY:  # it was sent: so the end must be, too, and the results be awaited
            assert remote.recv_message().payload == b""
            remote.send(result(token("heard")), finished(), close_frame())
            finishing.result()
            assert sending.result() is None
            assert [event.text for event in session] == ["heard", ""]
        else:
            assert got.opcode == 8
            remote.send(close_frame())
            finishing.result()
            assert isinstance(raised_by(sending.result), StateError)
        remote.close()
        session.close()


def test_cancelling_races_with_the_end(raw_peer: RawPeer) -> None:
    """A cancel at the same time as `terminated` frees the slot once and raises nothing."""
    with connected_tts(raw_peer) as (connection, remote):
        for _ in range(ROUNDS):
            stream = connection.stream(**VOICE, stream_id="s1")
            stream.send_text("Hello.")
            tasks = together(
                stream.cancel,
                stream.cancel,
                lambda: remote.send(audio("s1", b"1", end=True), terminated("s1")),
                lambda s=stream: list(s),
            )
            for task in tasks[:3]:
                task.result()
            assert tasks[3].result() in ([], [b"1"])
            stream.wait(WAIT)
            assert stream.state == "ended"
            assert connection.active_streams == 0


def test_failing_races_with_waiting(raw_peer: RawPeer) -> None:
    """Whenever an error occurs, each waiter gets that error and no other."""
    with connected_tts(raw_peer) as (connection, remote):
        for _ in range(ROUNDS):
            stream = connection.stream(**VOICE, stream_id="s1")
            stream.send_text("Hello.")
            errors: list[Any] = []
            frame = message(
                stream_id="s1", error_code=429, error_type="limit_exceeded", error_message="No."
            )
            tasks = together(
                lambda s=stream: s.wait(WAIT),
                lambda s=stream: s.read(WAIT),
                lambda s=stream, e=errors: s.on("error", e.append),
                lambda f=frame: remote.send(f, terminated("s1")),
            )
            outcomes = [outcome(task) for task in tasks]
            assert [type(got).__name__ for got in outcomes[:2]] == ["RealtimeRateLimitError"] * 2
            seen = threading.Event()
            stream.on("terminated", seen.set)
            assert seen.wait(WAIT)
            assert len(errors) == 1


@pytest.mark.parametrize("what", ["stream", "close"])
def test_opening_races_with_closing(raw_peer: RawPeer, what: str) -> None:
    """A connection closed while it reconnects leaves nothing open, whichever was first."""
    client = client_for(raw_peer.url)
    for _ in range(ROUNDS // 3):
        connection = client.realtime.tts.multi_stream()
        raw_peer.accept().close()
        opening, closing = together(
            (lambda c=connection: c.stream(**VOICE)) if what == "stream" else connection.connect,
            connection.close,
        )
        closing.result()
        outcome(opening)
        while not raw_peer.idle:
            with raw_peer.accept() as remote:
                remote.recv_to_end()  # returns only if the client ended it
        assert not connection.is_connected
        assert isinstance(raised_by(connection.connect), StateError)
