"""`TwilioCall`: the messages of a call, hand-played."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import SonioxConnectionError, telephony
from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.telephony import TwilioCall
from tests.sources.sockets import FakeSocket, Heard
from tests.waiting import WAIT, Task, eventually

STREAM = "MZ1"
CONNECTED = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
START = {
    "event": "start",
    "sequenceNumber": "1",
    "streamSid": STREAM,
    "start": {
        "streamSid": STREAM,
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"language": "de"},
    },
}


@pytest.fixture
def socket() -> Iterator[FakeSocket]:
    """Provide a media stream that has started; it is closed after the test."""
    socket = FakeSocket(CONNECTED, START)
    yield socket
    socket.close()


def media(audio: bytes, **fields: Any) -> dict[str, Any]:
    """Return a message with the caller's audio."""
    payload = base64.b64encode(audio).decode()
    return {"event": "media", "streamSid": STREAM, "media": {"payload": payload, **fields}}


def mark(name: str) -> dict[str, Any]:
    """Return the message for a mark that was reached, or cleared."""
    return {"event": "mark", "streamSid": STREAM, "mark": {"name": name}}


def sent_marks(socket: FakeSocket) -> list[str]:
    """Return the names of the marks that were sent."""
    return [each["mark"]["name"] for each in socket.all_sent() if each["event"] == "mark"]


def test_the_callers_audio_is_delivered(socket: FakeSocket) -> None:
    """Mulaw at 8 kHz; only what the caller says, not the other track."""
    heard = Heard()
    call = TwilioCall(socket)
    assert (call.audio.audio_format, call.audio.sample_rate) == ("mulaw", 8000)
    call.start(heard.handlers)
    socket.give(media(b"one", track="inbound", chunk="1", timestamp="5"))
    socket.give(media(b"echo", track="outbound"))
    socket.give(media(b"two"))
    socket.give({"event": "stop", "streamSid": STREAM, "stop": {"callSid": "CA1"}})
    assert [heard.next() for _ in range(3)] == [b"one", b"two", "end"]


def test_the_call_is_known(socket: FakeSocket) -> None:
    """Its id and parameters, before and after it is listened to."""
    call = TwilioCall(socket)
    assert call.call_sid == "CA1"
    assert call.parameters == {"language": "de"}
    call.start(Heard().handlers)
    assert call.call_sid == "CA1"


def test_speech_is_sent_with_marks(socket: FakeSocket) -> None:
    """Each 100 ms of audio are followed by a mark of their own, on the stream of the call."""
    call = TwilioCall(socket)
    assert (call.audio_format, call.sample_rate) == ("pcm_mulaw", 8000)
    call.write(b"\x01" * 800 + b"\x02" * 80)
    found = [socket.sent() for _ in range(4)]
    assert [each["event"] for each in found] == ["media", "mark", "media", "mark"]
    assert {each["streamSid"] for each in found} == {STREAM}
    payloads = [base64.b64decode(found[at]["media"]["payload"]) for at in (0, 2)]
    assert payloads == [b"\x01" * 800, b"\x02" * 80]
    assert found[1]["mark"]["name"] != found[3]["mark"]["name"]


def test_a_mark_that_returns_counts_what_was_played(socket: FakeSocket) -> None:
    """Nothing counts before its mark is back; marks of others count nothing."""
    call = TwilioCall(socket)
    call.write(bytes(1000))
    first, second = sent_marks(socket)
    assert call.played_ms == 0
    socket.give(mark("greeting"))
    socket.give(mark(first))
    eventually(lambda: call.played_ms == 100)
    socket.give(mark(second))
    eventually(lambda: call.played_ms == 125)


def test_what_is_cleared_does_not_count(socket: FakeSocket) -> None:
    """Twilio returns the marks of what it dropped: they count nothing, those after them do."""
    call = TwilioCall(socket)
    call.write(bytes(2400))
    first, second, third = sent_marks(socket)
    socket.give(mark(first))
    eventually(lambda: call.played_ms == 100)
    call.clear()
    assert [each["event"] for each in socket.all_sent()] == ["clear"]
    call.write(bytes(400))
    (fourth,) = sent_marks(socket)
    for name in (second, third, fourth):
        socket.give(mark(name))
    eventually(lambda: call.played_ms == 150)


def test_nothing_is_cleared_when_everything_was_played(socket: FakeSocket) -> None:
    """Twilio would drop nothing, and the message would be one more."""
    call = TwilioCall(socket)
    call.clear()
    call.write(bytes(80))
    (name,) = sent_marks(socket)
    socket.give(mark(name))
    eventually(lambda: call.played_ms == 10)
    call.clear()
    assert socket.all_sent() == []


def test_no_audio_follows_its_clear(socket: FakeSocket) -> None:
    """A write that is being sent ends with the clear: Twilio would play the rest of it."""
    call = TwilioCall(socket)
    assert call.call_sid
    socket.hold_send.clear()
    writing = Task(lambda: call.write(bytes(80_000)))
    assert socket.sending.wait(WAIT)
    call.clear()  # does not wait
    assert not writing.done
    socket.hold_send.set()
    writing.result()
    events = [each["event"] for each in socket.all_sent()]
    assert events == ["media", "mark", "clear"]


def test_a_key_is_reported(socket: FakeSocket) -> None:
    """The handler gets the digit, on the thread of the source."""
    heard = Heard()
    call = TwilioCall(socket)
    pressed = call.on_dtmf(heard.handlers.on_data)  # type: ignore[arg-type]
    assert pressed == heard.handlers.on_data
    call.start(heard.handlers)
    socket.give({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "#"}})
    assert heard.next() == "#"


def test_a_call_that_ends_before_its_start_is_an_error() -> None:
    """What is waiting for the start is told; so is who writes."""
    call = TwilioCall(FakeSocket(CONNECTED, None))
    with pytest.raises(SonioxConnectionError, match="ended before Twilio's message `start`"):
        _ = call.parameters
    with pytest.raises(SonioxConnectionError):
        call.write(bytes(80))


def test_a_peer_that_is_not_twilio_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a `start` nothing waits for ever; the message asks what this is."""
    monkeypatch.setattr(telephony, "_START_SEC", 0.01)
    socket = FakeSocket({"event": "hello"})
    with pytest.raises(SonioxConnectionError, match=r"is this a media stream\?"):
        _ = TwilioCall(socket).call_sid
    socket.close()


@pytest.mark.parametrize("payload", ["!!!", "abc", 5, None, "\u00e9"])
def test_a_payload_that_is_no_audio_is_an_error(socket: FakeSocket, payload: Any) -> None:
    """It says what was expected; Twilio never sends such a one."""
    heard = Heard()
    TwilioCall(socket).start(heard.handlers)
    socket.give({"event": "media", "streamSid": STREAM, "media": {"payload": payload}})
    error = heard.next()
    assert isinstance(error, ConfigurationError)
    assert "socket: expected media messages with a payload in base64" in str(error)


@pytest.mark.parametrize("odd", [None, "text", 5, ["list"]])
def test_parts_of_another_kind_are_as_good_as_missing(odd: Any) -> None:
    """Of every message: nothing is known from them, and the call goes on."""
    start = {**START, "start": {"mediaFormat": odd, "customParameters": odd, "callSid": "CA2"}}
    socket = FakeSocket({"event": "connected", "connected": odd}, start)
    call, heard, keys = TwilioCall(socket), Heard(), []
    call.on_dtmf(keys.append)
    call.start(heard.handlers)
    assert (call.call_sid, call.parameters) == ("CA2", {})
    for event in ("media", "mark", "dtmf", "start", "unknown"):
        if event != "start":
            socket.give({"event": event, event: odd})
    socket.give({"event": "dtmf", "dtmf": {"digit": odd}})
    socket.give({"event": "mark", "mark": {"name": odd}})
    socket.give(media(b"one"))
    assert heard.next() == b"one"
    assert keys == (["5"] if odd == 5 else ["text"] if odd == "text" else [])
    assert call.played_ms == 0
    socket.close()


def test_marks_out_of_order_count_once(socket: FakeSocket) -> None:
    """One confirms all before it; those that come after it, and those of others, count nothing."""
    call = TwilioCall(socket)
    call.write(bytes(2400))
    first, second, third = sent_marks(socket)
    for name in (second, first, second, "99", "x"):
        socket.give(mark(name))
    eventually(lambda: socket.is_drained and call.played_ms == 200)
    socket.give(mark(third))
    eventually(lambda: call.played_ms == 300)


def test_a_stream_in_another_format_is_refused() -> None:
    """Its samples would be noise."""
    media_format = {"encoding": "audio/x-alaw", "sampleRate": 8000, "channels": 1}
    start = {**START["start"], "mediaFormat": media_format}  # type: ignore[dict-item]
    heard = Heard()
    TwilioCall(FakeSocket({**START, "start": start})).start(heard.handlers)
    error = heard.next()
    assert isinstance(error, ConfigurationError)
    assert "audio/x-alaw at 8000 Hz" in str(error)


def test_only_bytes_are_written(socket: FakeSocket) -> None:
    """Anything else is refused before anything is sent."""
    with pytest.raises(InputTypeError, match="data: expected bytes, got str"):
        TwilioCall(socket).write("text")  # type: ignore[arg-type]
    assert socket.all_sent() == []
