"""Programs written for earlier models run against the sandbox (PROTOCOL 5, 7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from soniox_sync import SonioxClient
from soniox_sync.audio import wav_header
from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import KEY, PATIENCE, Client, silence, start, stt, text, tts

REALTIME = ["stt-rt-v5", "stt-rt-v4", "stt-rt-v3"]
REALTIME += ["stt-rt-v3-preview", "stt-rt-preview-v2", "stt-rt-preview"]
ASYNC = ["stt-async-v5", "stt-async-v4", "stt-async-v3", "stt-async-preview"]
SPEECH = ["tts-rt-v1", "tts-rt-v1-preview"]


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[SonioxClient]:
    with sandbox.client() as client:
        yield client


def models_used(client: SonioxClient) -> list[str]:
    """Return the models of the usage log, oldest request first."""
    now, hour = datetime.now(timezone.utc), timedelta(hours=1)
    return [entry.model for entry in client.usage_logs.list_all(now - hour, now + hour)]


# -- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", REALTIME)
def test_a_retired_name_transcribes(sandbox: Sandbox, client: SonioxClient, model: str) -> None:
    """A session that names a retired model runs; the usage log names the one that ran."""
    with stt(sandbox, model=model) as session:
        session.send(silence(100), "")
        assert session.receive_all()[-1]["finished"]
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    assert models_used(client) == ["stt-rt-v6"]


@pytest.mark.parametrize("model", ASYNC)
def test_a_retired_name_transcribes_a_file(client: SonioxClient, model: str) -> None:
    """A job that names a retired model runs, and its `model` is the one that ran."""
    wav = wav_header(sample_rate=16000, data_bytes=3200) + silence(100)
    job = client.stt.transcribe(file=wav, filename="clip.wav", model=model)
    assert job.model == "stt-async-v6"
    done = client.stt.wait(job.id, interval_sec=0.05, timeout_sec=PATIENCE)
    assert (done.status, done.model) == ("completed", "stt-async-v6")


@pytest.mark.parametrize("model", SPEECH)
def test_a_retired_name_speaks(sandbox: Sandbox, client: SonioxClient, model: str) -> None:
    """Speech that names a retired model is spoken, over both transports."""
    with tts(sandbox) as connection:
        connection.send(start("s", model=model), text("s", "Hi."))
        assert connection.receive_until("terminated")[-2]["audio_end"]
    assert sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    assert models_used(client) == ["tts-rt-v2"]
    assert client.tts.generate(text="Hi.", voice="Adrian", model=model)[:4] == b"RIFF"


@pytest.mark.parametrize("model", ["stt-async-v2", "stt-async", "stt-rt-v6", "tts-rt-v2"])
def test_unknown_models_of_jobs_are_not_available(sandbox: Sandbox, model: str) -> None:
    """A job whose model never existed is refused with its own error type."""
    order = {"model": model, "audio_url": "http://127.0.0.1/a.wav"}
    url = f"{sandbox.urls.api}/transcriptions"
    answer = requests.post(url, json=order, headers=KEY, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["error_type"]) == (400, "model_not_available")


def test_aliases_are_listed_down_to_v4(client: SonioxClient) -> None:
    """The lists show current names and their aliases, and no name that the service has dropped."""
    v6, async_v6 = "stt-rt-v6", "stt-async-v6"
    assert [(model.id, model.aliased_model_id) for model in client.models.list()] == [
        *((v6, None), ("stt-rt-v5", v6), ("stt-rt-v4", v6)),
        *((async_v6, None), ("stt-async-v5", async_v6), ("stt-async-v4", async_v6)),
    ]
    speech = [(model.id, model.aliased_model_id) for model in client.tts_models.list()]
    assert speech == [("tts-rt-v2", None), ("tts-rt-v1", "tts-rt-v2")]


def test_a_voice_that_is_gone_is_refused_and_the_current_ones_named(sandbox: Sandbox) -> None:
    """A voice of v1 is a 400 under every name of v2, in a message that lists current voices."""
    with Client(sandbox.urls.tts) as connection:
        for model in ("tts-rt-v2", *SPEECH):
            connection.send(start(model, model=model, voice="Maya"))
            frame = connection.receive_until("terminated", model)[0]
            assert (frame["error_code"], frame["error_type"]) == (400, "invalid_request")
            assert "Invalid voice for model: Maya. Voices: Adrian, " in frame["error_message"]
            assert "Nina" in frame["error_message"]


# -- listings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("files", {}),
        ("transcriptions", {}),
        ("voices", {}),
        ("shared-voices", {"model": "tts-rt-v2"}),
        ("usage-logs", {}),
    ],
)
def test_an_empty_cursor_is_the_first_page(
    sandbox: Sandbox, path: str, query: dict[str, Any]
) -> None:
    """`cursor=` in a listing is served as if it were absent; a cursor of nobody's is a 400."""
    if path == "usage-logs":
        now, hour = datetime.now(timezone.utc), timedelta(hours=1)
        query = {"start_time": (now - hour).isoformat(), "end_time": (now + hour).isoformat()}

    def ask(**more: str) -> requests.Response:
        url = f"{sandbox.urls.api}/{path}"
        return requests.get(url, params={**query, **more}, headers=KEY, timeout=PATIENCE)

    first = ask()
    assert first.status_code == 200
    assert ask(cursor="").json() == first.json()
    assert ask(cursor="x").json()["error_type"] == "invalid_cursor"


def test_a_loop_over_pages_may_begin_with_an_empty_cursor(
    sandbox: Sandbox, client: SonioxClient
) -> None:
    """A loop that sends each page's cursor, at first an empty one, sees every file once."""
    made = [client.files.upload(bytes([n]), filename=f"{n}.wav").id for n in range(3)]
    seen, cursor = [], ""
    while cursor is not None:
        params = {"limit": "2", "cursor": cursor}
        url = f"{sandbox.urls.api}/files"
        answer = requests.get(url, params=params, headers=KEY, timeout=PATIENCE).json()
        seen += [file["id"] for file in answer["files"]]
        cursor = answer["next_page_cursor"]
    assert sorted(seen) == sorted(made) and len(seen) == 3
