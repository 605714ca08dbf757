"""Several streams over one connection: the official SDK and ours (PROTOCOL 3.3, 3.4, 3.6)."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest
from conformance_kit import PATIENCE, VOICE, Kit, Line, Speaking, Spoken

from soniox_sync.sandbox import Sandbox

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def whole(spoken: Spoken) -> bytes:
    """Check that a stream came to its good end and give its audio."""
    assert spoken.failure is None
    assert spoken.terminated and spoken.ended == 1
    return spoken.audio


def begin(line: Line, name: str, text: str, **config: Any) -> Speaking:
    """Open a stream and send all of its text."""
    stream = line.stream(name, **{**VOICE, **config})
    stream.send(text, end=True)
    return stream


def order_on_wire(sandbox: Sandbox) -> list[str]:
    """Tell which stream each audio frame belonged to, in the order sent."""
    sent = sandbox.log.messages(kind="tts", direction="out")
    return [message["stream_id"] for message in sent if message.get("audio")]


def test_five_interleaved_streams_arrive_whole(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """Five voices at once interleave on the wire, and each is what it is alone."""
    sandbox = make_sandbox({"tts_pace": 10})
    kit = make_kit(sandbox)
    voices = ["Adrian", "Nina", "Emma", "Daniel", "Owen"]
    texts = [f"This is {voice}, one of five who speak at once." for voice in voices]
    with kit.line() as line:
        streams = [begin(line, voice, text, voice=voice) for voice, text in zip(voices, texts)]
        together = [whole(stream.hear()) for stream in streams]
        frames = order_on_wire(sandbox)
        alone = [
            whole(begin(line, f"{voice} alone", text, voice=voice).hear())
            for voice, text in zip(voices, texts)
        ]
    assert together == alone
    assert len(set(together)) == 5
    assert sum(1 for a, b in zip(frames, frames[1:]) if a != b) > 10
    assert sandbox.log.totals["tts.connections"] == 1 and sandbox.log.peaks["tts.streams"] == 5


def test_streams_can_be_read_by_a_thread_each(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """Five threads that read their own stream get the same as one that reads them in turn."""
    kit = make_kit(make_sandbox({"tts_pace": 20}))
    heard: dict[str, bytes] = {}
    with kit.line() as line:
        streams = {name: begin(line, name, f"The stream {name}.") for name in "abcde"}

        def read(name: str) -> None:
            heard[name] = whole(streams[name].hear())

        threads = [threading.Thread(target=read, args=(name,), daemon=True) for name in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert sorted(heard) == list("abcde")
    assert {len(audio) for audio in heard.values()} == {len(heard["a"])}


def test_a_sixth_stream_is_refused_by_the_client(kit: Kit, sandbox: Sandbox) -> None:
    """The sixth never reaches the server, and a place is free again after terminated."""
    with kit.line() as line:
        streams = [line.stream(name, **VOICE) for name in "abcde"]
        with pytest.raises(kit.refusals):
            line.stream("f", **VOICE)
        for stream in streams:
            stream.send("Short.", end=True)
        for stream in streams:
            whole(stream.hear())
        whole(begin(line, "f", "Now it is my turn.").hear())
    ids = [message["stream_id"] for message in sandbox.log.messages(kind="tts")]
    assert ids.index("f") > max(ids.index(name) for name in "abcde")


def test_an_id_in_use_is_refused_and_free_after_terminated(kit: Kit) -> None:
    """One id serves many streams, one after the other."""
    with kit.line() as line:
        first = line.stream("same", **VOICE)
        with pytest.raises(kit.refusals):
            line.stream("same", **VOICE)
        first.send("First.", end=True)
        audio = whole(first.hear())
        for _ in range(3):
            assert whole(begin(line, "same", "First.").hear()) == audio


def test_a_failing_stream_harms_no_other(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """A stream with a bad voice fails with 400 while another on the connection goes on."""
    kit = make_kit(make_sandbox({"tts_pace": 10}))
    with kit.line() as line:
        good = begin(line, "good", "I go on, whatever happens to the other. " * 2)
        bad = begin(line, "bad", "Nobody says this.", voice="Nobody")
        failure = bad.hear().failure
        assert failure is not None
        assert (failure.status, failure.error_type) == (400, "invalid_request")
        whole(good.hear())
        whole(begin(line, "next", "And another.").hear())


def test_a_text_too_long_in_pieces_fails_alone(kit: Kit) -> None:
    """5000 bytes of text end a stream, counted in UTF-8, in the client or as 400."""
    with kit.line() as line:
        stream = line.stream("long", **VOICE)
        stream.send("я" * 1500)
        try:
            stream.send("я" * 1500, end=True)
        except kit.refusals as error:  # counted before it was sent
            assert "5000" in str(error)
            stream.cancel()
        else:
            failure = stream.hear().failure
            assert failure is not None
            assert (failure.status, failure.error_type) == (400, "invalid_request")
            assert "5000 bytes" in failure.message
        whole(begin(line, "next", "Short again.").hear())


def test_a_cancelled_stream_harms_no_other(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """One stream is cancelled in the middle, the other arrives whole."""
    kit = make_kit(make_sandbox({"tts_pace": 4}))
    with kit.line() as line:
        cancelled = begin(line, "cancelled", "A very long story. " * 40)
        other = begin(line, "other", "I am the other one.")
        cancelled.hear(chunks=1)
        cancelled.cancel()
        rest = cancelled.hear()
        assert rest.failure is None and rest.terminated and rest.ended == 0
        whole(other.hear())
        whole(begin(line, "cancelled", "The id is free again.").hear())


def test_late_text_hits_no_living_stream(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """An error that names a dead stream never ends another one."""
    sandbox = make_sandbox({"tts_pace": 10})
    sandbox.faults.error_frame(
        "invalid_stream_state",
        "Stream dead not found. Send a start message first.",
        stream="dead",
        kind="tts",
        after_frames_in=2,
        close=False,
    )
    with make_kit(sandbox).line() as line:
        whole(begin(line, "alive", "This arrives whole, come what may.").hear())


def test_an_idle_connection_is_held_by_keepalives(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """A connection without streams outlives the server's idle limit by keepalives."""
    # 3 s of silence close the connection; keepalives come every second, so four span more
    sandbox = make_sandbox({"tts_idle_sec": 3.0})
    kit = make_kit(sandbox)
    kit.pause_beats_every(1.0)
    beats: list[Any] = []

    def fourth(entry: Any) -> bool:
        if entry.message == {"keep_alive": True} and entry not in beats:
            beats.append(entry)
        return len(beats) >= 4

    with kit.line() as line:
        line.hold()
        assert sandbox.log.wait_for(fourth, timeout_sec=PATIENCE) is not None
        line.go_on()
        whole(begin(line, "late", "Still here.").hear())
    assert sandbox.log.totals["tts.connections"] == 1


def test_a_keepalive_by_hand_has_its_documented_shape(kit: Kit, sandbox: Sandbox) -> None:
    """`keep_alive()` sends `{"keep_alive": true}`, which belongs to no stream."""
    with kit.line() as line:
        line.keep_alive()
        whole(begin(line, "s", "Hello.").hear())
    assert sandbox.log.messages(kind="tts")[0] == {"keep_alive": True}


def test_a_refused_key_ends_the_connection(make_kit: MakeKit, sandbox: Sandbox) -> None:
    """With a bad key a stream fails, and no audio comes."""
    with make_kit(sandbox, api_key="invalid-key").line() as line:
        spoken = begin(line, "s", "Hello.").hear()
    assert spoken.failure is not None and not spoken.chunks and not spoken.terminated


def test_account_concurrency_fails_one_stream_with_429(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """A stream above the account's limit fails with 429 `limit_exceeded`, alone."""
    kit = make_kit(make_sandbox({"tts_max_streams": 1, "tts_pace": 10}))
    with kit.line() as line:
        first = begin(line, "first", "The first one is speaking for a while. " * 2)
        first_piece = first.hear(chunks=1)
        failure = begin(line, "second", "Too much.").hear().failure
        assert failure is not None
        assert (failure.status, failure.error_type) == (429, "limit_exceeded")
        rest = first.hear()
    assert first_piece.chunks and rest.ended == 1 and rest.terminated
