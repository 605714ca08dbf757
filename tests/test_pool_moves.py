"""A pool's stream whose connection is lost before it was heard goes to another, unseen."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest
from peers import TEXT, WAIT, RawLine, RawPeer, Task, close_frame, eventually, message, upgrade

from soniox_sync import (
    ConfigurationError,
    SonioxClient,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    TtsPool,
    TtsStream,
)
from soniox_sync.tts_line import TtsLine

VOICE = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 8000}
AUDIO = b"\1\2" * 100


class Service:
    """Is a speech service that says what the test says, and when."""

    def __init__(self) -> None:
        self.may_connect = threading.Event()
        self.may_connect.set()
        self.refuses = False
        self.peer = RawPeer(answer=self._answer)

    def _answer(self, line: RawLine) -> Optional[bytes]:
        self.may_connect.wait(WAIT)
        if self.refuses:
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        return upgrade(line)

    def pool(self, **options: Any) -> TtsPool:
        client = SonioxClient("key", tts_ws_url=self.peer.url, tts_defaults=VOICE)
        pool = client.realtime.tts.pool(**options)
        assert isinstance(pool, TtsPool)
        return pool

    def close(self) -> None:
        self.may_connect.set()
        self.peer.close()


@pytest.fixture
def service() -> Iterator[Service]:
    """Serve until the test is over."""
    service = Service()
    yield service
    service.close()


@pytest.fixture
def pool(service: Service) -> Iterator[TtsPool]:
    """Make a pool and close it without waiting for anything."""
    pool = service.pool()
    yield pool
    service.may_connect.set()
    leave(pool)


def leave(pool: TtsPool) -> None:
    """Close a pool without waiting for streams and goodbyes, which these servers do not say."""
    pool._close(0.0, 0.0)


def told(line: RawLine) -> dict[str, Any]:
    """Give the next message of the client, keepalives left out."""
    while True:
        got = line.recv_message()
        assert got.opcode == TEXT, got
        said = json.loads(got.payload)
        if "keep_alive" not in said:
            assert isinstance(said, dict)
            return said


def told_all(line: RawLine) -> list[dict[str, Any]]:
    """Give what the client said until it went."""
    said = [json.loads(got.payload) for got in line.frames_to_end() if got.opcode == TEXT]
    return [each for each in said if "keep_alive" not in each]


def text_of(stream: TtsStream, text: str, end: bool = False) -> dict[str, Any]:
    return {"stream_id": stream.stream_id, "text": text, "text_end": end}


def expect(line: RawLine, stream: TtsStream, *texts: tuple[str, bool]) -> None:
    """Take a stream's config and exactly these texts."""
    config = told(line)
    assert config["stream_id"] == stream.stream_id
    assert config["voice"] == "Adrian"
    for text, end in texts:
        assert told(line) == text_of(stream, text, end)


def speak(line: RawLine, stream: TtsStream) -> None:
    """Send all audio of a stream and terminate it."""
    audio = base64.b64encode(AUDIO).decode()
    line.send(message(stream_id=stream.stream_id, audio=audio, audio_end=True))
    line.send(message(stream_id=stream.stream_id, terminated=True))


def used_line(service: Service, pool: TtsPool) -> RawLine:
    """Give a connection of the pool that stands and has spoken."""
    with pool.stream() as stream:
        stream.send_text("First.", end=True)
        line = service.peer.line()
        expect(line, stream, ("First.", True))
        speak(line, stream)
        assert stream.read(WAIT) == AUDIO
    return line


def lose(line: RawLine, how: str) -> None:
    """End a connection as a server does."""
    if how == "close":
        line.send(close_frame(1001, "Timeout"))
    if how == "reset":
        line.reset()
    else:
        line.fin()


class Heard:
    """Keeps the events of a stream in order."""

    def __init__(self, stream: TtsStream, *events: str) -> None:
        self.events: list[str] = []
        self.over = threading.Event()
        for event in events:
            stream.on(event, lambda *_, event=event: self.events.append(event))
        stream.on("terminated", self.over.set)


def start_moving(service: Service, pool: TtsPool, text: str = "Second.") -> TtsStream:
    """Give a stream with text whose connection is lost; the new one does not stand yet."""
    line = used_line(service, pool)
    stream = pool.stream()
    stream.send_text(text)
    expect(line, stream, (text, False))
    service.may_connect.clear()
    lose(line, "close")
    eventually(lambda: pool.connections == 0)
    return stream


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_a_stream_that_met_the_end_of_an_idle_connection_is_spoken_on_another(
    service: Service, pool: TtsPool, how: str
) -> None:
    """The server's end of an idle connection that crosses a stream's text fails nobody."""
    line = used_line(service, pool)
    stream = pool.stream()
    heard = Heard(stream, "error", "audio_end", "terminated")
    stream.send_text("Second.", end=True)
    expect(line, stream, ("Second.", True))
    audio = Task(lambda: stream.read(WAIT))
    waited = Task(lambda: stream.wait(WAIT))
    lose(line, how)
    line = service.peer.line()
    expect(line, stream, ("Second.", True))
    assert stream.state == "finishing"
    assert pool.active_streams == 1
    speak(line, stream)
    assert audio.result() == AUDIO
    assert waited.result() is None
    assert heard.over.wait(WAIT)
    eventually(lambda: heard.events == ["audio_end", "terminated"])
    assert stream.state == "ended"
    assert pool.active_streams == 0
    leave(pool)
    assert told_all(line) == []
    assert service.peer.idle


def test_the_text_goes_again_in_order_and_once(service: Service, pool: TtsPool) -> None:
    """Pieces sent before the loss come first on the new connection, those sent after it next."""
    line = used_line(service, pool)
    stream = pool.stream()
    for piece in ("One, ", "two, "):
        stream.send_text(piece)
    expect(line, stream, ("One, ", False), ("two, ", False))
    lose(line, "close")
    stream.send_text("three.")
    stream.finish()
    line = service.peer.line()
    expect(line, stream, ("One, ", False), ("two, ", False), ("three.", False), ("", True))
    speak(line, stream)
    assert stream.read(WAIT) == AUDIO
    leave(pool)
    assert told_all(line) == []


def test_text_of_another_thread_waits_for_the_move(service: Service, pool: TtsPool) -> None:
    """`send_text()` during a move blocks, and its text follows what was sent before."""
    stream = start_moving(service, pool)
    more = Task(lambda: stream.send_text("Third.", end=True))
    assert not stream._place._settled.wait(0.05)  # type: ignore[union-attr]
    assert not more.done
    assert stream.state == "active"
    service.may_connect.set()
    more.result()
    line = service.peer.line()
    expect(line, stream, ("Second.", False), ("Third.", True))
    speak(line, stream)
    assert stream.read(WAIT) == AUDIO


def test_a_stream_without_text_outlives_its_connection(service: Service, pool: TtsPool) -> None:
    """Nothing is opened for it before its first text, whether its connection was used or not."""
    lines = [used_line(service, pool)]
    for text in ("Second.", "Third."):
        stream = pool.stream()
        lose(lines[-1], "close")
        eventually(lambda: pool.connections == 0)
        assert stream.state == "active"
        assert service.peer.idle
        stream.send_text(text, end=True)
        lines.append(service.peer.line())
        expect(lines[-1], stream, (text, True))
        speak(lines[-1], stream)
        assert stream.read(WAIT) == AUDIO
    assert pool.active_streams == 0


def test_a_move_to_a_connection_that_ends_just_then_goes_on_to_the_next(
    service: Service, pool: TtsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream without text may meet another idle connection; it ends on a new one."""
    line = used_line(service, pool)
    stream = pool.stream()
    lose(line, "close")
    eventually(lambda: pool.connections == 0)
    lines = [used_line(service, pool)]
    adopt = TtsLine.adopt

    def adopt_late(self: TtsLine, stream: TtsStream) -> None:
        if lines:
            lose(lines.pop(), "close")
            assert self.connection.done.wait(WAIT)
        adopt(self, stream)

    monkeypatch.setattr(TtsLine, "adopt", adopt_late)
    stream.send_text("Second.", end=True)
    line = service.peer.line()
    expect(line, stream, ("Second.", True))
    speak(line, stream)
    assert stream.read(WAIT) == AUDIO


@pytest.mark.parametrize("end", [TtsStream.finish, TtsStream.cancel, TtsStream.close])
def test_a_stream_without_text_ends_without_a_connection(
    service: Service, pool: TtsPool, end: Callable[[TtsStream], None]
) -> None:
    """Ending it gives its place back and opens nothing."""
    line = used_line(service, pool)
    stream = pool.stream()
    lose(line, "close")
    eventually(lambda: pool.connections == 0)
    end(stream)
    stream.wait(WAIT)
    assert stream.state == "ended"
    assert stream.read(WAIT) == b""
    assert pool.active_streams == 0
    assert service.peer.idle
    with pytest.raises(StateError):
        stream.send_text("Late.")


def test_all_streams_of_a_lost_connection_share_the_new_one(
    service: Service, pool: TtsPool
) -> None:
    """Five streams move together; the bounds of the pool hold."""
    line = used_line(service, pool)
    streams = [pool.stream() for _ in range(5)]
    for stream in streams:
        stream.send_text("Again.", end=True)
        expect(line, stream, ("Again.", True))
    lose(line, "reset")
    line = service.peer.line()
    for stream in streams:
        expect(line, stream, ("Again.", True))
        speak(line, stream)
    assert [stream.read(WAIT) for stream in streams] == [AUDIO] * 5
    assert pool.active_streams == 0
    assert service.peer.idle


@pytest.mark.parametrize("frame", ["audio", "error", "abort"])
def test_after_the_first_frame_nothing_moves(service: Service, pool: TtsPool, frame: str) -> None:
    """Once the server spoke of a stream its loss is raised, and its text is no longer kept."""
    line = used_line(service, pool)
    stream = pool.stream()
    stream.send_text("Second.", end=True)
    expect(line, stream, ("Second.", True))
    audio = base64.b64encode(AUDIO).decode()
    said: dict[str, dict[str, Any]] = {
        "audio": {"audio": audio, "audio_end": False},
        "error": {"error_code": 503, "error_type": "service_unavailable", "error_message": "no"},
        "abort": {"terminated": True},
    }
    line.send(message(stream_id=stream.stream_id, **said[frame]))
    eventually(lambda: stream._record.unheard is None)
    lose(line, "close")
    with pytest.raises(SonioxError):
        stream.read(WAIT)
    eventually(lambda: pool.active_streams == 0)
    assert service.peer.idle


@pytest.mark.parametrize("code", [401, 408, 429])
def test_a_refusal_is_raised(service: Service, pool: TtsPool, code: int) -> None:
    """An error that concerns the whole connection stands, though nothing was heard."""
    line = used_line(service, pool)
    stream = pool.stream()
    stream.send_text("Second.", end=True)
    expect(line, stream, ("Second.", True))
    line.send(message(error_code=code, error_type="refused", error_message="no"))
    lose(line, "close")
    with pytest.raises(SonioxError, match="no"):
        stream.read(WAIT)
    assert pool.active_streams == 0
    assert service.peer.idle


def test_a_connection_opened_for_the_stream_is_not_replaced(
    service: Service, pool: TtsPool
) -> None:
    """Where no idle connection was to blame the loss is raised at once."""
    stream = pool.stream()
    stream.send_text("First.", end=True)
    line = service.peer.line()
    expect(line, stream, ("First.", True))
    lose(line, "reset")
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)
    assert pool.active_streams == 0
    assert service.peer.idle


def test_the_loss_of_the_new_connection_stands(service: Service, pool: TtsPool) -> None:
    """A connection opened for the stream is not replaced: one error for all, one event."""
    line = used_line(service, pool)
    stream = pool.stream()
    heard = Heard(stream, "error", "terminated")
    stream.send_text("Second.", end=True)
    lose(line, "close")
    line = service.peer.line()
    expect(line, stream, ("Second.", True))
    lose(line, "close")
    for call in (stream.read, stream.wait):
        with pytest.raises(SonioxConnectionError, match="closed the connection"):
            call(WAIT)
    assert heard.over.wait(WAIT)
    eventually(lambda: heard.events == ["error", "terminated"])
    assert stream.state == "error"
    assert pool.active_streams == 0
    assert service.peer.idle


def test_a_stream_moves_twice_at_most(service: Service, pool: TtsPool) -> None:
    """A connection that spoke to others may be closed as idle, but there is an end to it."""
    line = used_line(service, pool)
    others = [pool.stream() for _ in range(3)]
    stream = pool.stream()
    stream.send_text("Last.", end=True)
    for number, other in enumerate(others):
        expect(line, stream, ("Last.", True))
        other.send_text("Other.", end=True)
        expect(line, other, ("Other.", True))
        speak(line, other)
        assert other.read(WAIT) == AUDIO
        lose(line, "close")
        if number < 2:
            line = service.peer.line()
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)
    assert pool.active_streams == 0
    assert service.peer.idle


def test_a_new_connection_that_cannot_be_had_fails_the_stream(
    service: Service, pool: TtsPool
) -> None:
    """The reader and the sender of the stream get that error, and its place is free."""
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
    """Cancelling gives the place back now, and the new connection hears nothing of the stream."""
    stream = start_moving(service, pool)
    audio = Task(lambda: stream.read(WAIT))
    sender = Task(lambda: stream.send_text("Third."))
    end(stream)
    assert stream.state == "ended"
    assert pool.active_streams == 0
    assert audio.result() == b""
    with pytest.raises(StateError):
        sender.result()
    service.may_connect.set()
    line = service.peer.line()
    leave(pool)
    assert told_all(line) == []


def test_closing_the_pool_fails_a_moving_stream(service: Service, pool: TtsPool) -> None:
    """`close()` does not wait for a connection that is being opened longer than for streams."""
    stream = start_moving(service, pool)
    sender = Task(lambda: stream.send_text("Third."))
    pool.close(0)
    service.may_connect.set()
    for call in (lambda: stream.read(WAIT), sender.result):
        with pytest.raises(SonioxConnectionError) as caught:
            call()
        assert caught.value.code == "closed"
    assert pool.active_streams == 0


def test_a_waiter_gets_the_place_of_a_moving_stream_only_when_it_ends(service: Service) -> None:
    """A moving stream keeps its place, so that the bound of the pool holds."""
    pool = service.pool(max_streams=1)
    stream = start_moving(service, pool)
    with pytest.raises(SonioxTimeoutError):
        pool.stream(wait_sec=0)
    waiter = Task(lambda: pool.stream(wait_sec=WAIT))
    eventually(lambda: len(pool._waiters) == 1)
    stream.cancel()
    service.may_connect.set()
    waiter.result().cancel()
    assert pool.active_streams == 0
    leave(pool)


def test_handlers_get_the_audio_of_a_moved_stream(service: Service, pool: TtsPool) -> None:
    """In push mode a move is not seen either."""
    line = used_line(service, pool)
    stream = pool.stream()
    heard = Heard(stream, "audio", "audio_end", "error", "terminated")
    stream.send_text("Second.", end=True)
    lose(line, "fin")
    line = service.peer.line()
    expect(line, stream, ("Second.", True))
    speak(line, stream)
    assert heard.over.wait(WAIT)
    eventually(lambda: heard.events == ["audio", "audio_end", "terminated"])


def test_measurements_begin_with_the_first_text(service: Service, pool: TtsPool) -> None:
    """The time to the first audio contains the move."""
    stream = start_moving(service, pool)
    moving = time.monotonic()
    stream._place._settled.wait(0.05)  # type: ignore[union-attr]
    took = time.monotonic() - moving
    service.may_connect.set()
    stream.finish()
    line = service.peer.line()
    expect(line, stream, ("Second.", False), ("", True))
    speak(line, stream)
    assert stream.read(WAIT) == AUDIO
    first = stream.metrics.time_to_first_audio_sec
    assert first is not None
    assert first >= took


def test_the_bound_of_text_counts_once(service: Service, pool: TtsPool) -> None:
    """Text that goes out twice counts once against the 5000 bytes of a stream."""
    stream = start_moving(service, pool, "x" * 3000)
    service.may_connect.set()
    stream.send_text("y" * 2000)
    with pytest.raises(ConfigurationError, match="5000"):
        stream.send_text("z")


def test_streams_of_a_connection_without_a_pool_fail(service: Service) -> None:
    """`multi_stream()` keeps its promise: a lost socket fails every live stream."""
    client = SonioxClient("key", tts_ws_url=service.peer.url, tts_defaults=VOICE)
    with client.realtime.tts.multi_stream() as connection:
        line = service.peer.line()
        stream = connection.stream()
        stream.send_text("First.", end=True)
        lose(line, "close")
        with pytest.raises(SonioxConnectionError):
            stream.read(WAIT)
        assert service.peer.idle


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_leaves_a_moving_stream_to_the_parent(service: Service, pool: TtsPool) -> None:
    """In the child it has failed; in the parent it is spoken."""
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
    line = service.peer.line()
    expect(line, stream, ("Second.", False))
    speak(line, stream)
    assert stream.read(WAIT) == AUDIO


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_no_utterance_fails_on_connections_that_end_when_idle(how: str) -> None:
    """A server that ends each connection after what it spoke on it fails none of 40 callers."""
    service = Service()
    stopped = threading.Event()
    heard = threading.Semaphore(0)

    def serve(line: RawLine) -> None:
        config = told(line)
        while not told(line)["text_end"]:
            pass
        for fields in ({"audio": "AAAA", "audio_end": True}, {"terminated": True}):
            line.send(message(stream_id=config["stream_id"], **fields))
        heard.acquire(timeout=WAIT)  # a reset would take the audio away, too
        lose(line, how)

    def accept() -> None:
        while not stopped.is_set():
            if service.peer.idle:
                stopped.wait(0.001)
                continue
            serve(service.peer.line())

    server = Task(accept)
    with service.pool(max_streams=1) as pool:
        for _ in range(40):
            with pool.stream(wait_sec=WAIT) as stream:
                stream.send_text("Hello.")
                stream.finish()
                assert stream.read(WAIT) == b"\0\0\0"
            heard.release()
    stopped.set()
    server.result()
    service.close()


def test_moves_do_not_multiply_the_attempts_of_a_speech(
    service: Service, pool: TtsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`speak()` on a pool tries four times; only the first met an idle connection, and moved."""
    monkeypatch.setattr("soniox_sync.speech.retrying._DELAY_SEC", 0.001)
    line = used_line(service, pool)
    speech = pool.speak("Hello.")

    def cut_four_more() -> None:
        lost = line
        for number in range(5):
            while not told(lost).get("text_end"):
                pass
            lose(lost, "close")
            if number < 4:
                lost = service.peer.line()

    cutting = Task(cut_four_more)
    with pytest.raises(SonioxConnectionError):
        speech.read(WAIT)
    cutting.result()
    assert service.peer.idle
    assert pool.active_streams == 0


# -- the end of a pool ----------------------------------------------------------------------------


def test_close_cancels_streams_without_text_at_once(service: Service, pool: TtsPool) -> None:
    """Streams nobody has begun are no reason to wait, on a connection or between two."""
    line = used_line(service, pool)
    adrift = pool.stream()
    lose(line, "close")
    eventually(lambda: pool.connections == 0)
    pool.warm(1)
    begun = time.monotonic()
    streams = [adrift, *(pool.stream() for _ in range(3))]
    service.peer.line().fin()  # a peer that does not make the close wait
    pool.close(WAIT * 3)
    assert time.monotonic() - begun < WAIT * 2
    for stream in streams:
        assert stream.state == "ended"
        assert stream.read(WAIT) == b""
    assert pool.active_streams == 0


def test_close_waits_for_a_text_that_goes_on(service: Service, pool: TtsPool) -> None:
    """A stream whose text is being written is spoken to its end."""
    stream = pool.stream()
    stream.send_text("First, ")
    line = service.peer.line()
    closing = Task(lambda: pool.close(WAIT))
    eventually(lambda: pool._closed)
    stream.send_text("second.", end=True)
    expect(line, stream, ("First, ", False), ("second.", True))
    speak(line, stream)
    line.fin()
    assert stream.read(WAIT) == AUDIO
    closing.result()


def test_close_gives_up_a_writer_who_is_silent(
    service: Service, pool: TtsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that nobody goes on with fails the stream after the pause, not after the time."""
    monkeypatch.setattr("soniox_sync.pool_place._SILENT_SEC", 0.05)
    stream = pool.stream()
    stream.send_text("First, ")
    service.peer.line().fin()
    closing = Task(lambda: pool.close(WAIT * 3))
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)
    closing.result()


def test_close_in_a_handler_does_not_wait_for_its_stream(service: Service, pool: TtsPool) -> None:
    """The stream whose handler closes the pool is cut; another that speaks ends well."""
    calling, other = pool.stream(), pool.stream()
    closed = threading.Event()

    def close() -> None:
        pool.close(WAIT * 3)
        closed.set()

    calling.on("audio", close)
    calling.send_text("First.", end=True)
    line = service.peer.line()
    expect(line, calling, ("First.", True))
    other.send_text("Second.", end=True)
    expect(line, other, ("Second.", True))
    audio = base64.b64encode(AUDIO).decode()
    line.send(message(stream_id=calling.stream_id, audio=audio, audio_end=False))
    eventually(lambda: pool._closed)
    speak(line, other)
    assert other.read(WAIT) == AUDIO
    assert closed.wait(WAIT)
    with pytest.raises(SonioxConnectionError):
        calling.wait(WAIT)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_leaves_the_pool_at_once(
    service: Service, pool: TtsPool, raised: type[BaseException]
) -> None:
    """Leaving `with` by Ctrl-C waits neither for streams nor for goodbyes."""
    begun = time.monotonic()
    with pytest.raises(raised), pool:
        stream = pool.stream()
        stream.send_text("First.", end=True)
        raise raised
    assert time.monotonic() - begun < 5.0, "the time for streams to end is 10 s"
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)


def test_dead_peers_do_not_add_up(service: Service) -> None:
    """Six connections whose server says nothing any more are closed together."""
    pool = service.pool(max_connections=6)
    assert pool.warm(6) == 6
    begun = time.monotonic()
    pool.close()
    assert time.monotonic() - begun < 8.0, "each waits 2 s for a goodbye"
