"""Transcription delivered to handlers: their order, failures and slowness."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import pytest

from soniox_sync.errors import BufferOverflowError, ConfigurationError, NetworkError, StateError
from tests.peers import RawPeer, close_frame, frame, message
from tests.realtime.servers import (
    connected_stt,
    failure,
    finished,
    raised_by,
    result,
    token,
)
from tests.waiting import WAIT, Task, drain


def test_handlers_get_queued_results_first_and_everything_in_order(raw_peer: RawPeer) -> None:
    """Results, tokens and markers reach handlers in the order received, early ones too."""
    seen: list[Any] = []
    complete, over = threading.Event(), threading.Event()
    with connected_stt(raw_peer) as (session, remote):
        remote.send(result(token("One "), token("<end>")))
        remote.await_handled()
        # the first result handler starts the delivery, and blocks it until all are registered
        session.on("result", lambda r: complete.wait(WAIT) and seen.append(("result", r.text)))
        session.on("token", lambda t: seen.append(("token", t.text)))
        session.on("endpoint", lambda: seen.append("endpoint"))
        session.on("finalized", lambda: seen.append("finalized"))
        session.on("finished", lambda: seen.append("finished"))
        session.on("disconnected", lambda reason: over.set())
        complete.set()
        remote.send(result(token("two"), token(" three")), result(token("<fin>")), finished())
        remote.send(close_frame())
        assert over.wait(WAIT)
    interesting = [t for t in seen if t not in (("result", ""),)]
    order = [t for t in interesting if not (isinstance(t, tuple) and t[0] == "token")]
    assert order == [
        ("result", "One "),
        "endpoint",
        ("result", "two three"),
        "finalized",
        "finished",
    ]
    assert [t[1] for t in interesting if t[0] == "token"] == ["One ", "two", " three"]


def test_a_data_handler_excludes_iteration(raw_peer: RawPeer) -> None:
    """After a `result` or `token` handler iterating raises StateError, and the reverse."""
    for event in ("result", "token"):
        with connected_stt(raw_peer) as (session, remote):
            session.on(event, lambda item: None)
            for call in (lambda: iter(session), session.results):
                assert isinstance(raised_by(call), StateError)
    with connected_stt(raw_peer) as (session, remote):
        events = iter(session)
        assert isinstance(raised_by(lambda: session.on("result", print)), StateError)
        session.on("endpoint", lambda: None)
        remote.send(result(token("x")))
        assert next(events).text == "x"


def test_marker_handlers_run_beside_iteration(raw_peer: RawPeer) -> None:
    """`endpoint` and `finished` handlers are called once each although the events are iterated."""
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()
    with connected_stt(raw_peer) as (session, remote):
        session.on("endpoint", lambda: seen.put("endpoint"))
        session.once("finished", lambda: seen.put("finished"))
        remote.send(result(token("x"), token("<end>")), finished(), close_frame())
        assert [e.kind for e in session] == ["result", "endpoint", "finished"]
        assert [seen.get(True, WAIT), seen.get(True, WAIT)] == ["endpoint", "finished"]
        assert seen.empty()


def test_state_changes_are_reported(raw_peer: RawPeer) -> None:
    """`state_change` has the old and the new state; late handlers of `connected` are called."""
    changes: list[Any] = []
    connected, over = threading.Event(), threading.Event()
    with connected_stt(raw_peer) as (session, remote):
        session.on("state_change", lambda c: changes.append((c.old_state, c.new_state)))
        session.on("connected", connected.set)
        session.on("disconnected", over.set)
        assert connected.wait(WAIT)
        session.send_audio(b"\1")
        remote.send(result(token("x")), finished())
        session.finish()
        remote.send(close_frame())
        assert over.wait(WAIT)
    assert changes in (
        [("connected", "finishing"), ("finishing", "finished")],
        [("connected", "finished")],  # the server finished before our end of audio
    )


def test_a_failure_and_the_disconnect_are_reported_once(raw_peer: RawPeer) -> None:
    """An error frame leads to one `error`, one state change, one `disconnected`, no `finished`."""
    seen: list[Any] = []
    over = threading.Event()
    with connected_stt(raw_peer) as (session, remote):
        for event in ("error", "finished", "state_change"):
            session.on(event, lambda *args, event=event: seen.append((event, *args)))
        session.on("disconnected", over.set)
        remote.send(failure(503, "service_unavailable"), close_frame())
        assert over.wait(WAIT)
        late: queue.SimpleQueue[Any] = queue.SimpleQueue()
        session.on("error", late.put)
        assert isinstance(late.get(True, WAIT), NetworkError)
    assert sorted(t[0] for t in seen) == ["error", "state_change"]


def test_a_handler_that_raises_stops_nothing(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a handler is logged, reported as `error` once, and results continue."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    errors: list[BaseException] = []
    over = threading.Event()

    def broken(item: Any) -> None:
        heard.put(item.text)
        if item.text == "one":
            raise LookupError("no screen")

    with caplog.at_level(logging.ERROR), connected_stt(raw_peer) as (session, remote):
        session.on("result", broken).on("error", errors.append).on("disconnected", over.set)
        remote.send(result(token("one")), result(token("two")), finished(), close_frame())
        assert over.wait(WAIT)
        assert [heard.get(True, WAIT), heard.get(True, WAIT)] == ["one", "two"]
        assert session.state == "finished"
        session.finish()
    assert [str(error) for error in errors] == ["no screen"]
    assert "no screen" in caplog.text


@pytest.mark.parametrize("method", ["close", "finish", "pause"])
def test_a_handler_may_call_any_method(raw_peer: RawPeer, method: str) -> None:
    """A handler may close, finish or pause its own session without a deadlock."""
    returned = threading.Event()
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        assert remote.recv_message().payload == b"\1"
        session.once("result", lambda r: (getattr(session, method)(), returned.set()))
        remote.send(result(token("x")))
        got = remote.recv_message()
        if method == "close":
            assert got.opcode == 8
            remote.fin()
        elif method == "finish":
            assert got.payload == b""
            remote.send(finished(), close_frame())
        else:
            assert got.json == {"type": "finalize"}
        assert returned.wait(WAIT)


def test_a_blocked_handler_delays_neither_pongs_nor_sending(raw_peer: RawPeer) -> None:
    """While a handler blocks, pings are answered, audio is sent, other events are received."""
    entered, release = threading.Event(), threading.Event()
    with connected_stt(raw_peer) as (session, remote):
        session.on("result", lambda r: (entered.set(), release.wait(WAIT)))
        remote.send(result(token("x")))
        assert entered.wait(WAIT)
        remote.send(frame(9, b"are you there"))
        assert remote.recv_frame().payload == b"are you there"
        session.send_audio(b"\1")
        session.keep_alive()
        assert remote.recv_frame().payload == b"\1"
        assert remote.recv_frame().json == {"type": "keepalive"}
        remote.send(finished(), close_frame())
        session.finish()
        assert session.state == "finished"
        assert not release.is_set()
        release.set()


def test_the_push_backlog_is_bounded(raw_peer: RawPeer) -> None:
    """Results behind a blocked handler are bounded; reaching the bound is an error."""
    release = threading.Event()
    errors: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with connected_stt(raw_peer, options={"max_buffered_events": 5}) as (session, remote):
        session.on("result", lambda r: release.wait(WAIT)).on("error", errors.put)
        session.send_audio(b"\1")
        remote.send(*(result(token("x")) for _ in range(8)))
        assert isinstance(raised_by(lambda: session.finish(WAIT)), BufferOverflowError)
        release.set()
        assert isinstance(errors.get(True, WAIT), BufferOverflowError)


def test_leaving_the_block_lets_due_handlers_run(raw_peer: RawPeer) -> None:
    """At the end of the block every received result was handled."""
    from tests.realtime.servers import RAW, client_for

    heard: list[str] = []
    step = threading.Semaphore(0)

    def slow(item: Any) -> None:
        step.acquire(timeout=WAIT)
        heard.append(item.text)

    def use() -> None:
        with client_for(raw_peer.url).realtime.stt(**RAW) as session:
            session.on("result", slow)
            session.send_audio(b"\1")

    using = Task(use)
    with raw_peer.accept() as remote:
        remote.recv_message()
        remote.recv_message()
        remote.send(*(result(token(f"{n}")) for n in range(20)), finished(), close_frame())
        for _ in range(20):
            step.release()
        using.result()
    assert heard == [f"{n}" for n in range(20)]


def test_unknown_events_and_handlers_are_refused(raw_peer: RawPeer) -> None:
    """`on()` lists the existing events, and refuses what is not callable."""
    with connected_stt(raw_peer) as (session, remote):
        error = raised_by(lambda: session.on("results", print))
        assert isinstance(error, ConfigurationError)
        assert "'result'" in str(error)
        assert isinstance(raised_by(lambda: session.on("result", 7)), ConfigurationError)
        remote.send(message(tokens=[token("x")]), finished())
        assert [e.text for e in drain(session)] == ["x", ""]


@pytest.mark.parametrize("event", ["connected", "finished", "disconnected"])
def test_what_happened_once_is_told_to_a_late_handler(raw_peer: RawPeer, event: str) -> None:
    """A session is handed out connected, and may be over before anybody listens."""
    with connected_stt(raw_peer) as (session, remote):
        session.on("result", lambda _: None)
        remote.send(result(token("Hello.")), finished(), close_frame())
        session.finish(WAIT)
        session.close()
        told = threading.Event()
        session.on(event, lambda *_: told.set())
        assert told.wait(WAIT)


def test_the_end_is_told_when_it_is_said(raw_peer: RawPeer) -> None:
    """Iterating ends with the service's word that it has finished, not with its close."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\0\0")
        session.end_audio()
        remote.send(result(token("Hello.")), finished())
        assert [event.kind for event in session] == ["result", "finished"]


def told_of(session: Any) -> queue.SimpleQueue[str]:
    """Return a queue of the names of the events that are told."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    for event in ("endpoint", "finished", "error", "disconnected"):
        session.on(event, lambda *_, event=event: told.put(event))
    return told


def until_disconnected(told: queue.SimpleQueue[str]) -> list[str]:
    """Return all that was told."""
    return list(iter(lambda: told.get(True, WAIT), "disconnected"))


def test_a_session_that_failed_is_not_told_to_have_finished(raw_peer: RawPeer) -> None:
    """The end comes in one piece with a result that has no room: results were lost."""
    with connected_stt(raw_peer, options={"max_buffered_events": 3}) as (session, remote):
        told = told_of(session)
        session.send_audio(b"\1\0")
        remote.send(result(token("x")) * 5 + finished() + close_frame())
        assert until_disconnected(told) == ["error"]
        assert isinstance(raised_by(session.finish), BufferOverflowError)


def test_a_session_that_was_closed_is_not_told_to_have_finished(raw_peer: RawPeer) -> None:
    """What the service still sends after `close()` ends nothing; iterating raises, too."""
    with connected_stt(raw_peer) as (session, remote):
        told = told_of(session)
        session.send_audio(b"\1\0")
        assert remote.recv_message().payload == b"\1\0"
        closing = Task(session.close)
        assert remote.recv_frame().opcode == 8
        remote.send(result(token("x"), token("<end>")), finished(), close_frame())
        closing.result()
        assert until_disconnected(told) == []
        assert raised_by(lambda: list(session)).code == "closed"  # type: ignore[attr-defined]


def test_the_last_event_always_has_room(raw_peer: RawPeer) -> None:
    """A full queue holds all words: that the end comes after them loses none."""
    with connected_stt(raw_peer, options={"max_buffered_events": 3}) as (session, remote):
        told = told_of(session)
        session.send_audio(b"\1\0")
        remote.send(result(token("x")) * 3 + finished() + close_frame())
        assert until_disconnected(told) == ["finished"]
        session.finish()
        assert [event.kind for event in session] == ["result"] * 3 + ["finished"]
