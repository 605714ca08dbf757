"""The outlet of a transcription, without a session behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from soniox_sync.errors import AbortError
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.realtime.stt.outlet import SttOutlet
from soniox_sync.transport.deadline import Deadline
from tests.waiting import WAIT


@pytest.fixture
def outlet() -> Iterator[SttOutlet]:
    made = SttOutlet(
        ("result", "token", "endpoint", "finished"),
        ("finished",),
        3,
        "soniox-callback-test",
        has_endpoints=lambda: True,
    )
    yield made
    made.worker.stop()


def said(text: str) -> SttEvent:
    return SttEvent("result", Result([Token(text, 0, 100, 1.0, True)]))


def test_a_marker_goes_the_way_of_the_results_before_it(outlet: SttOutlet) -> None:
    """Behind a handler that is busy: what is dropped with the results is not reported, either."""
    busy, go_on = threading.Event(), threading.Event()
    got: list[str] = []

    def slow(result: Result) -> None:
        busy.set()
        go_on.wait(WAIT)
        got.append(result.text)

    outlet.register("result", slow)
    outlet.register("endpoint", lambda: got.append("endpoint"))
    assert outlet.offer(said("One."))
    assert busy.wait(WAIT)
    assert outlet.offer(said("Two."))
    assert outlet.offer(SttEvent("endpoint", Result()))
    outlet.delivery.drop(AbortError("cancelled"))
    go_on.set()
    assert outlet.worker.drain(Deadline(WAIT))
    assert got == ["One."]


def test_a_marker_is_reported_at_once_while_events_are_iterated(outlet: SttOutlet) -> None:
    """Before anybody takes it out of the queue, and once; it is in the iteration, too."""
    reported = threading.Semaphore(0)
    outlet.register("endpoint", reported.release)
    outlet.delivery.start_pulling()
    event = SttEvent("endpoint", Result())
    assert outlet.offer(event)
    assert reported.acquire(timeout=WAIT)
    assert outlet.take(Deadline(WAIT), "event") is event
    assert outlet.worker.drain(Deadline(WAIT))
    assert not reported.acquire(blocking=False)


def test_each_event_takes_one_place(outlet: SttOutlet) -> None:
    """Of those that may wait, whatever its kind; the transcript has it all the same."""
    for event in (said("One."), SttEvent("endpoint", Result()), said(" Two.")):
        assert outlet.offer(event)
    assert not outlet.offer(said(" Three."))
    assert outlet.delivery.waiting == 3
    assert outlet.transcript.text == "One. Two. Three."


def test_results_and_their_tokens_reach_handlers_in_order(outlet: SttOutlet) -> None:
    """The result first, then its tokens, one by one."""
    got: list[str] = []
    outlet.register("token", lambda token: got.append(f"token {token.text}"))
    outlet.register("result", lambda result: got.append(f"result {result.text}"))
    outlet.offer(SttEvent("result", Result([Token("a", 0, 1, 1.0, True), Token("b", 1, 2, 1.0)])))
    assert outlet.worker.drain(Deadline(WAIT))
    assert got == ["result ab", "token a", "token b"]
