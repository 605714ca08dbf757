"""gunicorn with `--preload`: one import, then forks; sync and threaded workers serve the same."""

from __future__ import annotations

import io
import os
import signal
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from serving import EXAMPLES, ServerProcess

from soniox_sync.sandbox import Sandbox

pytestmark = [
    pytest.mark.needs("flask", "gunicorn"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn needs fork"),
]

# for engines on a loaded machine; what takes longer hangs
PATIENCE_SEC = 90.0
HOME = EXAMPLES / "gunicorn_preload"


@pytest.fixture(params=["sync", "gthread", "gevent"])
def server(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Serve the preloaded app with two workers of each kind."""
    if request.param == "gevent":
        pytest.importorskip("gevent", reason="needs gevent: pip install -e '.[examples]'")
    environment.update(BIND="127.0.0.1:0", WORKERS="2", WORKER_CLASS=request.param)
    arguments = ["-m", "gunicorn", "--config", "gunicorn.conf.py", "app:app"]
    ready = r"Listening at: http://127\.0\.0\.1:(\d+)"
    with ServerProcess(arguments, environment, ready=ready, where=HOME) as process:
        yield process


def speech(server: ServerProcess, text: str) -> bytes:
    """Ask for speech, give the WAV."""
    url = f"{server.url}/speech.wav"
    answer = requests.get(url, params={"text": text}, timeout=PATIENCE_SEC)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_many_callers_are_served_at_once(server: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """Workers made by fork speak, each over connections of its own."""
    with ThreadPoolExecutor(8) as callers:
        sounds = list(callers.map(lambda n: speech(server, f"Caller {n}, please."), range(12)))
    for sound in sounds:
        with wave.open(io.BytesIO(sound)) as file:
            assert len(file.readframes(file.getnframes())) > file.getframerate()
    texts = [m["text"] for m in soniox_sandbox.log.messages(kind="tts") if m.get("text")]
    assert sorted(texts) == sorted(f"Caller {n}, please." for n in range(12))


def test_forked_workers_transcribe(
    server: ServerProcess, recording: bytes, text: str, web: Any
) -> None:
    """Readers, clock and sources start anew in every worker."""
    answers = [
        web.post(f"{server.url}/text", data=recording, timeout=PATIENCE_SEC).json()
        for _ in range(3)
    ]
    assert {answer["text"] for answer in answers} == {text}


def test_a_worker_that_dies_is_replaced(
    server: ServerProcess, recording: bytes, text: str, web: Any
) -> None:
    """The master, which never used the client, forks another one that works as well."""
    first = web.post(f"{server.url}/text", data=recording, timeout=PATIENCE_SEC).json()
    os.kill(int(first["worker"]), signal.SIGKILL)
    server.wait_for("Worker (pid:" + first["worker"])
    assert text in {
        requests.post(f"{server.url}/text", data=recording, timeout=PATIENCE_SEC).json()["text"]
        for _ in range(2)
    }


def test_it_ends_when_it_is_told_to(server: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """Idle connections of a pool do not keep a worker alive."""
    speech(server, "One more.")
    server.close()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=PATIENCE_SEC)
    assert "WORKER TIMEOUT" not in server.output
    assert "Traceback" not in server.output
