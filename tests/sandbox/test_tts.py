"""The sandbox's TTS WebSocket behaves as described in PROTOCOL 3."""

from __future__ import annotations

import base64
import struct
import time
from typing import Any, Callable

import pytest
from websockets.exceptions import ConnectionClosed

from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import PATIENCE, TTS, Client, audio_of, silence, start, text, tts

MakeSandbox = Callable[..., Sandbox]
FIVE_FIELDS = {"error_code", "error_type", "error_message", "more_info", "request_id"}


def test_stream_ends_with_audio_end_then_terminated(sandbox: Sandbox) -> None:
    """A stream sends audio, the last of it with audio_end, then terminated."""
    with tts(sandbox) as client:
        client.send(start("s1"), text("s1", "Hello ", end=False), text("s1", "world."))
        received = client.receive_until("terminated")
    assert received[-1] == {"stream_id": "s1", "terminated": True}
    assert [message.get("audio_end") for message in received[:-2]] == [False] * (len(received) - 2)
    assert received[-2]["audio_end"] is True and received[-2]["audio"] != ""
    assert len(audio_of(received)) > 16000


def test_same_text_in_any_chunks_has_the_same_audio(sandbox: Sandbox) -> None:
    """How the text is split does not change the audio."""
    words = "One sentence. And a second one, with 3.14 in it! The rest"
    spoken = []
    for size in (1, 7, 100):
        with tts(sandbox) as client:
            client.send(start("s"))
            for at in range(0, len(words), size):
                client.send(text("s", words[at : at + size], end=False))
            client.send(text("s", ""))
            spoken.append(audio_of(client.receive_until("terminated")))
    assert spoken[0] == spoken[1] == spoken[2]


def test_sentences_are_spoken_before_the_text_ends(sandbox: Sandbox) -> None:
    """A complete sentence is spoken at once; short text is held until text_end."""
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Short", end=False))
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.3)
        client.send(text("s", " sentence. And", end=False))
        assert client.receive()["audio"]
        client.send(text("s", "", end=True))
        assert client.receive_until("terminated")[-2]["audio_end"]


def test_empty_text_ends_properly(sandbox: Sandbox) -> None:
    """A stream without any text ends with an empty audio_end and terminated."""
    with tts(sandbox) as client:
        client.send(start("s"), text("s", ""))
        assert client.receive() == {"stream_id": "s", "audio": "", "audio_end": True}
        assert client.receive() == {"stream_id": "s", "terminated": True}


def test_five_streams_interleave_and_a_sixth_is_refused(make_sandbox: MakeSandbox) -> None:
    """Five streams run at once, their audio interleaved; a sixth gets 400 and changes nothing."""
    sandbox = make_sandbox(limits={"tts_pace": 20})
    with tts(sandbox) as client:
        for name in "abcde":
            client.send(start(name), text(name, f"This is the stream named {name}."))
        client.send(start("f"))
        received = []
        while sum(1 for message in received if message.get("terminated")) < 6:
            received.append(client.receive())
    errors = [message for message in received if "error_code" in message]
    assert [(e["stream_id"], e["error_type"]) for e in errors] == [
        ("f", "max_concurrent_streams_reached")
    ]
    order = [message["stream_id"] for message in received if message.get("audio")]
    assert order != sorted(order)
    assert len({len(audio_of(received, name)) for name in "abcde"}) == 1
    assert sandbox.log.peaks["tts.streams"] == 5


def test_id_is_free_again_after_terminated(sandbox: Sandbox) -> None:
    """An id may be used again after its `terminated`."""
    with tts(sandbox) as client:
        for _ in range(3):
            client.send(start("same"), text("same", "Again."))
            assert client.receive_until("terminated")[-2]["audio_end"]


def test_duplicate_config_is_refused_and_the_stream_continues(sandbox: Sandbox) -> None:
    """A second config for an active id is an error that does not end the stream."""
    with tts(sandbox) as client:
        client.send(start("s"), start("s"), text("s", "Still here."))
        received = client.receive_until("terminated")
    assert received[0]["error_type"] == "invalid_stream_state"
    assert received[0]["stream_id"] == "s"
    assert received[-2]["audio_end"] is True


def test_cancel_is_answered_only_by_terminated(make_sandbox: MakeSandbox) -> None:
    """A cancel is answered by terminated without audio_end, and the connection stays open."""
    sandbox = make_sandbox(limits={"tts_pace": 1})
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "A long story. " * 20))
        client.receive()
        client.send({"stream_id": "s", "cancel": True})
        received = client.receive_until("terminated")
        assert not any(message.get("audio_end") for message in received)
        client.send(start("t"), text("t", "Next."))
        assert client.receive_until("terminated", "t")[-2]["audio_end"]


@pytest.mark.parametrize("extra", [{"text": "x"}, {"text_end": True}])
def test_cancel_must_be_the_only_field(sandbox: Sandbox, extra: dict[str, Any]) -> None:
    """A cancel together with text is refused and ends its stream."""
    with tts(sandbox) as client:
        client.send(start("s"), {"stream_id": "s", "cancel": True, **extra})
        received = client.receive_until("terminated")
    assert received[0]["error_type"] == "invalid_request"


@pytest.mark.parametrize(
    "late",
    [text("gone", "x"), text("gone", "", True), {"stream_id": "gone", "cancel": True}],
)
def test_late_frames_echo_the_old_id(sandbox: Sandbox, late: dict[str, Any]) -> None:
    """A message for an ended stream is answered by an error for that id only."""
    with tts(sandbox) as client:
        client.send(start("gone"), text("gone", "Bye."))
        client.receive_until("terminated")
        client.send(late)
        frame = client.receive()
        assert (frame["error_code"], frame["error_type"]) == (400, "invalid_stream_state")
        assert frame["stream_id"] == "gone"
        assert frame["error_message"] == "Stream gone not found. Send a start message first."
        client.send(start("new"), text("new", "Next."))
        assert client.receive()["stream_id"] == "new"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "Missing required field: model"),
        ({"language": None}, "Missing required field: language"),
        ({"voice": None}, "Missing required field: voice"),
        ({"audio_format": None}, "Missing required field: audio_format"),
        ({"model": "m" * 51}, "model is too long (max length 50)"),
        ({"voice": "v" * 51}, "voice is too long (max length 50)"),
        ({"client_reference_id": "c" * 257}, "client_reference_id is too long (max length 256)"),
        ({"voice": "Maya"}, "voice"),
        ({"voice": "Nobody"}, "voice"),
        ({"language": "en-US"}, "language"),
        ({"audio_format": "midi"}, "audio format"),
        ({"sample_rate": 11025}, "sample rate"),
        ({"audio_format": "pcm_mulaw", "sample_rate": 16000}, "sample rate"),
        ({"bitrate": 64000}, "bitrate"),
        ({"audio_format": "mp3", "sample_rate": 24000, "bitrate": 1}, "bitrate"),
        ({"speed": 0.69}, "speed"),
        ({"speed": 1.31}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"reduce_silence": "yes"}, "reduce_silence"),
    ],
)
def test_bad_config_is_a_stream_error(
    sandbox: Sandbox, change: dict[str, Any], message: str
) -> None:
    """An error in a config is one for its stream, then terminated; the connection stays open."""
    with tts(sandbox) as client:
        client.send(start("bad", **change))
        frame, end = client.receive(), client.receive()
        assert frame["stream_id"] == "bad"
        assert frame["error_code"] == 400
        assert message in frame["error_message"]
        assert set(frame) >= FIVE_FIELDS
        assert end == {"stream_id": "bad", "terminated": True}
        client.send(start("good"), text("good", "Fine."))
        assert client.receive_until("terminated")[-2]["audio_end"]


def test_unknown_models_are_refused_and_old_names_served(sandbox: Sandbox) -> None:
    """An unknown model is refused with its own error type; old names are served."""
    with tts(sandbox) as client:
        client.send(start("a", model="tts-rt-v9"))
        assert client.receive()["error_type"] == "model_not_available"
        for model in ("tts-rt-v1", "tts-rt-v1-preview"):
            client.send(start(model, model=model), text(model, "Hi."))
            assert client.receive_until("terminated", model)[-2]["audio_end"]


def test_text_field_is_required(sandbox: Sandbox) -> None:
    """A text message without text is an error for its stream."""
    with tts(sandbox) as client:
        client.send(start("s"), {"stream_id": "s", "text_end": False})
        assert client.receive()["error_message"] == "Missing required field: text"


def test_text_end_needs_no_text(sandbox: Sandbox) -> None:
    """`text_end` without text ends a stream, as livekit's plugin sends it."""
    with tts(sandbox) as client:
        client.send(
            start("s"), text("s", "Hello.", end=False), {"stream_id": "s", "text_end": True}
        )
        received = client.receive_until("terminated")
    assert not any("error_code" in message for message in received)
    assert any(message.get("audio_end") for message in received)


@pytest.mark.parametrize(
    "broken",
    [
        "{not json",
        "[]",
        b"binary",
        {"stream_id": "", "text": "x"},
        {"model": "tts-rt-v2"},
        {"stream_id": 5},
    ],
)
def test_unattributable_messages_end_the_connection(sandbox: Sandbox, broken: Any) -> None:
    """A message without a stream is a connection error with an empty id, then close 1000."""
    with tts(sandbox) as client:
        client.send(start("s"), broken)
        frame = client.receive_all()[-1]
        assert client.close_code == 1000
    assert frame["stream_id"] == ""
    assert frame["error_code"] == 400
    assert set(frame) >= FIVE_FIELDS


def test_text_is_limited_in_utf8_bytes(sandbox: Sandbox) -> None:
    """A stream accepts 5000 bytes; one more is refused, also in chunks and in Cyrillic."""
    with tts(sandbox) as client:
        client.send(start("a"), text("a", "x" * 2500, end=False), text("a", "x" * 2501))
        frame = client.receive()
        assert frame["error_message"] == "input text too long (limit: 5000 bytes)"
        assert client.receive_until("terminated")
        client.send(start("b"), text("b", "я" * 2501))
        assert client.receive()["error_type"] == "invalid_request"


def test_timestamps_cover_every_character_once(sandbox: Sandbox) -> None:
    """Joined over the frames, timestamps spell the text and increase with the audio."""
    with tts(sandbox) as client:
        client.send(start("s", return_timestamps=True))
        client.send(text("s", "Hi there.  Naïve\ncafé ", end=False), text("s", "time 🎉! "))
        received = client.receive_until("terminated")
    stamps = [message["timestamps"] for message in received if "timestamps" in message]
    joined = "".join("".join(stamp["characters"]) for stamp in stamps)
    assert joined == "Hi there. Naïve café time 🎉!"
    starts = [s for stamp in stamps for s in stamp["character_start_times_seconds"]]
    ends = [e for stamp in stamps for e in stamp["character_end_times_seconds"]]
    assert len(starts) == len(ends) == len(joined)
    assert starts == sorted(starts) and starts[0] == 0
    assert all(a <= b for a, b in zip(starts, ends))
    assert ends[-1] == pytest.approx(len(audio_of(received)) / 2 / 16000, abs=0.01)


def test_no_timestamps_by_default(sandbox: Sandbox) -> None:
    """Frames contain no timestamps by default."""
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Hi."))
        assert not any("timestamps" in message for message in client.receive_until("terminated"))


@pytest.mark.parametrize(
    ("audio_format", "rate", "width"),
    [
        ("pcm_s16le", 8000, 2),
        ("pcm_s16le", 16000, 2),
        ("pcm_s16le", 24000, 2),
        ("pcm_s16le", 44100, 2),
        ("pcm_s16le", 48000, 2),
        ("pcm_f32le", 24000, 4),
        ("pcm_mulaw", 8000, 1),
        ("pcm_alaw", 8000, 1),
        ("wav", 16000, 2),
    ],
)
def test_formats_have_their_width_and_rate(
    sandbox: Sandbox, audio_format: str, rate: int, width: int
) -> None:
    """A text has the same duration in every format and at every rate."""
    with tts(sandbox) as client:
        client.send(
            start("s", audio_format=audio_format, sample_rate=rate), text("s", "Hello you.")
        )
        audio = audio_of(client.receive_until("terminated"))
    if audio_format == "wav":
        assert audio[:4] == b"RIFF" and struct.unpack_from("<I", audio, 40)[0] == 0xFFFFFFFF
        audio = audio[44:]
    assert len(audio) / width / rate == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(("audio_format", "rate"), [("pcm_s16le", 24000), ("pcm_alaw", 8000)])
def test_default_rates(sandbox: Sandbox, audio_format: str, rate: int) -> None:
    """The default rate is 24 kHz, and 8 kHz for the companded formats."""
    with tts(sandbox) as client:
        client.send(
            start("s", audio_format=audio_format, sample_rate=None), text("s", "Hello you.")
        )
        size = len(audio_of(client.receive_until("terminated")))
    assert size / (2 if rate == 24000 else 1) / rate == pytest.approx(0.9, abs=0.01)


def test_speed_shortens(sandbox: Sandbox) -> None:
    """A higher speed produces less audio."""
    sizes = []
    with tts(sandbox) as client:
        for speed in (0.7, 1.0, 1.3):
            client.send(start("s", speed=speed), text("s", "How long is this?"))
            sizes.append(len(audio_of(client.receive_until("terminated"))))
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3


def error_after(
    make_sandbox: MakeSandbox, limits: dict[str, Any], *messages: Any
) -> dict[str, Any]:
    """Send messages of a stream, return its error, and check that the connection stays open."""
    with tts(make_sandbox(limits=limits)) as client:
        client.send(start("s"), *messages)
        received = client.receive_until("terminated")
        client.send(start("t"), text("t", "Still open."))
        assert client.receive_until("terminated", "t")[-2]["audio_end"]
    assert not any(message.get("audio_end") for message in received)
    assert received[-2]["stream_id"] == "s"
    return received[-2]


def test_stream_of_a_quiet_writer_is_killed(make_sandbox: MakeSandbox) -> None:
    """A stream whose text stops without text_end ends with 408; its text is lost."""
    limits = {"time_scale": 0.02}
    frame = error_after(make_sandbox, limits, text("s", "A sentence. An unfinished", end=False))
    assert (frame["error_code"], frame["error_type"]) == (408, "request_timeout")
    assert frame["error_message"] == "Request timeout"


def test_stream_that_never_speaks_is_killed(make_sandbox: MakeSandbox) -> None:
    """A stream without audio ends with 408, with keepalives or without."""
    frame = error_after(make_sandbox, {"tts_no_audio_start_sec": 0.1}, {"keep_alive": True})
    assert frame["error_message"] == "Stream killed: no audio output within timeout"
    assert frame["error_code"] == 408


def test_stream_below_the_rate_is_killed(make_sandbox: MakeSandbox) -> None:
    """A stream whose audio falls behind real time ends with 408."""
    limits = {
        "tts_min_rate_after_sec": 2.0,
        "tts_writer_quiet_sec": None,
        "tts_pace": None,
        "time_scale": 0.2,
    }
    frame = error_after(make_sandbox, limits, text("s", "Hi. And", end=False))
    assert frame["error_message"] == "Stream killed: output audio rate below minimum"


def test_audio_is_truncated_at_the_limit_with_413(make_sandbox: MakeSandbox) -> None:
    """Audio is truncated exactly at the limit, and the stream ends with 413."""
    sandbox = make_sandbox(limits={"tts_max_audio_sec": 1.0, "tts_pace": None})
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "This takes much longer than one second to say."))
        received = client.receive_until("terminated")
    assert len(audio_of(received)) == 32000
    assert (received[-2]["error_code"], received[-2]["error_type"]) == (
        413,
        "max_audio_duration_reached",
    )
    assert not any(message.get("audio_end") for message in received)


def test_idle_connection_is_closed_with_1001(make_sandbox: MakeSandbox) -> None:
    """A connection without traffic is closed; keepalives delay that, but not forever."""
    sandbox = make_sandbox(limits={"tts_idle_sec": 0.1})
    with tts(sandbox) as client:
        assert client.receive_all() == []
        assert client.close_code == 1001
    sandbox = make_sandbox(limits={"tts_idle_sec": 30.0, "tts_no_audio_close_sec": 0.3})
    with tts(sandbox) as client:
        with pytest.raises(ConnectionClosed):
            for _ in range(100):
                client.send({"keep_alive": True})
                with pytest.raises(TimeoutError):
                    client.receive(timeout=0.05)
        assert client.close_code == 1001


def test_keepalives_keep_an_idle_connection_open(make_sandbox: MakeSandbox) -> None:
    """With keepalives a connection stays open for several times the idle limit."""
    sandbox = make_sandbox(limits={"tts_idle_sec": 0.6})
    with tts(sandbox) as client:
        for _ in range(8):
            client.send({"keep_alive": True})
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.15)
        client.send(start("s"), text("s", "Alive."))
        assert client.receive_until("terminated")[-2]["audio_end"]


def test_account_concurrency_is_429_for_the_stream(make_sandbox: MakeSandbox) -> None:
    """A stream above the account's concurrency gets 429 and terminated."""
    sandbox = make_sandbox(limits={"tts_max_streams": 1})
    with tts(sandbox) as client:
        client.send(start("a"), start("b"))
        frame, end = client.receive(), client.receive()
    assert (frame["error_code"], frame["error_type"]) == (429, "limit_exceeded")
    assert "Concurrent requests limit for text-to-speech" in frame["error_message"]
    assert (frame["stream_id"], end) == ("b", {"stream_id": "b", "terminated": True})


def test_pace_spreads_audio_over_time(make_sandbox: MakeSandbox) -> None:
    """With pace 4, audio takes about a quarter of its duration."""
    sandbox = make_sandbox(limits={"tts_pace": 4})
    with tts(sandbox) as client:
        began = time.monotonic()
        client.send(start("s"), text("s", "Two seconds of tones, more or less."))
        seconds = len(audio_of(client.receive_until("terminated"))) / 32000
        assert time.monotonic() - began > (seconds - 0.5) / 4


def test_a_slow_reader_does_not_grow_memory_or_lose_audio(sandbox: Sandbox) -> None:
    """Audio waits for a client that does not read, and is complete when it does."""
    words = "Much to say here. " * 200
    with tts(sandbox) as client:
        client.send(start("s", sample_rate=48000), text("s", words))
        assert sandbox.log.wait_for(lambda entry: entry.direction == "out", timeout_sec=PATIENCE)
        received = client.receive_until("terminated")
    assert len(audio_of(received)) > 120 * 2 * 48000 * 0.99


def test_audio_is_base64_of_whole_samples(sandbox: Sandbox) -> None:
    """Every frame is strict base64 of whole samples."""
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Check."))
        for message in client.receive_until("terminated")[:-1]:
            assert len(base64.b64decode(message["audio"], validate=True)) % 2 == 0


def test_spoken_wav_can_be_sent_back(sandbox: Sandbox) -> None:
    """WAV from the TTS WebSocket is decoded by the STT WebSocket."""
    with tts(sandbox) as client:
        client.send({**start("s"), "audio_format": "wav"}, text("s", "Round trip."))
        audio = audio_of(client.receive_until("terminated"))
    with Client(sandbox.urls.stt) as client:
        client.send({"model": "stt-rt-v6", "audio_format": "auto"}, audio, "")
        total = client.receive_all()[-1]["total_audio_proc_ms"]
    assert total == (len(audio) - 44) * 1000 // 32000
    assert TTS["sample_rate"] == 16000 and len(silence(1)) == 32
