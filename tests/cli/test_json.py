"""What `docs/command_line.rst` states of `--json` is what the commands write."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from soniox_sync.cli.app import COMMANDS
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import run_cli

PAGE = Path(__file__).parents[2] / "docs" / "command_line.rst"
ROW = re.compile(r"^   \* - (``.*``)\n     - .*\n     - ``([\w ]+)``$", re.MULTILINE)


def stated() -> dict[str, list[str]]:
    """Return the fields of each command that the page states."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {
        command: fields.split()
        for commands, fields in rows
        for command in re.findall(r"``([^`]+)``", commands)
    }


FIELDS = stated()
# these have tests of their own: they serve until Ctrl-C, connect in all ways, need a program
ELSEWHERE = ("sandbox", "doctor", "converse")


def lines_of(*args: str) -> list[dict[str, Any]]:
    done = run_cli(*args, "--json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_every_command_is_stated() -> None:
    """No command that writes JSON is missing from the page."""
    assert {name.split()[0] for name in FIELDS} == set(COMMANDS)


def test_json_has_its_stated_shape(service: Sandbox, recording: str, tmp_path: Path) -> None:
    """Each line is an object with the stated fields; there is at least one."""
    with service.client() as client:
        job = client.stt.transcribe_and_wait(file=recording)
        voice = client.voices.create(recording, name="Anna")
    assert job.file_id is not None
    out = str(tmp_path / "out.wav")
    text = str(tmp_path / "out.txt")
    more = {
        "speak -o": [out, "Hello"],
        "transcribe": [recording, "--pace", "0"],
        "transcribe -o": [text, recording, "--pace", "0"],
        "demo": ["--dir", str(tmp_path), "--text", "Hi."],
        "jobs submit": [recording],
        "jobs submit --wait": [recording],
        "jobs submit --wait -o": [text, recording],
        "files upload": [recording],
        "voices create": ["Berta", recording],
        "temp-key": ["stt"],
        "files get": [job.file_id],
        "files delete": [job.file_id],
        "voices get": [voice.id],
        "voices delete": [voice.id],
        **{f"jobs {name}": [job.id] for name in ("get", "wait", "transcript", "delete")},
    }
    commands = sorted(set(FIELDS) - set(ELSEWHERE), key=lambda name: "delete" in name)
    wrong = {}
    for command in commands:  # one after the other: a sandbox for each would take long
        lines = lines_of(*command.split(), *more.get(command, []))
        missing = [sorted(set(FIELDS[command]) - set(line)) for line in lines]
        if any(missing) or not lines:
            wrong[command] = missing
    assert wrong == {}


def test_errors_have_their_stated_shape(service: Sandbox) -> None:
    """An error is one line on stderr; that of the service has the service's details."""
    done = run_cli("jobs", "get", "nope", "--json")
    error = json.loads(done.err)["error"]
    assert {"type", "message", "exit_code", "status_code", "error_type"} <= set(error)
    assert (error["exit_code"], error["status_code"]) == (1, 404)
