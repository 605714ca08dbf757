"""One program per endpoint, written only from the service's documentation.

They use plain `websockets` and `httpx`, and nothing of this library but the sandbox's URLs.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox

KEY = "a-strangers-key"
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
DEADLINE_SEC = 20.0  # a program that takes this long hangs


def run(program: Any) -> Any:
    """Run an async program to its end."""
    return asyncio.run(asyncio.wait_for(program, DEADLINE_SEC))


def test_a_microphone_program_shows_live_captions(sandbox: Sandbox) -> None:
    """A sender that paces audio and a receiver that prints tokens get the whole transcript."""
    from websockets.asyncio.client import connect

    sandbox.script("Hello there. How are you?", ms_per_word=200, final_lag_ms=300)

    async def program() -> tuple[str, int, list[dict[str, Any]]]:
        async with connect(sandbox.urls.stt, additional_headers=AUTHORIZATION) as ws:
            await ws.send(
                json.dumps(
                    {
                        "model": "stt-rt-v6",
                        "audio_format": "pcm_s16le",
                        "sample_rate": 16000,
                        "num_channels": 1,
                        "language_hints": ["en"],
                        "enable_endpoint_detection": True,
                        "enable_speaker_diarization": True,
                        "enable_language_identification": True,
                    }
                )
            )

            async def send_audio() -> None:
                for _ in range(16):
                    await ws.send(bytes(3840))
                    await asyncio.sleep(0.01)
                await ws.send(json.dumps({"type": "finalize"}))
                await ws.send("")

            sending = asyncio.ensure_future(send_audio())
            final_tokens: list[dict[str, Any]] = []
            repainted = 0
            async for message in ws:
                response = json.loads(message)
                assert response.get("error_code") is None, response
                final_tokens += [token for token in response["tokens"] if token["is_final"]]
                repainted += any(not token["is_final"] for token in response["tokens"])
                if response.get("finished"):
                    break
            await sending
        return "".join(token["text"] for token in final_tokens), repainted, final_tokens

    text, repainted, tokens = run(program())
    assert text == "Hello there.<end> How are you?<end><fin>"
    assert repainted > 3
    assert {token["speaker"] for token in tokens if "<" not in token["text"]} == {"1"}
    assert {token["language"] for token in tokens if "<" not in token["text"]} == {"en"}


def test_an_old_program_sends_its_key_in_the_message(sandbox: Sandbox) -> None:
    """The deprecated authentication, by a key in the first message, still works."""
    from websockets.sync.client import connect

    with connect(sandbox.urls.stt, open_timeout=DEADLINE_SEC) as ws:
        config = {"api_key": KEY, "model": "stt-rt-v6", "audio_format": "pcm_s16le"}
        ws.send(json.dumps({**config, "sample_rate": 16000, "num_channels": 1}))
        ws.send(bytes(32000))
        ws.send("")
        responses = [json.loads(message) for message in ws]
    assert responses[-1]["finished"] and responses[-1]["tokens"] == []
    assert responses[-1]["final_audio_proc_ms"] == responses[-1]["total_audio_proc_ms"] == 1000
    assert KEY not in str([vars(entry) for entry in sandbox.log.entries()])


def test_a_browser_sends_its_key_as_subprotocol(sandbox: Sandbox) -> None:
    """The key is sent as the second subprotocol, and the server selects the first."""
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    offered = [Subprotocol("soniox-api-key"), Subprotocol(KEY)]
    with connect(sandbox.urls.tts, subprotocols=offered, open_timeout=DEADLINE_SEC) as ws:
        assert ws.subprotocol == "soniox-api-key"
        ws.send(json.dumps({"keep_alive": True}))


@pytest.mark.parametrize(
    ("key", "config", "code", "kind"),
    [
        ("invalid-key", {}, 401, "unauthenticated"),
        (KEY, {"sample_rate": None}, 400, "invalid_request"),
        (KEY, {"audio_format": None}, 400, "invalid_request"),
        (KEY, {"model": "stt-rt-v99"}, 400, "model_not_available"),
    ],
)
def test_a_refused_session_gets_a_reason(
    sandbox: Sandbox, key: str, config: dict[str, Any], code: int, kind: str
) -> None:
    """The refusal is one frame with all five fields, then a close with the normal code."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    start = {"model": "stt-rt-v6", "audio_format": "pcm_s16le", "sample_rate": 16000}
    start = {name: value for name, value in {**start, **config}.items() if value is not None}
    headers = {"Authorization": f"Bearer {key}"}
    with connect(sandbox.urls.stt, additional_headers=headers, open_timeout=DEADLINE_SEC) as ws:
        ws.send(json.dumps({**start, "num_channels": 1}))
        error = json.loads(ws.recv(DEADLINE_SEC))
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(DEADLINE_SEC)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
    assert (error["error_code"], error["error_type"]) == (code, kind)
    assert error["error_message"] and error["request_id"]
    page = kind.replace("_", "-")
    assert error["more_info"] == f"https://soniox.com/docs/api-reference/errors#{page}"


def test_a_chat_program_speaks_while_the_model_writes(sandbox: Sandbox) -> None:
    """Text is sent as it is generated; audio is received until `audio_end` and `terminated`."""
    from websockets.asyncio.client import connect

    async def program() -> tuple[bytes, str, list[str]]:
        async with connect(sandbox.urls.tts, additional_headers=AUTHORIZATION) as ws:
            await ws.send(
                json.dumps(
                    {
                        "model": "tts-rt-v2",
                        "language": "en",
                        "voice": "Adrian",
                        "audio_format": "pcm_s16le",
                        "sample_rate": 24000,
                        "return_timestamps": True,
                        "stream_id": "reply-1",
                    }
                )
            )
            for chunk in ("The answer ", "is forty", "-two. ", "Is it?"):
                await ws.send(
                    json.dumps({"text": chunk, "text_end": False, "stream_id": "reply-1"})
                )
            await ws.send(json.dumps({"text": "", "text_end": True, "stream_id": "reply-1"}))
            audio, spoken, order = b"", "", []
            async for message in ws:
                event = json.loads(message)
                assert event["stream_id"] == "reply-1"
                assert event.get("error_code") is None, event
                audio += base64.b64decode(event.get("audio") or "", validate=True)
                spoken += "".join(event.get("timestamps", {}).get("characters", []))
                order += [name for name in ("audio_end", "terminated") if event.get(name)]
                if event.get("terminated"):
                    break
        return audio, spoken, order

    audio, spoken, order = run(program())
    assert order == ["audio_end", "terminated"]
    assert spoken == "The answer is forty-two. Is it?"
    assert len(audio) > 2 * 24000


def test_a_call_centre_speaks_with_five_voices_over_one_socket(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """Five streams share a socket; a sixth, a bad voice and a late cancel affect no other."""
    from websockets.sync.client import connect

    sandbox = make_sandbox({"tts_pace": 10})
    voices = {"a": "Adrian", "b": "Nina", "c": "Emma", "d": "Owen", "e": "Nobody"}
    config = {"model": "tts-rt-v2", "language": "en", "audio_format": "pcm_s16le"}
    url, events = sandbox.urls.tts, []
    with connect(url, additional_headers=AUTHORIZATION, open_timeout=DEADLINE_SEC) as ws:

        def send(**message: Any) -> None:
            ws.send(json.dumps(message))

        for name, voice in voices.items():
            send(stream_id=name, voice=voice, **config)
        for name in "abcd":
            send(stream_id=name, text="Your call is important to us. ", text_end=name != "d")
        for name in "fg":  # the fifth slot is free again, the sixth stream is one too many
            send(stream_id=name, voice="Adrian", **config)
        send(stream_id="d", cancel=True)
        send(stream_id="f", text="Hello.", text_end=True)
        terminated: set[str] = set()
        while len(terminated) < 7:
            events.append(json.loads(ws.recv(DEADLINE_SEC)))
            if events[-1].get("terminated"):
                terminated.add(events[-1]["stream_id"])
        send(stream_id="d", cancel=True)
        late = json.loads(ws.recv(DEADLINE_SEC))
    errors = {e["stream_id"]: e["error_type"] for e in events if "error_code" in e}
    assert errors == {"e": "invalid_request", "g": "max_concurrent_streams_reached"}
    assert sorted(e["stream_id"] for e in events if e.get("audio_end")) == ["a", "b", "c", "f"]
    assert (late["stream_id"], late["error_type"]) == ("d", "invalid_stream_state")
    order = [event["stream_id"] for event in events if event.get("audio")]
    assert order != sorted(order)


def test_a_web_server_streams_speech_through(sandbox: Sandbox) -> None:
    """`POST /tts` responds with chunked audio."""
    httpx = pytest.importorskip("httpx")
    body = {
        "model": "tts-rt-v2",
        "language": "en",
        "voice": "Adrian",
        "audio_format": "pcm_s16le",
        "sample_rate": 16000,
        "text": "A sentence that is long enough for several chunks of audio.",
    }
    url = f"{sandbox.urls.tts_api}/tts"
    with httpx.Client(headers=AUTHORIZATION, timeout=DEADLINE_SEC) as http:
        with http.stream("POST", url, json=body) as response:
            assert response.status_code == 200
            assert response.headers["content-type"] == "audio/pcm"
            assert response.headers["transfer-encoding"] == "chunked"
            chunks = list(response.iter_raw())
        complete = http.post(url, json=body).content
        refusal = http.post(url, json={**body, "voice": "Nobody"})
        late = http.post(url, json={**body, "text": "я" * 2501})
        keyless = httpx.post(url, json=body)
    assert len(chunks) > 1 and b"".join(chunks) == complete
    assert [r.status_code for r in (refusal, late, keyless)] == [400, 400, 401]
    assert set(refusal.json()) == {
        "error_code",
        "error_type",
        "error_message",
        "more_info",
        "request_id",
    }
    assert "5000 bytes" in late.json()["error_message"]


def test_a_dashboard_lists_the_models(sandbox: Sandbox) -> None:
    """Both lists need a bearer key; without one they respond with the API host's error body."""
    import requests

    for path in ("models", "tts-models"):
        url = f"{sandbox.urls.api}/{path}"
        listing = requests.get(url, headers=AUTHORIZATION, timeout=DEADLINE_SEC)
        assert listing.status_code == 200
        assert all(model["id"] and model["languages"] for model in listing.json()["models"])
        refusal = requests.get(url, timeout=DEADLINE_SEC)
        assert refusal.status_code == 401
        assert refusal.json()["status_code"] == 401
        assert refusal.json()["error_type"] == "unauthenticated"
        assert {"message", "validation_errors", "request_id"} <= set(refusal.json())
