"""The sandbox's HTTP side: `POST /tts`, models, errors, keep-alive."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest
import requests

from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import KEY, PATIENCE, TTS, raw_socket, read_until, upgrade_bytes

MakeSandbox = Callable[..., Sandbox]


_VERSION = b"Sec-WebSocket-Version: 13\r\n\r\n"


def speak(sandbox: Sandbox, **fields: Any) -> requests.Response:
    """POST /tts with defaults; `None` leaves a field out."""
    body = {"text": "Hello world.", **TTS, **fields}
    return requests.post(
        f"{sandbox.urls.tts_api}/tts",
        json={name: value for name, value in body.items() if value is not None},
        headers=KEY,
        timeout=PATIENCE,
    )


def test_speech_is_a_chunked_body(sandbox: Sandbox) -> None:
    """A request is answered with raw audio, chunked, of the right length."""
    answer = speak(sandbox)
    assert answer.status_code == 200
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Content-Type"] == "audio/pcm"
    assert len(answer.content) / 32000 == pytest.approx(1.03, abs=0.01)


def test_wav_is_streamed_with_an_open_length(sandbox: Sandbox) -> None:
    """WAV has a header without a length, and the service's content type."""
    answer = speak(sandbox, audio_format="wav")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.content[:4] == b"RIFF" and answer.content[40:44] == b"\xff" * 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": None}, "Missing required field: text"),
        ({"text": ""}, "Missing required field: text"),
        ({"voice": None}, "Missing required field: voice"),
        ({"voice": "Maya"}, "voice"),
        ({"text": "x" * 5001}, "5000 bytes"),
        ({"text": "я" * 2501}, "5000 bytes"),
        ({"speed": 2.0}, "speed"),
    ],
)
def test_errors_before_audio_have_the_websocket_shape(
    sandbox: Sandbox, fields: dict[str, Any], message: str
) -> None:
    """A refused request is JSON with the five fields of an error frame."""
    answer = speak(sandbox, **fields)
    body = answer.json()
    assert answer.status_code == body["error_code"] == 400
    assert message in body["error_message"]
    assert {"error_type", "more_info", "request_id"} <= set(body)


def test_timestamps_are_ignored_and_request_id_is_kept(sandbox: Sandbox) -> None:
    """`return_timestamps` is ignored; the caller's request id is returned."""
    assert speak(sandbox, return_timestamps=True).status_code == 200
    answer = requests.post(
        f"{sandbox.urls.tts_api}/tts",
        json={},
        headers={**KEY, "X-Request-Id": "mine"},
        timeout=PATIENCE,
    )
    assert answer.json()["request_id"] == "mine"


def test_audio_is_truncated_at_the_limit(make_sandbox: MakeSandbox) -> None:
    """A body ends at the limit of a stream, without an error."""
    sandbox = make_sandbox(limits={"tts_max_audio_sec": 0.5, "tts_pace": None})
    answer = speak(sandbox)
    assert answer.status_code == 200
    assert len(answer.content) == 16000


def test_rest_counts_as_a_stream(make_sandbox: MakeSandbox) -> None:
    """A request counts as a stream of the account until it ends, also after an error."""
    sandbox = make_sandbox(limits={"tts_max_streams": 1, "tts_pace": None})
    for voice in ("Adrian", "Maya", "Adrian"):
        assert speak(sandbox, voice=voice).status_code in (200, 400)
    assert sandbox.log.counts["tts.streams"] == 0
    full = make_sandbox(limits={"tts_max_streams": 0})
    assert speak(full).status_code == 429


def test_a_stream_ends_when_the_client_disconnects(make_sandbox: MakeSandbox) -> None:
    """A client that closes in the middle of its audio no longer counts as a stream."""
    sandbox = make_sandbox(limits={"tts_pace": 2.0})
    answer = requests.post(
        f"{sandbox.urls.tts_api}/tts",
        json={**TTS, "text": "A long story. " * 50},
        headers=KEY,
        stream=True,
        timeout=PATIENCE,
    )
    next(answer.iter_content(100))
    assert sandbox.log.counts["tts.streams"] == 1
    answer.close()
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    assert sandbox.log.counts["tts.streams"] == 0


def test_models_are_listed(sandbox: Sandbox) -> None:
    """Both lists contain the current models with their documented fields."""
    models = requests.get(f"{sandbox.urls.api}/models", headers=KEY, timeout=PATIENCE).json()
    assert "stt-rt-v6" in [model["id"] for model in models["models"]]
    assert {"languages", "transcription_mode", "one_way_translation"} <= set(models["models"][0])
    voices = requests.get(f"{sandbox.urls.api}/tts-models", headers=KEY, timeout=PATIENCE).json()
    names = [voice["id"] for voice in voices["models"][0]["voices"]]
    assert "Adrian" in names and "Maya" not in names


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/models", 405, "method_not_allowed"),
    ],
)
def test_unknown_paths_have_the_api_shape(
    sandbox: Sandbox, method: str, path: str, status: int, slug: str
) -> None:
    """An unknown endpoint is an error in the JSON form of the `/v1` endpoints."""
    answer = requests.request(method, sandbox.urls.api + path, headers=KEY, timeout=PATIENCE)
    body = answer.json()
    assert (answer.status_code, body["status_code"], body["error_type"]) == (status, status, slug)
    assert {"message", "validation_errors", "request_id"} <= set(body)


def test_missing_and_bad_keys_are_401(sandbox: Sandbox) -> None:
    """A missing or bad key is refused by both hosts, each in its own form."""
    url = f"{sandbox.urls.api}/models"
    assert requests.get(url, timeout=PATIENCE).json()["error_type"] == "unauthenticated"
    bad = {"Authorization": "Bearer invalid"}
    answer = requests.post(f"{sandbox.urls.tts_api}/tts", json={}, headers=bad, timeout=PATIENCE)
    assert answer.json()["error_code"] == 401


def test_one_connection_serves_many_requests(sandbox: Sandbox) -> None:
    """Connections are kept alive, also after a chunked body."""
    with requests.Session() as session:
        session.headers.update(KEY)
        for _ in range(3):
            assert session.get(f"{sandbox.urls.api}/models", timeout=PATIENCE).ok
            body = {**TTS, "text": "Hi."}
            assert session.post(f"{sandbox.urls.tts_api}/tts", json=body, timeout=PATIENCE).content
    assert sandbox.log.totals["connections"] == 1


def test_chunked_request_bodies_are_read(sandbox: Sandbox) -> None:
    """A request body without a length is read."""
    body = json.dumps({**TTS, "text": "Hi."}).encode()
    answer = requests.post(
        f"{sandbox.urls.tts_api}/tts",
        data=iter([body[:10], body[10:]]),
        headers=KEY,
        timeout=PATIENCE,
    )
    assert answer.status_code == 200


def test_plain_get_of_a_websocket_path_is_404(sandbox: Sandbox) -> None:
    """A WebSocket path without an upgrade is a 404."""
    answer = requests.get(sandbox.urls.stt.replace("ws:", "http:"), headers=KEY, timeout=PATIENCE)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /tts-websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n", b"426"),
        (b"GET /tts-websocket HTTP/1.1\r\nUpgrade: websocket\r\n" + _VERSION, b"400"),
    ],
)
def test_broken_upgrades_are_http_errors(
    sandbox: Sandbox, request_line: bytes, status: bytes
) -> None:
    """An upgrade without version or key is refused with an HTTP status."""
    with raw_socket(sandbox) as sock:
        sock.sendall(request_line)
        assert read_until(sock, b"\r\n").split()[1] == status


def test_accept_key_follows_the_rfc(sandbox: Sandbox) -> None:
    """The upgrade is answered with the accept value of RFC 6455, and no extension."""
    with raw_socket(sandbox) as sock:
        sock.sendall(
            upgrade_bytes("/tts-websocket", "Sec-WebSocket-Extensions: permessage-deflate")
        )
        head = read_until(sock, b"\r\n\r\n")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"Extensions" not in head
