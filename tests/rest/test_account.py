"""Models, voices, temporary keys, usage and limits, against the sandbox (PROTOCOL 5.4 - 5.8)."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Callable

import pytest

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
from tests.rest.raw_http import PATIENCE, RawHttp, reply

Serve = Callable[..., RawHttp]
RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


def until(check: Callable[[], bool]) -> bool:
    """Poll until `check()` holds; return whether it does in time."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if check():
            return True
        pause.wait(0.02)
    return False


def test_models_are_listed_with_their_capabilities(client: SonioxClient) -> None:
    """Both lists are sequences of typed models."""
    models = {model.id: model for model in client.models.list()}
    assert models["stt-rt-v6"].transcription_mode == "real_time"
    assert models["stt-async-v4"].aliased_model_id == "stt-async-v6"
    assert models["stt-rt-v6"].endpoint_latency_adjustment_max_level == 3
    assert models["stt-rt-v6"].supports_agent_text_input is True
    assert models["stt-rt-v5"].supports_agent_text_input is False
    assert models["stt-async-v6"].supports_agent_text_input is False
    assert {"code": "en", "name": "English"} in models["stt-rt-v6"].raw["languages"]
    voices = client.tts_models.list().models[0].voices
    assert ("Adrian", "male") in [(voice.id, voice.gender) for voice in voices]
    assert client.tts_models.list().models[0].speed_max == 1.3
    assert len(client.models.list()) == len(models) and len(client.tts_models.list()) == 2


def test_a_cloned_voice_speaks_once_it_is_ready(client: SonioxClient, wav: bytes) -> None:
    """A voice is prepared after its creation; then speech accepts its id."""
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


def test_a_model_without_newer_fields_is_read(serve: Serve) -> None:
    """A capability that the service does not mention is one that the model lacks."""
    model = {"id": "m", "name": "M", "transcription_mode": "real_time", "languages": []}
    server = serve(reply(json.dumps({"models": [model]}).encode()))
    with server.client() as client:
        [found] = client.models.list()
    assert found.supports_agent_text_input is False


def test_voice_names_are_unique_and_listed(client: SonioxClient, wav: bytes) -> None:
    """A second voice with a name is a conflict; lists have pages."""
    for name in ("a", "b", "c"):
        client.voices.create(wav, name=name)
    with pytest.raises(ConflictError):
        client.voices.create(wav, name="b")
    assert [voice.name for voice in client.voices.list_all(limit=2)] == ["a", "b", "c"]
    assert client.voices.list(limit=1).next_page_cursor is not None
    assert client.voices.count().total == 3


def test_delete_all_deletes_every_page_of_voices(client: SonioxClient, wav: bytes) -> None:
    """`delete_all` lists first, so that deleting while listing skips nothing."""
    for name in ("a", "b", "c"):
        client.voices.create(wav, name=name)
    client.voices.delete_all(limit=1)
    assert client.voices.count().total == 0
    client.voices.delete_all()  # nothing left to delete is no error


@pytest.mark.parametrize("method", ["delete_all", "list_all", "list"])
@pytest.mark.parametrize("namespace", ["voices", "files"])
def test_a_misspelt_keyword_names_the_object_of_the_user(
    client: SonioxClient, namespace: str, method: str
) -> None:
    """The message names the class of the namespace, not a base class of it, and the keyword."""
    found = getattr(client, namespace)
    with pytest.raises(ConfigurationError) as caught:
        getattr(found, method)(limt=2)
    named = f"{type(found).__name__}.{method}()"
    assert str(caught.value) == f"{named} has no field 'limt'; did you mean 'limit'?"


def test_a_clip_that_is_too_long_fails_later(client: SonioxClient, wav: bytes) -> None:
    """The service accepts the clip, then reports that it failed, and why."""
    long = wav + bytes(2 * 16000 * 20)
    long = long[:4] + b"\xff\xff\xff\xff" + long[8:40] + b"\xff\xff\xff\xff" + long[44:]
    voice = client.voices.create(long, name="long")
    assert until(lambda: client.voices.get(voice.id).models[0].status == "failed")
    assert client.voices.get(voice.id).models[0].error_type == "voice_audio_too_long"


@pytest.mark.parametrize("name", ["", "x" * 129, 7])
def test_voice_names_are_checked_locally(client: SonioxClient, wav: bytes, name: Any) -> None:
    """An empty or too long name is refused before the clip is sent."""
    with pytest.raises(ConfigurationError):
        client.voices.create(wav, name=name)


def test_a_clip_that_is_not_audio_is_refused(client: SonioxClient) -> None:
    """The service's error names the field."""
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
    """Each tag is a separate parameter; filters that are not given are not sent."""
    server = serve(reply(b'{"voices": [], "next_page_cursor": null}'))
    with server.client() as client:
        client.voices.list_shared("m", style=["warm", "calm"], gender="male")
    path = server.requests[0].path
    assert path == "/v1/shared-voices?model=m&gender=male&style=warm&style=calm&limit=100"


def test_a_temporary_key_works_for_its_service_only(sandbox: Sandbox, client: SonioxClient) -> None:
    """A key for speech works over HTTP and WebSocket, and for nothing else."""
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
def test_temporary_keys_are_checked_locally(client: SonioxClient, options: dict[str, Any]) -> None:
    """Values out of range are refused before anything is sent."""
    with pytest.raises(ConfigurationError):
        client.auth.create_temporary_api_key(**options)


def test_a_key_without_permission_is_denied(make_sandbox: Callable[..., Sandbox]) -> None:
    """A missing permission is a `PermissionDeniedError`, also when a key is created."""
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


def test_usage_logs_list_the_requests(used: SonioxClient) -> None:
    """Each successful request has one entry, in order, with amounts and `Decimal` costs."""
    now = datetime.now(timezone.utc)
    window = (now - timedelta(hours=1), now + timedelta(hours=1))
    logs = list(used.usage_logs.list_all(*window, limit=1))
    assert [log.model for log in logs] == ["tts-rt-v2", "tts-rt-v2", "stt-rt-v6", "stt-async-v6"]
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
    assert {entry.model for entry in summary.models} == {"tts-rt-v2", "stt-rt-v6", "stt-async-v6"}
    assert sum(entry.total_cost_usd for entry in summary.models) == summary.total.total_cost_usd
    assert sum(summary.total.cost_usd) == summary.total.total_cost_usd
    assert summary.total.total_num_requests == sum(summary.total.num_requests) == 4


def test_current_and_past_concurrency_is_reported(make_sandbox: Callable[..., Sandbox]) -> None:
    """Running streams are counted, limits are the configured ones, the history has no gaps."""
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
def test_wrong_windows_are_refused_locally(client: SonioxClient, call: Callable[..., Any]) -> None:
    """Wrong arguments are refused before anything is sent."""
    with pytest.raises(ConfigurationError):
        call(client)


def test_windows_beyond_the_service_s_limits_are_its_errors(client: SonioxClient) -> None:
    """Windows that are too long or too old are refused by the service."""
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
    """Any number of decimals and any zone give the same time, with its zone."""
    at = datetime(2026, 1, 31, 12, 0, 0, micro, timezone.utc)
    assert moment(text) == at and moment(text).utcoffset() is not None


LONG = "12345678901234567890.123456789012345678"


@pytest.mark.parametrize(
    "amount",
    [
        LONG,
        f"-{LONG}",
        "0.10",
        "0.00000000000000000001",
        "12345678901234567890",
        "1.5e-7",
        "3",
        "0",
    ],
)
def test_money_keeps_every_digit(serve: Serve, amount: str) -> None:
    """An amount is the same `Decimal` as a JSON number and as a string, in lists, too."""
    found = []
    for sent in (amount, f'"{amount}"'):
        entry = f'{{"days": ["2026-01-31"], "total_cost_usd": {sent}, "cost_usd": [{sent}]}}'
        with serve(reply(f'{{"total": {entry}}}'.encode())).client() as client:
            total = client.usage.summary(
                start_time="2026-01-30T00:00:00Z", end_time="2026-02-01T00:00:00Z"
            ).total
        found += [total.total_cost_usd, *total.cost_usd]
        # what was received stays plain JSON
        assert json.loads(json.dumps(dict(total.raw)))["days"] == ["2026-01-31"]
    assert found == [Decimal(amount)] * 4
    assert pickle.loads(pickle.dumps(total)).total_cost_usd == Decimal(amount)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e400", '"x"', "true", "[]"])
def test_what_is_no_amount_is_an_error(serve: Serve, amount: str) -> None:
    """No amount of money is infinite."""
    entry = f'{{"days": [], "total_cost_usd": {amount}}}'
    with serve(reply(f'{{"total": {entry}}}'.encode())).client() as client:
        with pytest.raises(SonioxHttpError, match="total_cost_usd: expected an amount of money"):
            client.usage.summary(start_time="2026-01-30T00:00:00Z", end_time="2026-02-01T00:00:00Z")


@pytest.mark.parametrize("speed", ["NaN", "Infinity", "1e400", "1" + "0" * 400, '"1"', "true"])
def test_what_is_no_speed_is_an_error(serve: Serve, speed: str) -> None:
    """A number that no float can be is as wrong as a word: the error names its field."""
    model = f'{{"id": "m", "name": "M", "languages": [], "voices": [], "speed_min": {speed}}}'
    with serve(reply(f'{{"models": [{model}]}}'.encode())).client() as client:
        with pytest.raises(SonioxHttpError, match=r"models\[0\].speed_min: expected a number"):
            client.tts_models.list()
