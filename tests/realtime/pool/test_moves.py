"""A pool moves a stream whose connection is lost before the server answers, unnoticed."""

from __future__ import annotations

import base64
import os
import threading
import time
from typing import Any, Callable

import pytest

from soniox_sync import (
    AbortError,
    ConfigurationError,
    SonioxClient,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    TtsPool,
    TtsStream,
)
from soniox_sync.realtime.tts.multiplexer import TtsMultiplexer
from soniox_sync.realtime.tts.stream import StreamCore
from tests.peers import Remote, message
from tests.realtime.pool.service import (
    AUDIO,
    VOICE,
    Answer,
    Service,
    expect,
    leave,
    lose,
    messages_until_end,
    next_message,
    speak,
    start_moving,
    used_connection,
)
from tests.waiting import WAIT, Task, eventually


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_a_stream_on_an_idle_connection_that_closes_is_moved(
    service: Service, pool: TtsPool, how: str
) -> None:
    """A close of an idle connection that crosses a stream's text fails no stream."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    answer = Answer(stream, "error", "audio_end", "terminated")
    stream.send_text("Second.", end=True)
    expect(remote, stream, ("Second.", True))
    audio = Task(lambda: stream.read(WAIT))
    waited = Task(lambda: stream.wait(WAIT))
    lose(remote, how)
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", True))
    assert stream.state == "finishing"
    assert pool.active_streams == 1
    speak(remote, stream)
    assert audio.result() == AUDIO
    assert waited.result() is None
    assert answer.over.wait(WAIT)
    eventually(lambda: answer.events == ["audio_end", "terminated"])
    assert stream.state == "ended"
    assert pool.active_streams == 0
    leave(pool)
    assert messages_until_end(remote) == []
    assert service.peer.idle


def test_the_text_is_sent_again_in_order_and_once(service: Service, pool: TtsPool) -> None:
    """Text sent before the loss is sent first on the new connection, followed by later text."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    for piece in ("One, ", "two, "):
        stream.send_text(piece)
    expect(remote, stream, ("One, ", False), ("two, ", False))
    lose(remote, "close")
    stream.send_text("three.")
    stream.finish()
    remote = service.peer.accept()
    expect(remote, stream, ("One, ", False), ("two, ", False), ("three.", False), ("", True))
    speak(remote, stream)
    assert stream.read(WAIT) == AUDIO
    leave(pool)
    assert messages_until_end(remote) == []


def test_text_of_another_thread_waits_for_the_move(service: Service, pool: TtsPool) -> None:
    """`send_text()` during a move blocks, and its text follows what was sent before."""
    stream = start_moving(service, pool)
    more = Task(lambda: stream.send_text("Third.", end=True))
    assert not stream._core.slot._settled.wait(0.05)  # type: ignore[union-attr]
    assert not more.done
    assert stream.state == "active"
    service.may_connect.set()
    more.result()
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", False), ("Third.", True))
    speak(remote, stream)
    assert stream.read(WAIT) == AUDIO


def test_a_stream_without_text_outlives_its_connection(service: Service, pool: TtsPool) -> None:
    """Nothing is opened for it before its first text, whether its connection was used or not."""
    lines = [used_connection(service, pool)]
    for text in ("Second.", "Third."):
        stream = pool.stream()
        lose(lines[-1], "close")
        eventually(lambda: pool.connections == 0)
        assert stream.state == "active"
        assert service.peer.idle
        stream.send_text(text, end=True)
        lines.append(service.peer.accept())
        expect(lines[-1], stream, (text, True))
        speak(lines[-1], stream)
        assert stream.read(WAIT) == AUDIO
    assert pool.active_streams == 0


def test_a_move_to_a_connection_that_ends_continues_to_the_next(
    service: Service, pool: TtsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream without text may first move to another idle connection, then to a new one."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    lose(remote, "close")
    eventually(lambda: pool.connections == 0)
    lines = [used_connection(service, pool)]
    attach = TtsMultiplexer.attach

    def attach_late(self: TtsMultiplexer, stream: StreamCore) -> None:
        if lines:
            lose(lines.pop(), "close")
            assert self.connection.closed.wait(WAIT)
        attach(self, stream)

    monkeypatch.setattr(TtsMultiplexer, "attach", attach_late)
    stream.send_text("Second.", end=True)
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", True))
    speak(remote, stream)
    assert stream.read(WAIT) == AUDIO


@pytest.mark.parametrize("end", [TtsStream.finish, TtsStream.cancel, TtsStream.close])
def test_a_stream_without_text_ends_without_a_connection(
    service: Service, pool: TtsPool, end: Callable[[TtsStream], None]
) -> None:
    """Ending it frees its slot and opens nothing."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    lose(remote, "close")
    eventually(lambda: pool.connections == 0)
    end(stream)
    stream.wait(WAIT)
    assert stream.state == "ended"
    assert list(stream) == []
    assert pool.active_streams == 0
    assert service.peer.idle
    with pytest.raises(StateError):
        stream.send_text("Late.")


def test_all_streams_of_a_lost_connection_share_the_new_one(
    service: Service, pool: TtsPool
) -> None:
    """Five streams move together; the bounds of the pool hold."""
    remote = used_connection(service, pool)
    streams = [pool.stream() for _ in range(5)]
    for stream in streams:
        stream.send_text("Again.", end=True)
        expect(remote, stream, ("Again.", True))
    lose(remote, "reset")
    remote = service.peer.accept()
    for stream in streams:
        expect(remote, stream, ("Again.", True))
        speak(remote, stream)
    assert [stream.read(WAIT) for stream in streams] == [AUDIO] * 5
    assert pool.active_streams == 0
    assert service.peer.idle


@pytest.mark.parametrize("frame", ["audio", "error", "abort"])
def test_after_the_first_frame_nothing_moves(service: Service, pool: TtsPool, frame: str) -> None:
    """Once the server has answered for a stream, its loss is raised and its text no longer kept."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    stream.send_text("Second.", end=True)
    expect(remote, stream, ("Second.", True))
    audio = base64.b64encode(AUDIO).decode()
    answers: dict[str, dict[str, Any]] = {
        "audio": {"audio": audio, "audio_end": False},
        "error": {"error_code": 503, "error_type": "service_unavailable", "error_message": "no"},
        "abort": {"terminated": True},
    }
    remote.send(message(stream_id=stream.stream_id, **answers[frame]))
    eventually(lambda: stream._core.record.unanswered is None)
    lose(remote, "close")
    with pytest.raises(SonioxError):
        stream.read(WAIT)
    eventually(lambda: pool.active_streams == 0)
    assert service.peer.idle


@pytest.mark.parametrize("code", [401, 408, 429])
def test_a_refusal_is_raised(service: Service, pool: TtsPool, code: int) -> None:
    """An error of the whole connection is raised, even before any audio."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    stream.send_text("Second.", end=True)
    expect(remote, stream, ("Second.", True))
    remote.send(message(error_code=code, error_type="refused", error_message="no"))
    lose(remote, "close")
    with pytest.raises(SonioxError, match="no"):
        stream.read(WAIT)
    assert pool.active_streams == 0
    assert service.peer.idle


def test_a_connection_opened_for_the_stream_is_not_replaced(
    service: Service, pool: TtsPool
) -> None:
    """If the connection was not an idle one, its loss is raised at once."""
    stream = pool.stream()
    stream.send_text("First.", end=True)
    remote = service.peer.accept()
    expect(remote, stream, ("First.", True))
    lose(remote, "reset")
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)
    assert pool.active_streams == 0
    assert service.peer.idle


def test_the_loss_of_the_new_connection_is_raised(service: Service, pool: TtsPool) -> None:
    """A connection opened for the stream is not replaced: all calls raise, one event is emitted."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    answer = Answer(stream, "error", "terminated")
    stream.send_text("Second.", end=True)
    lose(remote, "close")
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", True))
    lose(remote, "close")
    for call in (stream.read, stream.wait):
        with pytest.raises(SonioxConnectionError, match="closed the connection"):
            call(WAIT)
    assert answer.over.wait(WAIT)
    eventually(lambda: answer.events == ["error", "terminated"])
    assert stream.state == "error"
    assert pool.active_streams == 0
    assert service.peer.idle


def test_a_stream_moves_at_most_twice(service: Service, pool: TtsPool) -> None:
    """Idle connections may close one after another, but only two moves are made."""
    remote = used_connection(service, pool)
    others = [pool.stream() for _ in range(3)]
    stream = pool.stream()
    stream.send_text("Last.", end=True)
    for number, other in enumerate(others):
        expect(remote, stream, ("Last.", True))
        other.send_text("Other.", end=True)
        expect(remote, other, ("Other.", True))
        speak(remote, other)
        assert other.read(WAIT) == AUDIO
        lose(remote, "close")
        if number < 2:
            remote = service.peer.accept()
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)
    assert pool.active_streams == 0
    assert service.peer.idle


def test_a_stream_fails_when_no_connection_can_be_opened(service: Service, pool: TtsPool) -> None:
    """The reader and the sender of the stream get that error, and its slot is free."""
    stream = start_moving(service, pool)
    more = Task(lambda: stream.send_text("Third.", end=True))
    service.refuses = True
    service.may_connect.set()
    with pytest.raises(SonioxConnectionError, match="503"):
        stream.read(WAIT)
    with pytest.raises(SonioxConnectionError, match="503"):
        more.result()
    assert pool.active_streams == 0
    assert stream.state == "error"


def leave_with(stream: TtsStream) -> None:
    with stream:
        pass


@pytest.mark.parametrize("end", [TtsStream.cancel, TtsStream.close, leave_with])
def test_a_moving_stream_ends_at_once(
    service: Service, pool: TtsPool, end: Callable[[TtsStream], None]
) -> None:
    """Cancelling frees the slot at once, and nothing is sent on the new connection."""
    stream = start_moving(service, pool)
    audio = Task(lambda: stream.read(WAIT))
    sender = Task(lambda: stream.send_text("Third."))
    end(stream)
    assert stream.state == "ended"
    assert pool.active_streams == 0
    with pytest.raises(AbortError):
        audio.result()
    with pytest.raises(StateError):
        sender.result()
    service.may_connect.set()
    remote = service.peer.accept()
    leave(pool)
    assert messages_until_end(remote) == []


def test_closing_the_pool_fails_a_moving_stream(service: Service, pool: TtsPool) -> None:
    """`close()` waits no longer for a connection being opened than for streams."""
    stream = start_moving(service, pool)
    sender = Task(lambda: stream.send_text("Third."))
    pool.close(0)
    service.may_connect.set()
    for call in (lambda: stream.read(WAIT), sender.result):
        with pytest.raises(SonioxConnectionError) as caught:
            call()
        assert caught.value.code == "closed"
    assert pool.active_streams == 0


def test_a_moving_stream_keeps_its_slot(service: Service) -> None:
    """A waiter gets the slot of a moving stream only when it ends: the pool's bound holds."""
    pool = service.pool(max_streams=1)
    stream = start_moving(service, pool)
    with pytest.raises(SonioxTimeoutError):
        pool.stream(wait_sec=0)
    waiter = Task(lambda: pool.stream(wait_sec=WAIT))
    eventually(lambda: len(pool._table._waiters) == 1)
    stream.cancel()
    service.may_connect.set()
    waiter.result().cancel()
    assert pool.active_streams == 0
    leave(pool)


def test_handlers_get_the_audio_of_a_moved_stream(service: Service, pool: TtsPool) -> None:
    """In push mode a move is not noticeable either."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    answer = Answer(stream, "audio", "audio_end", "error", "terminated")
    stream.send_text("Second.", end=True)
    lose(remote, "fin")
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", True))
    speak(remote, stream)
    assert answer.over.wait(WAIT)
    eventually(lambda: answer.events == ["audio", "audio_end", "terminated"])


def test_a_blocked_handler_delays_no_other_stream(service: Service, pool: TtsPool) -> None:
    """Two streams on one connection of a pool: a slow handler of one does not delay the other."""
    remote = used_connection(service, pool)
    entered, release = threading.Event(), threading.Event()
    slow, other = pool.stream(), pool.stream()
    slow.on("audio", lambda chunk: (entered.set(), release.wait(WAIT)))
    for stream in (slow, other):
        stream.send_text("Hello.", end=True)
        expect(remote, stream, ("Hello.", True))
    speak(remote, slow)
    assert entered.wait(WAIT)
    answer = Answer(other, "audio", "audio_end", "terminated")
    speak(remote, other)
    assert answer.over.wait(WAIT)
    assert answer.events == ["audio", "audio_end", "terminated"]
    release.set()


def test_measurements_begin_with_the_first_text(service: Service, pool: TtsPool) -> None:
    """The time to first audio includes the move."""
    stream = start_moving(service, pool)
    moving = time.monotonic()
    stream._core.slot._settled.wait(0.05)  # type: ignore[union-attr]
    took = time.monotonic() - moving
    service.may_connect.set()
    stream.finish()
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", False), ("", True))
    speak(remote, stream)
    assert stream.read(WAIT) == AUDIO
    first = stream.metrics.time_to_first_audio_sec
    assert first is not None
    assert first >= took


def test_the_bound_of_text_counts_once(service: Service, pool: TtsPool) -> None:
    """Text that is sent twice counts once towards the 5000 bytes of a stream."""
    stream = start_moving(service, pool, "x" * 3000)
    service.may_connect.set()
    stream.send_text("y" * 2000)
    with pytest.raises(ConfigurationError, match="5000"):
        stream.send_text("z")
    stream.cancel()


def test_streams_of_a_connection_without_a_pool_fail(service: Service) -> None:
    """With `multi_stream()` a lost connection fails every live stream, as documented."""
    client = SonioxClient("key", tts_ws_url=service.peer.url, tts_defaults=VOICE)
    with client.realtime.tts.multi_stream() as connection:
        remote = service.peer.accept()
        stream = connection.stream()
        stream.send_text("First.", end=True)
        lose(remote, "close")
        with pytest.raises(SonioxConnectionError):
            stream.read(WAIT)
        assert service.peer.idle


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_leaves_a_moving_stream_to_the_parent(service: Service, pool: TtsPool) -> None:
    """In the child it fails; in the parent it is completed."""
    stream = start_moving(service, pool)
    child = os.fork()
    if child == 0:
        try:
            try:
                stream.read(WAIT)
            except SonioxConnectionError as error:
                os._exit(0 if error.code == "forked" and stream.state == "error" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    service.may_connect.set()
    remote = service.peer.accept()
    expect(remote, stream, ("Second.", False))
    speak(remote, stream)
    assert stream.read(WAIT) == AUDIO


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_no_utterance_fails_on_connections_that_end_when_idle(how: str) -> None:
    """A server that ends each connection after one stream fails none of 40 callers."""
    service = Service()
    stopped = threading.Event()
    received = threading.Semaphore(0)

    def serve(remote: Remote) -> None:
        config = next_message(remote)
        while not next_message(remote)["text_end"]:
            pass
        for fields in ({"audio": "AAAA", "audio_end": True}, {"terminated": True}):
            remote.send(message(stream_id=config["stream_id"], **fields))
        received.acquire(timeout=WAIT)  # a reset would discard the audio, too
        lose(remote, how)

    def accept() -> None:
        while not stopped.is_set():
            if service.peer.idle:
                stopped.wait(0.001)
                continue
            serve(service.peer.accept())

    server = Task(accept)
    with service.pool(max_streams=1) as pool:
        for _ in range(40):
            with pool.stream(wait_sec=WAIT) as stream:
                stream.send_text("Hello.")
                stream.finish()
                assert stream.read(WAIT) == b"\0\0\0"
            received.release()
    stopped.set()
    server.result()
    service.close()


def test_moves_do_not_multiply_the_attempts_of_a_speech(service: Service, pool: TtsPool) -> None:
    """`speak()` on a pool tries as often as told; only the first stream moved, from an idle one."""
    remote = used_connection(service, pool)
    speech = pool.speak("Hello.", max_reconnect_attempts=3, reconnect_base_delay_sec=0.001)

    def cut_four_more() -> None:
        lost = remote
        for number in range(5):
            while not next_message(lost).get("text_end"):
                pass
            lose(lost, "close")
            if number < 4:
                lost = service.peer.accept()

    cutting = Task(cut_four_more)
    with pytest.raises(SonioxConnectionError):
        speech.read(WAIT)
    cutting.result()
    assert service.peer.idle
    assert pool.active_streams == 0
