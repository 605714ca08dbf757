"""A transcription from the user's side: what goes out, what comes in, its good end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from peers import BINARY, TEXT, WAIT, ManualClock, RawPeer, Task
from servers import (
    KEY,
    RAW,
    SttService,
    client_for,
    finished,
    goodbye,
    raised_by,
    recv_text,
    result,
    stt_line,
    token,
)

from soniox_sync import stt as stt_module
from soniox_sync.errors import (
    ConfigurationError,
    SonioxConnectionError,
    SonioxTimeoutError,
    StateError,
)

KEEPALIVE = {"type": "keepalive"}


@pytest.fixture
def hand_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """Give every new session a clock that the test moves."""
    clock = ManualClock()
    monkeypatch.setitem(stt_module.SttSession.__init__.__kwdefaults__, "clock", clock)
    yield clock
    assert clock.pending == 0, "timers were left behind"


def test_a_session_transcribes_from_end_to_end() -> None:
    """Audio goes out in order, tokens come back, and iteration ends after `finished`."""
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
                "model": "stt-rt-v5",
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
    """The start message is one text frame of JSON before any audio, without the key."""
    session = client_for(raw_peer.url).realtime.stt(
        audio_format="auto",
        translation={"type": "one_way", "target_language": "de"},
        context={"general": [{"key": "topic", "value": "tests"}], "terms": ["soniox"]},
        extra={"beta": True},
    )
    session.send_audio(b"\1\2")
    with raw_peer.line() as line:
        start, first = line.recv_frame(), line.recv_frame()
        assert (start.opcode, start.fin, first.opcode) == (TEXT, True, BINARY)
        assert start.json == {
            "model": "stt-rt-v5",
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
    with stt_line(raw_peer) as (session, line):
        session.send_audio(b"\1\2")
        assert line.recv_frame().opcode == BINARY
        finishing = Task(session.finish)
        end = line.recv_frame()
        assert (end.opcode, end.payload) == (TEXT, b"")
        assert session.state == "finishing"
        line.send(result(token("Hi", start_ms=0, end_ms=40)))
        assert not finishing.done
        line.send(finished(final_audio_proc_ms=40, total_audio_proc_ms=40), goodbye())
        finishing.result()
        session.finish()  # idempotent
        events = list(session)
        assert [event.kind for event in events] == ["result", "finished"]
        assert events[-1].result.final_audio_proc_ms == 40
        assert list(session) == []
        error = raised_by(lambda: session.send_audio(b"x"))
        assert isinstance(error, StateError)


def test_finish_before_any_audio_ends_quietly(raw_peer: RawPeer) -> None:
    """Without audio `finish()` closes the line and provokes no `400 No audio received`."""
    with stt_line(raw_peer) as (session, line):
        finishing = Task(session.finish)
        got = line.recv_frame()
        assert (got.opcode, got.close_code) == (8, 1000)
        line.send(goodbye())
        finishing.result()
        assert session.state == "finished"
        assert [event.kind for event in session] == ["finished"]


def test_finish_that_comes_too_late_leaves_the_session_alive(raw_peer: RawPeer) -> None:
    """A `finish()` that timed out says so; a later one gets the end."""
    with stt_line(raw_peer) as (session, line):
        session.send_audio(b"\1\2")
        error = raised_by(lambda: session.finish(0.05))
        assert isinstance(error, SonioxTimeoutError)
        assert "0.05 s" in str(error)
        assert [line.recv_frame().opcode for _ in range(2)] == [BINARY, TEXT]
        line.send(result(token("Late")), finished(), goodbye())
        session.finish(WAIT)
        assert all(frame.opcode == 8 for frame in line.frames_to_end())  # no second end
        assert [event.text for event in session] == ["Late", ""]


def test_keepalives_go_out_when_no_audio_did(raw_peer: RawPeer, hand_clock: ManualClock) -> None:
    """A keepalive follows each interval without audio, paused or not; audio postpones it."""
    options = {"keepalive_interval_sec": 5.0, "ping_interval_sec": None}
    with stt_line(raw_peer, options=options) as (session, line):
        hand_clock.advance(4.9)
        session.send_audio(b"\1")
        hand_clock.advance(4.9)
        session.send_audio(b"\2")
        assert [line.recv_frame().payload for _ in range(2)] == [b"\1", b"\2"]
        hand_clock.advance(5.0)
        assert line.recv_frame().json == KEEPALIVE
        session.pause(finalize=False)
        hand_clock.advance(5.0)
        assert line.recv_frame().json == KEEPALIVE
        session.finalize()  # no audio: it does not postpone the next
        assert line.recv_frame().json == {"type": "finalize"}
        hand_clock.advance(5.0)
        assert line.recv_frame().json == KEEPALIVE
        session.resume()
        finishing = Task(session.finish)
        assert line.recv_frame().payload == b""
        hand_clock.advance(20.0)  # the audio is over: none is due
        line.send(finished(), goodbye())
        finishing.result()
        assert all(frame.opcode == 8 for frame in line.frames_to_end())


def test_keepalives_go_on_while_a_piece_of_audio_is_dropped(
    raw_peer: RawPeer, hand_clock: ManualClock
) -> None:
    """Audio dropped while paused does not count as audio sent."""
    with stt_line(raw_peer, options={"ping_interval_sec": None}) as (session, line):
        session.pause(drop=True, finalize=False)
        hand_clock.advance(3.0)
        session.send_audio(b"dropped")
        hand_clock.advance(2.0)
        assert line.recv_frame().json == KEEPALIVE


def test_pause_finalizes_and_refuses_audio(raw_peer: RawPeer) -> None:
    """`pause()` finalizes what was said; audio meanwhile raises, after `resume()` it goes out."""
    with stt_line(raw_peer) as (session, line):
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
        got = [line.recv_frame() for _ in range(3)]
        assert [got[0].payload, got[1].json, got[2].payload] == [
            b"\1",
            {"type": "finalize"},
            b"\3",
        ]


def test_pause_can_drop_audio(raw_peer: RawPeer) -> None:
    """`pause(drop=True)` throws audio away instead of raising."""
    with stt_line(raw_peer) as (session, line):
        session.pause(drop=True)
        session.send_audio(b"\1")
        session.send_stream([b"\2", b"\3"])
        session.resume()
        session.send_audio(b"\4")
        assert line.recv_frame().payload == b"\4"  # nor a finalize: nothing was said before


def test_what_is_fed_waits_while_paused(raw_peer: RawPeer) -> None:
    """A thread that feeds the session waits during a pause and goes on after `resume()`."""
    with stt_line(raw_peer) as (session, line):
        session.pause(finalize=False)
        handle = session.start_sending([b"\1", b"\2"])
        assert not handle.join(0.05)
        session.resume()
        assert handle.join(WAIT) and handle.error is None
        assert [line.recv_frame().payload for _ in range(2)] == [b"\1", b"\2"]


def test_a_pause_does_not_keep_a_feeding_thread_after_the_end(raw_peer: RawPeer) -> None:
    """A thread that waits for `resume()` ends with the session."""
    with stt_line(raw_peer) as (session, _):
        session.pause(finalize=False)
        handle = session.start_sending([b"\1"])
        session.close()
        assert handle.join(WAIT)
        assert isinstance(handle.error, StateError)


def test_finalize_tells_the_silence_sent(raw_peer: RawPeer) -> None:
    """`finalize()` may say how much silence the audio ends with; a wrong value is refused."""
    with stt_line(raw_peer) as (session, line):
        session.send_audio(b"\1")
        session.finalize(trailing_silence_ms=200)
        session.finalize()
        line.recv_frame()
        assert line.recv_frame().json == {"type": "finalize", "trailing_silence_ms": 200}
        assert line.recv_frame().json == {"type": "finalize"}
        for wrong in (-1, 1.5, "200", True):
            error = raised_by(lambda w=wrong: session.finalize(trailing_silence_ms=w))
            assert isinstance(error, ConfigurationError)
            assert "trailing_silence_ms" in str(error)


def test_markers_become_events_and_never_text(raw_peer: RawPeer) -> None:
    """`<end>` and `<fin>` are events between the tokens around them, and in no text."""
    with stt_line(raw_peer) as (session, line):
        session.send_audio(b"\1")
        line.send(
            result(token("One"), token("<end>"), token("Two", final=False)),
            result(token("<fin>"), token("<end>", translation_status="none")),
            finished(),
            goodbye(),
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
    """Both spellings of the counters count, null error fields are no error, unknown fields stay."""
    with stt_line(raw_peer) as (session, line):
        line.send(
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


def test_a_last_response_with_tokens_gives_them_first(raw_peer: RawPeer) -> None:
    """Tokens that ride on the `finished` response come before the end."""
    with stt_line(raw_peer) as (session, line):
        line.send(result(token("Bye."), finished=True), goodbye())
        events = list(session)
    assert [(event.kind, event.text) for event in events] == [("result", "Bye."), ("finished", "")]


def test_results_waited_for_are_delivered_before_iteration_began(raw_peer: RawPeer) -> None:
    """What arrives before anybody iterates waits, in order, also beyond the end of the line."""
    with stt_line(raw_peer) as (session, line):
        session.send_audio(b"\1")
        for n in range(100):
            line.send(result(token(f"{n} ")))
        line.send(finished(), goodbye())
        session.finish()
        line.close()
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
    with raw_peer.line() as line:
        assert line.recv_message().json["model"]
        assert line.recv_message().payload == b"\1"
        assert line.recv_message().payload == b""
        line.send(result(token("All")), finished(), goodbye())
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
    with raw_peer.line() as line:
        assert line.recv_message().json["model"]
        assert line.recv_message().payload == b"\1"
        assert line.recv_message().opcode == 8  # no end of audio before the goodbye
        line.close()
        error = raised_by(using.result)
    assert isinstance(error, LookupError)
    assert sessions[0].state == "closed"
    assert isinstance(raised_by(lambda: list(sessions[0])), SonioxConnectionError)


def test_the_key_can_travel_in_the_start_message(raw_peer: RawPeer) -> None:
    """With `auth="message"` the key is in the start message and not in the handshake."""
    session = client_for(raw_peer.url, auth="message").realtime.stt(**RAW)
    with raw_peer.line() as line:
        start = recv_text(line)
        assert start.json["api_key"] == KEY
        assert line.request is not None
        assert KEY.encode() not in line.request.raw
    session.close()
