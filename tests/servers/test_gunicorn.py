"""Tests of the gunicorn example: `--preload`, with sync, threaded and gevent workers."""

from __future__ import annotations

import io
import os
import re
import signal
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from soniox_sync.sandbox import Sandbox
from tests.serving import EXAMPLES, ServerProcess

pytestmark = [
    pytest.mark.needs("flask", "gunicorn"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn needs fork"),
]

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 90.0
HOME = EXAMPLES / "gunicorn_preload"
GUNICORN = ["-m", "gunicorn", "app:app"]
LISTENS = r"Listening at: http://127\.0\.0\.1:(\d+)"


@pytest.fixture(params=["sync", "gthread", "gevent"])
def server(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the preloaded app with two workers, of each kind."""
    if request.param == "gevent":
        pytest.importorskip("gevent", reason="needs gevent: pip install -e '.[examples]'")
    environment.update(BIND="127.0.0.1:0", WORKERS="2", WORKER_CLASS=request.param)
    with ServerProcess(GUNICORN, environment, ready=LISTENS, where=HOME) as process:
        yield process


def speech(server: ServerProcess, text: str) -> bytes:
    """Request speech and return the WAV."""
    url = f"{server.url}/speech.wav"
    answer = requests.get(url, params={"text": text}, timeout=TIMEOUT_SEC)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_many_callers_are_served_at_once(server: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """Forked workers speak, each over its own connections."""
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
    """Reader threads, clock and sources start again in every worker."""
    answers = [
        web.post(f"{server.url}/text", data=recording, timeout=TIMEOUT_SEC).json() for _ in range(3)
    ]
    assert {answer["text"] for answer in answers} == {text}


def test_a_worker_that_dies_is_replaced(
    server: ServerProcess, recording: bytes, text: str, web: Any
) -> None:
    """The master forks a new worker, which works as well."""
    first = web.post(f"{server.url}/text", data=recording, timeout=TIMEOUT_SEC).json()
    os.kill(int(first["worker"]), signal.SIGKILL)
    server.wait_for("Worker (pid:" + first["worker"])
    assert text in {
        requests.post(f"{server.url}/text", data=recording, timeout=TIMEOUT_SEC).json()["text"]
        for _ in range(2)
    }


def test_a_graceful_stop_finishes_speech(
    server: ServerProcess, soniox_sandbox: Sandbox, text: str
) -> None:
    """Speech in progress is finished before all processes exit."""
    soniox_sandbox.faults.delay(1.0, kind="tts")
    with ThreadPoolExecutor(1) as callers:
        sound = callers.submit(speech, server, text)
        assert soniox_sandbox.log.wait_for(is_text, timeout_sec=TIMEOUT_SEC)
        workers = re.findall(r"Booting worker with pid: (\d+)", server.output)
        server.close()
        with wave.open(io.BytesIO(sound.result())) as file:
            assert len(file.readframes(file.getnframes())) > file.getframerate()
    assert not server.was_killed, server.output
    assert workers
    assert not [pid for pid in workers if is_alive(int(pid))]
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert "Traceback" not in server.output


def test_idle_connections_keep_no_worker_alive(
    server: ServerProcess, soniox_sandbox: Sandbox
) -> None:
    """A worker with an idle pool exits at once."""
    speech(server, "One more.")
    assert soniox_sandbox.log.counts["tts.connections"] == 1
    server.close()
    assert not server.was_killed, server.output
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert "Traceback" not in server.output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_tried_without_a_key(sign: signal.Signals, web: Any) -> None:
    """With SANDBOX=1 it starts its own sandbox, which ends with it."""
    keyless = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    keyless.update(SANDBOX="1", BIND="127.0.0.1:0", WORKERS="1", PYTHONUNBUFFERED="1")
    with ServerProcess(GUNICORN, keyless, ready=LISTENS, where=HOME) as process:
        sound = speech(process, "No key is needed.")
        answer = web.post(f"{process.url}/text", data=sound, timeout=TIMEOUT_SEC).json()
        process.close(sign)
    assert answer["text"] == "No key is needed."
    assert not process.was_killed, process.output
    assert "Traceback" not in process.output


def is_text(entry: Any) -> bool:
    """Return whether an entry is text that a worker sent."""
    return entry.kind == "tts" and entry.direction == "in" and "text" in entry.message


def is_alive(pid: int) -> bool:
    """Return whether a process is running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
