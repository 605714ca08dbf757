"""The sandbox's speech bridge as a raw client sees it: sessions and refusals. PROTOCOL 8.3."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from bridge_talk import (
    DEEP,
    INIT,
    LONG,
    ROUTES,
    Talk,
    audio,
    init,
    kinds,
    natively,
    text,
)
from websockets.exceptions import InvalidStatus

from soniox_sync.sandbox import Limits, Sandbox


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test if a thread of the sandbox met an exception nobody expected."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve tones and a script, as fast as can be."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        box.script("Hello there my friend. How are you?", ms_per_word=200, final_lag_ms=200)
        yield box


@pytest.fixture
def paced() -> Iterator[Sandbox]:
    """Serve tones at a pace that leaves time to interrupt."""
    with Sandbox(engines="tones", limits={"tts_pace": 5.0}) as box:
        yield box


# -- a session ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ROUTES)
def test_a_session_from_init_to_close(sandbox: Sandbox, path: str) -> None:
    """Each route answers init, text, flush and close with the documented messages and fields."""
    with Talk(sandbox, path) as talk:
        talk.say(INIT)
        ready = talk.hear()
        assert set(ready) == {"type", "session_id"}
        assert ready["type"] == "ready"
        talk.say('{"type":"text","text":"Hello "}', '{"type":"text","text":"there."}')
        talk.say('{"type":"flush"}')
        heard = talk.hear_until("flushed")
        talk.say('{"type":"close"}')
        end = talk.hear_all()
        assert talk.code == 1000
    assert kinds(heard) == ["segment_start", "audio_chunk", "segment_end", "flushed"]
    segment = heard[0]["segment_id"]
    assert heard[0] == {"type": "segment_start", "segment_id": segment}
    assert heard[-2:] == [{"type": "segment_end", "segment_id": segment}, {"type": "flushed"}]
    for number, chunk in enumerate(heard[1:-2], 1):
        assert set(chunk) == {"type", "data", "sequence"}
        assert chunk["sequence"] == number
    assert audio(heard) == natively(sandbox, "Hello there.")
    assert end == [{"type": "audio_end", "duration": round(len(audio(heard)) / 32000, 3)}]


def test_the_least_that_can_be_said(sandbox: Sandbox) -> None:
    """An init without model, voice and config, and a close without a flush, speak all the text."""
    with Talk(sandbox) as talk:
        talk.say('{"type":"init"}', '{"type":"text","text":"Hello there"}', '{"type":"close"}')
        heard = talk.hear_all()
        assert talk.code == 1000
    assert kinds(heard) == ["ready", "segment_start", "audio_chunk", "segment_end", "audio_end"]
    expected = natively(sandbox, "Hello there", voice="Adrian", sample_rate=24000)
    assert audio(heard) == expected


def test_types_in_any_case(sandbox: Sandbox) -> None:
    """Types of messages are compared without regard to case; `cancel` ends as `close` does."""
    with Talk(sandbox) as talk:
        talk.say('{"type":"Init","config":{"encoding":"LINEAR16"}}', '{"type":"KeepAlive"}')
        talk.say('{"type":"TEXT","text":"Hello."}', '{"type":"Flush"}', '{"type":"Cancel"}')
        heard = talk.hear_all()
        assert talk.code == 1000
    assert kinds(heard)[-3:] == ["segment_end", "flushed", "audio_end"]


@pytest.mark.parametrize("name", ["mulaw", "alaw"])
def test_telephone_audio(sandbox: Sandbox, name: str) -> None:
    """The telephone's encodings are the service's, at 8 kHz unless said otherwise."""
    with Talk(sandbox) as talk:
        talk.say(init(encoding=name), text("Hello there.", flush=True))
        heard = talk.hear_until("flushed")
    same = natively(sandbox, "Hello there.", audio_format=f"pcm_{name}", sample_rate=8000)
    assert audio(heard) == same


@pytest.mark.parametrize(("name", "magic"), [("mp3", b"\xff"), ("opus", b"OggS")])
def test_compressed_audio(sandbox: Sandbox, name: str, magic: bytes) -> None:
    """Each segment of mp3 and opus is a whole stream of that format."""
    pytest.importorskip("soundfile")
    with Talk(sandbox) as talk:
        talk.say(init(encoding=name, sample_rate=24000))
        for _ in range(2):
            talk.say(text("Hello there.", flush=True))
            assert audio(talk.hear_until("flushed")).startswith(magic)


def test_segments_wait_for_one_another(sandbox: Sandbox) -> None:
    """Texts flushed at once are spoken one after another, each whole, under an account's limits."""
    words = [f"This is number {number}." for number in range(8)]
    with (
        Sandbox(engines="tones", limits=Limits.documented(tts_pace=None)) as box,
        Talk(box) as talk,
    ):
        talk.say(INIT, *(text(each, flush=True) for each in words), '{"type":"close"}')
        heard = talk.hear_all()
        assert box.log.peaks["tts.streams"] == 1
    one = ["segment_start", "audio_chunk", "segment_end", "flushed"]
    assert kinds(heard) == ["ready", *one * 8, "audio_end"]
    assert audio(heard) == b"".join(natively(sandbox, each) for each in words)
    sequence = [message["sequence"] for message in heard if "sequence" in message]
    assert sequence == list(range(1, len(sequence) + 1))
    assert len({m["segment_id"] for m in heard if "segment_id" in m}) == 8


def test_each_flush_is_answered(sandbox: Sandbox) -> None:
    """A flush with nothing to say is answered as well, behind what was said before it."""
    with Talk(sandbox) as talk:
        talk.say(INIT, '{"type":"flush"}', text(""), text("", flush=True))
        assert kinds([talk.hear() for _ in range(3)]) == ["ready", "flushed", "flushed"]
        talk.say(text("Hello."), '{"type":"flush"}', '{"type":"flush"}', '{"type":"close"}')
        assert kinds(talk.hear_all())[-4:] == ["segment_end", "flushed", "flushed", "audio_end"]


def test_another_init_changes_the_next_segment(sandbox: Sandbox) -> None:
    """A second init is answered, too, and speaks what follows in its voice."""
    with Talk(sandbox) as talk:
        talk.say(INIT, text("Hello.", flush=True), init(voice="Owen", sample_rate=8000))
        talk.say(text("Hello.", flush=True), '{"type":"close"}')
        heard = talk.hear_all()
    assert kinds(heard).count("ready") == 2
    other = natively(sandbox, "Hello.", voice="Owen", sample_rate=8000)
    assert audio(heard) == natively(sandbox, "Hello.") + other
    assert heard[-1]["duration"] == pytest.approx(
        len(natively(sandbox, "Hello.")) / 32000 + len(other) / 16000, abs=0.001
    )


def test_clear_ends_what_is_not_out_yet(paced: Sandbox) -> None:
    """A clear silences the segment and those that wait, unflushed; the session goes on."""
    with Talk(paced) as talk:
        talk.say(INIT, text(LONG, flush=True), text("Never said.", flush=True))
        talk.hear_until("audio_chunk")
        talk.say('{"type":"clear"}')
        heard = talk.hear_until("cleared")
        assert kinds(heard)[-2:] == ["segment_end", "cleared"]
        assert "flushed" not in kinds(heard)
        assert heard[-1] == {"type": "cleared"}
        talk.say(text("Hello.", flush=True), '{"type":"close"}')
        rest = talk.hear_all()
    assert audio(rest) == natively(paced, "Hello.")
    assert kinds(rest)[-2:] == ["flushed", "audio_end"]
    assert paced.log.totals["tts.streams"] == 3  # this one, the one cleared, the one without


def test_clear_of_nothing_and_during_the_close(paced: Sandbox) -> None:
    """A clear is always answered; one behind a close ends the session at once."""
    with Talk(paced) as talk:
        talk.say('{"type":"clear"}', INIT)
        assert [talk.hear()["type"] for _ in range(2)] == ["cleared", "ready"]
        talk.say(text(LONG), '{"type":"close"}')
        talk.hear_until("audio_chunk")
        talk.say('{"type":"clear"}')
        assert kinds(talk.hear_all())[-3:] == ["segment_end", "cleared", "audio_end"]
        assert talk.code == 1000


def test_no_text_after_close(paced: Sandbox) -> None:
    """Text behind a close is refused, and what was said before is spoken to its end."""
    with Talk(paced) as talk:
        talk.say(INIT, text("Hello there."), '{"type":"close"}', text("Too late."))
        heard = talk.hear_all()
        assert talk.code == 1000
    assert [m["code"] for m in heard if m["type"] == "error"] == ["invalid_stream_state"]
    assert audio(heard) == natively(paced, "Hello there.")


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", ['{"type":"text","text":"Hi."}', '{"type":"flush"}'])
def test_nothing_is_spoken_before_init(sandbox: Sandbox, early: str) -> None:
    """Text before init is refused in words, and an init may still follow."""
    with Talk(sandbox) as talk:
        talk.say(early)
        error = talk.hear()
        assert set(error) == {"type", "code", "message"}
        assert (error["type"], error["code"]) == ("error", "invalid_stream_state")
        assert "init" in error["message"]
        talk.say(INIT)
        assert talk.hear()["type"] == "ready"


@pytest.mark.parametrize(
    "odd",
    [
        "{}",
        '{"type":null}',
        '{"type":["text"]}',
        '{"type":"speak","text":"Hi."}',
        '{"type":"terminated","terminated":true,"stream_id":"x"}',
        '{"type":"text"}',
        '{"type":"text","text":5}',
        '{"type":"text","text":["Hi."]}',
        '{"type":"text","text":"Hi.","flush":"yes"}',
        '{"type":"init","config":[]}',
        '{"type":"init","config":"linear16"}',
        '{"type":"init","model":7}',
        '{"type":"init","voice":{}}',
        '{"type":"init","config":{"encoding":["mp3"]}}',
        '{"type":"init","config":{"sample_rate":"16000"}}',
        '{"type":"init","config":{"speed":true}}',
        '{"type":"init","config":{"language":["en"]}}',
    ],
)
def test_odd_messages_are_refused(sandbox: Sandbox, odd: str) -> None:
    """A message of the wrong shape gets an error, and leaves the session as it was."""
    with Talk(sandbox) as talk:
        talk.say(INIT, odd)
        assert talk.hear()["type"] == "ready"
        error = talk.hear()
        assert (error["type"], error["code"]) == ("error", "invalid_request")
        talk.say(text("Hello.", flush=True))
        assert audio(talk.hear_until("flushed")) == natively(sandbox, "Hello.")


@pytest.mark.parametrize(
    "broken", [DEEP, '{"type":', '"text"', "[]", "null", "", '{"type":"text","text":"\\ud800"}']
)
def test_what_is_no_message_ends_the_session(sandbox: Sandbox, broken: str) -> None:
    """What cannot be read as a message gets an error and a normal close."""
    with Talk(sandbox) as talk:
        talk.say(INIT, broken)
        heard = talk.hear_all()
        assert talk.code == 1000
    assert [message["type"] for message in heard] == ["ready", "error"]
    assert heard[-1]["code"] == "invalid_request"


def test_binary_is_refused(sandbox: Sandbox) -> None:
    """A binary message gets an error and a normal close."""
    with Talk(sandbox) as talk:
        talk.say(INIT, b'{"type":"flush"}')
        assert [m["type"] for m in talk.hear_all()] == ["ready", "error"]
        assert talk.code == 1000


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (init(voice="Nobody"), "voice"),
        (init(encoding="wav"), "encoding"),
        (init(encoding="pcm_s16le"), "encoding"),
        (init(sample_rate=11025), "sample rate"),
        (init(encoding="mulaw", sample_rate=16000), "sample rate"),
        (init(speed=3), "speed"),
        (init(language="xx"), "language"),
        ('{"type":"init","model":"deepgram/aura:2"}', "aura-2"),
    ],
)
def test_an_init_that_cannot_be_served(sandbox: Sandbox, message: str, named: str) -> None:
    """An init that the service would refuse is refused at once, in its words, without ready."""
    with Talk(sandbox) as talk:
        talk.say(message, text("Hi."), INIT)
        heard = [talk.hear() for _ in range(3)]
    assert [m["type"] for m in heard] == ["error", "error", "ready"]
    assert named in heard[0]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/bridges/unmute/tts/soniox/tts-rt:v9",
        "/v1/bridges/unmute/tts/deepgram/aura:2",
        "/v1/bridges/unmute/tts/",
        "/v1/tts/deepgram/aura:2",
        "/v1/tts/soniox/tts-rt:v9",
        "/v1/bridges/unmute/stt/deepgram/nova:3",
    ],
)
def test_unknown_models_are_no_endpoints(sandbox: Sandbox, path: str) -> None:
    """A provider or model that is not the service's is HTTP 404, with a text."""
    with pytest.raises(InvalidStatus) as caught:
        Talk(sandbox, path)
    assert caught.value.response.status_code == 404
    assert b"no endpoint" in (caught.value.response.body or b"no endpoint")  # not in all releases


@pytest.mark.parametrize("path", ROUTES)
def test_the_gateway_s_door_stands_before_the_bridge(sandbox: Sandbox, path: str) -> None:
    """A bad key is refused at the upgrade; any zone is let in."""
    with pytest.raises(InvalidStatus) as caught:
        Talk(sandbox, path, Authorization="Bearer invalid-key")
    assert caught.value.response.status_code == 401
    with Talk(sandbox, path, X_World_Part_Override="us-east") as talk:
        talk.say(INIT)
        assert talk.hear()["type"] == "ready"


def test_a_wrong_provider_key_is_an_error_frame(sandbox: Sandbox) -> None:
    """The service behind refuses its key after the upgrade, and the line closes."""
    with Talk(sandbox, X_Slng_Provider_Key="invalid-one") as talk:
        talk.say(INIT)
        assert [m.get("code") for m in talk.hear_all()] == ["backend_connection_failed"]
        assert talk.code == 1000


def test_a_model_s_name_may_be_percent_encoded(sandbox: Sandbox) -> None:
    """A colon written as %3A is a colon."""
    with Talk(sandbox, "/v1/bridges/unmute/tts/soniox/tts-rt%3Av1") as talk:
        talk.say('{"type":"init"}', text("Hello.", flush=True))
        assert audio(talk.hear_until("flushed"))
