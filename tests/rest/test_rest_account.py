"""Models, voices, temporary keys, usage and limits, against the sandbox (PROTOCOL 5.4 - 5.8)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Callable

import pytest
from raw_http import PATIENCE, RawHttp, reply

from soniox_sync import (
    AuthenticationError,
    AuthError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    SonioxClient,
    SonioxHttpError,
)
from soniox_sync.rest.records import moment
from soniox_sync.sandbox import Sandbox

Serve = Callable[..., RawHttp]
RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


def until(check: Callable[[], bool]) -> bool:
    """Look until something holds; tell whether it does before the test's patience ends."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if check():
            return True
        pause.wait(0.02)
    return False


def test_models_are_listed_with_what_they_can_do(client: SonioxClient) -> None:
    """Both lists are sequences of typed models."""
    models = {model.id: model for model in client.models.list()}
    assert models["stt-rt-v5"].transcription_mode == "real_time"
    assert models["stt-async-v4"].aliased_model_id == "stt-async-v5"
    assert models["stt-rt-v5"].endpoint_latency_adjustment_max_level == 3
    assert {"code": "en", "name": "English"} in models["stt-rt-v5"].raw["languages"]
    voices = client.tts_models.list().models[0].voices
    assert ("Adrian", "male") in [(voice.id, voice.gender) for voice in voices]
    assert client.tts_models.list().models[0].speed_max == 1.3
    assert len(client.models.list()) == 4 and len(client.tts_models.list()) == 2


def test_a_cloned_voice_speaks_once_it_is_ready(client: SonioxClient, wav: bytes) -> None:
    """A voice is prepared after its creation, then speech accepts its id."""
    voice = client.voices.create(wav, name="me", filename="clip.wav")
    assert (voice.name, voice.filename) == ("me", "clip.wav")
    assert until(lambda: client.voices.get(voice.id).status_for("tts-rt-v2") == "ready")
    assert client.tts.generate(text="Hi.", voice=voice.id)
    assert client.voices.recompute(voice.id, model="tts-rt-v2").id == voice.id
    client.voices.delete(voice.id)
    with pytest.raises(SonioxHttpError, match="voice"):
        client.tts.generate(text="Hi.", voice=voice.id)
    assert client.voices.get_or_none(voice.id) is None
    client.voices.delete_if_exists(voice.id)
    with pytest.raises(NotFoundError):
        client.voices.delete(voice.id)


def test_voices_are_named_once_and_listed(client: SonioxClient, wav: bytes) -> None:
    """A second voice of a name is a conflict; lists have pages."""
    for name in ("a", "b", "c"):
        client.voices.create(wav, name=name)
    with pytest.raises(ConflictError):
        client.voices.create(wav, name="b")
    assert [voice.name for voice in client.voices.list_all(limit=2)] == ["a", "b", "c"]
    assert client.voices.list(limit=1).next_page_cursor is not None
    assert client.voices.count().total == 3


def test_a_clip_that_is_too_long_fails_later(client: SonioxClient, wav: bytes) -> None:
    """The service takes it, then says that it failed, and why."""
    long = wav + bytes(2 * 16000 * 20)
    long = long[:4] + b"\xff\xff\xff\xff" + long[8:40] + b"\xff\xff\xff\xff" + long[44:]
    voice = client.voices.create(long, name="long")
    assert until(lambda: client.voices.get(voice.id).models[0].status == "failed")
    assert client.voices.get(voice.id).models[0].error_type == "voice_audio_too_long"


@pytest.mark.parametrize("name", ["", "x" * 129, 7])
def test_voice_names_are_checked_here(client: SonioxClient, wav: bytes, name: Any) -> None:
    """An empty or endless name is refused before the clip is sent."""
    with pytest.raises(ConfigurationError):
        client.voices.create(wav, name=name)


def test_a_clip_that_is_no_audio_is_refused(client: SonioxClient) -> None:
    """The service's complaint names the field."""
    with pytest.raises(SonioxHttpError) as caught:
        client.voices.create(b"this is certainly no audio", name="x")
    assert caught.value.validation_errors[0]["location"] == "file.file"


def test_shared_voices_match_every_filter(client: SonioxClient) -> None:
    """Filters narrow the list, repeatable ones must all match; pages keep them."""
    voices = list(client.voices.list_all_shared("tts-rt-v2", limit=3))
    assert 20 < len(voices) == len({voice.id for voice in voices})
    women = list(client.voices.list_all_shared("tts-rt-v2", gender="female", limit=2))
    assert {voice.gender for voice in women} == {"female"}
    assert {voice.id for voice in women} == {v.id for v in voices if v.gender == "female"}
    tag = next(voice for voice in voices if len(set(voice.use_case)) == 2)
    both = client.voices.list_shared("tts-rt-v2", use_case=list(tag.use_case), limit=200)
    assert tag in both.voices
    assert all(set(tag.use_case) <= set(voice.use_case) for voice in both)
    with pytest.raises(SonioxHttpError) as caught:
        client.voices.list_shared("tts-rt-v9")
    assert caught.value.error_type == "model_not_available"
    for wrong in ({"limit": 201}, {"style": ["x"] * 11}, {"accent": "x" * 41}, {"style": "warm"}):
        with pytest.raises(ConfigurationError):
            client.voices.list_shared("tts-rt-v2", **wrong)  # type: ignore[arg-type]


def test_repeated_filters_are_repeated_in_the_query(serve: Serve) -> None:
    """Each tag is a parameter of its own, and what is not said is not sent."""
    server = serve(reply(b'{"voices": [], "next_page_cursor": null}'))
    with server.client() as client:
        client.voices.list_shared("m", style=["warm", "calm"], gender="male")
    path = server.requests[0].path
    assert path == "/v1/shared-voices?model=m&gender=male&style=warm&style=calm&limit=100"


def test_a_temporary_key_works_for_its_service_only(sandbox: Sandbox, client: SonioxClient) -> None:
    """A key for speech speaks, over HTTP and WebSocket, and opens nothing else."""
    key = client.auth.create_temporary_api_key(usage_type="tts_rt", expires_in_seconds=60)
    assert key.api_key.startswith("snx_temp_") and key.api_key not in repr(key)
    assert timedelta() < key.expires_at - datetime.now(timezone.utc) <= timedelta(seconds=61)
    with sandbox.client(api_key=key.api_key) as holder:
        assert holder.tts.generate(text="Hi.", voice="Adrian")
        voice = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le"}
        with holder.realtime.tts(**voice) as stream:
            stream.send_text("Hi.", end=True)
            assert stream.read()
        with pytest.raises(AuthenticationError):
            holder.files.list()
        with pytest.raises(AuthError):
            with holder.realtime.stt(**RAW) as session:
                session.send_audio(bytes(3200))
                list(session)


def test_a_single_use_key_opens_one_session(sandbox: Sandbox, client: SonioxClient) -> None:
    """The second transcription with it is refused; the first is charged to its reference."""
    key = client.auth.create_temporary_api_key(single_use=True, client_reference_id="theirs")
    with sandbox.client(api_key=key.api_key) as holder:
        with holder.realtime.stt(**RAW, client_reference_id="ignored") as session:
            session.send_audio(bytes(32000))
        with pytest.raises(AuthError):
            with holder.realtime.stt(**RAW) as session:
                session.send_audio(bytes(3200))
                list(session)
    now = datetime.now(timezone.utc)
    logs = list(client.usage_logs.list_all(now - timedelta(hours=1), now + timedelta(hours=1)))
    assert [log.client_reference_id for log in logs] == ["theirs"]


@pytest.mark.parametrize(
    "options",
    [
        {"usage_type": "everything"},
        {"expires_in_seconds": 0},
        {"expires_in_seconds": 3601},
        {"max_session_duration_seconds": 18001},
        {"single_use": "yes"},
        {"client_reference_id": "x" * 257},
    ],
)
def test_temporary_keys_are_checked_here(client: SonioxClient, options: dict[str, Any]) -> None:
    """Values out of range are refused before anything is sent."""
    with pytest.raises(ConfigurationError):
        client.auth.create_temporary_api_key(**options)


def test_a_key_without_the_right_is_denied(make_sandbox: Callable[..., Sandbox]) -> None:
    """A missing permission is a `PermissionDeniedError`, also for making keys of a service."""
    sandbox = make_sandbox(
        api_keys={"speech": {"permissions": ["tts"]}, "rest": {"permissions": ["rest"]}}
    )
    with sandbox.client(api_key="speech") as client, pytest.raises(PermissionDeniedError):
        client.files.list()
    with sandbox.client(api_key="rest") as client:
        assert client.files.list().files == ()
        with pytest.raises(PermissionDeniedError):
            client.auth.create_temporary_api_key()
        with pytest.raises(PermissionDeniedError):
            client.tts.generate(text="x", voice="Adrian")


@pytest.fixture
def used(client: SonioxClient, wav: bytes) -> Iterator[SonioxClient]:
    """Use each service once."""
    client.tts.generate(text="Hello world.", voice="Adrian", client_reference_id="by-http")
    voice = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le"}
    with client.realtime.tts(**voice, client_reference_id="by-ws") as stream:
        stream.send_text("Hello.", end=True)
        stream.read()
        stream.wait(PATIENCE)
    with client.realtime.stt(**RAW) as session:
        session.send_audio(bytes(64000))
    client.stt.transcribe_and_wait(file=wav, wait_interval_sec=0.05)
    yield client


def test_usage_logs_tell_what_was_done(used: SonioxClient) -> None:
    """Each successful request has one entry, in order, with amounts and `Decimal` costs."""
    now = datetime.now(timezone.utc)
    window = (now - timedelta(hours=1), now + timedelta(hours=1))
    logs = list(used.usage_logs.list_all(*window, limit=1))
    assert [log.model for log in logs] == ["tts-rt-v2", "tts-rt-v2", "stt-rt-v5", "stt-async-v5"]
    assert [log.client_reference_id for log in logs] == ["by-http", "by-ws", "", ""]
    assert logs[2].input_audio_duration_ms == 2000 and logs[3].input_audio_duration_ms == 2100
    assert all(type(log.cost_usd) is Decimal and log.cost_usd > 0 for log in logs)
    assert all(log.input_cost_usd + log.output_cost_usd == log.cost_usd for log in logs)
    assert all(log.start_time <= log.end_time for log in logs)
    back = list(used.usage_logs.list_all(*window, limit=3, sort="end_time_desc"))
    assert back == logs[::-1]
    assert list(used.usage_logs.list_all(window[0], logs[0].end_time)) == []


def test_the_summary_adds_up(used: SonioxClient) -> None:
    """The total is the sum of the models, and of the days."""
    now = datetime.now(timezone.utc)
    summary = used.usage.summary(now - timedelta(days=2), now + timedelta(minutes=1))
    assert summary.total.model is None and len(summary.total.days) in (3, 4)
    assert {entry.model for entry in summary.models} == {"tts-rt-v2", "stt-rt-v5", "stt-async-v5"}
    assert sum(entry.total_cost_usd for entry in summary.models) == summary.total.total_cost_usd
    assert sum(summary.total.cost_usd) == summary.total.total_cost_usd
    assert summary.total.total_num_requests == sum(summary.total.num_requests) == 4


def test_concurrency_is_told_now_and_before(make_sandbox: Callable[..., Sandbox]) -> None:
    """Running streams count, limits are those set, and the history has no gaps."""
    sandbox = make_sandbox(limits={"stt_max_streams": 7})
    with sandbox.client() as client, client.realtime.stt(**RAW) as session:
        session.send_audio(bytes(3200))
        assert until(
            lambda: client.concurrency_limits.get().project.current.transcribe_concurrent == 1
        )
        limits = client.concurrency_limits.get().organization.limits
        assert (limits.transcribe_concurrent, limits.tts_concurrent) == (7, None)
        now = datetime.now(timezone.utc)
        history = client.concurrency_limits.history(
            now - timedelta(minutes=10), now + timedelta(minutes=2), period_sec=60, kind="stt"
        )
        starts = [entry.period_start for entry in history.entries]
        assert all(b - a == timedelta(minutes=1) for a, b in zip(starts, starts[1:]))
        assert len(starts) == 12 and max(each.sample_max for each in history.entries) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.usage.summary("yesterday", "today"),
        lambda c: c.usage.summary(7, 8),
        lambda c: c.usage.summary("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
        lambda c: c.usage_logs.list("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", sort="up"),
        lambda c: c.concurrency_limits.history(
            "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", period_sec=5, kind="stt"
        ),
        lambda c: c.concurrency_limits.history(
            "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", period_sec=60, kind="all"
        ),
    ],
    ids=range(6),
)
def test_wrong_windows_are_refused_here(client: SonioxClient, call: Callable[..., Any]) -> None:
    """What can be seen to be wrong raises before anything is sent."""
    with pytest.raises(ConfigurationError):
        call(client)


def test_the_services_own_limits_are_told(client: SonioxClient) -> None:
    """Windows that are too long or too old are the service's to refuse."""
    now = datetime.now(timezone.utc)
    for start, end in ((now - timedelta(days=40), now), (now - timedelta(days=100), now)):
        with pytest.raises(SonioxHttpError) as caught:
            client.usage_logs.list(start, end)
        assert caught.value.status_code == 400 and caught.value.validation_errors


def test_requests_per_minute_are_limited(make_sandbox: Callable[..., Sandbox]) -> None:
    """One request too many is a `RateLimitError`."""
    sandbox = make_sandbox(limits={"rest_requests_per_minute": 2})
    with sandbox.client(max_retries=0) as client:
        client.files.list()
        client.models.list()
        with pytest.raises(RateLimitError) as caught:
            client.files.list()
    assert caught.value.error_type == "limit_exceeded" and caught.value.retry_after_sec is None


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("2026-01-31T12:00:00Z", 0),
        ("2026-01-31T12:00:00.5Z", 500_000),
        ("2026-01-31T12:00:00.123456789Z", 123_456),
        ("2026-01-31T14:00:00+02:00", 0),
        ("2026-01-31 12:00:00", 0),
        ("2026-01-31T06:30:00.1-0530", 100_000),
    ],
)
def test_times_are_read_in_every_spelling(text: str, micro: int) -> None:
    """Any number of decimals and any zone give the same moment, aware of its zone."""
    at = datetime(2026, 1, 31, 12, 0, 0, micro, timezone.utc)
    assert moment(text) == at and moment(text).utcoffset() is not None
