"""The commands over HTTP: jobs, files, voices, models, temp-key, usage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import run_cli

from soniox_sync.sandbox import Sandbox

SAID = "Hello there my friend. How are you?"


def rows(*args: str) -> list[dict[str, Any]]:
    """Run a command that must succeed and give its lines of JSON."""
    done = run_cli(*args, "--json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def columns(*args: str) -> list[list[str]]:
    """Run a command that must succeed and give its lines, cut at white space."""
    done = run_cli(*args)
    assert done.code == 0, done.err
    return [line.split() for line in done.out.splitlines()]


def test_a_job_writes_its_transcript(service: Sandbox, recording: str) -> None:
    """`jobs submit --wait` writes the text, and nothing else, to stdout."""
    done = run_cli("jobs", "submit", recording, "--wait")
    assert done.code == 0 and done.err == ""
    assert " ".join(done.out.split()) == SAID


@pytest.mark.parametrize(("form", "sign"), [("srt", "00:00:00,000 -->"), ("vtt", "WEBVTT")])
def test_a_job_writes_captions(service: Sandbox, recording: str, form: str, sign: str) -> None:
    """`--format` chooses captions."""
    done = run_cli("jobs", "submit", recording, "--wait", "--format", form)
    assert done.code == 0 and sign in done.out


def test_a_job_step_by_step(service: Sandbox, recording: str) -> None:
    """Submitting, waiting, showing, listing and deleting work by id."""
    [job] = rows("jobs", "submit", recording, "--speakers", "--reference", "r1")
    assert (job["filename"], job["client_reference_id"]) == ("recording.wav", "r1")
    assert job["enable_speaker_diarization"] is True
    assert " ".join(run_cli("jobs", "wait", job["id"]).out.split()).endswith("How are you?")
    [transcript] = rows("jobs", "transcript", job["id"])
    assert transcript["text"] == SAID
    assert ["status", "completed"] in columns("jobs", "get", job["id"])
    assert [line[:2] for line in columns("jobs", "list")] == [[job["id"], "completed"]]
    assert rows("jobs", "count")[0]["total"] == 1
    assert run_cli("jobs", "delete", job["id"], "--with-file").code == 0
    assert rows("jobs", "list") == [] == rows("files", "list")


def test_a_job_can_leave_nothing(service: Sandbox, recording: str) -> None:
    """`--delete-after` deletes job and file."""
    done = run_cli("jobs", "submit", recording, "--wait", "--delete-after", "--translate", "es")
    assert done.code == 0 and "hola" in done.out.lower()
    assert rows("jobs", "list") == [] == rows("files", "list")


def test_a_failed_job_is_an_error(service: Sandbox, tmp_path: Path) -> None:
    """What is no audio ends with the service's reason and exit code 1."""
    path = tmp_path / "no.wav"
    path.write_bytes(b"this is no audio at all")
    done = run_cli("jobs", "submit", str(path), "--wait")
    assert (done.code, done.out) == (1, "") and "Invalid audio file" in done.err


@pytest.mark.parametrize(
    "args",
    [
        ["jobs"],
        ["jobs", "submit"],
        ["jobs", "submit", "a.wav", "--file-id", "x"],
        ["jobs", "submit", "a.wav", "--delete-after"],
        ["jobs", "delete"],
        ["jobs", "delete", "x", "--all"],
        ["jobs", "get", "../x"],
        ["files", "delete"],
        ["files", "nonsense"],
        ["temp-key", "all"],
        ["temp-key", "stt", "--expires", "9999"],
        ["usage", "--days", "0"],
        ["usage", "--logs", "--limits"],
        ["voices", "create", "name-only"],
        ["jobs", "submit", "a.wav", "--wait", "--json", "--format", "srt"],
        ["jobs", "wait", "x", "--timeout", "-1"],
        ["jobs", "list", "--gateway", "slng"],
    ],
    ids=range(17),
)
def test_a_wrong_command_line_is_exit_code_2(service: Sandbox, args: list[str]) -> None:
    """What cannot be carried out is told before anything is done."""
    done = run_cli(*args)
    assert (done.code, done.out) == (2, "") and done.err
    assert service.log.messages(kind="rest", direction="event") == []


def test_missing_things_are_exit_code_1(service: Sandbox, tmp_path: Path) -> None:
    """What the service does not have, or refuses, is told in one line."""
    for args in (
        ["jobs", "get", "nope"],
        ["files", "delete", "nope"],
        ["voices", "get", "nope"],
    ):
        done = run_cli(*args)
        assert (done.code, done.out) == (1, "") and len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "args", [["jobs", "submit"], ["files", "upload"], ["voices", "create", "A"]]
)
def test_a_missing_file_is_exit_code_2(service: Sandbox, tmp_path: Path, args: list[str]) -> None:
    """A file that cannot be read is named, and nothing is asked of the service."""
    done = run_cli(*args, str(tmp_path / "no.wav"))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"soniox-sync: {tmp_path / 'no.wav'}: No such file or directory\n"
    assert service.log.messages(kind="rest", direction="event") == []


def test_files_come_and_go(service: Sandbox, recording: str) -> None:
    """Files are uploaded, shown and deleted, one by one or all."""
    uploaded = rows("files", "upload", recording, recording, "--reference", "mine")
    assert [each["client_reference_id"] for each in uploaded] == ["mine", "mine"]
    assert rows("files", "get", uploaded[0]["id"]) == [uploaded[0]]
    assert run_cli("files", "delete", uploaded[0]["id"]).code == 0
    assert [line[0] for line in columns("files", "list")] == [uploaded[1]["id"]]
    assert run_cli("files", "delete", "--all").code == 0
    assert rows("files", "count")[0]["total"] == 0


def test_voices_come_and_go(service: Sandbox, recording: str) -> None:
    """Voices are cloned, listed, prepared and deleted; shared ones are filtered."""
    [voice] = rows("voices", "create", "Grandma", recording)
    assert rows("voices", "get", voice["id"])[0]["name"] == "Grandma"
    assert rows("voices", "recompute", voice["id"])[0]["id"] == voice["id"]
    assert columns("voices", "list")[0][-1] == "Grandma"
    assert run_cli("voices", "delete", voice["id"]).code == 0
    shared = rows("voices", "shared", "--gender", "female", "--use-case", "narration")
    assert shared and {each["gender"] for each in shared} == {"female"}


def test_models_are_listed(service: Sandbox) -> None:
    """Both kinds are listed, or one."""
    assert {line[0] for line in columns("models")} >= {"stt-rt-v5", "tts-rt-v2"}
    assert all(each["id"].startswith("tts") for each in rows("models", "--tts"))


def test_a_temporary_key_is_all_of_stdout(service: Sandbox) -> None:
    """The key can be used as it was written."""
    done = run_cli("temp-key", "tts", "--expires", "60", "--single-use")
    key = done.out.strip()
    assert done.code == 0 and key.startswith("snx_temp_") and done.out == key + "\n"
    with service.client(api_key=key) as client:
        assert client.tts.generate(text="Hi.", voice="Adrian")


def test_usage_is_told(service: Sandbox, recording: str) -> None:
    """Sums, single requests and limits."""
    assert run_cli("jobs", "submit", recording, "--wait").code == 0
    assert [line[0] for line in columns("usage")] == ["stt-async-v5", "-"]
    [log] = rows("usage", "--logs", "--days", "2")
    assert log["model"] == "stt-async-v5" and log["input_audio_duration_ms"] == 3000
    assert len(columns("usage", "--limits")) == 4
    assert rows("usage", "--limits")[0]["project"]["current"]["tts_concurrent"] == 0


def test_common_options_work_on_both_sides_of_an_action(keyless: None) -> None:
    """`--sandbox` and `--json` are understood before and after the action."""
    for args in (["--sandbox", "--json", "files", "list"], ["files", "list", "--sandbox"]):
        done = run_cli(*args)
        assert (done.code, done.out) == (0, ""), done.err
