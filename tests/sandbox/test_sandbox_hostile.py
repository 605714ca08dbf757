"""Whatever a client sends, the sandbox answers as the service does and goes on (PROTOCOL 3.7)."""

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
from sandbox_talk import KEY, PATIENCE, RAW_STT, TTS, Talk, text

from soniox_sync import ConfigurationError
from soniox_sync.sandbox import Sandbox

MakeSandbox = Callable[..., Sandbox]
# nested deeper than any interpreter's recursion limit
DEEP = "[" * 100_000
HALF = "\\ud800"  # as JSON writes half a character


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Any:
    """Fail the test if a thread of the sandbox met an exception nobody expected."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def said(message: Any) -> str:
    """Write a message as JSON with its odd values."""
    return json.dumps(message)


@pytest.mark.parametrize(
    "first",
    [
        DEEP,
        '{"a":' * 50_000,
        said({**RAW_STT, "audio_format": ["pcm_s16le"]}),
        said({**RAW_STT, "audio_format": {}}),
        said({**RAW_STT, "model": "M"}).replace("M", HALF),
        said({**RAW_STT, "context": {"text": 5}}),
        said({**RAW_STT, "language_hints": [["en"]]}),
        said({**RAW_STT, "translation": [1]}),
    ],
    ids=lambda text: text[:12] + text[-24:],
)
def test_odd_start_requests_are_refused(sandbox: Sandbox, first: str) -> None:
    """A start request of the wrong shape gets its 400 and a normal close, never a cut line."""
    with Talk(sandbox.urls.stt) as talk:
        talk.say(first)
        heard = talk.hear_all()
        assert talk.close_code == 1000
    assert [message["error_code"] for message in heard] == [400]


@pytest.mark.parametrize("key", [5, ["good-key"], {}, True])
def test_keys_of_the_wrong_type_are_refused(sandbox: Sandbox, key: Any) -> None:
    """A key in a message that is no string gets an error frame."""
    with Talk(sandbox.urls.stt, {}) as talk:
        talk.say({**RAW_STT, "api_key": key})
        heard = talk.hear_all()
        assert talk.close_code == 1000
    assert heard[-1]["error_code"] in (400, 401)


def test_deep_control_message_is_refused(sandbox: Sandbox) -> None:
    """A control message that cannot be read ends the session with its 400."""
    with Talk(sandbox.urls.stt) as talk:
        talk.say(RAW_STT, DEEP)
        assert talk.hear_all()[-1]["error_code"] == 400
        assert talk.close_code == 1000


@pytest.mark.parametrize(
    "message",
    [
        DEEP,
        said({"stream_id": "s1", **TTS}).replace("Adrian", HALF),
        said({"stream_id": "S", **TTS}).replace('"S"', f'"{HALF}"'),
    ],
    ids=["deep", "half a voice", "half an id"],
)
def test_odd_speech_messages_are_refused(sandbox: Sandbox, message: str) -> None:
    """A speech message that cannot be read or repeated is answered with 400."""
    with Talk(sandbox.urls.tts) as talk:
        talk.say(message)
        assert talk.hear()["error_code"] == 400


def test_an_odd_message_leaves_others_alone(sandbox: Sandbox) -> None:
    """A connection that was refused takes no other connection along."""
    with Talk(sandbox.urls.tts) as good, Talk(sandbox.urls.tts) as bad:
        good.say({"stream_id": "s1", **TTS})
        bad.say(DEEP)
        bad.hear_all()
        good.say(text("s1", "Hello."))
        assert good.hear_until("terminated")[-1]["terminated"] is True


def post(sandbox: Sandbox, body: bytes) -> requests.Response:
    """Ask for speech over HTTP, and read all of the answer."""
    headers = {**KEY, "Content-Type": "application/json"}
    return requests.post(f"{sandbox.urls.tts_api}/tts", body, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize(
    "body",
    [DEEP.encode(), b'{"text":"\\ud800"}', b"\xff\xfe", b""],
    ids=["deep", "half", "bytes", "empty"],
)
def test_odd_bodies_are_refused(sandbox: Sandbox, body: bytes) -> None:
    """A body that is no readable JSON gets 400."""
    response = post(sandbox, body)
    assert response.status_code == 400
    assert response.json()["error_type"] == "invalid_request"


@pytest.mark.parametrize(
    "limits", [{"tts_first_audio_delay_sec": 600.0}, {"tts_pace": 0.001}], ids=["late", "slow"]
)
def test_close_does_not_wait_for_slow_speech(
    make_sandbox: MakeSandbox, limits: dict[str, Any]
) -> None:
    """Closing the sandbox ends a `POST /tts` that would still sleep for minutes."""
    sandbox = make_sandbox(limits=limits)
    failure: list[Optional[BaseException]] = []

    def ask() -> None:
        try:
            body = {**TTS, "text": "One sentence. And another one. And a third."}
            post(sandbox, json.dumps(body).encode())
            failure.append(None)
        except requests.RequestException as error:
            failure.append(error)

    client = threading.Thread(target=ask)
    client.start()
    assert sandbox.log.wait_for(lambda entry: entry.kind == "rest", timeout_sec=PATIENCE)
    began = time.monotonic()
    sandbox.close()
    took = time.monotonic() - began
    client.join(PATIENCE)
    assert not client.is_alive()
    assert took < PATIENCE  # it slept for minutes
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
def test_odd_rest_requests_are_refused(
    sandbox: Sandbox, method: str, path: str, body: bytes
) -> None:
    """A REST body of the wrong shape gets 400 in the shape of the host."""
    base = sandbox.urls.api[: -len("/v1")]
    headers = {**KEY, "Content-Type": "application/json"}
    answer = requests.request(method, base + path, data=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 400
    assert answer.json()["status_code"] == 400


def test_a_target_that_is_no_url_is_refused(sandbox: Sandbox) -> None:
    """A request line with a broken URL is answered with 400."""
    parts = urlsplit(sandbox.urls.api)
    with socket.create_connection((parts.hostname, parts.port), PATIENCE) as line:
        line.sendall(b"GET http://[::1/v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        assert line.makefile("rb").readline().split()[1] == b"400"


@pytest.mark.parametrize("kind", [["init"], {}, 5, None])
def test_odd_gateway_messages_are_refused(sandbox: Sandbox, kind: Any) -> None:
    """A gateway message whose type is none is answered, and the line is closed properly."""
    with Talk(f"{sandbox.urls.slng}/v1/stt/soniox/speech-ai:rt-v3") as talk:
        talk.say({"type": kind})
        heard = talk.hear_all()
        assert talk.close_code == 1000
    assert heard[-1]["type"] == "error"


def test_unknown_engines_are_told_when_the_sandbox_is_made() -> None:
    """A sandbox with engines that do not exist is refused at once, not at its first speech."""
    with pytest.raises(ConfigurationError, match="engines"):
        Sandbox(engines="nope")
