"""Rules of one stream that show only at its edges: before its first text, after its first error."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.dialects import NATIVE_TTS
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.protocol.tts import StreamRecord
from soniox_sync.realtime.tts.metrics import StreamTimer
from soniox_sync.realtime.tts.multiplexer import TtsMultiplexer
from tests.peers import TEXT, RawPeer, message
from tests.realtime.servers import VOICE, audio, begin, connected_tts, raised_by, whole
from tests.waiting import WAIT, Task

FIRST, SECOND = SonioxConnectionError("first"), SonioxConnectionError("second")


def test_a_stream_fails_once(raw_peer: RawPeer) -> None:
    """A second failure returns at once and changes nothing; the server gets one cancel."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        for error in (FIRST, SECOND):
            Task(lambda error=error: stream._core.fail(error)).result()
        assert "first" in str(raised_by(stream.read))
        assert stream._core.record.error is FIRST
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}
        connection.keep_alive()
        assert remote.recv_message().json == {"keep_alive": True}


def test_the_end_of_a_stream_without_text_starts_no_clock(raw_peer: RawPeer) -> None:
    """Its time begins with the first text."""
    with connected_tts(raw_peer) as (connection, _):
        stream = connection.stream(**VOICE)
        stream.send_text("", end=True)
        assert stream.metrics.wall_sec is None


def test_audio_that_cannot_be_decoded_ends_the_stream_here_and_there(raw_peer: RawPeer) -> None:
    """It raises where the gap is, each time, and the server is told to stop."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"one"), message(stream_id="s1", audio="A==="), audio("s1", b"x"))
        events = stream.events()
        assert next(events).audio == b"one"
        for take in (lambda: next(events), lambda: next(stream.events()), stream.read):
            assert isinstance(raised_by(take), SonioxConnectionError)
        assert stream.state == "error"
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}


def test_only_a_handler_of_audio_is_one(raw_peer: RawPeer) -> None:
    """What else runs on the stream's callback thread, before it and after it, is none."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        core, got, over = stream._core, [], threading.Event()
        core.worker.post(lambda: got.append(core.is_handling))
        stream.on("audio", lambda *_: got.append(core.is_handling))
        stream.on("terminated", lambda: (got.append(core.is_handling), over.set()))
        remote.send(whole("s1", b"one"))
        assert over.wait(WAIT)
        assert got == [False, True, False]
        assert not core.is_handling


def test_a_childs_copy_of_a_stream_ends(raw_peer: RawPeer) -> None:
    """With the error that says so; one that was over before keeps its audio and its success."""
    with connected_tts(raw_peer) as (connection, remote):
        done, live = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        remote.send(whole("s1", b"one"))
        done.wait(WAIT)
        for stream in (done, live):
            stream._core._invalidate()
        assert done.read(WAIT) == b"one"
        assert done.state == "ended"
        error = raised_by(lambda: live.read(WAIT))
        assert getattr(error, "code", None) == "forked"
        assert live._core.done.is_set()


def test_the_metrics_of_a_stream_say_how_long_its_audio_is(raw_peer: RawPeer) -> None:
    """As far as that is known."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1", sample_rate=8000)
        remote.send(whole("s1", bytes(24000)))
        stream.read(WAIT)
        assert "of 1.50 s" in repr(stream.metrics)
        other = begin(connection, remote, "s2", audio_format="mp3")
        remote.send(whole("s2", bytes(24000)))
        other.read(WAIT)
        assert " of " not in repr(other.metrics)


@pytest.mark.parametrize("is_over", [True, False])
def test_what_ctrl_c_kept_from_being_reported_is_reported_at_the_end(is_over: bool) -> None:
    """The end of a stream that is over, or that one needs another connection; once."""
    multiplexer = TtsMultiplexer(
        NATIVE_TTS,
        message_key=None,
        keepalive_sec=20.0,
        on_error=lambda error: None,
        on_ended=lambda: None,
    )
    record = StreamRecord("s1", {})
    record.phase = TtsPhase.ENDED if is_over else TtsPhase.ACTIVE
    reported: list[str] = []
    stream: Any = SimpleNamespace(
        record=record,
        released=lambda error: reported.append("released"),
        request_connection=lambda: reported.append("request_connection"),
    )
    multiplexer._unreported[record] = stream
    for _ in range(2):
        multiplexer._report_ends()
    assert reported == ["released" if is_over else "request_connection"]


def open_connection() -> Any:
    """Return what a multiplexer needs of an open connection."""
    return SimpleNamespace(
        is_open=True,
        log=lambda *_: None,
        redactor=SimpleNamespace(error=lambda error: error),
        expect_close=lambda seconds: None,
    )


def test_a_connection_with_an_error_is_not_used_again() -> None:
    """Not even while its handlers learn of it, when its socket is still open."""
    usable: list[bool] = []
    multiplexer = TtsMultiplexer(
        NATIVE_TTS,
        message_key=None,
        keepalive_sec=20.0,
        on_error=lambda error: usable.append(multiplexer.is_usable),
        on_ended=lambda: None,
    )
    multiplexer.connection = open_connection()
    assert multiplexer.is_usable
    multiplexer.messages_received([(TEXT, b'{"error_code": 503, "error_message": "no"}')])
    assert usable == [False]


def test_a_stream_is_timed_from_its_first_text() -> None:
    """Further texts do not move it, nor does a second end."""
    now = [10.0]
    timer = StreamTimer(lambda: now[0])
    timer.text_sent(3.0)
    timer.text_sent(5.0)
    timer.ended()
    now[0] = 20.0
    timer.ended()
    assert (timer.first_text, timer.end) == (3.0, 10.0)


def test_messages_after_one_that_is_ignored_are_handled() -> None:
    """A gateway greets in a message of its own, perhaps together with the first answer."""
    told: list[Any] = []
    multiplexer = TtsMultiplexer(
        replace(NATIVE_TTS, read=lambda frame: frame if "error_code" in frame else None),
        message_key=None,
        keepalive_sec=20.0,
        on_error=told.append,
        on_ended=lambda: None,
    )
    multiplexer.connection = open_connection()
    error = b'{"error_code": 503, "error_message": "no"}'
    multiplexer.messages_received([(TEXT, b'{"type": "ready"}'), (TEXT, error)])
    assert [each.status_code for each in told] == [503]


def test_audio_that_cannot_be_decoded_reaches_no_handler(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """The handler of errors gets why, once, and nothing else fails for it."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        got: list[Any] = []
        over = threading.Event()
        stream.on("audio", got.append)
        stream.on("error", lambda error: (got.append(error.code), over.set()))
        with caplog.at_level("ERROR", "soniox_sync"):
            remote.send(audio("s1", b"one"), message(stream_id="s1", audio="A==="))
            assert over.wait(WAIT)
        assert got == [b"one", "protocol_error"]
        assert caplog.text == ""
