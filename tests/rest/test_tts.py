"""`client.tts`: speech over HTTP, whole, streamed and into files (PROTOCOL 4)."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync import (
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    ServerError,
    SonioxClient,
    SonioxHttpError,
)
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import CHUNKED, PATIENCE, Peer, RawHttp, chunked, closing, collect, reply

Serve = Callable[..., RawHttp]
SAY: dict[str, Any] = {"text": "Hello world.", "voice": "Adrian"}
TRAILER = b"0\r\nX-Tts-Error-Code: 503\r\nX-Tts-Error-Message: No capacity.\r\n\r\n"


def test_generate_returns_the_whole_audio(client: SonioxClient) -> None:
    """The audio has the length of the speech at the requested rate."""
    audio = client.tts.generate(**SAY, audio_format="pcm_s16le", sample_rate=16000)
    assert len(audio) / 32000 == pytest.approx(1.03, abs=0.01)


def test_defaults_are_those_documented(
    client: SonioxClient, sandbox: Sandbox, serve: Serve
) -> None:
    """Without options the current model speaks English as WAV, and nothing else is sent."""
    server = serve(chunked(b"RIFF"))
    server.client().tts.generate(**SAY)
    assert json.loads(server.requests[0].body) == {
        "model": "tts-rt-v2",
        "language": "en",
        "voice": "Adrian",
        "audio_format": "wav",
        "text": "Hello world.",
    }
    assert server.requests[0].path == "/tts"
    assert client.tts.generate(**SAY)[:4] == b"RIFF"


def test_every_option_is_sent(serve: Serve) -> None:
    """Options are sent under their documented names; text is UTF-8."""
    server = serve(chunked(b"RIFF"))
    options = {
        "model": "m",
        "language": "ru",
        "audio_format": "mp3",
        "sample_rate": 24000,
        "bitrate": 64000,
        "speed": 1.2,
        "reduce_silence": True,
        "client_reference_id": "call-1",
    }
    with server.client() as client:
        client.tts.generate(text="Привет", voice="Nina", **options)
    assert json.loads(server.requests[0].body) == {**options, "text": "Привет", "voice": "Nina"}
    assert "Привет".encode() in server.requests[0].body
    assert server.requests[0].headers["authorization"] == "Bearer sk-test/secret+key"


@pytest.mark.parametrize("call", ["generate", "generate_stream", "generate_to_file"])
def test_extra_fields_are_sent_unchanged(serve: Serve, call: str) -> None:
    """Every call sends the fields in `extra`, nested ones included, beside its own."""
    server = serve(chunked(b"RIFF"))
    more = {"pitch": 2, "style": {"mood": ["calm", None]}}
    target = (io.BytesIO(),) if call == "generate_to_file" else ()
    with server.client() as client:
        spoken = getattr(client.tts, call)(*target, **SAY, audio_format="mp3", extra=more)
        if call == "generate_stream":
            assert b"".join(spoken) == b"RIFF"
    sent = json.loads(server.requests[0].body)
    assert {name: sent.pop(name) for name in more} == more
    assert set(sent) == {"model", "language", "voice", "audio_format", "text"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": ""}, "empty"),
        ({"text": "x" * 5001}, "5000"),
        ({"text": "я" * 2501}, "5000"),
        ({"text": b"bytes"}, "str"),
        ({"text": "\ud800"}, "surrogate"),
        ({"voice": ""}, "voice"),
        ({"speed": 2.0}, "speed"),
        ({"audio_format": "mp3", "sample_rate": 8000}, "sample_rate"),
        ({"client_reference_id": "x" * 257}, "client_reference_id"),
        ({"extra": {"text": "other"}}, "extra: .*text"),
        ({"extra": {"voice": "Nina"}}, "extra: .*voice"),
        ({"extra": {"api_key": "k"}}, "extra: .*api_key"),
        ({"extra": {"new": {1, 2}}}, "extra"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    serve: Serve, options: dict[str, Any], message: str
) -> None:
    """Wrong arguments raise `ConfigurationError`, and no connection is made."""
    server = serve(reply())
    with server.client() as client, pytest.raises(ConfigurationError, match=message):
        client.tts.generate(**{**SAY, **options})
    assert server.connections == 0


def test_the_first_bytes_are_delivered_early(serve: Serve) -> None:
    """Bytes are delivered when they arrive, even if their HTTP chunk is incomplete."""

    def act(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nRIFF!")
        peer.server.release.wait(PATIENCE)
        peer.send(b"x" * 95 + b"\r\n0\r\n\r\n")

    server = serve(act)
    with server.client() as client, client.tts.generate_stream(**SAY) as body:
        assert next(body) == b"RIFF!"
        server.release.set()
        assert b"".join(body) == b"x" * 95


def test_a_refusal_is_raised_by_the_call_itself(client: SonioxClient) -> None:
    """`generate_stream` raises at once, not during iteration."""
    with pytest.raises(SonioxHttpError, match="Maya") as caught:
        client.tts.generate_stream(text="x", voice="Maya")
    assert (caught.value.status_code, caught.value.error_type) == (400, "invalid_request")


def test_trailers_of_a_late_failure_raise_after_the_audio(sandbox: Sandbox) -> None:
    """Received audio is delivered, then the trailers' error is raised."""
    sandbox.faults.trailer(429, "Too much.", after_body_bytes=2000)
    with sandbox.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
        assert len(data) == 2000
        assert isinstance(error, RateLimitError) and error.status_code == 429
        assert "Too much" in str(error)
        assert len(client.tts.generate(**SAY)) > 2000


@pytest.mark.parametrize(
    ("end", "kind", "status", "message"),
    [
        (TRAILER, ServerError, 503, "No capacity"),
        (b"0\r\nx-tts-error-code:500\r\n\r\n", ServerError, 500, "after the first audio"),
        (b"0\r\nX-Tts-Error-Message: odd\r\n\r\n", ServerError, 500, "odd"),
        (b"0\r\nX-TTS-ERROR-CODE: nonsense\r\n\r\n", ServerError, 500, "after the first"),
        (b"0\r\nX-Tts-Error-Code: 401\r\n\r\n", AuthenticationError, 401, ""),
    ],
)
def test_trailers_are_read_leniently(
    serve: Serve, end: bytes, kind: type[SonioxHttpError], status: int, message: str
) -> None:
    """Case does not matter; a missing or invalid number is an error all the same."""
    server = serve(chunked(b"RIFF!", end=end))
    with server.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
        with pytest.raises(kind):
            client.tts.generate(**SAY)
    assert data == b"RIFF!"
    assert type(error) is kind and message in str(error)
    assert isinstance(error, SonioxHttpError) and error.status_code == status


@pytest.mark.parametrize(
    "end", [b"0\r\n\r\n", b"0\r\nX-Other: 1\r\n\r\n", b"0\r\nX-Tts-Error-Code: 0\r\n\r\n"]
)
def test_other_trailers_are_ignored(serve: Serve, end: bytes) -> None:
    """Other trailers, none, and an explicit success end normally; the connection is kept."""
    server = serve(chunked(b"RI", b"FF!", end=end))
    with server.client() as client:
        assert client.tts.generate(**SAY) == b"RIFF!"
        assert client.tts.generate(**SAY) == b"RIFF!"
    assert server.connections == 1


@pytest.mark.parametrize(
    "wire",
    [
        CHUNKED + b"5\r\nRIFF!\r\n",
        CHUNKED + b"5\r\nRIFF!",
        CHUNKED + b"a\r\nRIFF!",
        CHUNKED + b"5\r\nRIFF!\r\n0\r\n",
        CHUNKED + b"5\r\nRIFF!\r\n0\r\nX-Tts-Er",
        CHUNKED + b"5\r\nRIFF!\r\n3",
        CHUNKED + b"5\r\nRIFF!XX5\r\nmore!\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nRIFF!\r\n-5\r\nmore!\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nRIFF!\r\n0x5\r\nmore!\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nRIFF!\r\n+5\r\nmore!\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nRIFF!\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nRIFF!",
        b"HTTP/1.1 200 OK\r\n\r\nRIFF!",
    ],
    ids=range(13),
)
def test_a_truncated_or_invalid_body_raises_after_its_audio(serve: Serve, wire: bytes) -> None:
    """Whenever a body ends early, the bytes before are delivered and an error follows."""
    server = serve(closing(wire))
    with server.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
        with pytest.raises(SonioxHttpError):
            client.tts.generate(**SAY)
    assert data == b"RIFF!"
    assert isinstance(error, SonioxHttpError) and error.code == "network_error"
    assert error.method == "POST"


def test_a_reset_in_the_body_is_a_network_error(sandbox: Sandbox) -> None:
    """A connection reset in mid-speech raises after the audio before it."""
    sandbox.faults.drop(kind="rest", after_body_bytes=3000)
    with sandbox.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
    assert 0 < len(data) <= 3000
    assert isinstance(error, SonioxHttpError) and error.code == "network_error"


def test_an_old_server_may_end_by_closing(serve: Serve) -> None:
    """With HTTP/1.0 the end of the connection is the end of the body."""
    server = serve(closing(b"HTTP/1.0 200 OK\r\n\r\nRIFF!"))
    with server.client() as client:
        assert client.tts.generate(**SAY) == b"RIFF!"


def test_a_file_contains_a_wav_of_the_right_length(client: SonioxClient, tmp_path: Path) -> None:
    """The header of a WAV file has the correct length, and the number of bytes is returned."""
    path = tmp_path / "hello.wav"
    written = client.tts.generate_to_file(path, **SAY, sample_rate=16000)
    assert path.stat().st_size == written
    with wave.open(str(path)) as file:
        assert file.getnframes() * 2 + 44 == written


def test_a_file_object_gets_a_wav_of_the_right_length(client: SonioxClient) -> None:
    """A file object that can seek gets its header corrected, and stays open."""
    out = io.BytesIO()
    written = client.tts.generate_to_file(out, **SAY)
    assert len(out.getvalue()) == written
    out.seek(0)
    with wave.open(out) as file:
        assert file.getnframes() * 2 + 44 == written


@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_failure_leaves_no_partial_file(sandbox: Sandbox, tmp_path: Path, before: Any) -> None:
    """After a failure there is no new file with that name, and no temporary file."""
    path = tmp_path / "hello.wav"
    if before is not None:
        path.write_bytes(before)
    sandbox.faults.cut(after_body_bytes=2000)
    with sandbox.client() as client, pytest.raises(SonioxHttpError):
        client.tts.generate_to_file(path, **SAY)
    assert [each.name for each in tmp_path.iterdir()] == (["hello.wav"] if before else [])
    assert before is None or path.read_bytes() == before


def test_the_request_is_retried_only_if_nothing_was_sent(serve: Serve) -> None:
    """A request whose response was lost or a 503 is never sent again."""
    for act in (lambda peer: peer.reset(), reply(b"{}", "503 Unavailable")):
        server = serve(act)
        with server.client() as client, pytest.raises(SonioxHttpError):
            client.tts.generate(**SAY)
        assert len(server.requests) == 1
