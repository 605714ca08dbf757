"""Tests of the Celery example: forked workers, over Redis and over files."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable

import pytest

from soniox_sync.sandbox import Entry, Sandbox
from tests.serving import EXAMPLES, ServerProcess, service_environment

pytestmark = [
    pytest.mark.needs("celery"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="prefork workers need fork"),
]

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 120.0
HOME = EXAMPLES / "celery_folder"
TEXTS = {f"call{n}.wav": f"This is call number {n}." for n in ("one", "two", "three", "four")}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# files of a batch; a thousand take minutes
BATCH = int(os.environ.get("SONIOX_SYNC_BATCH", "12"))
# longer than a task takes, or others would begin what is running
RESTORED_SEC = 20
WORKER = [
    *("-m", "celery", "--app", "tasks", "worker", "--concurrency", "2", "--loglevel=INFO"),
    *("--without-gossip", "--without-mingle", "--pool", "prefork"),
]


@pytest.fixture(autouse=True)
def recogniser() -> None:
    """Skip if the sandbox cannot distinguish four recordings."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")


@pytest.fixture
def redis(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Provide the environment of workers and callers connected through Redis."""
    pytest.importorskip("redis", reason="needs redis: pip install -e '.[examples]'")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server (Debian: redis-server)")
    # a socket's path has at most 107 characters, which pytest's own directories may exceed
    with tempfile.TemporaryDirectory(prefix="redis") as folder, redis_in(program, folder) as path:
        environment["CELERY_BROKER_URL"] = f"redis+socket://{path}"
        yield environment


@contextlib.contextmanager
def redis_in(program: str, folder: str) -> Iterator[str]:
    """Run Redis on a Unix socket until the `with` block ends; yield the socket's path."""
    path = f"{folder}/redis.sock"
    options = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + TIMEOUT_SEC
    try:
        while not os.path.exists(path):
            assert process.poll() is None, "redis-server does not start"
            assert time.monotonic() < deadline, "redis-server opens no socket"
            time.sleep(0.02)  # nothing else signals that it is ready
        yield path
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def files(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Provide the environment of workers and callers connected through a directory."""
    for name in ("queue", "control", "results"):
        (tmp_path / name).mkdir()
    folders = {"data_folder_in": f"{tmp_path}/queue", "data_folder_out": f"{tmp_path}/queue"}
    folders["control_folder"] = f"{tmp_path}/control"
    config = tmp_path / "celeryconfig.py"
    config.write_text(f"broker_transport_options = {folders!r}\n", encoding="utf-8")
    environment["CELERY_BROKER_URL"] = "filesystem://"
    environment["CELERY_RESULT_BACKEND"] = f"file://{tmp_path}/results"
    environment["CELERY_CONFIG_MODULE"] = "celeryconfig"
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(tmp_path), *filter(None, [environment.get("PYTHONPATH")])]
    )
    return environment


@pytest.fixture(params=["redis", "files"])
def broker(request: pytest.FixtureRequest) -> dict[str, str]:
    """Provide the environment of workers and callers, for each kind of broker."""
    found: dict[str, str] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def folder(soniox_sandbox: Sandbox, tmp_path: Path) -> Path:
    """Create a folder with four recordings."""
    folder = tmp_path / "calls"
    folder.mkdir()
    client = soniox_sandbox.client()
    for name, text in TEXTS.items():
        client.realtime.speak(text, voice="Emma", audio_format="wav").save(folder / name)
    return folder


def workers_of(environment: dict[str, str]) -> ServerProcess:
    """Start two workers under one master."""
    return ServerProcess(WORKER, environment, ready=r"celery@\S+ ready", where=HOME)


def caller(environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start the example on a folder."""
    return subprocess.Popen(
        [sys.executable, str(HOME / "folder.py"), str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def report_of(
    process: subprocess.Popen[str], timeout_sec: float = TIMEOUT_SEC
) -> tuple[dict[str, str], str]:
    """Wait for the report; return the text of each file, and the error output."""
    try:
        out, err = process.communicate(timeout=timeout_sec)
    finally:
        process.kill()
        process.wait()
    return dict(line.split(": ", 1) for line in out.splitlines()), err


def test_prefork_workers_transcribe_a_folder(broker: dict[str, str], folder: Path) -> None:
    """Two forked processes share the files; each file gets its text and its captions."""
    with workers_of(broker) as workers:
        with caller(broker, folder) as process:
            texts, errors = report_of(process)
    assert texts == TEXTS, errors + workers.output
    assert process.returncode == 0
    for name in TEXTS:
        captions = (folder / name).with_suffix(".srt").read_text(encoding="utf-8")
        assert "This is call" in captions
    done_by = re.findall(r"(ForkPoolWorker-\d+)\] Task \S+ succeeded", workers.output)
    assert len(done_by) == len(TEXTS)
    assert len(set(done_by)) == 2
    assert "Traceback" not in workers.output


def test_a_file_that_is_not_audio_affects_no_other(redis: dict[str, str], folder: Path) -> None:
    """The report names the broken file; the others are transcribed."""
    (folder / "broken.wav").write_bytes(b"this is no audio at all")
    with workers_of(redis) as workers, caller(redis, folder) as process:
        texts, errors = report_of(process)
    assert process.returncode == 1, workers.output
    assert texts == TEXTS
    assert errors.startswith("broken.wav: ")
    assert "1 of 5 failed" in errors


def test_a_busy_service_is_retried(
    redis: dict[str, str], folder: Path, soniox_sandbox: Sandbox
) -> None:
    """A temporary refusal delays a task by a few seconds, but loses no text."""
    soniox_sandbox.faults.refuse(503, path="/transcriptions", times=2)
    with workers_of(redis) as workers, caller(redis, folder) as process:
        texts, errors = report_of(process)
    assert texts == TEXTS, errors + workers.output


def test_a_worker_that_dies_loses_no_file(
    redis: dict[str, str], folder: Path, soniox_sandbox: Sandbox
) -> None:
    """The file of a killed process is transcribed by another."""
    soniox_sandbox.faults.delay(3.0, kind="rest", times=2)
    with workers_of(redis) as workers, caller(redis, folder) as process:
        assert soniox_sandbox.log.wait_for(lambda entry: entry.kind == "rest", timeout_sec=60)
        os.kill(children_of(workers.pid)[0], signal.SIGKILL)
        texts, errors = report_of(process)
    assert texts == TEXTS, errors + workers.output


def test_a_batch_survives_the_death_of_a_worker(redis: dict[str, str], tmp_path: Path) -> None:
    """Of two workers one is killed with all its processes: no file is lost, none is paid twice."""
    faulthandler.cancel_dump_traceback_later()  # a thousand files take longer than a test may
    with Sandbox(limits={"rest_job_sec": 60 / BATCH}) as sandbox:
        environment = {**redis, **service_environment(sandbox)}
        restore_soon(environment, tmp_path)
        texts = record_batch(sandbox, tmp_path / "calls")
        begun = datetime.now(timezone.utc)
        with workers_of(environment) as survivor, workers_of(environment) as victim:
            processes = [victim.pid, *children_of(victim.pid)]
            with caller(environment, tmp_path / "calls") as process:
                victim.wait_for("succeeded", TIMEOUT_SEC + BATCH, times=BATCH // 10)
                sandbox.log.clear()
                # jobs that have just begun: the victim alone has as many files left
                assert sandbox.log.wait_for(jobs_created(2), timeout_sec=TIMEOUT_SEC)
                for pid in processes:
                    os.kill(pid, signal.SIGKILL)
                found, errors = report_of(process, timeout_sec=TIMEOUT_SEC + BATCH)
        client = sandbox.client()
        used = client.usage_logs.list_all(begun, datetime.now(timezone.utc) + timedelta(minutes=1))
        paid = Counter(entry.client_reference_id for entry in used)
        left = client.stt.count().total
    assert found == texts, errors + survivor.output
    assert process.returncode == 0
    assert len(list((tmp_path / "calls").glob("*.srt"))) == BATCH
    assert len(paid) == BATCH
    assert set(paid.values()) == {1}
    assert left == 0
    assert "Traceback" not in survivor.output


def jobs_created(count: int) -> Callable[[Entry], bool]:
    """Return a condition that is true once `count` jobs have been requested."""
    seen: set[float] = set()

    def enough(entry: Entry) -> bool:
        message = entry.message or {}
        if (message.get("method"), message.get("path")) == ("POST", "/v1/transcriptions"):
            seen.add(entry.at)
        return len(seen) >= count

    return enough


def record_batch(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Record calls; return their texts by name."""
    folder.mkdir()
    said = [f"This is call number {digit}." for digit in DIGITS]
    speech = sandbox.client().realtime
    sounds = [speech.speak(text, voice="Emma", audio_format="wav").read() for text in said]
    texts: dict[str, str] = {}
    for number in range(BATCH):
        name, digit = f"call{number:03}.wav", number % len(DIGITS)
        (folder / name).write_bytes(sounds[digit])
        texts[name] = said[digit]
    return texts


def restore_soon(environment: dict[str, str], folder: Path) -> None:
    """Have Redis give the files of a dead worker to others after seconds instead of an hour."""
    config = folder / "soon.py"
    config.write_text(f"broker_transport_options = {{'visibility_timeout': {RESTORED_SEC}}}\n")
    environment["CELERY_CONFIG_MODULE"] = "soon"
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(folder), *filter(None, [environment.get("PYTHONPATH")])]
    )


def test_a_warm_stop_finishes_running_tasks(
    redis: dict[str, str], folder: Path, soniox_sandbox: Sandbox
) -> None:
    """After a stop the workers finish their current files, take no others, and exit."""
    soniox_sandbox.faults.delay(1.0, kind="rest", times=2)
    with workers_of(redis) as workers, caller(redis, folder) as process:
        try:
            assert soniox_sandbox.log.wait_for(lambda entry: entry.kind == "rest", timeout_sec=60)
            children = children_of(workers.pid)
            workers.close()
        finally:
            process.kill()
    assert not workers.was_killed, workers.output
    assert not [child for child in children if is_alive(child)]
    finished = workers.output.count("succeeded")
    assert 1 <= finished <= 2, workers.output
    assert len(list(folder.glob("*.srt"))) == finished
    assert "Traceback" not in workers.output


def children_of(pid: int) -> list[int]:
    """Return the child processes of `pid`."""
    listed = subprocess.check_output(["ps", "-A", "-o", "pid=", "-o", "ppid="], encoding="utf-8")
    pairs = [line.split() for line in listed.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def is_alive(pid: int) -> bool:
    """Return whether a process is running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
