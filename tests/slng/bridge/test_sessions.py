"""The speech bridge with a raw client: sessions and refusals. PROTOCOL 8.3."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from soniox_sync.sandbox import Limits, Sandbox
from tests.slng.bridge.client import (
    DEEP,
    INIT,
    LONG,
    ROUTES,
    BridgeClient,
    audio,
    init,
    kinds,
    spoken_natively,
    text,
)

# -- a session ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ROUTES)
def test_a_session_from_init_to_close(sandbox: Sandbox, path: str) -> None:
    """Each route answers init, text, flush and close with the documented messages and fields."""
    with BridgeClient(sandbox, path) as client:
        client.send(INIT)
        ready = client.receive()
        assert set(ready) == {"type", "session_id"}
        assert ready["type"] == "ready"
        client.send('{"type":"text","text":"Hello "}', '{"type":"text","text":"there."}')
        client.send('{"type":"flush"}')
        received = client.receive_until("flushed")
        client.send('{"type":"close"}')
        end = client.receive_all()
        assert client.close_code == 1000
    assert kinds(received) == ["segment_start", "audio_chunk", "segment_end", "flushed"]
    segment = received[0]["segment_id"]
    assert received[0] == {"type": "segment_start", "segment_id": segment}
    assert received[-2:] == [{"type": "segment_end", "segment_id": segment}, {"type": "flushed"}]
    for number, chunk in enumerate(received[1:-2], 1):
        assert set(chunk) == {"type", "data", "sequence"}
        assert chunk["sequence"] == number
    assert audio(received) == spoken_natively(sandbox, "Hello there.")
    assert end == [{"type": "audio_end", "duration": round(len(audio(received)) / 32000, 3)}]


def test_the_shortest_session(sandbox: Sandbox) -> None:
    """An init without model, voice and config, and a close without a flush, speak all the text."""
    with BridgeClient(sandbox) as client:
        client.send('{"type":"init"}', '{"type":"text","text":"Hello there"}', '{"type":"close"}')
        received = client.receive_all()
        assert client.close_code == 1000
    assert kinds(received) == ["ready", "segment_start", "audio_chunk", "segment_end", "audio_end"]
    expected = spoken_natively(sandbox, "Hello there", voice="Adrian", sample_rate=24000)
    assert audio(received) == expected


def test_types_in_any_case(sandbox: Sandbox) -> None:
    """The case of message types does not matter; `cancel` ends as `close` does."""
    with BridgeClient(sandbox) as client:
        client.send(
            '{"type":"Init","model":"","config":{"encoding":"LINEAR16"}}', '{"type":"KeepAlive"}'
        )
        client.send('{"type":"TEXT","text":"Hello."}', '{"type":"Flush"}', '{"type":"Cancel"}')
        received = client.receive_all()
        assert client.close_code == 1000
    assert kinds(received)[-3:] == ["segment_end", "flushed", "audio_end"]


@pytest.mark.parametrize("name", ["mulaw", "alaw"])
def test_telephone_audio(sandbox: Sandbox, name: str) -> None:
    """Telephone encodings are those of the service, by default at 8 kHz."""
    with BridgeClient(sandbox) as client:
        client.send(init(encoding=name), text("Hello there.", flush=True))
        received = client.receive_until("flushed")
    same = spoken_natively(sandbox, "Hello there.", audio_format=f"pcm_{name}", sample_rate=8000)
    assert audio(received) == same


@pytest.mark.parametrize(("name", "magic"), [("mp3", b"\xff"), ("opus", b"OggS")])
def test_compressed_audio(sandbox: Sandbox, name: str, magic: bytes) -> None:
    """Each segment of mp3 and opus is a whole stream of that format."""
    pytest.importorskip("soundfile")
    with BridgeClient(sandbox) as client:
        client.send(init(encoding=name, sample_rate=24000))
        for _ in range(2):
            client.send(text("Hello there.", flush=True))
            assert audio(client.receive_until("flushed")).startswith(magic)


def test_segments_wait_for_one_another(sandbox: Sandbox) -> None:
    """Texts flushed at once are spoken one after another, within an account's limits."""
    words = [f"This is number {number}." for number in range(8)]
    with (
        Sandbox(engines="tones", limits=Limits.documented(tts_pace=None)) as box,
        BridgeClient(box) as client,
    ):
        client.send(INIT, *(text(each, flush=True) for each in words), '{"type":"close"}')
        received = client.receive_all()
        assert box.log.peaks["tts.streams"] == 1
    one = ["segment_start", "audio_chunk", "segment_end", "flushed"]
    assert kinds(received) == ["ready", *one * 8, "audio_end"]
    assert audio(received) == b"".join(spoken_natively(sandbox, each) for each in words)
    sequence = [message["sequence"] for message in received if "sequence" in message]
    assert sequence == list(range(1, len(sequence) + 1))
    assert len({m["segment_id"] for m in received if "segment_id" in m}) == 8


def test_each_flush_is_answered(sandbox: Sandbox) -> None:
    """A flush without text is answered, too, after the audio of the text before it."""
    with BridgeClient(sandbox) as client:
        client.send(INIT, '{"type":"flush"}', text(""), text("", flush=True))
        assert kinds([client.receive() for _ in range(3)]) == ["ready", "flushed", "flushed"]
        client.send(text("Hello."), '{"type":"flush"}', '{"type":"flush"}', '{"type":"close"}')
        assert kinds(client.receive_all())[-4:] == [
            "segment_end",
            "flushed",
            "flushed",
            "audio_end",
        ]


def test_another_init_changes_the_next_segment(sandbox: Sandbox) -> None:
    """A second init is answered, and its voice speaks later text."""
    with BridgeClient(sandbox) as client:
        client.send(INIT, text("Hello.", flush=True), init(voice="Owen", sample_rate=8000))
        client.send(text("Hello.", flush=True), '{"type":"close"}')
        received = client.receive_all()
    assert kinds(received).count("ready") == 2
    other = spoken_natively(sandbox, "Hello.", voice="Owen", sample_rate=8000)
    assert audio(received) == spoken_natively(sandbox, "Hello.") + other
    assert received[-1]["duration"] == pytest.approx(
        len(spoken_natively(sandbox, "Hello.")) / 32000 + len(other) / 16000, abs=0.001
    )


def test_clear_cancels_queued_segments(paced: Sandbox) -> None:
    """A clear cancels the current and queued segments, without `flushed`; the session continues."""
    with BridgeClient(paced) as client:
        client.send(INIT, text(LONG, flush=True), text("Never said.", flush=True))
        client.receive_until("audio_chunk")
        client.send('{"type":"clear"}')
        received = client.receive_until("cleared")
        assert kinds(received)[-2:] == ["segment_end", "cleared"]
        assert "flushed" not in kinds(received)
        assert received[-1] == {"type": "cleared"}
        client.send(text("Hello.", flush=True), '{"type":"close"}')
        rest = client.receive_all()
    assert audio(rest) == spoken_natively(paced, "Hello.")
    assert kinds(rest)[-2:] == ["flushed", "audio_end"]
    assert paced.log.totals["tts.streams"] == 3  # this one, the one cleared, the one without


def test_clear_when_idle_and_after_close(paced: Sandbox) -> None:
    """A clear is always answered; after a close it ends the session at once."""
    with BridgeClient(paced) as client:
        client.send('{"type":"clear"}', INIT)
        assert [client.receive()["type"] for _ in range(2)] == ["cleared", "ready"]
        client.send(text(LONG), '{"type":"close"}')
        client.receive_until("audio_chunk")
        client.send('{"type":"clear"}')
        assert kinds(client.receive_all())[-3:] == ["segment_end", "cleared", "audio_end"]
        assert client.close_code == 1000


def test_no_text_after_close(paced: Sandbox) -> None:
    """Text after a close is refused; the text before it is spoken to its end."""
    with BridgeClient(paced) as client:
        client.send(INIT, text("Hello there."), '{"type":"close"}', text("Too late."))
        received = client.receive_all()
        assert client.close_code == 1000
    assert [m["code"] for m in received if m["type"] == "error"] == ["invalid_stream_state"]
    assert audio(received) == spoken_natively(paced, "Hello there.")


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", ['{"type":"text","text":"Hi."}', '{"type":"flush"}'])
def test_nothing_is_spoken_before_init(sandbox: Sandbox, early: str) -> None:
    """Text before init is refused; an init may still follow."""
    with BridgeClient(sandbox) as client:
        client.send(early)
        error = client.receive()
        assert set(error) == {"type", "code", "message"}
        assert (error["type"], error["code"]) == ("error", "invalid_stream_state")
        assert "init" in error["message"]
        client.send(INIT)
        assert client.receive()["type"] == "ready"


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
def test_malformed_messages_are_refused(sandbox: Sandbox, odd: str) -> None:
    """A malformed message gets an error and changes nothing."""
    with BridgeClient(sandbox) as client:
        client.send(INIT, odd)
        assert client.receive()["type"] == "ready"
        error = client.receive()
        assert (error["type"], error["code"]) == ("error", "invalid_request")
        client.send(text("Hello.", flush=True))
        assert audio(client.receive_until("flushed")) == spoken_natively(sandbox, "Hello.")


@pytest.mark.parametrize(
    "broken", [DEEP, '{"type":', '"text"', "[]", "null", "", '{"type":"text","text":"\\ud800"}']
)
def test_an_unreadable_message_ends_the_session(sandbox: Sandbox, broken: str) -> None:
    """A frame that is not a message gets an error and a normal close."""
    with BridgeClient(sandbox) as client:
        client.send(INIT, broken)
        received = client.receive_all()
        assert client.close_code == 1000
    assert [message["type"] for message in received] == ["ready", "error"]
    assert received[-1]["code"] == "invalid_request"


def test_binary_is_refused(sandbox: Sandbox) -> None:
    """A binary message gets an error and a normal close."""
    with BridgeClient(sandbox) as client:
        client.send(INIT, b'{"type":"flush"}')
        assert [m["type"] for m in client.receive_all()] == ["ready", "error"]
        assert client.close_code == 1000


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
    """An init that the service would refuse gets the service's error, and no `ready`."""
    with BridgeClient(sandbox) as client:
        client.send(message, text("Hi."), INIT)
        received = [client.receive() for _ in range(3)]
    assert [m["type"] for m in received] == ["error", "error", "ready"]
    assert named in received[0]["message"]


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
def test_unknown_models_are_404(sandbox: Sandbox, path: str) -> None:
    """A provider or model that the service does not have is HTTP 404, with a text."""
    with pytest.raises(InvalidStatus) as caught:
        BridgeClient(sandbox, path)
    assert caught.value.response.status_code == 404
    assert b"no endpoint" in (caught.value.response.body or b"no endpoint")  # not in all releases


@pytest.mark.parametrize("path", ROUTES)
def test_the_gateway_checks_the_upgrade_of_the_bridge(sandbox: Sandbox, path: str) -> None:
    """A wrong key is refused at the upgrade; any world part is accepted."""
    with pytest.raises(InvalidStatus) as caught:
        BridgeClient(sandbox, path, Authorization="Bearer invalid-key")
    assert caught.value.response.status_code == 401
    with BridgeClient(sandbox, path, X_World_Part_Override="us-east") as client:
        client.send(INIT)
        assert client.receive()["type"] == "ready"


def test_a_wrong_provider_key_is_an_error_frame(sandbox: Sandbox) -> None:
    """The service refuses its key after the upgrade, with an error frame and a close."""
    with BridgeClient(sandbox, X_Slng_Provider_Key="invalid-one") as client:
        client.send(INIT)
        assert [m.get("code") for m in client.receive_all()] == ["backend_connection_failed"]
        assert client.close_code == 1000


def test_a_model_s_name_may_be_percent_encoded(sandbox: Sandbox) -> None:
    """`%3A` in a path is a colon."""
    with BridgeClient(sandbox, "/v1/bridges/unmute/tts/soniox/tts-rt%3Av1") as client:
        client.send('{"type":"init"}', text("Hello.", flush=True))
        assert audio(client.receive_until("flushed"))
