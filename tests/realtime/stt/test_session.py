"""A transcription from the user's side: what is sent and received, its normal end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.errors import (
    ConfigurationError,
    SonioxConnectionError,
    SonioxTimeoutError,
    StateError,
)
from soniox_sync.runtime.connection import Connection
from tests.peers import BINARY, TEXT, RawPeer, close_frame
from tests.realtime.servers import (
    KEY,
    RAW,
    SttService,
    client_for,
    connected_stt,
    finished,
    raised_by,
    recv_text,
    result,
    token,
)
from tests.waiting import WAIT, ManualClock, Task

KEEPALIVE = {"type": "keepalive"}


@pytest.fixture
def session_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """Provide a clock, advanced by the test, that new sessions use."""
    clock = ManualClock()
    monkeypatch.setitem(Connection.__init__.__kwdefaults__, "clock", clock)
    yield clock
    assert clock.pending == 0, "timers were left behind"


def test_a_session_transcribes_from_end_to_end() -> None:
    """Audio is sent in order, tokens are received, and iteration ends after `finished`."""
    chunks = [bytes([n]) * 320 for n in range(50)]
    with SttService() as service:
        client = client_for(service.url)
        with client.realtime.stt(**RAW, language_hints=["en"]) as session:
            assert session.state == "connected"
            session.send_stream(chunks)
            session.finish()
            assert session.state == "finished"
            events = list(session)
        assert service.log == [
            {
                "model": "stt-rt-v6",
                "audio_format": "pcm_s16le",
                "sample_rate": 16000,
                "num_channels": 1,
                "language_hints": ["en"],
            },
            *chunks,
            "",
        ]
        assert service.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert [event.kind for event in events] == ["result"] * 50 + ["finished"]
    assert "".join(event.text for event in events) == "".join(f"w{n} " for n in range(50))
    assert events[-1].text == ""
    assert session.state == "finished"


def test_the_configuration_is_the_first_frame_and_text(raw_peer: RawPeer) -> None:
    """The start message is one text frame with JSON, before any audio, without the key."""
    session = client_for(raw_peer.url).realtime.stt(
        audio_format="auto",
        translation={"type": "one_way", "target_language": "de"},
        context={"general": [{"key": "topic", "value": "tests"}], "terms": ["soniox"]},
        extra={"beta": True},
    )
    session.send_audio(b"\1\2")
    with raw_peer.accept() as remote:
        start, first = remote.recv_frame(), remote.recv_frame()
        assert (start.opcode, start.fin, first.opcode) == (TEXT, True, BINARY)
        assert start.json == {
            "model": "stt-rt-v6",
            "audio_format": "auto",
            "translation": {"type": "one_way", "target_language": "de"},
            "context": {
                "general": [{"key": "topic", "value": "tests"}],
                "terms": ["soniox"],
            },
            "beta": True,
        }
        assert first.payload == b"\1\2"
    session.close()


def test_finish_sends_the_empty_text_frame_and_waits(raw_peer: RawPeer) -> None:
    """`finish()` ends the audio with an empty TEXT frame and returns after `finished`."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\2")
        assert remote.recv_frame().opcode == BINARY
        finishing = Task(session.finish)
        end = remote.recv_frame()
        assert (end.opcode, end.payload) == (TEXT, b"")
        assert session.state == "finishing"
        remote.send(result(token("Hi", start_ms=0, end_ms=40)))
        assert not finishing.done
        remote.send(finished(final_audio_proc_ms=40, total_audio_proc_ms=40), close_frame())
        finishing.result()
        session.finish()  # idempotent
        events = list(session)
        assert [event.kind for event in events] == ["result", "finished"]
        assert events[-1].result.final_audio_proc_ms == 40
        assert list(session) == []
        error = raised_by(lambda: session.send_audio(b"x"))
        assert isinstance(error, StateError)


def test_finish_before_any_audio_closes_the_session(raw_peer: RawPeer) -> None:
    """Without audio `finish()` closes the connection, which avoids a `400 No audio received`."""
    with connected_stt(raw_peer) as (session, remote):
        finishing = Task(session.finish)
        got = remote.recv_frame()
        assert (got.opcode, got.close_code) == (8, 1000)
        remote.send(close_frame())
        finishing.result()
        assert session.state == "finished"
        (event,) = session
        got = event.result
        assert (event.kind, got.finished, list(got.tokens)) == ("finished", True, [])
        assert (got.final_audio_proc_ms, got.total_audio_proc_ms) == (0, 0)


def test_finish_that_times_out_leaves_the_session_open(raw_peer: RawPeer) -> None:
    """A `finish()` that times out raises; a later one gets the end."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\2")
        error = raised_by(lambda: session.finish(0.05))
        assert isinstance(error, SonioxTimeoutError)
        assert "0.05 s" in str(error)
        assert [remote.recv_frame().opcode for _ in range(2)] == [BINARY, TEXT]
        remote.send(result(token("Late")), finished(), close_frame())
        session.finish(WAIT)
        assert all(frame.opcode == 8 for frame in remote.frames_to_end())  # no second end
        assert [event.text for event in session] == ["Late", ""]


def test_keepalives_are_sent_when_no_audio_was(
    raw_peer: RawPeer, session_clock: ManualClock
) -> None:
    """A keepalive follows each interval without audio, paused or not; audio postpones it."""
    options = {"keepalive_interval_sec": 5.0, "ping_interval_sec": None}
    with connected_stt(raw_peer, options=options) as (session, remote):
        session_clock.advance(4.9)
        session.send_audio(b"\1")
        session_clock.advance(4.9)
        session.send_audio(b"\2")
        assert [remote.recv_frame().payload for _ in range(2)] == [b"\1", b"\2"]
        session_clock.advance(5.0)
        assert remote.recv_frame().json == KEEPALIVE
        session.pause(finalize=False)
        session_clock.advance(5.0)
        assert remote.recv_frame().json == KEEPALIVE
        session.finalize()  # no audio: it does not postpone the next
        assert remote.recv_frame().json == {"type": "finalize"}
        session_clock.advance(5.0)
        assert remote.recv_frame().json == KEEPALIVE
        session.resume()
        finishing = Task(session.finish)
        assert remote.recv_frame().payload == b""
        session_clock.advance(20.0)  # after the end of the audio none is due
        remote.send(finished(), close_frame())
        finishing.result()
        assert all(frame.opcode == 8 for frame in remote.frames_to_end())


def test_messages_do_not_postpone_keepalives(raw_peer: RawPeer, session_clock: ManualClock) -> None:
    """A message sent by hand, even a keepalive, does not count: only audio keeps a session."""
    with connected_stt(raw_peer, options={"ping_interval_sec": None}) as (session, remote):
        session_clock.advance(4.9)
        for kind in ("finalize", "keepalive"):
            session.send_message({"type": kind})
            assert remote.recv_frame().json == {"type": kind}
        session_clock.advance(0.1)
        assert remote.recv_frame().json == KEEPALIVE


def test_keepalives_continue_while_audio_is_dropped(
    raw_peer: RawPeer, session_clock: ManualClock
) -> None:
    """Audio dropped while paused does not count as audio sent."""
    with connected_stt(raw_peer, options={"ping_interval_sec": None}) as (session, remote):
        session.pause(drop=True, finalize=False)
        session_clock.advance(3.0)
        session.send_audio(b"dropped")
        session_clock.advance(2.0)
        assert remote.recv_frame().json == KEEPALIVE


def test_pause_finalizes_and_refuses_audio(raw_peer: RawPeer) -> None:
    """`pause()` finalizes; sending audio then raises, and works again after `resume()`."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        session.pause()
        session.pause()
        assert session.paused
        error = raised_by(lambda: session.send_audio(b"\2"))
        assert isinstance(error, StateError)
        assert "resume()" in str(error)
        session.resume()
        session.resume()
        assert not session.paused
        session.send_audio(b"\3")
        got = [remote.recv_frame() for _ in range(3)]
        assert [got[0].payload, got[1].json, got[2].payload] == [
            b"\1",
            {"type": "finalize"},
            b"\3",
        ]


def test_pause_can_drop_audio(raw_peer: RawPeer) -> None:
    """`pause(drop=True)` drops audio instead of raising."""
    with connected_stt(raw_peer) as (session, remote):
        session.pause(drop=True)
        session.send_audio(b"\1")
        session.send_stream([b"\2", b"\3"])
        session.resume()
        session.send_audio(b"\4")
        assert remote.recv_frame().payload == b"\4"  # nor a finalize: no audio was sent before


def test_a_feeding_thread_waits_while_paused(raw_peer: RawPeer) -> None:
    """A thread that feeds the session waits during a pause and continues after `resume()`."""
    with connected_stt(raw_peer) as (session, remote):
        session.pause(finalize=False)
        handle = session.start_sending([b"\1", b"\2"])
        assert not handle.join(0.05)
        session.resume()
        assert handle.join(WAIT) and handle.error is None
        assert [remote.recv_frame().payload for _ in range(2)] == [b"\1", b"\2"]


def test_a_paused_feeding_thread_ends_with_the_session(raw_peer: RawPeer) -> None:
    """A thread that waits for `resume()` ends with the session."""
    with connected_stt(raw_peer) as (session, _):
        session.pause(finalize=False)
        handle = session.start_sending([b"\1"])
        session.close()
        assert handle.join(WAIT)
        assert isinstance(handle.error, StateError)


def test_finalize_sends_trailing_silence(raw_peer: RawPeer) -> None:
    """`finalize()` may send how much silence the audio ends with; a wrong value is refused."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        session.finalize(trailing_silence_ms=200)
        session.finalize()
        remote.recv_frame()
        assert remote.recv_frame().json == {"type": "finalize", "trailing_silence_ms": 200}
        assert remote.recv_frame().json == {"type": "finalize"}
        for wrong in (-1, 1.5, "200", True):
            error = raised_by(lambda w=wrong: session.finalize(trailing_silence_ms=w))
            assert isinstance(error, ConfigurationError)
            assert "trailing_silence_ms" in str(error)


def test_markers_become_events_and_never_text(raw_peer: RawPeer) -> None:
    """`<end>` and `<fin>` become events between the tokens around them, and are in no text."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        remote.send(
            result(token("One"), token("<end>"), token("Two", final=False)),
            result(token("<fin>"), token("<end>", translation_status="none")),
            finished(),
            close_frame(),
        )
        events = list(session)
        kinds = [(event.kind, event.text) for event in events]
    assert [k for k in kinds if k != ("result", "")] == [
        ("result", "One"),
        ("endpoint", ""),
        ("result", "Two"),
        ("finalized", ""),
        ("endpoint", ""),
        ("finished", ""),
    ]
    assert not any("<" in t.text for event in events for t in event.result.tokens)


def test_counters_may_be_spelled_either_way_and_errors_null(raw_peer: RawPeer) -> None:
    """Both spellings of the counters work, null errors are none, unknown fields are kept."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(
            result(token("a"), final_audio_proc_ms=100, total_audio_proc_ms=200),
            result(
                token("b", speaker="1", mood="calm"),
                audio_final_proc_ms=300,
                audio_total_proc_ms=400,
                error_code=None,
                error_type=None,
                error_message=None,
                novelty=[1],
            ),
            result(),
            finished(tokens_missing=None),
        )
        results = list(session.results())
    assert [(r.final_audio_proc_ms, r.total_audio_proc_ms) for r in results] == [
        (100, 200),
        (300, 400),
        (300, 400),
        (300, 400),
    ]
    assert results[1].raw["novelty"] == [1]
    assert results[1].tokens[0].raw["mood"] == "calm"
    assert results[1].tokens[0].speaker == "1"
    assert [r.finished for r in results] == [False, False, False, True]


def test_tokens_of_the_last_response_are_delivered_first(raw_peer: RawPeer) -> None:
    """Tokens in the `finished` response are delivered before the end."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(result(token("Bye."), finished=True), close_frame())
        events = list(session)
    assert [(event.kind, event.text) for event in events] == [("result", "Bye."), ("finished", "")]


def test_results_wait_until_they_are_iterated(raw_peer: RawPeer) -> None:
    """Results received before iteration wait, in order, even after the connection's end."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        for n in range(100):
            remote.send(result(token(f"{n} ")))
        remote.send(finished(), close_frame())
        session.finish()
        remote.close()
        session.close()
        text = "".join(event.text for event in session)
    assert text == "".join(f"{n} " for n in range(100))


def test_leaving_the_block_finishes_and_drains(raw_peer: RawPeer) -> None:
    """Leaving `with` normally ends the audio and waits; the results can be iterated after it."""
    client = client_for(raw_peer.url)

    def use() -> Any:
        with client.realtime.stt(**RAW) as session:
            session.send_audio(b"\1")
        return session

    using = Task(use)
    with raw_peer.accept() as remote:
        assert remote.recv_message().json["model"]
        assert remote.recv_message().payload == b"\1"
        assert remote.recv_message().payload == b""
        remote.send(result(token("All")), finished(), close_frame())
        session = using.result()
    assert session.state == "finished"
    assert [event.text for event in session] == ["All", ""]


def test_leaving_the_block_by_an_exception_closes_at_once(raw_peer: RawPeer) -> None:
    """An exception in the block passes through and the session is closed, not finished."""
    client = client_for(raw_peer.url)
    sessions: list[Any] = []

    def use() -> None:
        with client.realtime.stt(**RAW) as session:
            sessions.append(session)
            session.send_audio(b"\1")
            raise LookupError("mine")

    using = Task(use)
    with raw_peer.accept() as remote:
        assert remote.recv_message().json["model"]
        assert remote.recv_message().payload == b"\1"
        assert remote.recv_message().opcode == 8  # no end of audio before the close frame
        remote.close()
        error = raised_by(using.result)
    assert isinstance(error, LookupError)
    assert sessions[0].state == "closed"
    assert isinstance(raised_by(lambda: list(sessions[0])), SonioxConnectionError)


def test_the_key_can_be_sent_in_the_start_message(raw_peer: RawPeer) -> None:
    """With `auth="message"` the key is in the start message and not in the handshake."""
    session = client_for(raw_peer.url, auth="message").realtime.stt(**RAW)
    with raw_peer.accept() as remote:
        start = recv_text(remote)
        assert start.json["api_key"] == KEY
        assert remote.request is not None
        assert KEY.encode() not in remote.request.raw
    session.close()
