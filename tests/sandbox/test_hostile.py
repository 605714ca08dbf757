"""Whatever a client sends, the sandbox answers as the service does, and works on (PROTOCOL 3.7)."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

import pytest
import requests

from soniox_sync import ConfigurationError
from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import KEY, PATIENCE, RAW_STT, TTS, Client, text

MakeSandbox = Callable[..., Sandbox]
# nested deeper than any interpreter's recursion limit
DEEP = "[" * 100_000
HALF = "\\ud800"  # a lone surrogate in JSON


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Any:
    """Fail the test if a thread of the sandbox logs an unexpected exception."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def as_json(message: Any) -> str:
    """Return a message as JSON; NaN and infinity are allowed."""
    return json.dumps(message)


@pytest.mark.parametrize(
    "first",
    [
        DEEP,
        '{"a":' * 50_000,
        as_json({**RAW_STT, "audio_format": ["pcm_s16le"]}),
        as_json({**RAW_STT, "audio_format": {}}),
        as_json({**RAW_STT, "model": "M"}).replace("M", HALF),
        as_json({**RAW_STT, "context": {"text": 5}}),
        as_json({**RAW_STT, "language_hints": [["en"]]}),
        as_json({**RAW_STT, "translation": [1]}),
    ],
    ids=lambda text: text[:12] + text[-24:],
)
def test_malformed_start_requests_are_refused(sandbox: Sandbox, first: str) -> None:
    """A start request of the wrong shape gets 400 and a normal close, never a lost connection."""
    with Client(sandbox.urls.stt) as client:
        client.send(first)
        received = client.receive_all()
        assert client.close_code == 1000
    assert [message["error_code"] for message in received] == [400]


@pytest.mark.parametrize("key", [5, ["good-key"], {}, True])
def test_keys_of_the_wrong_type_are_refused(sandbox: Sandbox, key: Any) -> None:
    """A key in a message that is not a string gets an error frame."""
    with Client(sandbox.urls.stt, {}) as client:
        client.send({**RAW_STT, "api_key": key})
        received = client.receive_all()
        assert client.close_code == 1000
    assert received[-1]["error_code"] in (400, 401)


def test_deep_control_message_is_refused(sandbox: Sandbox) -> None:
    """A control message that cannot be read ends the session with 400."""
    with Client(sandbox.urls.stt) as client:
        client.send(RAW_STT, DEEP)
        assert client.receive_all()[-1]["error_code"] == 400
        assert client.close_code == 1000


@pytest.mark.parametrize(
    "message",
    [
        DEEP,
        as_json({"stream_id": "s1", **TTS}).replace("Adrian", HALF),
        as_json({"stream_id": "S", **TTS}).replace('"S"', f'"{HALF}"'),
    ],
    ids=["deep", "half a voice", "half an id"],
)
def test_malformed_speech_messages_are_refused(sandbox: Sandbox, message: str) -> None:
    """A malformed speech message, or one that cannot be echoed, is answered with 400."""
    with Client(sandbox.urls.tts) as client:
        client.send(message)
        assert client.receive()["error_code"] == 400


def test_a_malformed_message_affects_no_other_connection(sandbox: Sandbox) -> None:
    """A refused connection ends no other connection."""
    with Client(sandbox.urls.tts) as good, Client(sandbox.urls.tts) as bad:
        good.send({"stream_id": "s1", **TTS})
        bad.send(DEEP)
        bad.receive_all()
        good.send(text("s1", "Hello."))
        assert good.receive_until("terminated")[-1]["terminated"] is True


def post(sandbox: Sandbox, body: bytes) -> requests.Response:
    """Request speech over HTTP, and return the whole response."""
    headers = {**KEY, "Content-Type": "application/json"}
    return requests.post(f"{sandbox.urls.tts_api}/tts", body, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize(
    "body",
    [DEEP.encode(), b'{"text":"\\ud800"}', b"\xff\xfe", b""],
    ids=["deep", "half", "bytes", "empty"],
)
def test_malformed_bodies_are_refused(sandbox: Sandbox, body: bytes) -> None:
    """A body that is not valid JSON gets 400."""
    response = post(sandbox, body)
    assert response.status_code == 400
    assert response.json()["error_type"] == "invalid_request"


@pytest.mark.parametrize(
    "limits", [{"tts_first_audio_delay_sec": 600.0}, {"tts_pace": 0.001}], ids=["late", "slow"]
)
def test_close_does_not_wait_for_slow_speech(
    make_sandbox: MakeSandbox, limits: dict[str, Any]
) -> None:
    """Closing the sandbox ends a `POST /tts` that would sleep for minutes."""
    sandbox = make_sandbox(limits=limits)
    failure: list[Optional[BaseException]] = []

    def request_speech() -> None:
        try:
            body = {**TTS, "text": "One sentence. And another one. And a third."}
            post(sandbox, json.dumps(body).encode())
            failure.append(None)
        except requests.RequestException as error:
            failure.append(error)

    client = threading.Thread(target=request_speech)
    client.start()
    assert sandbox.log.wait_for(lambda entry: entry.kind == "rest", timeout_sec=PATIENCE)
    began = time.monotonic()
    sandbox.close()
    took = time.monotonic() - began
    client.join(PATIENCE)
    assert not client.is_alive()
    assert took < PATIENCE  # it would have slept for minutes
    assert failure[0] is not None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/auth/temporary-api-key", b'{"usage_type":["tts_rt"]}'),
        ("POST", "/v1/auth/temporary-api-key", b'{"usage_type":{}}'),
        ("POST", "/v1/auth/temporary-api-key", b"[[[["),
        ("POST", "/v1/transcriptions", DEEP.encode()),
    ],
    ids=["list", "mapping", "no JSON", "deep"],
)
def test_malformed_rest_requests_are_refused(
    sandbox: Sandbox, method: str, path: str, body: bytes
) -> None:
    """A REST body of the wrong shape gets a 400 in the format of the host."""
    base = sandbox.urls.api[: -len("/v1")]
    headers = {**KEY, "Content-Type": "application/json"}
    answer = requests.request(method, base + path, data=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 400
    assert answer.json()["status_code"] == 400


def test_a_malformed_request_target_is_refused(sandbox: Sandbox) -> None:
    """A request line with a broken URL is answered with 400."""
    parts = urlsplit(sandbox.urls.api)
    with socket.create_connection((parts.hostname, parts.port), PATIENCE) as sock:
        sock.sendall(b"GET http://[::1/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.makefile("rb").readline().split()[1] == b"400"


@pytest.mark.parametrize("kind", [["init"], {}, 5, None])
def test_malformed_gateway_messages_are_refused(sandbox: Sandbox, kind: Any) -> None:
    """A gateway message whose type is not text is answered, and the connection closed properly."""
    with Client(f"{sandbox.urls.slng}/v1/stt/soniox/speech-ai:rt-v3") as client:
        client.send({"type": kind})
        received = client.receive_all()
        assert client.close_code == 1000
    assert received[-1]["type"] == "error"


def test_unknown_engines_are_refused_when_the_sandbox_is_made() -> None:
    """A sandbox with engines that do not exist is refused at once, not at its first speech."""
    with pytest.raises(ConfigurationError, match="engines"):
        Sandbox(engines="nope")
