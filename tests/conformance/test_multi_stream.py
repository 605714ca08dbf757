"""Several streams over one connection: the official SDK and ours (PROTOCOL 3.3, 3.4, 3.6)."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import TIMEOUT_SEC, VOICE, Connection, Kit, Spoken, Stream

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def complete(spoken: Spoken) -> bytes:
    """Assert that a stream ended normally, and return its audio."""
    assert spoken.failure is None
    assert spoken.terminated and spoken.ended == 1
    return spoken.audio


def begin(connection: Connection, name: str, text: str, **config: Any) -> Stream:
    """Open a stream and send all of its text."""
    stream = connection.stream(name, **{**VOICE, **config})
    stream.send(text, end=True)
    return stream


def order_on_wire(sandbox: Sandbox) -> list[str]:
    """Return which stream each audio frame belonged to, in the order sent."""
    sent = sandbox.log.messages(kind="tts", direction="out")
    return [message["stream_id"] for message in sent if message.get("audio")]


def test_five_interleaved_streams_arrive_complete(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """The messages of five concurrent voices interleave; each has the same audio as by itself."""
    sandbox = make_sandbox({"tts_pace": 10})
    kit = make_kit(sandbox)
    voices = ["Adrian", "Nina", "Emma", "Daniel", "Owen"]
    texts = [f"This is {voice}, one of five who speak at once." for voice in voices]
    with kit.connect() as connection:
        streams = [
            begin(connection, voice, text, voice=voice) for voice, text in zip(voices, texts)
        ]
        together = [complete(stream.receive()) for stream in streams]
        frames = order_on_wire(sandbox)
        alone = [
            complete(begin(connection, f"{voice} alone", text, voice=voice).receive())
            for voice, text in zip(voices, texts)
        ]
    assert together == alone
    assert len(set(together)) == 5
    assert sum(1 for a, b in zip(frames, frames[1:]) if a != b) > 10
    assert sandbox.log.totals["tts.connections"] == 1 and sandbox.log.peaks["tts.streams"] == 5


def test_each_stream_can_be_read_by_its_own_thread(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """Five threads, each reading its own stream, get the same audio as one thread."""
    kit = make_kit(make_sandbox({"tts_pace": 20}))
    received: dict[str, bytes] = {}
    with kit.connect() as connection:
        streams = {name: begin(connection, name, f"The stream {name}.") for name in "abcde"}

        def read(name: str) -> None:
            received[name] = complete(streams[name].receive())

        threads = [threading.Thread(target=read, args=(name,), daemon=True) for name in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_SEC)
    assert sorted(received) == list("abcde")
    assert {len(audio) for audio in received.values()} == {len(received["a"])}


def test_a_sixth_stream_is_refused_by_the_client(kit: Kit, sandbox: Sandbox) -> None:
    """The sixth never reaches the server, and a slot is free again after `terminated`."""
    with kit.connect() as connection:
        streams = [connection.stream(name, **VOICE) for name in "abcde"]
        with pytest.raises(kit.refusals):
            connection.stream("f", **VOICE)
        for stream in streams:
            stream.send("Short.", end=True)
        for stream in streams:
            complete(stream.receive())
        complete(begin(connection, "f", "Now it is my turn.").receive())
    ids = [message["stream_id"] for message in sandbox.log.messages(kind="tts")]
    assert ids.index("f") > max(ids.index(name) for name in "abcde")


def test_an_id_in_use_is_refused_and_free_after_terminated(kit: Kit) -> None:
    """One id can be used by many streams, one after another."""
    with kit.connect() as connection:
        first = connection.stream("same", **VOICE)
        with pytest.raises(kit.refusals):
            connection.stream("same", **VOICE)
        first.send("First.", end=True)
        audio = complete(first.receive())
        for _ in range(3):
            assert complete(begin(connection, "same", "First.").receive()) == audio


def test_a_failing_stream_affects_no_other(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """A stream with a bad voice fails with 400, while another on the connection continues."""
    kit = make_kit(make_sandbox({"tts_pace": 10}))
    with kit.connect() as connection:
        good = begin(connection, "good", "I go on, whatever happens to the other. " * 2)
        bad = begin(connection, "bad", "Nobody says this.", voice="Nobody")
        failure = bad.receive().failure
        assert failure is not None
        assert (failure.status, failure.error_type) == (400, "invalid_request")
        complete(good.receive())
        complete(begin(connection, "next", "And another.").receive())


def test_a_text_that_is_too_long_affects_no_other_stream(kit: Kit) -> None:
    """More than 5000 bytes of UTF-8 in several texts are refused, by the client or with 400."""
    with kit.connect() as connection:
        stream = connection.stream("long", **VOICE)
        stream.send("я" * 1500)
        try:
            stream.send("я" * 1500, end=True)
        except kit.refusals as error:  # counted before it was sent
            assert "5000" in str(error)
            stream.cancel()
        else:
            failure = stream.receive().failure
            assert failure is not None
            assert (failure.status, failure.error_type) == (400, "invalid_request")
            assert "5000 bytes" in failure.message
        complete(begin(connection, "next", "Short again.").receive())


def test_a_cancelled_stream_affects_no_other(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """One stream is cancelled in the middle; the other arrives complete."""
    kit = make_kit(make_sandbox({"tts_pace": 4}))
    with kit.connect() as connection:
        cancelled = begin(connection, "cancelled", "A very long story. " * 40)
        other = begin(connection, "other", "I am the other one.")
        cancelled.receive(chunks=1)
        cancelled.cancel()
        rest = cancelled.receive()
        assert rest.failure is None and rest.terminated and rest.ended == 0
        complete(other.receive())
        complete(begin(connection, "cancelled", "The id is free again.").receive())


def test_an_error_about_an_ended_stream_affects_no_other(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """An error that names an ended stream does not fail a live one."""
    sandbox = make_sandbox({"tts_pace": 10})
    sandbox.faults.error_frame(
        "invalid_stream_state",
        "Stream dead not found. Send a start message first.",
        stream="dead",
        kind="tts",
        after_frames_in=2,
        close=False,
    )
    with make_kit(sandbox).connect() as connection:
        complete(begin(connection, "alive", "This is spoken to its end.").receive())


def test_keepalives_keep_an_idle_connection_open(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """With keepalives a connection without streams stays open beyond the server's idle limit."""
    # 3 s of silence close the connection; keepalives are sent every second: four span more
    sandbox = make_sandbox({"tts_idle_sec": 3.0})
    kit = make_kit(sandbox)
    kit.set_keepalive_interval(1.0)
    keepalives: list[Any] = []

    def fourth(entry: Any) -> bool:
        if entry.message == {"keep_alive": True} and entry not in keepalives:
            keepalives.append(entry)
        return len(keepalives) >= 4

    with kit.connect() as connection:
        connection.start_keepalives()
        assert sandbox.log.wait_for(fourth, timeout_sec=TIMEOUT_SEC) is not None
        connection.stop_keepalives()
        complete(begin(connection, "late", "Still here.").receive())
    assert sandbox.log.totals["tts.connections"] == 1


def test_a_manual_keepalive_has_its_documented_form(kit: Kit, sandbox: Sandbox) -> None:
    """`keep_alive()` sends `{"keep_alive": true}`, without a stream id."""
    with kit.connect() as connection:
        connection.keep_alive()
        complete(begin(connection, "s", "Hello.").receive())
    assert sandbox.log.messages(kind="tts")[0] == {"keep_alive": True}


def test_a_refused_key_ends_the_connection(make_kit: MakeKit, sandbox: Sandbox) -> None:
    """With a bad key a stream fails, and there is no audio."""
    with make_kit(sandbox, api_key="invalid-key").connect() as connection:
        spoken = begin(connection, "s", "Hello.").receive()
    assert spoken.failure is not None and not spoken.chunks and not spoken.terminated


def test_account_concurrency_fails_one_stream_with_429(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """Only the stream above the account's limit fails, with 429 `limit_exceeded`."""
    kit = make_kit(make_sandbox({"tts_max_streams": 1, "tts_pace": 10}))
    with kit.connect() as connection:
        first = begin(connection, "first", "The first one is speaking for a while. " * 2)
        first_chunk = first.receive(chunks=1)
        failure = begin(connection, "second", "Too much.").receive().failure
        assert failure is not None
        assert (failure.status, failure.error_type) == (429, "limit_exceeded")
        rest = first.receive()
    assert first_chunk.chunks and rest.ended == 1 and rest.terminated
