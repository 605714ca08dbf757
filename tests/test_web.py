"""`WebSocketAudio`: the messages of a page, hand-played."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.web import WebSocketAudio
from tests.sources.sockets import FakeSocket, Heard
from tests.waiting import WAIT, Task, eventually


@pytest.fixture
def socket() -> Iterator[FakeSocket]:
    """Provide a WebSocket that is closed after the test."""
    socket = FakeSocket()
    yield socket
    socket.close()


def played(ms: float) -> dict[str, Any]:
    """Return what a page reports while it plays."""
    return {"event": "played", "ms": ms}


def test_the_pages_samples_are_delivered(socket: FakeSocket) -> None:
    """Binary messages are audio at the rate of the page; `stop` is a hang-up."""
    heard = Heard()
    page = WebSocketAudio(socket, input_rate=48000)
    assert (page.audio.audio_format, page.audio.sample_rate) == ("pcm_s16le", 48000)
    page.start(heard.handlers)
    socket.give(b"one")
    socket.give({"event": "stop"})
    assert [heard.next(), heard.next()] == [b"one", "end"]


def test_speech_is_sent_as_whole_samples(socket: FakeSocket) -> None:
    """However it is cut; half a sample before a clear is dropped with the rest."""
    page = WebSocketAudio(socket)
    assert (page.audio_format, page.sample_rate) == ("pcm_s16le", 24000)
    page.write(b"abc")
    page.write(b"d")
    assert [socket.sent(), socket.sent()] == [b"ab", b"cd"]
    page.write(b"x")
    page.clear()
    page.write(b"ef")
    assert socket.all_sent() == [{"event": "clear"}, b"ef"]


def test_the_page_reports_what_it_has_played(socket: FakeSocket) -> None:
    """Never more than was written, and never less than before."""
    heard = Heard()
    page = WebSocketAudio(socket)
    page.start(heard.handlers)
    page.write(bytes(48000))
    for ms in (250.5, 200):
        socket.give(played(ms))
    socket.give(b"sound")
    assert heard.next() == b"sound"
    assert page.played_ms == 250.5
    socket.give(played(7000))
    eventually(lambda: page.played_ms == 1000)


def test_what_is_cleared_does_not_count(socket: FakeSocket) -> None:
    """Nor does what the page plays until it knows; then it counts what was written since."""
    page = WebSocketAudio(socket)
    page.write(bytes(48000))
    socket.give(played(300))
    eventually(lambda: page.played_ms == 300)
    page.clear()
    socket.give(played(340))
    socket.give({"event": "cleared", "ms": 350})
    page.write(bytes(48000))
    socket.give(played(350))
    assert page.played_ms == 300
    socket.give(played(450))
    eventually(lambda: page.played_ms == 400)


def test_the_page_cannot_claim_what_was_cleared(socket: FakeSocket) -> None:
    """After a clear no more can have been played than was written since."""
    page = WebSocketAudio(socket)
    page.write(bytes(48000))
    socket.give(played(300))
    eventually(lambda: page.played_ms == 300)
    page.clear()
    page.write(bytes(11520))
    socket.give({"event": "cleared", "ms": 300})
    socket.give(played(900))
    eventually(lambda: page.played_ms == 540)


def test_no_audio_follows_its_clear(socket: FakeSocket) -> None:
    """Audio that waits while another message is sent is dropped by the clear."""
    page = WebSocketAudio(socket)
    socket.hold_send.clear()
    talking = Task(lambda: page.send_event("state", name="speaking"))
    assert socket.sending.wait(WAIT)
    writing = Task(lambda: page.write(b"abcd"))
    eventually(lambda: page._thread is not None)
    page.clear()  # does not wait
    following = Task(lambda: page.send_event("state", name="listening"))
    assert not talking.done
    socket.hold_send.set()
    for task in (talking, writing, following):
        task.result()
    found = socket.all_sent()
    assert found[:2] == [{"event": "state", "name": "speaking"}, {"event": "clear"}]
    assert {"event": "state", "name": "listening"} in found
    assert b"abcd" not in found


def test_a_clear_is_sent_by_whoever_is_sending(socket: FakeSocket) -> None:
    """When that message is sent; nothing else has to follow."""
    page = WebSocketAudio(socket)
    socket.hold_send.clear()
    talking = Task(lambda: page.send_event("state", name="speaking"))
    assert socket.sending.wait(WAIT)
    page.clear()
    socket.hold_send.set()
    talking.result()
    assert socket.all_sent() == [{"event": "state", "name": "speaking"}, {"event": "clear"}]


def test_a_clear_comes_before_the_audio_that_follows_it(socket: FakeSocket) -> None:
    """Else the page would drop the new audio with the old."""
    page = WebSocketAudio(socket)
    with page._sending:  # as if it were being sent
        page.clear()
    page.write(b"ef")
    assert socket.all_sent() == [{"event": "clear"}, b"ef"]


def test_keys_and_events_of_the_page_are_reported(socket: FakeSocket) -> None:
    """A key goes to one handler, a message of the page's own to another."""
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
    page = WebSocketAudio(socket)
    page.on_dtmf(calls.put)
    page.on_event(calls.put)
    page.start(Heard().handlers)
    socket.give({"event": "dtmf", "digit": "5"})
    socket.give({"event": "typed", "text": "Hello"})
    found = [calls.get(timeout=WAIT) for _ in range(2)]
    assert found == ["5", {"event": "typed", "text": "Hello"}]


@pytest.mark.parametrize("ms", [None, "5", float("nan"), -1])
def test_a_wrong_position_is_an_error(socket: FakeSocket, ms: Any) -> None:
    """The page's mistake is reported where its audio is."""
    heard = Heard()
    WebSocketAudio(socket).start(heard.handlers)
    socket.give(played(ms))
    assert isinstance(heard.next(), ConfigurationError)


def test_wrong_arguments_are_refused(socket: FakeSocket) -> None:
    """At the call, with the name of the argument."""
    page = WebSocketAudio(socket)
    with pytest.raises(ConfigurationError, match="input_rate"):
        WebSocketAudio(socket, input_rate=0)
    with pytest.raises(ConfigurationError, match="did you mean 'sample_rate'"):
        WebSocketAudio(socket, samplerate=8000)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="event"):
        page.send_event("clear")
    with pytest.raises(InputTypeError, match="fields"):
        page.send_event("state", turn=object())
    with pytest.raises(InputTypeError, match="data: expected bytes"):
        page.write("text")  # type: ignore[arg-type]
    assert socket.all_sent() == []
