"""`client.stt`: jobs from creation to transcript, waiting, cleaning up (PROTOCOL 5.3)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync import (
    AbortError,
    CancelToken,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    OneWayTranslation,
    SonioxClient,
    SonioxHttpError,
    SonioxTimeoutError,
)
from soniox_sync.rest import TranscriptionConfig, TranscriptionFailedError
from soniox_sync.sandbox import HeardWord, Sandbox
from soniox_sync.transcript import render_tokens
from tests.rest.raw_http import FILE, PATIENCE, RawHttp, reply

Serve = Callable[..., RawHttp]
SAID = "Hello there my friend. How are you?"
QUICK: dict[str, Any] = {"wait_interval_sec": 0.05}


def job_body(status: str = "queued", **more: Any) -> bytes:
    """Return a job as the service sends it."""
    body = {
        "id": "j1",
        "status": status,
        "created_at": "2026-01-31T12:00:00.123456789Z",
        "model": "stt-async-v6",
        "filename": "a.wav",
        "file_id": "f1",
        "enable_speaker_diarization": False,
        "enable_language_identification": False,
    }
    return json.dumps({**body, **more}).encode()


def test_a_job_names_the_model_that_runs(client: SonioxClient, wav: bytes) -> None:
    """A job for an alias shows the model behind it, from the start on."""
    job = client.stt.transcribe(file=wav, model="stt-async-v4")
    assert job.model == client.stt.wait(job.id, interval_sec=0.05).model == "stt-async-v6"


def test_a_job_from_creation_to_transcript(client: SonioxClient, wav: bytes) -> None:
    """A job is queued, processed, and has text and tokens with times."""
    file = client.files.upload(wav, filename="a.wav")
    job = client.stt.create(file_id=file.id, client_reference_id="r", language_hints=["en"])
    assert (job.status, job.model, job.filename) == ("queued", "stt-async-v6", "a.wav")
    assert (job.file_id, job.client_reference_id, job.language_hints) == (file.id, "r", ("en",))
    done = client.stt.wait(job.id, interval_sec=0.05)
    assert str(done.status) == "completed" and done.is_over and done.audio_duration_ms == 2100
    transcript = client.stt.get_transcript(job.id)
    assert transcript.text == SAID == render_tokens(transcript.tokens)
    assert all(token.is_final and token.end_ms is not None for token in transcript.tokens)


def test_speakers_and_translation_are_in_the_tokens(
    client: SonioxClient, sandbox: Sandbox, wav: bytes
) -> None:
    """Diarization labels tokens; translations follow originals, without times."""
    words = [HeardWord("hello", 0, 300, 0.9, "1"), HeardWord("world.", 400, 800, 0.9, "2")]
    sandbox.script(words)
    transcript = client.stt.transcribe_and_wait_with_tokens(
        file=wav,
        enable_speaker_diarization=True,
        translation=OneWayTranslation("es"),
        **QUICK,
    )
    originals = [token for token in transcript.tokens if token.translation_status == "original"]
    meant = [token for token in transcript.tokens if token.is_translation]
    assert {token.speaker for token in originals} == {"1", "2"}
    assert "".join(token.text for token in meant) == "hola mundo."
    assert all(token.start_ms is None and token.source_language == "en" for token in meant)
    assert transcript.text == "hello world."


def test_every_field_is_sent(serve: Serve) -> None:
    """Keywords, objects and `extra` are sent under their documented names."""
    server = serve(reply(job_body(), "201 Created"))
    config = TranscriptionConfig(language_hints=["de"], enable_language_identification=True)
    with server.client() as client:
        client.stt.create(
            audio_url="https://example.com/a.mp3",
            model="m",
            client_reference_id="r",
            config=config,
            language_hints=["en", "es"],
            language_hints_strict=True,
            enable_speaker_diarization=False,
            context={"general": {"domain": "law"}, "terms": ["tort"]},
            translation={"type": "two_way", "language_a": "en", "language_b": "es"},
            webhook_url="https://example.com/hook",
            webhook_auth_header_name="X-A",
            webhook_auth_header_value="b",
            extra={"new": 1},
        )
    assert json.loads(server.requests[0].body) == {
        "audio_url": "https://example.com/a.mp3",
        "model": "m",
        "client_reference_id": "r",
        "language_hints": ["en", "es"],
        "language_hints_strict": True,
        "enable_speaker_diarization": False,
        "enable_language_identification": True,
        "context": {"general": [{"key": "domain", "value": "law"}], "terms": ["tort"]},
        "translation": {"type": "two_way", "language_a": "en", "language_b": "es"},
        "webhook_url": "https://example.com/hook",
        "webhook_auth_header_name": "X-A",
        "webhook_auth_header_value": "b",
        "new": 1,
    }
    assert "'b'" not in repr(TranscriptionConfig(webhook_auth_header_value="b"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"file_id": "f", "audio_url": "https://x/y"},
        {"file": b"abc", "file_id": "f"},
        {"audio_url": "ftp://x/y"},
        {"audio_url": "https://x/" + "y" * 4096},
        {"file_id": "f", "model": "m" * 33},
        {"file_id": "f", "client_reference_id": "x" * 257},
        {"file_id": "f", "language_hint": ["en"]},
        {"file_id": "f", "language_hints": "en"},
        {"file_id": "f", "language_hints": ["en", "en"]},
        {"file_id": "f", "language_hints": [str(n) for n in range(101)]},
        {"file_id": "f", "enable_speaker_diarization": "yes"},
        {"file_id": "f", "translation": {"target_language": "es"}},
        {"file_id": "f", "webhook_url": "example.com"},
        {"file_id": "f", "webhook_url": "https://" + "x" * 250},
        {"file_id": "f", "extra": {"model": "other"}},
        {"file": b"abc", "context": 7},
    ],
    ids=range(17),
)
def test_wrong_jobs_are_refused_before_anything_is_uploaded(
    serve: Serve, options: dict[str, Any]
) -> None:
    """Wrong arguments are refused, and no file is uploaded for them."""
    server = serve(reply(FILE))
    with server.client() as client:
        with pytest.raises(ConfigurationError):
            client.stt.transcribe(**options)
        with pytest.raises(ConfigurationError):
            client.stt.transcribe_and_wait_with_tokens(**options)
    assert server.connections == 0


def test_a_job_in_progress_can_be_neither_read_nor_deleted(
    make_sandbox: Callable[..., Sandbox], wav: bytes
) -> None:
    """While a job is processed, transcript and deletion are conflicts."""
    sandbox = make_sandbox(limits={"rest_job_sec": 3600.0})
    with sandbox.client() as client:
        job = client.stt.transcribe(file=wav)
        seen: list[str] = []
        with pytest.raises(SonioxTimeoutError, match="goes on"):
            client.stt.wait(
                job.id,
                interval_sec=0.05,
                timeout_sec=0.3,
                on_progress=lambda each: seen.append(str(each.status)),
            )
        assert seen[-1] == "processing" and len(seen) > 2
        for call in (client.stt.get_transcript, client.stt.delete, client.stt.destroy):
            with pytest.raises(ConflictError) as caught:
                call(job.id)
            assert caught.value.error_type == "transcription_invalid_state"
        assert client.stt.wait is not None
        with pytest.raises(SonioxTimeoutError):
            client.stt.wait(job.id, timeout_sec=0)


def test_waiting_can_be_cancelled(make_sandbox: Callable[..., Sandbox], wav: bytes) -> None:
    """A cancel, here from `on_progress`, ends the wait with `AbortError`."""
    sandbox = make_sandbox(limits={"rest_job_sec": 3600.0})
    token = CancelToken()
    with sandbox.client() as client, pytest.raises(AbortError, match="bored"):
        job = client.stt.transcribe(file=wav)
        client.stt.wait(job.id, on_progress=lambda _: token.cancel("bored"), cancel=token)


def test_waiting_tolerates_a_short_outage(serve: Serve) -> None:
    """Failed polls do not end a wait, unless there are many in a row."""
    busy = reply(b"{}", "503 Busy")
    server = serve(reply(job_body()), busy, busy, reply(job_body("completed")))
    with server.client(max_retries=0) as client:
        assert client.stt.wait("j1", interval_sec=0.01).status == "completed"
        server.acts = [busy]
        with pytest.raises(SonioxHttpError) as caught:
            client.stt.wait("j1", interval_sec=0.01)
        assert caught.value.status_code == 503
        server.acts = [reply(b"{}", "404 No")]
        with pytest.raises(NotFoundError):
            client.stt.wait("j1")


def test_an_unknown_status_ends_a_wait(serve: Serve) -> None:
    """An unknown status is not an error, but neither queued nor processing, so the wait ends."""
    with serve(reply(job_body("archived"))).client() as client:
        job = client.stt.wait("j1")
    assert job.status == "archived" and type(job.status) is str


def test_a_failed_job_has_a_reason(client: SonioxClient) -> None:
    """`transcribe_and_wait` returns the failed job, `..._with_tokens` raises with its reason."""
    job = client.stt.transcribe_and_wait(file=b"no audio at all, whatever it is", **QUICK)
    assert job.status == "error" and job.error_type == "invalid_audio_file"
    with pytest.raises(TranscriptionFailedError, match="Invalid audio") as caught:
        client.stt.transcribe_and_wait_with_tokens(file=b"no audio at all here either", **QUICK)
    assert isinstance(caught.value, ConflictError) and caught.value.job is not None
    assert caught.value.error_type == "invalid_audio_file"


def test_delete_after_leaves_nothing(client: SonioxClient, wav: bytes) -> None:
    """Job and file are deleted afterwards, whether the job completed or failed."""
    assert client.stt.transcribe_and_wait_with_tokens(file=wav, delete_after=True, **QUICK).text
    assert client.stt.transcribe_and_wait(file=wav, delete_after=True, **QUICK).is_over
    with pytest.raises(TranscriptionFailedError):
        client.stt.transcribe_and_wait_with_tokens(
            file=b"this is no audio file", delete_after=True, **QUICK
        )
    assert (client.files.count().total, client.stt.count().total) == (0, 0)


def test_without_delete_after_everything_stays(client: SonioxClient, wav: bytes) -> None:
    """Job and file are kept by default."""
    client.stt.transcribe_and_wait(file=wav, **QUICK)
    assert (client.files.count().total, client.stt.count().total) == (1, 1)


def test_cleaning_up_also_runs_when_waiting_fails(
    make_sandbox: Callable[..., Sandbox], wav: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """After a timeout the file is deleted; for the job in progress there is a warning."""
    sandbox = make_sandbox(limits={"rest_job_sec": 3600.0})
    with sandbox.client() as client, caplog.at_level(logging.WARNING, "soniox_sync"):
        with pytest.raises(SonioxTimeoutError):
            client.stt.transcribe_and_wait(
                file=wav, delete_after=True, wait_timeout_sec=0.2, **QUICK
            )
        assert client.files.count().total == 0
        job = client.stt.list().transcriptions[0]
    assert f"the transcription {job.id} could not be deleted" in caplog.text


def test_cleaning_up_also_runs_after_a_cancel(serve: Serve) -> None:
    """The cancelled token ends the wait, not the deletions."""
    token = CancelToken()
    server = serve(
        reply(FILE, "201 Created"),
        reply(job_body(), "201 Created"),
        reply(job_body("processing")),
        reply(b"", "204 No Content"),
    )
    with server.client() as client, pytest.raises(AbortError):
        client.stt.transcribe_and_wait(
            file=b"abc", delete_after=True, on_progress=lambda _: token.cancel(), cancel=token
        )
    sent = [(each.method, each.path) for each in server.requests]
    assert sent[3:] == [("DELETE", "/v1/transcriptions/j1"), ("DELETE", "/v1/files/f1")]


@pytest.mark.parametrize(
    ("act", "options", "deleted"),
    [
        (reply(b"{}", "400 Bad"), {}, True),
        (reply(b"{}", "429 Slow"), {}, True),
        (reply(b"{}", "503 Busy"), {}, False),
        (lambda peer: peer.reset(), {}, False),
        (lambda peer: peer.reset(), {"delete_after": True}, True),
    ],
)
def test_the_file_of_a_refused_job_is_deleted(
    serve: Serve, act: Any, options: dict[str, Any], deleted: bool
) -> None:
    """The file is deleted if the job was refused, otherwise only with `delete_after`."""
    server = serve(reply(FILE, "201 Created"), act, reply(b"", "204 No Content"))
    with server.client() as client, pytest.raises(SonioxHttpError):
        client.stt.transcribe_and_wait(file=b"abc", **options)
    methods = [each.method for each in server.requests]
    assert methods == ["POST", "POST", *(["DELETE"] if deleted else [])]


def test_destroy_deletes_the_file_too(client: SonioxClient, wav: bytes) -> None:
    """`destroy` and `destroy_all` delete jobs and files, `delete` and `delete_all` jobs only."""
    jobs = [client.stt.transcribe_and_wait(file=wav, **QUICK) for _ in range(4)]
    client.stt.destroy(jobs[0].id)
    client.stt.delete(jobs[1].id)
    assert (client.files.count().total, client.stt.count().total) == (3, 2)
    with pytest.raises(NotFoundError):
        client.stt.delete(jobs[1].id)
    client.stt.delete_if_exists(jobs[1].id)
    assert client.stt.get_or_none(jobs[1].id) is None
    assert [job.id for job in client.stt.list_all(limit=1)] == [jobs[2].id, jobs[3].id]
    client.stt.destroy_all(limit=1)
    assert (client.files.count().total, client.stt.count().total) == (1, 0)
    client.stt.transcribe_and_wait(file=wav, **QUICK)
    client.stt.delete_all()
    assert (client.files.count().total, client.stt.count().total) == (2, 0)


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (
            {"to": "es"},
            {"translation": {"type": "one_way", "target_language": "es"}},
        ),
        (
            {"to": "es", "source": "en"},
            {
                "translation": {"type": "one_way", "target_language": "es"},
                "language_hints": ["en"],
                "language_hints_strict": True,
            },
        ),
        (
            {"between": ("en", "es"), "enable_speaker_diarization": True},
            {
                "translation": {"type": "two_way", "language_a": "en", "language_b": "es"},
                "enable_speaker_diarization": True,
            },
        ),
    ],
)
def test_translate_sets_the_translation(
    serve: Serve, options: dict[str, Any], sent: dict[str, Any]
) -> None:
    """`to`, `source` and `between` become the documented fields."""
    server = serve(reply(job_body(), "201 Created"))
    with server.client() as client:
        client.stt.translate(file_id="f1", **options)
    body = json.loads(server.requests[0].body)
    assert body == {
        "file_id": "f1",
        "model": "stt-async-v6",
        "enable_language_identification": True,
        **sent,
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"to": "es", "between": ("en", "es")},
        {"between": ("en", "es"), "source": "en"},
        {"between": ("en",)},
        {"to": "es", "translation": {"type": "one_way", "target_language": "fr"}},
    ],
)
def test_translate_needs_exactly_one_kind(client: SonioxClient, options: dict[str, Any]) -> None:
    """Neither, both, or an incomplete pair is refused."""
    with pytest.raises(ConfigurationError):
        client.stt.translate(file_id="f1", **options)


def test_translate_and_wait_with_tokens(client: SonioxClient, sandbox: Sandbox, wav: bytes) -> None:
    """The transcript contains originals and translations."""
    sandbox.script("Hello world.", ms_per_word=300)
    transcript = client.stt.translate_and_wait_with_tokens(file=wav, to="fr", **QUICK)
    meant = "".join(token.text for token in transcript.tokens if token.is_translation)
    assert meant == "Bonjour monde."
    assert client.stt.translate_and_wait(file=wav, to="fr", **QUICK).status == "completed"


class Hooks(BaseHTTPRequestHandler):
    """Receives webhooks, and serves audio."""

    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.end_headers()
        self.server.called.set()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.audio)

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def hooks() -> Iterator[Any]:
    """Serve a receiver of webhooks on loopback."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
    server.calls, server.statuses, server.audio = [], [], b""
    server.called = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/hook?own=1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_webhook_is_authenticated(
    make_sandbox: Callable[..., Sandbox], hooks: Any, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service sends the environment's secret; `unwrap` accepts that and no other."""
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", "s3cret")
    sandbox = make_sandbox(limits={"time_scale": 0.01})
    hooks.statuses = [500]
    with sandbox.client() as client:
        job = client.stt.transcribe_file_with_webhook(file=wav, webhook_url=hooks.url)
        assert job.webhook_auth_header_value == "********"
        assert hooks.called.wait(PATIENCE)
        delivered = sandbox.log.wait_for(
            lambda entry: (
                (entry.message or {}).get("event") == "webhook"
                and (entry.message or {})["status"] == 204
            )
        )
        assert delivered is not None
        headers, body = hooks.calls[-1]
        event = client.webhooks.unwrap(body, headers)
        assert (event.id, event.status) == (job.id, "completed")
        assert client.stt.get(job.id).webhook_status_code == 204
        own = client.stt.transcribe_file_with_webhook(
            file=wav, webhook_url=hooks.url, webhook_auth=("X-Own", "v")
        )
        assert own.webhook_auth_header_name == "X-Own"
    assert len(hooks.calls) >= 2


def test_audio_from_a_url(client: SonioxClient, hooks: Any, wav: bytes) -> None:
    """The sandbox fetches audio from this machine, and from no other."""
    hooks.audio = wav
    url = f"http://127.0.0.1:{hooks.server_port}/talk.wav"
    assert client.stt.transcribe_and_wait_with_tokens(audio_url=url, **QUICK).text == SAID
    job = client.stt.transcribe_and_wait(audio_url="https://example.com/a.mp3", **QUICK)
    assert job.status == "error" and "127.0.0.1" in (job.error_message or "")


def test_real_speech_is_recognised(make_sandbox: Callable[..., Sandbox]) -> None:
    """With the speech engines a job recognises what the sandbox itself spoke."""
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("pocketsphinx")
    sandbox = make_sandbox(engines="speech")
    with sandbox.client() as client:
        audio = client.tts.generate(text="Good morning, how are you?", voice="Adrian")
        transcript = client.stt.transcribe_and_wait_with_tokens(file=audio, **QUICK)
    assert transcript.text.strip() == "Good morning, how are you?"


@pytest.mark.parametrize("what", ["drop", "cut", "refuse"])
def test_a_flaky_network_creates_no_second_job(
    sandbox: Sandbox, wav: bytes, what: str, tmp_path: Path
) -> None:
    """Whatever the fault, a call never creates two jobs."""
    with sandbox.client() as client:
        file = client.files.upload(wav)
        if what == "drop":
            sandbox.faults.drop(kind="rest", after_body_bytes=5, path="/transcriptions")
        elif what == "cut":
            sandbox.faults.cut(after_body_bytes=5, path="/transcriptions")
        else:
            sandbox.faults.refuse(503, kind="rest", path="/transcriptions")
        with pytest.raises(SonioxHttpError):
            client.stt.create(file_id=file.id)
        sandbox.faults.clear()
        assert client.stt.count().total <= 1
