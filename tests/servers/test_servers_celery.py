"""Celery's forked workers transcribe a folder, over Redis where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import EXAMPLES, ServerProcess

from soniox_sync.sandbox import Sandbox

pytestmark = [
    pytest.mark.needs("celery"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="prefork workers need fork"),
]

# for engines on a loaded machine; what takes longer hangs
PATIENCE_SEC = 120.0
HOME = EXAMPLES / "celery_folder"
TEXTS = {f"call{n}.wav": f"This is call number {n}." for n in ("one", "two", "three", "four")}


@pytest.fixture(params=["redis", "filesystem"])
def broker(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Give the environment of workers and callers who meet at a broker."""
    if request.param == "filesystem":
        for name in ("queue", "done", "results"):
            (tmp_path / name).mkdir()
        config = tmp_path / "celeryconfig.py"
        folders = {"data_folder_in": f"{tmp_path}/queue", "data_folder_out": f"{tmp_path}/queue"}
        config.write_text(f"broker_transport_options = {folders!r}\n", encoding="utf-8")
        environment["CELERY_BROKER_URL"] = "filesystem://"
        environment["CELERY_RESULT_BACKEND"] = f"file://{tmp_path}/results"
        environment["CELERY_CONFIG_MODULE"] = "celeryconfig"
        environment["PYTHONPATH"] = str(tmp_path)
        yield environment
        return
    pytest.importorskip("redis", reason="needs redis: pip install -e '.[examples]'")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server (Debian: redis-server)")
    address = f"{tmp_path}/redis.sock"
    with redis_at(program, address, tmp_path):
        environment["CELERY_BROKER_URL"] = f"redis+socket://{address}"
        yield environment


class redis_at:
    """Runs a Redis on a socket of the file system until the `with` block ends."""

    def __init__(self, program: str, address: str, where: Path) -> None:
        options = ["--port", "0", "--unixsocket", address, "--save", "", "--dir", str(where)]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SEC
        while not os.path.exists(address) and time.monotonic() < deadline:
            time.sleep(0.02)  # it has no other way to say that it is ready

    def __enter__(self) -> redis_at:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def folder(soniox_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Record four calls."""
    place = tmp_path / "calls"
    place.mkdir()
    client = soniox_sandbox.client()
    for name, text in TEXTS.items():
        client.realtime.speak(text, voice="Emma", audio_format="wav").save(place / name)
    return place


def test_prefork_workers_transcribe_a_folder(broker: dict[str, str], folder: Path) -> None:
    """Two processes made by fork share the files; each file gets its text and its captions."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")
    worker = ["-m", "celery", "--app", "tasks", "worker", "--concurrency", "2", "--loglevel=INFO"]
    worker += ["--without-gossip", "--without-mingle", "--pool", "prefork"]
    with ServerProcess(worker, broker, ready=r"celery@\S+ ready", where=HOME) as workers:
        done = subprocess.run(
            [sys.executable, str(HOME / "folder.py"), str(folder)],
            env=broker,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_SEC,
        )
    assert done.returncode == 0, done.stderr + workers.output
    assert dict(line.split(": ", 1) for line in done.stdout.splitlines()) == TEXTS
    for name in TEXTS:
        captions = (folder / name).with_suffix(".srt").read_text(encoding="utf-8")
        assert "This is call" in captions
    assert "Traceback" not in workers.output


def test_a_file_that_is_no_audio_fails_alone(broker: dict[str, str], folder: Path) -> None:
    """The report names it; the others are transcribed."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")
    (folder / "broken.wav").write_bytes(b"this is no audio at all")
    worker = ["-m", "celery", "--app", "tasks", "worker", "--concurrency", "2", "--loglevel=INFO"]
    worker += ["--without-gossip", "--without-mingle", "--pool", "prefork"]
    with ServerProcess(worker, broker, ready=r"celery@\S+ ready", where=HOME) as workers:
        done = subprocess.run(
            [sys.executable, str(HOME / "folder.py"), str(folder)],
            env=broker,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_SEC,
        )
    assert done.returncode == 1, workers.output
    assert "broken.wav" in done.stderr
    assert len(done.stdout.splitlines()) == len(TEXTS)
