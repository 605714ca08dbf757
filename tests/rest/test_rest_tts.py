"""`client.tts`: speech over HTTP, whole, streamed and into files (PROTOCOL 4)."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
import threading
import wave
from pathlib import Path
from typing import Any, Callable

import pytest
from raw_http import PATIENCE, Peer, RawHttp, chunked, closing, reply

from soniox_sync import (
    AbortError,
    AuthenticationError,
    CancelToken,
    ConfigurationError,
    RateLimitError,
    ServerError,
    SonioxClient,
    SonioxHttpError,
    StateError,
)
from soniox_sync.rest import HttpTimeoutError
from soniox_sync.sandbox import Sandbox

Serve = Callable[..., RawHttp]
SAY: dict[str, Any] = {"text": "Hello world.", "voice": "Adrian"}
TRAILER = b"0\r\nX-Tts-Error-Code: 503\r\nX-Tts-Error-Message: No capacity.\r\n\r\n"


def collect(body: Any) -> tuple[bytes, Exception]:
    """Read until it fails; give what came before, and the failure."""
    data = b""
    try:
        for piece in body:
            data += piece
    except SonioxHttpError as error:
        return data, error
    raise AssertionError("the body did not fail")


def test_generate_gives_the_whole_audio(client: SonioxClient) -> None:
    """Speech of 16 kHz comes back as that many samples."""
    audio = client.tts.generate(**SAY, audio_format="pcm_s16le", sample_rate=16000)
    assert len(audio) / 32000 == pytest.approx(1.03, abs=0.01)


def test_defaults_are_those_documented(
    client: SonioxClient, sandbox: Sandbox, serve: Serve
) -> None:
    """Without options the current model speaks English as WAV, and nothing else is sent."""
    server = serve(chunked(b"x"))
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


def test_every_option_reaches_the_wire(serve: Serve) -> None:
    """Options go out under their documented names; text is UTF-8."""
    server = serve(chunked(b"x"))
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
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    serve: Serve, options: dict[str, Any], message: str
) -> None:
    """What can be seen to be wrong raises `ConfigurationError`, and no connection is made."""
    server = serve(reply())
    with server.client() as client, pytest.raises(ConfigurationError, match=message):
        client.tts.generate(**{**SAY, **options})
    assert server.connections == 0


def test_the_first_bytes_come_before_the_rest_exists(serve: Serve) -> None:
    """A piece is handed out as soon as it arrives, though the chunk it belongs to is unfinished."""

    def act(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nfirst")
        peer.server.release.wait(PATIENCE)
        peer.send(b"x" * 95 + b"\r\n0\r\n\r\n")

    server = serve(act)
    with server.client() as client, client.tts.generate_stream(**SAY) as body:
        assert next(body) == b"first"
        server.release.set()
        assert b"".join(body) == b"x" * 95


def test_a_refusal_is_raised_by_the_call_itself(client: SonioxClient) -> None:
    """`generate_stream` raises at once, not while it is iterated."""
    with pytest.raises(SonioxHttpError, match="Maya") as caught:
        client.tts.generate_stream(text="x", voice="Maya")
    assert (caught.value.status_code, caught.value.error_type) == (400, "invalid_request")


def test_trailers_of_a_late_failure_raise_after_the_audio(sandbox: Sandbox) -> None:
    """Audio that came is handed out, then the trailers' error is raised."""
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
    """Names have no case, a number may be missing or nonsense: it is a failure all the same."""
    server = serve(chunked(b"audio", end=end))
    with server.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
        with pytest.raises(kind):
            client.tts.generate(**SAY)
    assert data == b"audio"
    assert type(error) is kind and message in str(error)
    assert isinstance(error, SonioxHttpError) and error.status_code == status


@pytest.mark.parametrize(
    "end", [b"0\r\n\r\n", b"0\r\nX-Other: 1\r\n\r\n", b"0\r\nX-Tts-Error-Code: 0\r\n\r\n"]
)
def test_harmless_trailers_are_no_failure(serve: Serve, end: bytes) -> None:
    """Other trailers, none, and an explicit success end the speech well; the line is kept."""
    server = serve(chunked(b"au", b"dio", end=end))
    with server.client() as client:
        assert client.tts.generate(**SAY) == b"audio"
        assert client.tts.generate(**SAY) == b"audio"
    assert server.connections == 1


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "wire",
    [
        HEAD + b"5\r\naudio\r\n",
        HEAD + b"5\r\naudio",
        HEAD + b"a\r\naudio",
        HEAD + b"5\r\naudio\r\n0\r\n",
        HEAD + b"5\r\naudio\r\n0\r\nX-Tts-Er",
        HEAD + b"5\r\naudio\r\n3",
        HEAD + b"5\r\naudioXX5\r\nmore!\r\n0\r\n\r\n",
        HEAD + b"5\r\naudio\r\n-5\r\nmore!\r\n0\r\n\r\n",
        HEAD + b"5\r\naudio\r\n0x5\r\nmore!\r\n0\r\n\r\n",
        HEAD + b"5\r\naudio\r\n+5\r\nmore!\r\n0\r\n\r\n",
        HEAD + b"5\r\naudio\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\naudio",
        b"HTTP/1.1 200 OK\r\n\r\naudio",
    ],
    ids=range(13),
)
def test_a_cut_or_broken_body_raises_after_what_came(serve: Serve, wire: bytes) -> None:
    """Whatever way a body ends early, the bytes before are handed out and an error follows."""
    server = serve(closing(wire))
    with server.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
        with pytest.raises(SonioxHttpError):
            client.tts.generate(**SAY)
    assert data == b"audio"
    assert isinstance(error, SonioxHttpError) and error.code == "network_error"
    assert error.method == "POST"


def test_a_reset_in_the_body_is_a_network_error(sandbox: Sandbox) -> None:
    """A line reset in mid-speech raises after the audio before it."""
    sandbox.faults.drop(kind="rest", after_body_bytes=3000)
    with sandbox.client() as client:
        data, error = collect(client.tts.generate_stream(**SAY))
    assert 0 < len(data) <= 3000
    assert isinstance(error, SonioxHttpError) and error.code == "network_error"


def test_an_old_server_may_end_by_closing(serve: Serve) -> None:
    """HTTP/1.0 knows no other end than that of the connection."""
    server = serve(closing(b"HTTP/1.0 200 OK\r\n\r\naudio"))
    with server.client() as client:
        assert client.tts.generate(**SAY) == b"audio"


def test_a_silent_server_times_out(serve: Serve) -> None:
    """When no audio comes for `timeout_sec`, the call fails as a `TimeoutError` of ours."""

    def act(peer: Peer) -> None:
        peer.send(HEAD + b"5\r\naudio\r\n")
        peer.server.release.wait(PATIENCE)

    server = serve(act)
    with server.client(timeout_sec=0.3) as client:
        data, error = collect(client.tts.generate_stream(**SAY))
    assert data == b"audio"
    assert isinstance(error, (HttpTimeoutError, TimeoutError)) and error.code == "timeout"


@pytest.mark.parametrize("when", ["before", "head", "body"])
def test_a_cancel_wakes_the_call(serve: Serve, when: str) -> None:
    """A cancel from another thread ends a call that waits for the answer or for more audio."""
    token = CancelToken()

    def act(peer: Peer) -> None:
        if when == "body":
            peer.send(HEAD + b"5\r\naudio\r\n")
        threading.Thread(target=token.cancel, args=("enough",)).start()
        assert peer.wait_closed()
        peer.server.release.set()

    server = serve(act)
    if when == "before":
        token.cancel("enough")
    with server.client() as client, pytest.raises(AbortError, match="enough"):
        for piece in client.tts.generate_stream(**SAY, cancel=token):
            assert piece == b"audio"
    assert (server.connections == 0) is (when == "before")
    if when != "before":
        assert server.release.wait(PATIENCE)


def test_closing_the_client_wakes_the_call(serve: Serve) -> None:
    """`client.close()` from another thread ends a call under way with `AbortError`."""
    server = serve(lambda peer: peer.wait_closed() and None)
    client = server.client()
    helper = threading.Thread(target=lambda: server.asked.wait(PATIENCE) and client.close())
    helper.start()
    with pytest.raises(AbortError, match="closed"):
        client.tts.generate(**SAY)
    helper.join()


def test_leaving_a_stream_early_gives_the_line_up(serve: Serve) -> None:
    """A stream closed before its end does not leave a half-read connection for others."""

    def act(peer: Peer) -> None:
        peer.send(HEAD + b"5\r\naudio\r\n")
        peer.server.release.set() if peer.wait_closed() else None

    server = serve(act, chunked(b"next"))
    with server.client() as client:
        with client.tts.generate_stream(**SAY) as body:
            assert next(body) == b"audio"
        assert server.release.wait(PATIENCE)
        body.close()
        assert list(body) == []
        assert client.tts.generate(**SAY) == b"next"
    assert server.connections == 2


def stalled(peer: Peer) -> None:
    """Send some audio, then nothing; tell when the client is gone."""
    peer.send(HEAD + b"5\r\naudio\r\n")
    if peer.wait_closed():
        peer.server.release.set()


@pytest.mark.parametrize("head", ["", "Connection: close\r\n"])
def test_closing_a_stream_wakes_its_reader(serve: Serve, head: str) -> None:
    """`close()` in another thread ends a wait for audio with `AbortError`, and raises nothing."""

    def act(peer: Peer) -> None:
        peer.send(HEAD[:-2] + head.encode() + b"\r\n5\r\naudio\r\n")
        helper.start()
        if peer.wait_closed():
            peer.server.release.set()

    failed: list[BaseException] = []

    def end() -> None:
        try:
            body.close()
            body.close()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    ready = threading.Event()
    helper = threading.Thread(target=lambda: ready.wait(PATIENCE) and end())
    server = serve(act, chunked(b"next"))
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert next(body) == b"audio"
        ready.set()
        with pytest.raises(AbortError, match="closed") as caught:
            next(body)
        helper.join(PATIENCE)
        assert not failed and isinstance(caught.value, SonioxHttpError)
        assert list(body) == []
        assert server.release.wait(PATIENCE)
        assert client.tts.generate(**SAY) == b"next"


def test_a_stream_closed_between_two_pieces_does_not_look_whole(serve: Serve) -> None:
    """A reader that did not wait while another thread closed learns of it with its next step."""
    server = serve(stalled)
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert next(body) == b"audio"
        helper = threading.Thread(target=body.close)
        helper.start()
        helper.join()
        assert server.release.wait(PATIENCE)
        with pytest.raises(AbortError, match="closed"):
            next(body)


def test_a_stream_may_be_closed_in_its_own_loop(serve: Serve) -> None:
    """`close()` inside the loop ends it: who closes knows that there was more."""
    server = serve(stalled)
    got = b""
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        for piece in body:
            got += piece
            body.close()
        assert server.release.wait(PATIENCE)
    assert got == b"audio"


def test_closing_a_stream_that_is_over_changes_nothing(serve: Serve) -> None:
    """After its end a stream has given its line back; to close it, here or there, is harmless."""
    server = serve(chunked(b"audio"))
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert list(body) == [b"audio"]
        for close in (body.close, client.close):
            helper = threading.Thread(target=close)
            helper.start()
            helper.join()
        assert list(body) == []


def test_many_may_close_at_once(serve: Serve) -> None:
    """Closing from many threads at the same moment gives the line up once."""
    server = serve(stalled, chunked(b"next"))
    failed: list[BaseException] = []

    def end() -> None:
        gate.wait()
        try:
            body.close()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    gate = threading.Barrier(8)
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        next(body)
        threads = [threading.Thread(target=end) for _ in range(8)]
        for thread in threads:
            thread.start()
        with pytest.raises(AbortError, match="closed"):
            next(body)
        for thread in threads:
            thread.join(PATIENCE)
        assert not failed and client.tts.generate(**SAY) == b"next"


def test_a_stream_has_one_reader(serve: Serve) -> None:
    """A second reader is told so, and the first one's speech goes on."""
    refused: list[BaseException] = []

    def act(peer: Peer) -> None:
        peer.send(HEAD + b"5\r\naudio\r\n")
        peer.server.release.wait(PATIENCE)
        peer.send(b"4\r\nmore\r\n0\r\n\r\n")

    def intrude() -> None:
        # the first reader may not have begun to wait: then this one waits, and that one is refused
        try:
            got.append(next(body))
        except StateError as error:
            refused.append(error)
            server.release.set()

    got: list[bytes] = []
    server = serve(act)
    with server.client() as client:
        body = client.tts.generate_stream(**SAY)
        assert next(body) == b"audio"
        helpers = [threading.Thread(target=intrude) for _ in range(2)]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join(PATIENCE)
        assert got == [b"more"] and len(refused) == 1
        assert list(body) == []


def test_a_stream_that_is_dropped_closes_itself(serve: Serve) -> None:
    """A loop over a stream nobody else holds gives the line up when it is left."""
    server = serve(stalled)
    with server.client() as client:
        for piece in client.tts.generate_stream(**SAY):
            assert piece == b"audio"
            break
        assert server.release.wait(PATIENCE)


def test_leaving_early_leaves_nothing_open(serve: Serve) -> None:
    """Whoever stops early, the reader, the file or the upload, leaves no socket to the collector.

    A process of its own shows it, with the interpreter's warnings on.
    """
    script = """
        import gc, io, sys, warnings
        warnings.simplefilter("error", ResourceWarning)
        unraised = []
        sys.unraisablehook = lambda found: unraised.append(repr(found.exc_value))
        from soniox_sync import SonioxClient, SonioxHttpError

        class Full(io.RawIOBase):
            def write(self, data):
                raise OSError("the disk is full")

        def refuse(sent, total):
            raise OSError("enough")

        def stop(call):
            try:
                call()
            except (OSError, SonioxHttpError):
                return
            raise SystemExit("nothing was raised")

        def leave(body):
            for piece in body:
                break

        url, say = sys.argv[1], {"text": "x", "voice": "Adrian"}
        with SonioxClient("key-of-a-test", api_url=url + "/v1", tts_api_url=url) as client:
            leave(client.tts.generate_stream(**say))
            with client.tts.generate_stream(**say) as body:
                leave(body)
            body = client.tts.generate_stream(**say)
            body.close()
            client.tts.generate_stream(**say)
            stop(lambda: client.tts.generate_to_file(Full(), **say))
            stop(lambda: client.files.upload(b"x" * 1_000_000, on_progress=refuse))
            del body
            gc.collect()
        gc.collect()
        assert not unraised, unraised
    """
    server = serve(stalled)
    command = [sys.executable, "-X", "dev", "-c", textwrap.dedent(script), server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "ResourceWarning" not in done.stderr, done.stderr


def test_a_file_holds_a_wav_of_the_right_length(client: SonioxClient, tmp_path: Path) -> None:
    """The header of a WAV file tells its true length, and the number of bytes is given."""
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
def test_a_failure_leaves_no_half_file(sandbox: Sandbox, tmp_path: Path, before: Any) -> None:
    """After a failure nothing new lies under the name or beside it."""
    path = tmp_path / "hello.wav"
    if before is not None:
        path.write_bytes(before)
    sandbox.faults.cut(after_body_bytes=2000)
    with sandbox.client() as client, pytest.raises(SonioxHttpError):
        client.tts.generate_to_file(path, **SAY)
    assert [each.name for each in tmp_path.iterdir()] == (["hello.wav"] if before else [])
    assert before is None or path.read_bytes() == before


def test_the_request_is_repeated_only_if_nothing_was_sent(serve: Serve) -> None:
    """A request whose answer was lost, or refused with 503, is never sent again."""
    for act in (lambda peer: peer.reset(), reply(b"{}", "503 Unavailable")):
        server = serve(act)
        with server.client() as client, pytest.raises(SonioxHttpError):
            client.tts.generate(**SAY)
        assert len(server.requests) == 1
