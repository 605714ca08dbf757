"""The file of `--state`: another place for the results, damage, other services, and full disks."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.cli.submission import runner, worker
from soniox_sync.cli.submission.state import StateFile
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import run_cli

RUN = ["jobs", "submit", "in", "--wait", "--state", "run.json"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for requests that were cut off, nor between attempts."""
    monkeypatch.setattr(runner, "_SETTLE_SEC", 0.0)
    monkeypatch.setattr(worker, "_FIRST_DELAY_SEC", 0.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, recording: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside a folder `in` with three recordings, two of them with the same stem."""
    (tmp_path / "work" / "in" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    for name in ("a.wav", "a.mp3", "sub/b.wav"):
        shutil.copy(recording, Path("in", name))


def written(*tops: str) -> list[str]:
    """Return the files in folders."""
    return sorted(str(path) for top in tops for path in Path(top).rglob("*") if path.is_file())


def content() -> dict[str, Any]:
    """Return what the state file contains."""
    found: dict[str, Any] = json.loads(Path("run.json").read_text(encoding="utf-8"))
    return found


def jobs_of(service: Sandbox) -> Counter[str]:
    """Return how many jobs the service has for each reference."""
    with service.client() as client:
        return Counter(job.client_reference_id or "" for job in client.stt.list_all())


# --- another place


@pytest.mark.parametrize("files", [["in"], []])
def test_finished_jobs_are_written_to_another_folder(service: Sandbox, files: list[str]) -> None:
    """A run with another -o writes all transcripts there, in their folders; no new job.

    So does one without files, which goes on with those of the state.
    """
    run = [*RUN[:2], *files, *RUN[3:]]
    assert run_cli(*RUN, "-o", "one").code == 0
    assert run_cli(*run, "-o", "two").code == 0
    names = ["a.txt", "a.wav.txt", "sub/b.txt"]
    assert written("one", "two") == [f"{top}/{name}" for top in ("one", "two") for name in names]
    assert set(jobs_of(service).values()) == {1} and len(jobs_of(service)) == 3


def test_finished_jobs_are_written_as_another_format(service: Sandbox) -> None:
    """A run with another --format writes all of them, beside the others or over a file."""
    assert run_cli(*RUN, "-o", "out").code == 0
    assert run_cli(*RUN, "-o", "out", "--format", "srt").code == 0
    assert len(written("out")) == 6 and "-->" in Path("out/sub/b.srt").read_text()
    single = ["jobs", "submit", "in/a.wav", "--wait", "--state", "one.json", "-o", "a.caption"]
    for format, sign in (("srt", "1\n00:"), ("vtt", "WEBVTT")):
        assert run_cli(*single, "--format", format).code == 0
        assert Path("a.caption").read_text().startswith(sign)


def test_what_is_in_its_place_is_not_written_again(service: Sandbox) -> None:
    """The same command once more leaves the files alone, and gives new ones names of their own."""
    assert run_cli(*RUN, "-o", "out").code == 0
    for path in written("out"):
        Path(path).write_text("mine")
    shutil.copy("in/a.wav", "in/a.flac")
    assert run_cli(*RUN, "-o", "out/").code == 0
    assert {path: Path(path).read_text() == "mine" for path in written("out")} == {
        "out/a.txt": True,
        "out/a.wav.txt": True,
        "out/a.flac.txt": False,
        "out/sub/b.txt": True,
    }


def test_a_transcript_that_is_gone_for_good_is_reported(service: Sandbox) -> None:
    """With --delete-after there is no second place: that is an error, which names the first."""
    assert run_cli(*RUN, "-o", "one", "--delete-after").code == 0
    assert not jobs_of(service)
    assert (run_cli(*RUN, "-o", "one").code, run_cli(*RUN, "-o", "one").err) == (0, "")
    done = run_cli(*RUN, "-o", "two")
    assert done.code == 1 and not written("two")
    names = {"a.mp3": "a.txt", "a.wav": "a.wav.txt", "sub/b.wav": "sub/b.txt"}
    lines = [
        f"soniox-sync: in/{name}: its job was deleted after an earlier run, so two/{target} cannot "
        f"be written; the transcript is in one/{target}"
        for name, target in names.items()
    ]
    assert done.err.splitlines() == [*lines, "soniox-sync: 3 of 3 files were not transcribed"]
    assert run_cli(*RUN).code == 1
    assert run_cli(*RUN, "-o", "one").code == 0


def test_a_job_that_others_deleted_is_reported_and_not_made_again(service: Sandbox) -> None:
    """The file that was written stays known, and what is there is written."""
    assert run_cli(*RUN, "-o", "one").code == 0
    with service.client() as client:
        gone = content()["items"][0]["job_id"]
        client.stt.delete(gone)
    done = run_cli(*RUN, "-o", "two")
    assert done.code == 1 and written("two") == ["two/a.wav.txt", "two/sub/b.txt"]
    assert f"in/a.mp3: its job {gone} is not there: it was deleted, or belongs to" in done.err
    assert len(jobs_of(service)) == 2
    assert content()["items"][0]["output"] == "one/a.txt"


def test_what_was_to_be_deleted_is_deleted_by_the_next_run(service: Sandbox) -> None:
    """A run that is cut between a transcript and its deletion leaves nothing at the service."""
    assert run_cli(*RUN, "-o", "out").code == 0
    before = {path: os.stat(path).st_mtime_ns for path in written("out")}
    assert run_cli(*RUN, "-o", "out", "--delete-after").code == 0
    assert not jobs_of(service)
    with service.client() as client:
        assert client.files.count().total == 0
    assert {path: os.stat(path).st_mtime_ns for path in written("out")} == before
    assert all(item["is_deleted"] for item in content()["items"])


# --- what is no state


def test_without_files_and_without_a_state(service: Sandbox) -> None:
    """The message says that the state is missing, not only that there are no files."""
    done = run_cli("jobs", "submit", "--state", "no.json")
    assert done.code == 2
    assert done.err.startswith("soniox-sync: --state: no.json does not exist: to begin a run, give")


def test_the_jobs_of_a_sandbox_cannot_be_resumed(keyless: None) -> None:
    """A sandbox ends with its command: that is said before anything is sent or written."""
    done = run_cli("--sandbox", "jobs", "submit", "in", "--state", "run.json")
    assert (
        done.code == 2 and "whose jobs end with the command: run `soniox-sync sandbox`" in done.err
    )
    assert not Path("run.json").exists()


def test_the_state_of_another_service_is_refused(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere none of its jobs would be found, and what was being sent be submitted again."""
    assert run_cli(*RUN, "-o", "out").code == 0
    before = Path("run.json").read_bytes()
    with Sandbox(engines="tones") as other:
        monkeypatch.setenv("SONIOX_API_BASE_URL", other.urls.api)
        done = run_cli(*RUN, "-o", "out")
        assert done.code == 2
        assert (
            f"the jobs of run.json are at {service.urls.api}, not at {other.urls.api}" in done.err
        )
        assert not other.log.entries(kind="rest")
    assert Path("run.json").read_bytes() == before


ITEM = {"key": "/a.wav", "reference": "r", "is_named": True, "status": "sending", "since": 1.0}


def item(**fields: Any) -> dict[str, Any]:
    """Return an item with other fields; `...` removes one."""
    return {name: value for name, value in {**ITEM, **fields}.items() if value is not ...}


SENT = item(status="submitted", job_id="j")


@pytest.mark.parametrize(
    ("items", "fault"),
    [
        (["x"], "item 1 is no object"),
        ([item(key=...)], "item 1 has no 'key'"),
        ([item(), item(key="b.wav")], "item 2 has a wrong 'key': expected a path from the root,"),
        ([item(key=["/a.wav"])], "item 1 has a wrong 'key'"),
        ([item(status="sent")], "item 1 has a wrong 'status': expected one of new, sending, "),
        ([item(status=None)], "item 1 has a wrong 'status'"),
        ([item(status=["new"])], "item 1 has a wrong 'status'"),
        ([item(since="yesterday")], "item 1 has a wrong 'since': expected a number of seconds"),
        ([item(since=True)], "item 1 has a wrong 'since'"),
        ([item(since=float("nan"))], "item 1 has a wrong 'since'"),
        ([item(since=10**400)], "item 1 has a wrong 'since'"),
        ([item(since=...)], "item 1 is 'sending' and has no 'since'"),
        ([item(reference=...)], "item 1 is 'sending' and has no 'reference' of its own"),
        ([item(is_named=False)], "item 1 is 'sending' and has no 'reference' of its own"),
        ([item(is_named=1)], "item 1 has a wrong 'is_named': expected true or false"),
        ([item(size="big")], "item 1 has a wrong 'size': expected a number of bytes"),
        ([item(size=-1)], "item 1 has a wrong 'size'"),
        ([item(output=["a"])], "item 1 has a wrong 'output': expected a text"),
        ([item(colour="red")], "item 1 has the unknown field 'colour'"),
        ([item(status="submitted")], "item 1 is 'submitted' and has no 'job_id'"),
        ([item(status="completed", job_id="")], "item 1 is 'completed' and has no 'job_id'"),
        ([item(status="new", job_id="j")], "item 1 is 'new' and has a 'job_id'"),
        ([item(), item()], "item 2 is a second one for /a.wav"),
        ([item(), item(key="/b.wav")], "2 items have the same reference, 'r'"),
        (
            [SENT, {**SENT, "key": "/b.wav", "reference": "s"}],
            "2 items have the same job_id, 'j'",
        ),
    ],
)
def test_damage_is_refused(service: Sandbox, items: list[Any], fault: str) -> None:
    """One error names the file, what is wrong and the way out; nothing is sent or replaced."""
    text = json.dumps({"version": 1, "options": {}, "items": items})
    Path("run.json").write_text(text)
    for files in (["in"], []):
        done = run_cli("jobs", "submit", *files, "--state", "run.json")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"soniox-sync: --state: run.json is damaged: {fault}")
        assert "; nothing was submitted; correct the file, or name another one" in done.err
        assert done.err.count("\n") == 1
    assert Path("run.json").read_text() == text
    assert not service.log.entries(kind="rest")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"version": 1, "options": {}, "items": [' + '{"key":' * 100_000,
        '{"version": 1, "options": {}, "items": {}}',
        '{"version": 1, "options": [], "items": []}',
        '{"version": 1, "options": {}, "items": [], "service": 5}',
        "\0",
        '"' + "\\ud800" * 10,
    ],
    ids=lambda text: text[:60],
)
def test_what_is_no_state_is_refused(service: Sandbox, text: str) -> None:
    """Nested without end or of other types: the same error, and no traceback."""
    Path("run.json").write_text(text)
    done = run_cli(*RUN)
    assert done.code == 2 and done.err.count("\n") == 1
    assert "run.json is not the state of a run of jobs: nothing was submitted; " in done.err
    assert not service.log.entries(kind="rest")


def test_a_state_is_a_regular_file(service: Sandbox) -> None:
    """A device or a pipe is refused, and neither replaced nor waited for."""
    os.mkfifo("pipe")
    for path in ("/dev/null", "pipe"):
        done = run_cli(*RUN[:-1], path)
        assert done.code == 2 and f"--state: {path} is a device or a pipe" in done.err
    assert stat.S_ISFIFO(os.stat("pipe").st_mode) and stat.S_ISCHR(os.stat("/dev/null").st_mode)


# --- writing it


def failing(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_state_that_cannot_be_written_leaves_nothing_behind(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The disk is full: one error, the old state as it was, and no half of a new one."""
    assert run_cli(*RUN, "-o", "out").code == 0
    before = Path("run.json").read_bytes()
    shutil.copy("in/a.wav", "in/c.wav")
    with monkeypatch.context() as patch:
        patch.setattr(f"soniox_sync.cli.submission.state.os.{call}", failing)
        done = run_cli(*RUN, "-o", "out")
    assert done.code == 1
    assert done.err == "soniox-sync: cannot write run.json: No space left on device\n"
    assert sorted(os.listdir(".")) == ["in", "out", "run.json"]
    assert Path("run.json").read_bytes() == before
    assert len(jobs_of(service)) == 3


def test_an_interruption_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the state is written removes what was begun."""

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    state = StateFile("run.json", {}, "https://x.y")
    monkeypatch.setattr("soniox_sync.cli.submission.state.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        state.save()
    state.close()
    assert os.listdir(".") == ["in"]


def test_the_mode_of_a_state_stays(service: Sandbox) -> None:
    """A state that others may not read is replaced by one that they may not read."""
    assert run_cli(*RUN, "-o", "out").code == 0
    os.chmod("run.json", 0o600)
    assert run_cli(*RUN, "-o", "two").code == 0
    assert stat.S_IMODE(os.stat("run.json").st_mode) == 0o600


def test_a_folder_without_locks_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot lock is no other run."""

    def unable(file: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("soniox_sync.cli.submission.state._lock", unable)
    done = run_cli(*RUN)
    assert done.code == 2
    assert "--state: run.json cannot be locked: Operation not supported" in done.err
