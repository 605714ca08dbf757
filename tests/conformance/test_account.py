"""Every REST endpoint: the official SDK and ours get the same results (PROTOCOL 4, 5)."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox

SAID = "one two three four."
QUICK = {"wait_interval_sec": 0.1}


def status_and_type(error: BaseException) -> tuple[Any, Any]:
    """Return status and error type of an error of either SDK."""
    api = getattr(error, "api_error", None)
    kind = api.error_type if api is not None else getattr(error, "error_type", None)
    return getattr(error, "status_code", None), kind


class Side:
    """One of the two SDKs. They differ only in how options are passed."""

    def __init__(self, client: Any, official: bool) -> None:
        self.client = client
        self.official = official
        if official:
            from soniox.errors import InvalidWebhookSignatureError, SonioxAPIError

            self.error: type[Exception] = SonioxAPIError
            self.webhook_error: type[Exception] = InvalidWebhookSignatureError
        else:
            from soniox_sync import SonioxHttpError, WebhookSignatureError

            self.error, self.webhook_error = SonioxHttpError, WebhookSignatureError

    def config(self, **fields: Any) -> dict[str, Any]:
        """Return the options of a transcription as keyword arguments."""
        if not self.official:
            return fields
        from soniox.types import CreateTranscriptionConfig

        return {"config": CreateTranscriptionConfig(**fields)}

    def fails(self, call: Callable[[], Any]) -> tuple[Any, Any]:
        """Make a call that must fail; return status and error type."""
        with pytest.raises(self.error) as caught:
            call()
        return status_and_type(caught.value)


@pytest.fixture(params=["official", "ours"])
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Side]:
    """Provide a client; each test runs with both kinds."""
    sandbox.script(SAID, ms_per_word=200, final_lag_ms=100)
    if request.param == "ours":
        with sandbox.client() as client:
            yield Side(client, False)
        return
    from soniox import SonioxClient

    urls = sandbox.urls
    with SonioxClient(
        api_key=sandbox.api_key,
        api_base_url=urls.api,
        websocket_base_url=urls.stt,
        tts_api_base_url=urls.tts_api,
        tts_websocket_base_url=urls.tts,
    ) as client:
        yield Side(client, True)


@pytest.fixture
def wav() -> bytes:
    """Provide a second of silence as WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(32000))
    return out.getvalue()


def test_files(side: Side, wav: bytes, tmp_path: Path) -> None:
    """Files can be uploaded, fetched, listed, counted and deleted."""
    files = side.client.files
    path = tmp_path / "talk.wav"
    path.write_bytes(wav)
    uploaded = files.upload(path, client_reference_id="ref")
    assert (uploaded.filename, uploaded.size) == ("talk.wav", len(wav))
    assert uploaded.client_reference_id == "ref" and uploaded.created_at.tzinfo is not None
    other = files.upload(wav, filename="ü.wav")
    assert files.get(other.id) == other and other.filename == "ü.wav"
    assert [each.id for each in files.list_all(limit=1)] == [uploaded.id, other.id]
    page = files.list(limit=1)
    assert len(page.files) == 1 and page.next_page_cursor
    assert [each.id for each in files.list(1, page.next_page_cursor).files] == [other.id]
    assert files.count().total == files.count().public_api == 2
    files.delete(other.id)
    assert files.get_or_none(other.id) is None
    files.delete_if_exists(other.id)
    assert side.fails(lambda: files.delete(other.id)) == (404, "file_not_found")
    assert side.fails(lambda: files.list(cursor="bad")) == (400, "invalid_cursor")
    files.delete_all()
    assert files.count().total == 0


def test_transcriptions(side: Side, wav: bytes) -> None:
    """Jobs can be created, waited for, fetched, listed, counted and destroyed."""
    stt = side.client.stt
    uploaded = side.client.files.upload(wav, filename="a.wav")
    job = stt.create(
        file_id=uploaded.id,
        client_reference_id="ref",
        **side.config(language_hints=["en"], enable_speaker_diarization=True),
    )
    assert (job.status, job.file_id) == ("queued", uploaded.id)
    assert job.model == "stt-async-v6"  # v5, the default of the official SDK, is an alias
    assert list(job.language_hints) == ["en"] and job.client_reference_id == "ref"
    done = stt.wait(job.id, interval_sec=0.1)
    assert done.status == "completed" and done.audio_duration_ms == 1000
    transcript = stt.get_transcript(job.id)
    assert transcript.text == "".join(token.text for token in transcript.tokens) == SAID
    assert {token.speaker for token in transcript.tokens} == {"1"}
    assert [each.id for each in stt.list_all()] == [job.id] and stt.count().total == 1
    assert stt.get(job.id).status == "completed"
    stt.destroy(job.id)
    assert stt.get_or_none(job.id) is None
    assert side.client.files.get_or_none(uploaded.id) is None
    assert side.fails(lambda: stt.get(job.id)) == (404, "transcription_not_found")


def test_transcribing_in_one_call(side: Side, wav: bytes) -> None:
    """One call uploads, waits, fetches the transcript and cleans up, also with a translation."""
    stt = side.client.stt
    assert stt.transcribe_and_wait(file=wav, delete_after=True, **QUICK).status == "completed"
    result = stt.transcribe_and_wait_with_tokens(file=wav, delete_after=True, **QUICK)
    assert result.text == SAID
    result = stt.translate_and_wait_with_tokens(file=wav, to="es", delete_after=True, **QUICK)
    assert {token.translation_status for token in result.tokens} == {"original", "translation"}
    job = stt.translate(file=wav, between=("en", "es"))
    assert job.enable_language_identification is True
    stt.wait(job.id, interval_sec=0.1)
    stt.destroy_all()
    assert (stt.count().total, side.client.files.count().total) == (0, 0)


def test_failed_transcriptions(side: Side) -> None:
    """Waiting returns a failed job, and its transcript is a conflict."""
    job = side.client.stt.transcribe_and_wait(file=b"this is no audio at all", **QUICK)
    assert (job.status, job.error_type) == ("error", "invalid_audio_file")
    status, kind = side.fails(lambda: side.client.stt.get_transcript(job.id))
    assert (status, kind) == (409, "transcription_invalid_state")
    assert side.fails(lambda: side.client.stt.create(file_id="nope")) == (404, "file_not_found")
    unknown = side.fails(lambda: side.client.stt.create(file_id="nope", model="old"))
    assert unknown == (400, "model_not_available")


def test_a_job_with_a_webhook(side: Side, wav: bytes) -> None:
    """The job has the webhook's URL."""
    job = side.client.stt.transcribe_file_with_webhook(
        file=wav, webhook_url="https://example.com/hook"
    )
    assert job.webhook_url == "https://example.com/hook"
    assert side.client.stt.wait(job.id, interval_sec=0.1).webhook_status_code is None


def test_webhooks(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right secret unwraps a webhook, a wrong one raises."""
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", "s3cret")
    webhooks = side.client.webhooks
    if not side.official:  # our client reads the environment when it is created
        from soniox_sync import SonioxClient

        webhooks = SonioxClient("key").webhooks
    body = json.dumps({"id": "t1", "status": "completed"})
    event = webhooks.unwrap(body, {"x-soniox-webhook-secret": "s3cret"})
    assert (event.id, event.status) == ("t1", "completed")
    assert webhooks.unwrap(body.encode(), {"X-Soniox-Webhook-Secret": "s3cret"}).id == "t1"
    for headers in ({}, {"X-Soniox-Webhook-Secret": "wrong"}):
        with pytest.raises(side.webhook_error):
            webhooks.unwrap(body, headers)


def test_models(side: Side) -> None:
    """Both kinds of models are listed, with languages, voices and features."""
    stt = {model.id: model for model in side.client.models.list().models}
    assert stt["stt-async-v4"].aliased_model_id == "stt-async-v6"
    assert stt["stt-rt-v6"].transcription_mode == "real_time"
    assert "en" in [language.code for language in stt["stt-rt-v6"].languages]
    tts = side.client.tts_models.list().models[0]
    assert (tts.id, tts.speed_min, tts.supports_timestamps) == ("tts-rt-v2", 0.7, True)
    assert "Adrian" in [voice.id for voice in tts.voices]


def test_voices(side: Side, wav: bytes) -> None:
    """Voices can be created, fetched, listed, recomputed and deleted; shared ones filtered."""
    voices = side.client.voices
    voice = voices.create(wav, name="me", filename="clip.wav")
    assert (voice.name, voice.filename) == ("me", "clip.wav")
    assert voices.get(voice.id).id == voice.id and voices.count().total == 1
    assert [each.id for each in voices.list_all()] == [voice.id]
    assert voices.recompute(voice.id, model="tts-rt-v2").id == voice.id
    assert side.fails(lambda: voices.create(wav, name="me"))[0] == 409
    voices.delete(voice.id)
    assert voices.get_or_none(voice.id) is None
    assert side.fails(lambda: voices.delete(voice.id))[0] == 404
    shared = voices.list_shared("tts-rt-v2", gender="female", style=["calm"], limit=1)
    assert len(shared.voices) == 1 and shared.voices[0].gender == "female"
    women = list(voices.list_all_shared("tts-rt-v2", gender="female", limit=4))
    assert len(women) == 9


def test_temporary_keys(side: Side, sandbox: Sandbox) -> None:
    """A temporary key works, and has its expiry."""
    key = side.client.auth.create_temporary_api_key(usage_type="tts_rt", expires_in_seconds=60)
    assert key.api_key.startswith("snx_temp_")
    assert key.expires_at > datetime.now(timezone.utc)
    with sandbox.client(api_key=key.api_key) as holder:
        assert holder.tts.generate(text="Hi.", voice="Adrian")


def test_usage(side: Side, wav: bytes) -> None:
    """Usage shows in logs, summary, limits and history."""
    client = side.client
    client.stt.transcribe_and_wait(file=wav, client_reference_id="ref", **QUICK)
    now = datetime.now(timezone.utc)
    start = (now - timedelta(hours=1)).isoformat()
    end = (now + timedelta(hours=1)).isoformat()
    [log] = list(client.usage_logs.list_all(start, end))
    model = "stt-async-v6"  # v5, the default of the official SDK, is an alias
    assert (log.model, log.client_reference_id) == (model, "ref")
    assert log.input_audio_duration_ms == 1000
    summary = client.usage.summary(start, end)
    assert summary.total.model is None and summary.models[0].model == model
    assert Decimal(summary.total.total_cost_usd) == Decimal(log.cost_usd) > 0
    assert client.concurrency_limits.get().project.current.tts_concurrent == 0
    history = client.concurrency_limits.history(start, end, period_sec=3600, kind="stt")
    assert history.kind == "stt" and len(history.entries) == 2


def test_speech(side: Side, tmp_path: Path) -> None:
    """Speech over HTTP is returned, or written to a file."""
    options: dict[str, Any] = {"text": "Hello world.", "voice": "Adrian", "language": "en"}
    audio = side.client.tts.generate(**options)
    assert audio[:4] == b"RIFF"
    path = tmp_path / "hello.wav"
    assert side.client.tts.generate_to_file(path, **options) == path.stat().st_size == len(audio)
    status, kind = side.fails(lambda: side.client.tts.generate(**{**options, "voice": "Maya"}))
    assert (status, kind) == (400, "invalid_request")


def test_refused_keys(side: Side, sandbox: Sandbox) -> None:
    """A key without permissions is refused with status and error type, in every namespace."""
    key = side.client.auth.create_temporary_api_key(usage_type="transcribe_websocket").api_key
    if side.official:
        from soniox import SonioxClient

        client: Any = SonioxClient(api_key=key, api_base_url=sandbox.urls.api)
    else:
        client = sandbox.client(api_key=key)
    with client:
        for call in (client.files.list, client.stt.count, client.models.list, client.voices.list):
            assert side.fails(call) == (401, "unauthenticated")
