"""`jobs submit` of many files: a few at a time, and nothing twice, whatever happens in between."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable
from unittest import mock

import pytest

from soniox_sync.cli import main
from soniox_sync.cli.submission import runner, worker
from soniox_sync.cli.submission.state import StateFile
from soniox_sync.errors import HttpRateLimitError, SonioxHttpError
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import TIMEOUT_SEC, Screen, Terminal, run_cli, start_cli

SAID = "Hello there my friend. How are you?"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for requests that were cut off, nor between attempts."""
    monkeypatch.setattr(runner, "_SETTLE_SEC", 0.0)
    monkeypatch.setattr(worker, "_FIRST_DELAY_SEC", 0.0)


@pytest.fixture
def folder(tmp_path: Path, recording: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a folder `in` with six recordings, two of them with the same stem."""
    (tmp_path / "work" / "in" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    names = ["a.wav", "b.mp3", "b.wav", "c.wav", "d.wav", "sub/a.wav"]
    for name in names:
        shutil.copy(recording, Path("in", name))
    return names


def state() -> dict[str, Any]:
    """Return the items of the state file by the names of their files."""
    with open("run.json", encoding="utf-8") as file:
        items = json.load(file)["items"]
    return {os.path.relpath(item["key"], "in"): item for item in items}


def jobs_of(service: Sandbox) -> Counter[str]:
    """Return how many jobs the service has for each reference."""
    with service.client() as client:
        return Counter(job.client_reference_id or "" for job in client.stt.list_all())


# --- what is written


def test_a_folder_is_submitted(service: Sandbox, folder: list[str]) -> None:
    """Each file is a job, a line on stdout; the rest of the command's options are those of all."""
    done = run_cli("jobs", "submit", "in", "--speakers", "--term", "Soniox", "--reference", "r")
    assert (done.code, done.err) == (0, "")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert sorted(line[-1] for line in lines) == sorted(map(os.path.basename, folder))
    with service.client() as client:
        for line in lines:
            job = client.stt.get(line[0])
            assert job.enable_speaker_diarization and job.client_reference_id == "r"
            assert job.raw["context"] == {"terms": ["Soniox"]}


def test_transcripts_keep_the_folders(service: Sandbox, folder: list[str]) -> None:
    """With -o each transcript is named after its file, in the same folders."""
    done = run_cli("jobs", "submit", "in", "--wait", "-o", "out", "--format", "srt")
    assert (done.code, done.out, done.err) == (0, "", "")
    found = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.srt"))
    assert found == ["a.srt", "b.srt", "b.wav.srt", "c.srt", "d.srt", "sub/a.srt"]
    assert "Hello there my friend." in Path("out/sub/a.srt").read_text()


def test_transcripts_on_stdout_have_headings(service: Sandbox, folder: list[str]) -> None:
    """Without -o each text follows the name of its file."""
    done = run_cli("jobs", "submit", "in/a.wav", "in/c.wav", "--wait")
    parts = dict(part.split(" <==\n") for part in done.out.split("==> ")[1:])
    assert {name: " ".join(text.split()) for name, text in parts.items()} == {
        "in/a.wav": SAID,
        "in/c.wav": SAID,
    }


def test_transcripts_as_json(service: Sandbox, folder: list[str]) -> None:
    """A line for each file: its path, its job, and the transcript or where that is."""
    lines = run_cli("jobs", "submit", "in/a.wav", "in/c.wav", "--wait", "--json").out.splitlines()
    found = {os.path.basename(each["file"]): each for each in map(json.loads, lines)}
    assert set(found) == {"a.wav", "c.wav"} and found["a.wav"]["text"] == SAID
    line = run_cli("jobs", "submit", "in/a.wav", "--wait", "--json", "-o", "a.json").out
    assert json.loads(line)["output"] == "a.json" and "text" not in json.loads(line)
    assert json.loads(Path("a.json").read_text())["text"].split() == SAID.split()


def test_a_page_of_a_job(service: Sandbox, folder: list[str]) -> None:
    """A page of a job has its audio inside."""
    assert run_cli("jobs", "submit", "in/a.wav", "--wait", "-o", "a.html").code == 0
    assert 'src="data:audio/wav;base64,' in Path("a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [40, 80])
def test_a_bar_shows_how_many_are_done(service: Sandbox, folder: list[str], columns: int) -> None:
    """On a terminal a bar grows to the end; then the total stays."""
    done = run_cli("jobs", "submit", "in", "--wait", "-o", "out", terminal=columns)
    assert "0 of 6 [" in done.err and "6 of 6 [" in done.err and "100%" in done.err
    screen = Screen(columns)
    screen.write(done.err)
    assert [row.rstrip() for row in screen.text if row.strip()] == ["6 of 6 files transcribed"]
    assert all(len(row) <= columns for row in screen.rows)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "give audio files, folders, URLs, or --file-id ID"),
        (["-"], "stdin cannot be submitted: name a file"),
        (["in", "-o", "out"], "--output needs --wait"),
        (["in", "--wait", "--format", "srt"], "6 inputs as srt: add -o FOLDER"),
        (["in", "--wait", "-o", "all.srt"], "-o: all.srt is a file, and 6 inputs need a folder"),
        (["in", "--concurrency", "0"], "--concurrency: expected a whole number from 1 to 32"),
        (["in", "--state", ""], "--state needs the name of a file"),
        (["in", "--state", "x.json", "--reference", "r" * 250], "--reference: with --state at "),
        (["in", "--translate", ""], "--translate: must not be empty"),
    ],
)
def test_usage_errors(service: Sandbox, folder: list[str], args: list[str], message: str) -> None:
    """Each is found before anything is sent."""
    done = run_cli("jobs", "submit", *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"soniox-sync: {message}")
    assert not service.log.entries(kind="rest")


def test_the_table_of_a_terminal_follows_the_bar(service: Sandbox, folder: list[str]) -> None:
    """The bar is gone when the table is written, and drawn again below what comes in between."""
    done = run_on_one_terminal("jobs", "submit", "in", "--concurrency", "1")
    assert done[0].split() == ["id", "status", "created", "file"] and len(done) == 8
    done = run_on_one_terminal("jobs", "submit", "in/a.wav", "in/c.wav", "--wait")
    assert done[0].startswith("==> in/") and done[-1] == "2 of 2 files transcribed"


def run_on_one_terminal(*args: str) -> list[str]:
    """Return what is left on a terminal that gets both streams."""
    both = Terminal()
    with mock.patch.dict(os.environ, {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}):
        with redirect_stdout(both), redirect_stderr(both):
            assert main(list(args)) == 0
    screen = Screen(80)
    screen.write(both.text)
    return [row.rstrip() for row in screen.text if row.strip()]


# --- what fails


def test_one_file_that_fails_does_not_end_the_others(service: Sandbox, folder: list[str]) -> None:
    """A job that failed is reported by its file; the others are written, and the code is 1."""
    Path("in/c.wav").write_bytes(b"this is no audio at all")
    done = run_cli("jobs", "submit", "in", "--wait", "-o", "out")
    assert done.code == 1 and len(list(Path("out").rglob("*.txt"))) == 5
    first, last = done.err.splitlines()
    assert first.startswith("soniox-sync: in/c.wav: ") and "Invalid audio file" in first
    assert last == "soniox-sync: 1 of 6 files was not transcribed"


def test_the_failure_of_a_single_file_names_it(service: Sandbox, folder: list[str]) -> None:
    """The message begins with the file, and with --json that is a field; it is named once."""
    Path("in/c.wav").write_bytes(b"this is no audio at all")
    Path("empty.wav").touch()
    done = run_cli("jobs", "submit", "in/c.wav", "--wait")
    assert done.code == 1 and done.err.startswith("soniox-sync: in/c.wav: transcription ")
    done = run_cli("jobs", "submit", "in/c.wav", "--wait", "--json")
    error = json.loads(done.err)["error"]
    assert (error["file"], error["type"]) == ("in/c.wav", "TranscriptionFailedError")
    done = run_cli("jobs", "submit", "empty.wav")
    assert (done.code, done.err) == (
        2,
        "soniox-sync: empty.wav: expected a file with content, got an empty one\n",
    )


def test_a_refused_key_is_not_the_fault_of_a_file(
    service: Sandbox, folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of every file is reported without the name of the only one."""
    monkeypatch.setenv("SONIOX_API_KEY", "invalid-key")
    done = run_cli("jobs", "submit", "in/a.wav")
    assert done.code == 1 and "401" in done.err and "a.wav" not in done.err


def test_files_that_are_missing_do_not_keep_the_others(service: Sandbox, folder: list[str]) -> None:
    """Each is named at once, the others are transcribed, and the exit code is 1."""
    Path("none").mkdir()
    done = run_cli("jobs", "submit", "no.wav", "in/a.wav", "none", "x*", "--wait", "-o", "out")
    assert done.code == 1 and os.listdir("out") == ["a.txt"]
    first, second, third, last = done.err.splitlines()
    assert first == "soniox-sync: cannot read no.wav: No such file or directory"
    assert second.startswith("soniox-sync: no audio files in none: ")
    assert third == "soniox-sync: no file matches x*"
    assert last == "soniox-sync: 3 of 4 files were not transcribed"


def test_what_is_no_file_is_named_by_its_own_name(service: Sandbox, folder: list[str]) -> None:
    """A link to nothing and a pipe in a folder are reported, and neither is waited for."""
    os.symlink("nowhere", "in/gone.wav")
    os.mkfifo("in/pipe.wav")
    done = run_cli("jobs", "submit", "in", "--wait", "-o", "out", "--state", "run.json")
    assert done.code == 1 and len(list(Path("out").rglob("*.txt"))) == 6
    assert done.err.splitlines() == [
        "soniox-sync: cannot read in/gone.wav: No such file or directory",
        "soniox-sync: cannot submit in/pipe.wav: it is a pipe or a device; save it in a file first",
        "soniox-sync: 2 of 8 files were not transcribed",
    ]
    assert len(state()) == 6


def test_a_refused_key_ends_the_run(
    service: Sandbox, folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would fail for every file is not tried for every file."""
    monkeypatch.setenv("SONIOX_API_KEY", "invalid-key")
    done = run_cli("jobs", "submit", "in", "--concurrency", "1")
    assert done.code == 1 and done.err.count("(401,") == 1
    assert done.err.splitlines()[-1] == "soniox-sync: 6 of 6 files were not submitted"


def test_a_failed_job_is_not_paid_for_again(service: Sandbox, folder: list[str]) -> None:
    """The next run reports it, and submits nothing."""
    Path("in/c.wav").write_bytes(b"this is no audio at all")
    run = ["jobs", "submit", "in", "--wait", "-o", "out", "--state", "run.json"]
    assert run_cli(*run).code == 1
    assert state()["c.wav"]["status"] == "failed"
    before = jobs_of(service)
    again = run_cli(*run)
    assert again.code == 1 and "c.wav: " in again.err and "Invalid audio file" in again.err
    assert jobs_of(service) == before


# --- the state


def test_a_run_goes_on_where_it_was(service: Sandbox, folder: list[str]) -> None:
    """Submitted once, waited for later; then only what is new is submitted."""
    assert run_cli("jobs", "submit", "in", "--state", "run.json").code == 0
    assert {item["status"] for item in state().values()} == {"submitted"}
    run = ["jobs", "submit", "--wait", "-o", "out", "--state", "run.json"]
    assert run_cli(*run).code == 0  # without files: those of the state
    assert {item["status"] for item in state().values()} == {"completed"}
    assert len(list(Path("out").rglob("*.txt"))) == 6
    shutil.copy("in/a.wav", "in/e.wav")
    again = run_cli(*run, "in")
    assert again.code == 0 and Path("out/e.txt").exists()
    counts = jobs_of(service)
    assert len(counts) == 7 and set(counts.values()) == {1}


def test_transcripts_are_fetched_again_where_they_are_missing(
    service: Sandbox, folder: list[str]
) -> None:
    """Stdout gets all of them in each run, a folder those that are not in there; no new job."""
    run = ["jobs", "submit", "in", "--wait", "--state", "run.json"]
    assert run_cli(*run).out.count("==> ") == 6
    assert run_cli(*run).out.count("==> ") == 6
    assert run_cli(*run, "-o", "out").code == 0 and len(list(Path("out").rglob("*.txt"))) == 6
    Path("out/a.txt").unlink()
    Path("out/b.txt").write_text("mine")
    assert run_cli(*run, "-o", "out").code == 0
    assert Path("out/a.txt").exists() and Path("out/b.txt").read_text() == "mine"
    counts = jobs_of(service)
    assert len(counts) == 6 and set(counts.values()) == {1}


def test_a_file_that_changed_is_submitted_anew(service: Sandbox, folder: list[str]) -> None:
    """Another recording under the same name is another job, with a reference of its own."""
    run = ["jobs", "submit", "in/a.wav", "--state", "run.json"]
    assert run_cli(*run).code == 0
    Path("in/a.wav").write_bytes(Path("in/a.wav").read_bytes() + bytes(100))
    assert run_cli(*run).code == 0
    assert set(jobs_of(service).values()) == {1} and len(jobs_of(service)) == 2


def test_the_state_of_other_options_is_refused(service: Sandbox, folder: list[str]) -> None:
    """The same file with another translation would mix two runs."""
    assert run_cli("jobs", "submit", "in", "--translate", "es", "--state", "run.json").code == 0
    done = run_cli("jobs", "submit", "in", "--state", "run.json")
    assert done.code == 2 and "has other options (--translate es): repeat those" in done.err


def state_of(*items: str) -> str:
    """Return a state file with these items, as its text."""
    return f'{{"version": 1, "options": {{}}, "items": [{", ".join(items)}]}}'


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"version": 1}', '{"items": [{"x": 1}]}', "[" * 200_000),
        state_of('{"key": []}'),
        state_of('{"key": 5}'),
        state_of('{"key": "a", "status": "lost"}'),
        state_of('{"key": "a", "status": null}'),
        state_of('{"key": "a", "job_id": {}}'),
        state_of('{"key": "a", "size": "5"}'),
        state_of('{"key": "a", "is_named": 1}'),
        state_of('{"key": "a", "since": "now"}'),
        state_of('{"key": "a", "since": 1e999}'),
        state_of('{"key": "a", "since": NaN}'),
    ],
)
def test_a_file_that_is_no_state_is_refused(
    service: Sandbox, folder: list[str], content: str
) -> None:
    """It is not replaced, and nothing is sent."""
    Path("run.json").write_text(content)
    done = run_cli("jobs", "submit", "in", "--state", "run.json")
    assert done.code == 2 and done.err.count("\n") == 1
    assert re.search(r"run\.json is (damaged: item 1 |not the state of a run of jobs: )", done.err)
    assert Path("run.json").read_text() == content and not Path("run.json.lock").exists()


def test_two_runs_cannot_share_a_state(service: Sandbox, folder: list[str]) -> None:
    """The second is refused while the first holds the file, and only then."""
    holder = StateFile("run.json", {}, service.urls.api)
    done = run_cli("jobs", "submit", "in", "--state", "run.json")
    assert (done.code, done.err) == (2, "soniox-sync: --state: run.json is in use by another run\n")
    os.symlink("run.json", "link.json")  # another name of the same file
    assert run_cli("jobs", "submit", "in", "--state", "link.json").code == 2
    holder.close()
    assert run_cli("jobs", "submit", "in/a.wav", "--state", "link.json").code == 0
    assert sorted(os.listdir(".")) == ["in", "link.json", "run.json"]
    assert os.path.islink("link.json")


def test_killed_and_resumed_nothing_is_submitted_twice(service: Sandbox, folder: list[str]) -> None:
    """Killed while the service has made jobs whose answers never came, the run finds them again."""
    run = ["jobs", "submit", "in", "--wait", "-o", "out", "--state", "run.json"]
    # the first two jobs are answered; those after them are made, and the answer waits
    service.faults.delay(TIMEOUT_SEC, kind="rest", path="/v1/transcriptions", skip=2, times=None)
    process = start_cli(*run[:3], "--state", "run.json", "--concurrency", "2", cwd=os.getcwd())
    asked: dict[int, Any] = {}

    def is_asked(entry: Any) -> bool:
        message = entry.message or {}
        if (message.get("event"), message.get("path")) == ("request", "/v1/transcriptions"):
            asked[id(entry)] = entry
        return len(asked) == 4

    assert service.log.wait_for(is_asked, timeout_sec=TIMEOUT_SEC)
    service.faults.clear()  # for requests from now on
    while sum(jobs_of(service).values()) < 4:  # the last is being made
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait(TIMEOUT_SEC)
    cut = Counter(item["status"] for item in state().values())
    assert cut["sending"] >= 2 and cut["new"] == 2
    done = run_cli(*run)
    assert (done.code, done.err) == (0, "")
    counts = jobs_of(service)
    assert len(counts) == 6 and set(counts.values()) == {1}
    with service.client() as client:
        assert client.files.count().total == 6
    assert {item["status"] for item in state().values()} == {"completed"}
    assert len(list(Path("out").rglob("*.txt"))) == 6


def test_a_job_is_looked_up_by_its_reference(service: Sandbox, folder: list[str]) -> None:
    """What a killed run had sent is found, whether the job was made, or only the file uploaded."""
    with service.client() as client:
        sent = client.stt.transcribe(file="in/a.wav", client_reference_id="one")
        stored = client.files.upload("in/c.wav", client_reference_id="two")
    size = os.path.getsize("in/a.wav")
    items = [
        {"key": os.path.abspath(f"in/{name}"), "reference": reference, "is_named": True,
         "status": "sending", "size": size, "since": 1.0}
        for name, reference in (("a.wav", "one"), ("c.wav", "two"), ("d.wav", "three"))
    ]  # fmt: skip
    Path("run.json").write_text(json.dumps({"version": 1, "options": {}, "items": items}))
    assert run_cli("jobs", "submit", "--state", "run.json").code == 0
    found = state()
    assert found["a.wav"]["job_id"] == sent.id and found["c.wav"]["file_id"] == stored.id
    assert jobs_of(service) == Counter(["one", "two", "three"])


def test_the_service_is_given_time_to_know_what_was_cut_off(
    service: Sandbox, folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request younger than some seconds is waited for before it counts as lost."""
    waits: list[float] = []
    monkeypatch.setattr(runner, "_SETTLE_SEC", 5.0)
    monkeypatch.setattr(runner, "now", lambda: 102.0)
    event = SimpleNamespace(wait=waits.append)
    monkeypatch.setattr(runner, "threading", SimpleNamespace(Event=lambda: event))
    item = {"key": os.path.abspath("in/a.wav"), "reference": "one", "is_named": True,
            "status": "sending", "size": os.path.getsize("in/a.wav"), "since": 100.0}  # fmt: skip
    Path("run.json").write_text(json.dumps({"version": 1, "options": {}, "items": [item]}))
    assert run_cli("jobs", "submit", "--state", "run.json").code == 0
    assert waits == [3.0]


@pytest.mark.parametrize("taken", [True, False])
def test_an_interrupted_run_keeps_what_it_has(
    service: Sandbox, folder: list[str], monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """Ctrl-C ends the run, before or after it took an event; the next run goes on."""
    real = runner.Runner._take

    def interrupted(self: Any, event: Any, workers: Any) -> None:
        if taken:
            real(self, event, workers)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.Runner, "_take", interrupted)
    done = run_cli("jobs", "submit", "in", "--state", "run.json", "--concurrency", "1")
    assert done.code == 130 and done.out.count("\n") == taken
    assert Counter(item["status"] for item in state().values()) == {"submitted": 1, "new": 5}
    monkeypatch.setattr(runner.Runner, "_take", real)
    assert run_cli("jobs", "submit", "in", "--state", "run.json").code == 0
    counts = jobs_of(service)
    assert len(counts) == 6 and set(counts.values()) == {1}


# --- a service that is played by hand


class Service:
    """Client whose calls are recorded; `plan` decides what each of them does before its answer."""

    def __init__(self, plan: Callable[[str], object] = lambda call: None) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self.calls: list[str] = []
        self.jobs: list[Any] = []
        self.active = self.most = 0
        self.webhooks = SimpleNamespace()
        self.files = SimpleNamespace(
            upload=self._upload, list_all=lambda limit: [], delete_if_exists=self._note("discard")
        )
        self.stt = SimpleNamespace(
            create=self._create,
            wait=lambda job_id, **options: self._job(job_id),
            list_all=self._list,
            get_transcript=lambda job_id: SimpleNamespace(tokens=[], raw={}),
            destroy=self._note("destroy"),
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def _note(self, name: str) -> Callable[[str], None]:
        return lambda its_id: self._call(name)

    def _call(self, name: str) -> None:
        with self._lock:
            self.calls.append(name)
        self._plan(name)

    def _upload(self, path: str, **options: Any) -> Any:
        with self._lock:
            self.active += 1
            self.most = max(self.most, self.active)
        self._call("upload")
        with self._lock:
            self.active -= 1
        return SimpleNamespace(id=f"file-{options['client_reference_id']}")

    def _create(self, **fields: Any) -> Any:
        with self._lock:
            job = SimpleNamespace(
                id=f"job-{len(self.jobs)}", status="completed", audio_duration_ms=0, raw={},
                client_reference_id=fields["client_reference_id"], file_id=fields["file_id"],
                filename="x", model="m", created_at=None,
            )  # fmt: skip
            self.jobs.append(job)
        self._call("create")
        return job

    def _job(self, job_id: str) -> Any:
        return next(job for job in self.jobs if job.id == job_id)

    def _list(self, limit: int) -> list[Any]:
        self._call("list")
        return list(self.jobs)


def submit(monkeypatch: pytest.MonkeyPatch, service: Service, *args: str) -> Any:
    """Run `jobs submit` against a service that is played by hand."""
    monkeypatch.setattr("soniox_sync.cli.submission.submit.open_client", lambda args: service)
    return run_cli("jobs", "submit", *args)


def failing(*errors: Exception | None, call: str = "create") -> Callable[[str], object]:
    """Return a plan in which the first calls of one kind raise errors."""
    left = list(errors)

    def plan(name: str) -> None:
        error = left.pop(0) if name == call and left else None
        if error is not None:
            raise error

    return plan


LOST = SonioxHttpError("the answer was lost", code="network_error")
BUSY = HttpRateLimitError("too many", status_code=429)


def test_only_so_many_at_a_time(folder: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With --concurrency 3 three uploads run at once, and never a fourth."""
    together = threading.Barrier(3, timeout=TIMEOUT_SEC)
    service = Service(lambda call: together.wait() if call == "upload" else None)
    done = submit(monkeypatch, service, "in", "--concurrency", "3")
    assert done.code == 0 and (service.most, len(service.jobs)) == (3, 6)


def test_the_intent_is_on_the_disk_before_anything_is_sent(
    folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a request goes out, the state on the disk says so, with the reference it carries."""
    seen = []

    def plan(call: str) -> None:
        if call == "upload":
            seen.append(state()["a.wav"])

    service = Service(plan)
    assert submit(monkeypatch, service, "in/a.wav", "--state", "run.json").code == 0
    assert seen[0]["status"] == "sending"
    assert seen[0]["reference"] == service.jobs[0].client_reference_id


def test_the_end_is_on_the_disk_before_the_job_is_deleted(
    folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill after the deletion does not submit again: the job counts as completed already."""
    seen = []

    def plan(call: str) -> None:
        if call == "destroy":
            seen.append(state()["a.wav"]["status"])

    args = ["in/a.wav", "--state", "run.json", "--wait", "--delete-after", "-o", "a.txt"]
    assert submit(monkeypatch, Service(plan), *args).code == 0
    assert seen == ["completed"]


def test_a_lost_answer_is_looked_up(folder: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """When the answer is lost the job is searched, not made again."""
    for extra in ([], ["--state", "run.json"]):
        service = Service(failing(LOST))
        assert submit(monkeypatch, service, "in/a.wav", *extra).code == 0
        assert len(service.jobs) == 1 and service.calls == ["upload", "create", "list"]


def test_a_lost_answer_about_a_url_is_not_repeated_blindly(
    folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a reference of its own the job could not be found: the error is reported."""

    def plan(call: str) -> None:
        if call == "create":
            raise LOST

    service = Service(plan)
    real = service._create
    service.stt.create = lambda **fields: real(**{"file_id": None, **fields})
    done = submit(monkeypatch, service, "https://example.com/a.mp3")
    assert done.code == 1 and service.calls.count("create") == 1


def test_a_busy_service_is_asked_again(folder: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After 429 the job is submitted again, without another upload."""
    service = Service(failing(BUSY, BUSY))
    service._plan, plan = (lambda call: None), service._plan

    def create(**fields: Any) -> Any:
        plan("create")
        return service._create(**fields)

    service.stt.create = create
    assert submit(monkeypatch, service, "in/a.wav").code == 0
    assert service.calls == ["upload", "create"] and len(service.jobs) == 1


def test_what_was_uploaded_for_a_refused_job_is_deleted(
    folder: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that the service refuses leaves no file there."""
    service = Service(failing(SonioxHttpError("no", code="http_error", status_code=400)))
    done = submit(monkeypatch, service, "in/a.wav")
    assert done.code == 1 and service.calls == ["upload", "create", "discard"]


def test_an_outage_ends_the_run(folder: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the service the other files are not tried; they stay in the state for later."""
    monkeypatch.setattr(worker, "_OUTAGE_SEC", 0.0)
    away = SonioxHttpError("could not connect", code="network_error")
    away.nothing_sent = True
    service = Service(failing(*[away] * 9, call="upload"))
    args = ["in", "--state", "run.json", "--concurrency", "1"]
    done = submit(monkeypatch, service, *args)
    assert done.code == 1 and service.calls == ["upload"]
    assert Counter(item["status"] for item in state().values()) == {"sending": 1, "new": 5}
    service = Service()
    assert submit(monkeypatch, service, *args).code == 0 and len(service.jobs) == 6
