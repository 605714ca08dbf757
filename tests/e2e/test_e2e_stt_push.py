"""Transcription delivered to handlers: order, failures in them, slowness of them."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

import pytest
from peers import WAIT, RawPeer, drain, frame, message
from servers import failure, finished, goodbye, raised_by, result, stt_line, token

from soniox_sync.errors import BufferOverflowError, ConfigurationError, NetworkError, StateError


def test_handlers_get_queued_results_first_and_everything_in_order(raw_peer: RawPeer) -> None:
    """Results, tokens and markers reach handlers in the order of the wire, early ones too."""
    told: list[Any] = []
    over = threading.Event()
    with stt_line(raw_peer) as (session, line):
        line.send(result(token("One "), token("<end>")), frame(9, b"?"))
        assert line.recv_frame().opcode == 10  # the pong: it has arrived and waits
        session.on("token", lambda t: told.append(("token", t.text)))
        session.on("result", lambda r: told.append(("result", r.text)))
        session.on("endpoint", lambda: told.append("endpoint"))
        session.on("finalized", lambda: told.append("finalized"))
        session.on("finished", lambda: told.append("finished"))
        session.on("disconnected", lambda reason: over.set())
        line.send(result(token("two"), token(" three")), result(token("<fin>")), finished())
        line.send(goodbye())
        assert over.wait(WAIT)
    interesting = [t for t in told if t not in (("result", ""),)]
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
        with stt_line(raw_peer) as (session, line):
            session.on(event, lambda item: None)
            for call in (lambda: iter(session), session.results):
                assert isinstance(raised_by(call), StateError)
    with stt_line(raw_peer) as (session, line):
        events = iter(session)
        assert isinstance(raised_by(lambda: session.on("result", print)), StateError)
        session.on("endpoint", lambda: None)
        line.send(result(token("x")))
        assert next(events).text == "x"


def test_marker_handlers_run_beside_iteration(raw_peer: RawPeer) -> None:
    """`endpoint` and `finished` handlers are called once each though the events are iterated."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with stt_line(raw_peer) as (session, line):
        session.on("endpoint", lambda: told.put("endpoint"))
        session.once("finished", lambda: told.put("finished"))
        line.send(result(token("x"), token("<end>")), finished(), goodbye())
        assert [e.kind for e in session] == ["result", "endpoint", "finished"]
        assert [told.get(True, WAIT), told.get(True, WAIT)] == ["endpoint", "finished"]
        assert told.empty()


def test_states_are_told_as_they_change(raw_peer: RawPeer) -> None:
    """`state_change` carries old and new state; `connected` is told to whoever comes later."""
    changes: list[Any] = []
    connected, over = threading.Event(), threading.Event()
    with stt_line(raw_peer) as (session, line):
        session.on("state_change", lambda c: changes.append((c["old_state"], c["new_state"])))
        session.on("connected", connected.set)
        session.on("disconnected", over.set)
        assert connected.wait(WAIT)
        session.send_audio(b"\1")
        line.send(result(token("x")), finished())
        session.finish()
        line.send(goodbye())
        assert over.wait(WAIT)
    assert changes in (
        [("connected", "finishing"), ("finishing", "finished")],
        [("connected", "finished")],  # the server was faster than our end of audio
    )


def test_a_failure_is_told_once_and_the_line_s_end_too(raw_peer: RawPeer) -> None:
    """An error frame gives one `error`, one state change, one `disconnected`, no `finished`."""
    told: list[Any] = []
    over = threading.Event()
    with stt_line(raw_peer) as (session, line):
        for event in ("error", "finished", "state_change"):
            session.on(event, lambda *args, event=event: told.append((event, *args)))
        session.on("disconnected", over.set)
        line.send(failure(503, "service_unavailable"), goodbye())
        assert over.wait(WAIT)
        late: queue.SimpleQueue[Any] = queue.SimpleQueue()
        session.on("error", late.put)
        assert isinstance(late.get(True, WAIT), NetworkError)
    assert sorted(t[0] for t in told) == ["error", "state_change"]


def test_a_handler_that_raises_stops_nothing(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a handler is logged, told as `error` once, and results go on."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    errors: list[BaseException] = []
    over = threading.Event()

    def broken(item: Any) -> None:
        heard.put(item.text)
        if item.text == "one":
            raise LookupError("no screen")

    with caplog.at_level(logging.ERROR), stt_line(raw_peer) as (session, line):
        session.on("result", broken).on("error", errors.append).on("disconnected", over.set)
        line.send(result(token("one")), result(token("two")), finished(), goodbye())
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
    with stt_line(raw_peer) as (session, line):
        session.send_audio(b"\1")
        assert line.recv_message().payload == b"\1"
        session.once("result", lambda r: (getattr(session, method)(), returned.set()))
        line.send(result(token("x")))
        got = line.recv_message()
        if method == "close":
            assert got.opcode == 8
            line.fin()
        elif method == "finish":
            assert got.payload == b""
            line.send(finished(), goodbye())
        else:
            assert got.json == {"type": "finalize"}
        assert returned.wait(WAIT)


def test_a_blocked_handler_delays_neither_pongs_nor_sending(raw_peer: RawPeer) -> None:
    """While a handler blocks, pings are answered, audio goes out, other events are taken."""
    entered, release = threading.Event(), threading.Event()
    with stt_line(raw_peer) as (session, line):
        session.on("result", lambda r: (entered.set(), release.wait(WAIT)))
        line.send(result(token("x")))
        assert entered.wait(WAIT)
        line.send(frame(9, b"are you there"))
        assert line.recv_frame().payload == b"are you there"
        session.send_audio(b"\1")
        session.keep_alive()
        assert line.recv_frame().payload == b"\1"
        assert line.recv_frame().json == {"type": "keepalive"}
        line.send(finished(), goodbye())
        session.finish()
        assert session.state == "finished"
        assert not release.is_set()
        release.set()


def test_the_push_backlog_is_bounded(raw_peer: RawPeer) -> None:
    """Results behind a blocked handler meet the bound of the queue, never silently."""
    release = threading.Event()
    errors: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with stt_line(raw_peer, options={"max_buffered_events": 5}) as (session, line):
        session.on("result", lambda r: release.wait(WAIT)).on("error", errors.put)
        session.send_audio(b"\1")
        line.send(*(result(token("x")) for _ in range(8)))
        assert isinstance(raised_by(lambda: session.finish(WAIT)), BufferOverflowError)
        release.set()
        assert isinstance(errors.get(True, WAIT), BufferOverflowError)


def test_leaving_the_block_lets_due_handlers_run(raw_peer: RawPeer) -> None:
    """At the end of the block every result received has been through its handler."""
    from peers import Task
    from servers import RAW, client_for

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
    with raw_peer.line() as line:
        line.recv_message()
        line.recv_message()
        line.send(*(result(token(f"{n}")) for n in range(20)), finished(), goodbye())
        for _ in range(20):
            step.release()
        using.result()
    assert heard == [f"{n}" for n in range(20)]


def test_unknown_events_and_handlers_are_refused(raw_peer: RawPeer) -> None:
    """`on()` names the events there are, and wants something callable."""
    with stt_line(raw_peer) as (session, line):
        error = raised_by(lambda: session.on("results", print))
        assert isinstance(error, ConfigurationError)
        assert "'result'" in str(error)
        assert isinstance(raised_by(lambda: session.on("result", 7)), ConfigurationError)
        line.send(message(tokens=[token("x")]), finished())
        assert [e.text for e in drain(session)] == ["x", ""]
