"""HTTP exchanges of a trace are played by method, path and query, in order."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import requests

from soniox_sync.errors import SonioxHttpError
from soniox_sync.sandbox import Sandbox
from tests.sandbox.replay.lines import Trace, audio


@pytest.fixture
def trace() -> Trace:
    """Provide an empty trace."""
    return Trace()


def url(sandbox: Sandbox, path: str) -> str:
    """Return a URL of the sandbox."""
    return f"{sandbox.urls.tts_api}{path}"


def test_responses_come_in_order_with_status_and_headers(trace: Trace) -> None:
    """Each request of a kind gets the next response of its kind, whatever comes between."""
    for status in ("queued", "completed"):
        trace.exchange("GET", "/v1/transcriptions/7", answer={"status": status})
    trace.exchange("DELETE", "/v1/files/1", status=204)
    trace.exchange(
        "GET", "/v1/files/1", status=404, headers={"X-Request-Id": "r"}, answer={"message": "m"}
    )
    with trace.sandbox() as sandbox, requests.Session() as session:
        missing = session.get(url(sandbox, "/v1/files/1"))
        assert (missing.status_code, missing.headers["X-Request-Id"]) == (404, "r")
        job = [session.get(url(sandbox, "/v1/transcriptions/7")).json()["status"] for _ in range(2)]
        assert job == ["queued", "completed"]
        assert session.delete(url(sandbox, "/v1/files/1")).status_code == 204
        assert sandbox.replay.differences == sandbox.replay.remaining == ()


def test_the_query_selects_the_response(trace: Trace) -> None:
    """Requests that differ in their query get the response of theirs, in any order."""
    for cursor in ("a", "b"):
        trace.exchange("GET", f"/v1/files?limit=2&cursor={cursor}", answer={"of": cursor})
    with trace.sandbox() as sandbox:
        for cursor in ("b", "a"):
            got = requests.get(url(sandbox, "/v1/files"), {"cursor": cursor, "limit": 2})
            assert got.json() == {"of": cursor}


@pytest.mark.parametrize("keep", [True, False])
def test_audio_is_played_in_its_pieces(trace: Trace, keep: bool) -> None:
    """A body of audio is sent piece by piece; without its bytes it is silence, and that is said."""
    pieces = tuple(audio(data, keep) for data in (b"abc", b"de"))
    body = {"json": {"text": "Hi.", "audio_format": "pcm_s16le"}}
    trace.exchange("POST", "/tts", body, headers={"Content-Type": "audio/pcm"}, pieces=pieces)
    with trace.sandbox() as sandbox:
        got = requests.post(url(sandbox, "/tts"), json=body["json"])
        assert got.content == (b"abcde" if keep else bytes(5))
        assert got.headers["Content-Type"] == "audio/pcm"
        assert bool(sandbox.replay.notes) is not keep


def test_a_wav_without_its_audio_can_be_read(trace: Trace) -> None:
    """Silence in place of a WAV begins with a header, so that the client can read it."""
    body = {"json": {"text": "Hi.", "audio_format": "wav", "sample_rate": 16000}}
    trace.exchange("POST", "/tts", body, pieces=(audio(bytes(100), False), audio(bytes(20), False)))
    with trace.sandbox() as sandbox:
        got = requests.post(url(sandbox, "/tts"), json=body["json"]).content
        assert len(got) == 120
        assert got.startswith(b"RIFF")
        assert got[24:28] == (16000).to_bytes(4, "little")


def test_a_body_that_was_cut_is_cut(trace: Trace) -> None:
    """A body without its last piece ends without its last chunk."""
    number = trace.exchange("POST", "/tts", {"json": {}}, pieces=(audio(b"abc"),))
    trace.lines[-1]["last"] = False
    trace.add("failed", exchange=number, error="ChunkedEncodingError: cut")
    with trace.sandbox() as sandbox, pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = requests.post(url(sandbox, "/tts"), json={}).content


def test_a_request_that_failed_fails(trace: Trace) -> None:
    """A request without a response in the trace gets none."""
    number = trace.exchange("GET", "/v1/models", status=None)
    trace.add("failed", exchange=number, error="ConnectionError: refused")
    with trace.sandbox() as sandbox, pytest.raises(requests.exceptions.ConnectionError):
        requests.get(url(sandbox, "/v1/models"))


def test_a_trace_that_ends_before_a_response_says_so(trace: Trace) -> None:
    """A request whose response the traced program did not live to see is answered at once."""
    trace.exchange("GET", "/v1/models", status=None)
    with trace.sandbox() as sandbox:
        got = requests.get(url(sandbox, "/v1/models"))
        assert got.status_code == 400
        assert "expected the end of the trace before the response" in got.json()["message"]
        assert len(sandbox.replay.differences) == 1


def test_a_request_that_timed_out_is_not_answered(trace: Trace) -> None:
    """A request that timed out in the trace waits for the client's own time limit."""
    number = trace.exchange("GET", "/v1/models", status=None)
    trace.add("failed", exchange=number, error="ReadTimeout: Read timed out.")
    with trace.sandbox() as sandbox, pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(url(sandbox, "/v1/models"), timeout=0.3)


FORM = {
    "form": [
        {"name": "client_reference_id", "bytes": 3},
        {"name": "file", "filename": "a.wav", "bytes": 5},
    ]
}
BINARY = {"binary": {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()[:16]}}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (
            {"json": {"a": 1, "webhook_auth_header_value": "***"}},
            {"json": {"webhook_auth_header_value": "s", "a": 1}},
        ),
        (FORM, {"files": {"file": ("a.wav", b"12345")}}),
        (BINARY, {"data": b"abc"}),
        ({"text": "abc"}, {"data": "abc"}),
        (None, {}),
    ],
)
def test_bodies_are_compared_by_meaning(trace: Trace, body: Any, sent: dict[str, Any]) -> None:
    """A body that means the same is the same: order, secrets and references do not matter."""
    trace.exchange("POST", "/v1/things", body, answer={"ok": True})
    with trace.sandbox() as sandbox:
        assert requests.post(url(sandbox, "/v1/things"), **sent).json() == {"ok": True}


@pytest.mark.parametrize(
    ("body", "sent", "field"),
    [
        ({"json": {"a": [{"b": 1}]}}, {"json": {"a": [{"b": 2}]}}, "a[0].b"),
        ({"json": {}}, {"data": "no JSON"}, "body"),
        (FORM, {"files": {"file": ("a.wav", b"1234")}}, "form[0].bytes"),
        (FORM, {"data": "no form"}, "form"),
        (BINARY, {"data": b"abcd"}, "body"),
        (BINARY, {"data": b"abd"}, "body"),
        ({"text": "abc"}, {"data": "abd"}, "body"),
        (None, {"data": "abc"}, "body"),
        (None, {"params": {"a": "1"}}, "query.a"),
    ],
)
def test_another_body_or_query_is_told(
    trace: Trace, body: Any, sent: dict[str, Any], field: str
) -> None:
    """A body or query that differs is an error that names the field; the response stays."""
    trace.exchange("POST", "/v1/things", body, answer={"ok": True})
    with trace.sandbox() as sandbox:
        got = requests.post(url(sandbox, "/v1/things"), **sent)
        (found,) = sandbox.replay.differences
        assert (found.kind, found.field, found.line) == ("request", field, 2)
        assert got.status_code == 400
        assert str(found) in got.json()["message"]
        assert sandbox.replay.remaining == ("POST /v1/things (line 2): never requested",)


def test_a_request_too_many_is_told(trace: Trace) -> None:
    """A request that the trace does not have, or not once more, is an error of the client's."""
    trace.exchange("GET", "/v1/models", answer={"models": []})
    with trace.sandbox() as sandbox, sandbox.client() as client:
        assert client.models.list() is not None
        with pytest.raises(
            SonioxHttpError,
            match="GET /v1/models: expected 1 request, got request 2; a trace is played",
        ):
            client.models.list()
        with pytest.raises(
            SonioxHttpError, match="GET /v1/files/x: expected nothing, got a request"
        ):
            client.files.get_or_none("x")
        assert [each.kind for each in sandbox.replay.differences] == ["request", "request"]


def test_a_refused_upgrade_is_refused(trace: Trace) -> None:
    """An upgrade that was answered with a status gets status, headers and body again."""
    socket = trace.socket("/v1/stt/soniox/speech-ai:rt-v4", opened=False)
    socket.add("refused", status=403, headers={"X-Why": "zone"}, body="not in this zone").end("x")
    with trace.sandbox() as sandbox:
        got = requests.get(url(sandbox, "/v1/stt/soniox/speech-ai:rt-v4"), headers=UPGRADE)
        assert (got.status_code, got.text, got.headers["X-Why"]) == (
            403,
            "not in this zone",
            "zone",
        )


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_a_connection_that_failed_fails(trace: Trace) -> None:
    """A connection that could not be made in the trace gets no answer."""
    trace.socket("/tts-websocket", opened=False).end("SonioxConnectionError: refused")
    with trace.sandbox() as sandbox, pytest.raises(requests.exceptions.ConnectionError):
        requests.get(url(sandbox, "/tts-websocket"), headers=UPGRADE)
