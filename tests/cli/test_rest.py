"""Tests of the commands over HTTP: jobs, files, voices, models, temp-key, usage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import run_cli

SAID = "Hello there my friend. How are you?"


def rows(*args: str) -> list[dict[str, Any]]:
    """Run a command that must succeed and return its lines of JSON."""
    done = run_cli(*args, "--json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def columns(*args: str) -> list[list[str]]:
    """Run a command that must succeed and return its lines, split at white space."""
    done = run_cli(*args)
    assert done.code == 0, done.err
    return [line.split() for line in done.out.splitlines()]


def test_a_job_writes_its_transcript(service: Sandbox, recording: str) -> None:
    """`jobs submit --wait` writes only the text to stdout."""
    done = run_cli("jobs", "submit", recording, "--wait")
    assert done.code == 0 and done.err == ""
    assert " ".join(done.out.split()) == SAID


@pytest.mark.parametrize(("form", "sign"), [("srt", "00:00:00,000 -->"), ("vtt", "WEBVTT")])
def test_a_job_writes_captions(service: Sandbox, recording: str, form: str, sign: str) -> None:
    """`--format` selects captions."""
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
    [listed] = columns("jobs", "list")
    assert listed[:2] == [job["id"], "completed"] and "stt-async-v6" in listed
    assert rows("jobs", "count")[0]["total"] == 1
    assert run_cli("jobs", "delete", job["id"], "--with-file").code == 0
    assert rows("jobs", "list") == [] == rows("files", "list")


def test_a_job_can_be_deleted_afterwards(service: Sandbox, recording: str) -> None:
    """`--delete-after` deletes the job and its file."""
    done = run_cli("jobs", "submit", recording, "--wait", "--delete-after", "--translate", "es")
    assert done.code == 0 and "hola" in done.out.lower()
    assert rows("jobs", "list") == [] == rows("files", "list")


def test_a_failed_job_is_an_error(service: Sandbox, tmp_path: Path) -> None:
    """A file that is not audio ends with the service's reason and exit code 1."""
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
        ["voices", "delete"],
        ["voices", "delete", "x", "--all"],
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
    ids=range(19),
)
def test_a_usage_error_is_exit_code_2(service: Sandbox, args: list[str]) -> None:
    """A usage error is reported before any request is made."""
    done = run_cli(*args)
    assert (done.code, done.out) == (2, "") and done.err
    assert service.log.messages(kind="rest", direction="event") == []


@pytest.mark.parametrize("noun", ["job", "file", "voice"])
def test_deletion_needs_ids_or_all(noun: str) -> None:
    """A usage error of `delete` fits what was given."""
    neither = run_cli(f"{noun}s", "delete")
    assert neither.err == (
        f"soniox-sync: name the {noun}s to delete by their IDs, or delete all with --all\n"
    )
    both = run_cli(f"{noun}s", "delete", "x", "--all")
    assert both.err == f"soniox-sync: --all deletes every {noun}: leave it out, or the IDs\n"


def test_an_unknown_id_is_exit_code_1(service: Sandbox, tmp_path: Path) -> None:
    """An unknown id is reported in one line."""
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
    """A file that cannot be read is reported by name, and no request is made."""
    done = run_cli(*args, str(tmp_path / "no.wav"))
    assert (done.code, done.out) == (2, "")
    assert (
        done.err == f"soniox-sync: cannot read {tmp_path / 'no.wav'}: No such file or directory\n"
    )
    assert service.log.messages(kind="rest", direction="event") == []


def test_files(service: Sandbox, recording: str) -> None:
    """Files are uploaded, shown and deleted, one by one or all at once."""
    uploaded = rows("files", "upload", recording, recording, "--reference", "mine")
    assert [each["client_reference_id"] for each in uploaded] == ["mine", "mine"]
    assert rows("files", "get", uploaded[0]["id"]) == [uploaded[0]]
    assert run_cli("files", "delete", uploaded[0]["id"]).out == "deleted 1 file\n"
    assert [line[0] for line in columns("files", "list")] == [uploaded[1]["id"]]
    assert rows("files", "delete", "--all") == [{"deleted": 1}]
    assert rows("files", "count")[0]["total"] == 0


def test_voices(service: Sandbox, recording: str) -> None:
    """Voices are cloned, listed, prepared and deleted; shared ones are filtered."""
    [voice] = rows("voices", "create", "Grandma", recording)
    assert rows("voices", "get", voice["id"])[0]["name"] == "Grandma"
    assert rows("voices", "recompute", voice["id"])[0]["id"] == voice["id"]
    assert columns("voices", "list")[0][-1] == "Grandma"
    assert run_cli("voices", "delete", voice["id"]).code == 0
    for name in ("A", "B"):
        rows("voices", "create", name, recording)
    assert run_cli("voices", "delete", "--all").out == "deleted 2 voices\n"
    assert run_cli("voices", "delete", "--all").out == "deleted 0 voices\n"
    assert rows("voices", "list") == []
    shared = rows("voices", "shared", "--gender", "female", "--use-case", "narration")
    assert shared and {each["gender"] for each in shared} == {"female"}


def test_models_are_listed(service: Sandbox) -> None:
    """Both kinds of model are listed, or only one."""
    assert {line[0] for line in columns("models")} >= {"stt-rt-v6", "tts-rt-v2"}
    assert all(each["id"].startswith("tts") for each in rows("models", "--tts"))


def test_a_temporary_key_is_all_of_stdout(service: Sandbox) -> None:
    """The key on stdout works."""
    done = run_cli("temp-key", "tts", "--expires", "60", "--single-use")
    key = done.out.strip()
    assert done.code == 0 and key.startswith("snx_temp_") and done.out == key + "\n"
    with service.client(api_key=key) as client:
        assert client.tts.generate(text="Hi.", voice="Adrian")


def test_usage(service: Sandbox, recording: str) -> None:
    """`usage` shows totals, single requests and limits."""
    assert run_cli("jobs", "submit", recording, "--wait").code == 0
    assert [line[0] for line in columns("usage")] == ["stt-async-v6", "total"]
    assert [line["model"] for line in rows("usage")] == ["stt-async-v6", None]
    [log] = rows("usage", "--logs", "--days", "2")
    assert log["model"] == "stt-async-v6" and log["input_audio_duration_ms"] == 3000
    assert len(columns("usage", "--limits")) == 4
    assert rows("usage", "--limits")[0]["project"]["current"]["tts_concurrent"] == 0


def test_common_options_work_on_both_sides_of_an_action(keyless: None) -> None:
    """`--sandbox` and `--json` are accepted before and after the action."""
    for args in (["--sandbox", "--json", "files", "list"], ["files", "list", "--sandbox"]):
        done = run_cli(*args)
        assert (done.code, done.out) == (0, ""), done.err
