"""Ways to consume a session: utterances, all at once, one event at a time, its transcript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import CancelToken
from soniox_sync.errors import (
    AbortError,
    ConfigurationError,
    NetworkError,
    SonioxConnectionError,
    SonioxTimeoutError,
    StateError,
)
from soniox_sync.realtime.stt.outlet import SttOutlet
from tests.peers import RawPeer, close_frame
from tests.realtime.servers import connected_stt, failure, finished, raised_by, result, token
from tests.waiting import WAIT, ManualClock, Task, eventually

ENDPOINTS = {"enable_endpoint_detection": True}
END = token("<end>")


def original(content: str) -> dict[str, Any]:
    """Build a token of speech that will be translated."""
    return token(content, language="en", translation_status="original")


def translation(content: str) -> dict[str, Any]:
    """Build a token of a translation."""
    return token(content, language="es", translation_status="translation", source_language="en")


@pytest.fixture
def session_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    """Provide a clock, advanced by the test, that consumers of new sessions use."""
    clock = ManualClock()
    monkeypatch.setitem(SttOutlet.__init__.__kwdefaults__, "clock", clock)
    yield clock
    assert clock.pending == 0, "timers were left behind"


def end(session: Any, remote: Any) -> None:
    """End the session from the server's end, without an error."""
    finishing = Task(session.finish)
    remote.send(finished(), close_frame())
    finishing.result()


# -- utterances -----------------------------------------------------------------------------------


def test_utterances_end_at_endpoints(raw_peer: RawPeer) -> None:
    """Each utterance is returned once, when it ends, and the last one at the end."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        session.send_audio(b"\1")
        utterances = session.utterances()
        remote.send(result(token("One"), token(" two.")), result(END), result(token(" Three")))
        assert next(utterances).text == "One two."
        waiting = Task(lambda: next(utterances).text)
        remote.send(result(token(" four."), END, token(" Five"), token(" si", final=False)))
        assert waiting.result() == " Three four."
        end(session, remote)
        assert [each.text for each in utterances] == [" Five"]
        assert list(session.utterances()) == []


def test_without_endpoints_a_pause_ends_an_utterance(raw_peer: RawPeer) -> None:
    """Without endpoint detection utterances are split at pauses of 1.5 s and at other speakers."""
    with connected_stt(raw_peer) as (session, remote):
        utterances = session.utterances()
        remote.send(result(token("One", start_ms=0, end_ms=400), final_audio_proc_ms=400))
        remote.send(result(final_audio_proc_ms=1900))
        assert next(utterances).text == "One"
        remote.send(result(token(" two", speaker="1"), token(" three", speaker="2")))
        assert next(utterances).text == " two"


def test_an_utterance_waits_for_its_translation(
    raw_peer: RawPeer, session_clock: ManualClock
) -> None:
    """A translation received after the endpoint is in its utterance."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        utterances = session.utterances()
        remote.send(result(original("Good morning."), END))
        waiting = Task(lambda: next(utterances))
        eventually(lambda: session_clock.pending == 1)
        session_clock.advance(1.9)
        remote.send(result(translation("Buenos días.")))
        got = waiting.result()
        assert (got.text, got.translated_text) == ("Good morning.", "Buenos días.")


def test_an_utterance_waits_at_most_two_seconds(
    raw_peer: RawPeer, session_clock: ManualClock
) -> None:
    """An utterance without its translation is returned 2 s after its endpoint."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        utterances = session.utterances()
        remote.send(result(original("Good morning."), END))
        waiting = Task(lambda: next(utterances))
        eventually(lambda: session_clock.pending == 1)
        session_clock.advance(1.9)
        assert not waiting.done
        session_clock.advance(0.1)
        assert waiting.result().translated_text == ""
        remote.send(result(translation("Buenos días."), original(" Bye."), translation(" Adiós.")))
        remote.send(result(END))
        assert next(utterances).translated_text == "Buenos días. Adiós."


def test_a_slow_loop_misses_no_translation(raw_peer: RawPeer, session_clock: ManualClock) -> None:
    """A translation received in time is in its utterance, however long the loop's body takes."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        utterances = session.utterances()
        remote.send(result(original("One."), END), result(original(" Two."), END))
        remote.send(result(translation("Uno.")))
        assert next(utterances).translated_text == "Uno."
        session_clock.advance(1.0)
        remote.send(result(translation(" Dos.")))
        eventually(lambda: session.transcript.translated_text == "Uno. Dos.")
        session_clock.advance(60.0)
        assert next(utterances).translated_text == " Dos."


def test_timers_wake_only_loops_over_utterances(
    raw_peer: RawPeer, session_clock: ManualClock
) -> None:
    """A loop over utterances that was left does not affect later waits for events."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        utterances = session.utterances()
        remote.send(result(original("One."), END))
        waiting = Task(lambda: next(utterances))
        eventually(lambda: session_clock.pending == 1)
        session_clock.advance(2.0)
        waiting.result()
        session_clock.advance(10.0)
        remote.send(result(token("two")))
        assert session.next_event(WAIT).text == "two"
        assert raised_by(lambda: session.next_event(0)).__class__ is SonioxTimeoutError


def test_a_loop_that_was_left_is_continued_by_the_next(raw_peer: RawPeer) -> None:
    """Words that the previous loop had consumed are in the first utterance of the next loop."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        remote.send(result(token("One."), END, token(" Two."), END, token(" Three")))
        for utterance in session.utterances():
            assert utterance.text == "One."
            break
        utterances = session.utterances()
        assert next(utterances).text == " Two."
        remote.send(result(token(" four."), END))
        assert next(utterances).text == " Three four."


def test_an_error_follows_the_finished_utterances(raw_peer: RawPeer) -> None:
    """A failure is raised after the finished utterances; the rest is only in the transcript."""
    with connected_stt(raw_peer, **ENDPOINTS) as (session, remote):
        remote.send(result(original("One."), END, token(" Two")), failure(503), close_frame())
        utterances = session.utterances()
        assert next(utterances).text == "One."
        assert isinstance(raised_by(lambda: next(utterances)), NetworkError)
        assert session.transcript.final_text == "One. Two"
        assert isinstance(raised_by(lambda: list(session.utterances())), NetworkError)


# -- all at once ----------------------------------------------------------------------------------


def test_read_returns_the_transcript(raw_peer: RawPeer) -> None:
    """`read()` waits for the end and returns the transcript, also when called again."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        reading = Task(session.read)
        remote.send(result(token("One."), token("<end>")), result(token(" Two")))
        assert not reading.done
        end(session, remote)
        transcript = reading.result()
        assert transcript.final_text == "One. Two"
        assert transcript is session.transcript is session.read(0)


def test_nothing_can_be_iterated_after_read(raw_peer: RawPeer) -> None:
    """An iterator would end at once, as if nothing had been said: `StateError` names the way."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        remote.send(result(token("One."), token("<end>")))
        end(session, remote)
        transcript = session.read()
        for iterate in (session.__iter__, session.results, session.utterances):
            error = raised_by(lambda each=iterate: list(each()))
            assert isinstance(error, StateError)
            assert "use the transcript" in str(error)
        assert [each.text for each in transcript.utterances()] == ["One."]
        assert session.next_event(0) is None


def test_read_that_times_out_loses_nothing(raw_peer: RawPeer) -> None:
    """After a timeout the session and its transcript continue, and a later call returns."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        remote.send(result(token("One")))
        eventually(lambda: session.transcript.text == "One")
        for timeout_sec in (0, 0.05):
            error = raised_by(lambda seconds=timeout_sec: session.read(seconds))
            assert isinstance(error, SonioxTimeoutError)
        assert session.transcript.text == "One"
        remote.send(result(token(" two")))
        end(session, remote)
        assert session.read(WAIT).text == "One two"


def test_read_raises_what_ended_the_session(raw_peer: RawPeer) -> None:
    """A cut session raises its error, a cancelled one AbortError; neither looks complete."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(result(token("One")))
        remote.close()
        assert isinstance(raised_by(session.read), SonioxConnectionError)
        assert session.transcript.text == "One"
    cancel = CancelToken()
    with connected_stt(raw_peer, cancel=cancel) as (session, remote):
        reading = Task(session.read)
        cancel.cancel()
        assert isinstance(raised_by(reading.result), AbortError)


# -- one event at a time --------------------------------------------------------------------------


def test_next_event_returns_events_then_none(raw_peer: RawPeer) -> None:
    """Events come one at a time, `None` after the last one; 0 polls."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        assert isinstance(raised_by(lambda: session.next_event(0)), SonioxTimeoutError)
        error = raised_by(lambda: session.next_event(0.02))
        assert isinstance(error, SonioxTimeoutError)
        assert "next event did not arrive within 0.02 s: wait longer with timeout" in str(error)
        error = raised_by(lambda: session.read(0.03))
        assert "last result did not arrive within 0.03 s: wait longer with timeout" in str(error)
        waiting = Task(session.next_event)
        remote.send(result(token("One")), result(token("<end>")))
        event = waiting.result()
        assert event is not None and event.text == "One"
        end(session, remote)
        kinds = []
        while (event := session.next_event(WAIT)) is not None:
            kinds.append(event.kind)
        assert [kind for kind in kinds if kind != "result"] == ["endpoint", "finished"]
        assert session.next_event(0) is None


def test_next_event_raises_what_ended_the_session(raw_peer: RawPeer) -> None:
    """The error of the session is raised after the events before it."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(result(token("One")), failure(503), close_frame())
        event = session.next_event(WAIT)
        assert event is not None and event.text == "One"
        assert isinstance(raised_by(session.next_event), NetworkError)


# -- all of them ----------------------------------------------------------------------------------


def test_a_data_handler_excludes_them(raw_peer: RawPeer) -> None:
    """With a `result` handler results cannot be pulled; the transcript can still be read."""
    with connected_stt(raw_peer) as (session, remote):
        session.on("result", lambda item: None)
        for call in (session.utterances, session.read, lambda: session.next_event(0)):
            assert isinstance(raised_by(call), StateError)
        remote.send(result(token("One")))
        eventually(lambda: session.transcript.text == "One")


@pytest.mark.parametrize("value", [-1, "3", float("nan")])
def test_a_wrong_timeout_is_refused(raw_peer: RawPeer, value: Any) -> None:
    """A timeout is a number of seconds of at least 0, or None."""
    with connected_stt(raw_peer) as (session, _):
        for call in (session.read, session.next_event):
            error = raised_by(lambda call=call: call(value))
            assert isinstance(error, ConfigurationError)
            assert "timeout_sec" in str(error)


def test_the_transcript_contains_partial_text(raw_peer: RawPeer) -> None:
    """The live transcript is updated without iteration."""
    with connected_stt(raw_peer) as (session, remote):
        assert session.transcript.text == ""
        remote.send(result(token("Hel", final=False)))
        eventually(lambda: session.transcript.text == "Hel")
        remote.send(result(token("Hello"), token(" wor", final=False)))
        eventually(lambda: session.transcript.text == "Hello wor")
        assert session.transcript.final_text == "Hello"
