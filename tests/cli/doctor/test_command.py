"""The command `doctor`: its table, its JSON, its exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.cli.commands import doctor as command
from soniox_sync.cli.doctor.plan import CHECKS
from soniox_sync.sandbox import Sandbox
from tests.cli.doctor.helpers import KEY, use_urls
from tests.cli.helpers import Output, environment, run_cli, start_cli
from tests.peers import RawPeer

NAMES = [check.name for check in CHECKS]
FIELDS = ["name", "status", "seconds", "detail", "problem", "advice", "because"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox that the environment names; it accepts one key."""
    with Sandbox(engines="tones", limits={"tts_pace": None}, api_keys=[KEY]) as sandbox:
        for name, value in environment(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


def document(text: str) -> dict[str, Any]:
    """Return the one document of `--json`."""
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    assert [check["name"] for check in found["checks"]] == NAMES
    assert all(list(check) == FIELDS for check in found["checks"])
    return found


def test_table(service: Sandbox) -> None:
    """Each check is a line with its result, time and detail; exit code 0 if all passed."""
    done = run_cli("doctor")
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[0] for row in rows] == NAMES
    assert all(row[1] == "ok" and float(row[2]) < 10 and row[3] == "s" for row in rows)


def test_table_with_a_failure(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a failure stands what to do, and what was skipped says why; exit code 1."""
    monkeypatch.setenv("SONIOX_API_KEY", f'"{KEY}"')
    done = run_cli("doctor")
    assert (done.code, done.err) == (1, "soniox-sync: failed: key\n")
    lines = done.out.splitlines()
    assert lines[0].split()[:2] == ["key", "FAILED"]
    assert lines[1].startswith("    -> remove the quotes from the value of SONIOX_API_KEY")
    [http] = [line for line in lines if line.startswith("http ")]
    assert http.split() == ["http", "skipped", "-", "needs", "key"]
    assert KEY not in done.out + done.err


def test_table_on_a_terminal(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the table has a header."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(Output, "isatty", lambda self: True)
    done = run_cli("doctor")
    assert done.out.splitlines()[0].split() == ["check", "result", "time", "detail"]
    assert "checking transcription" in done.err


def test_json(service: Sandbox) -> None:
    """`--json` writes one document."""
    done = run_cli("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    found = document(done.out)
    assert found["ok"] is True
    assert {check["status"] for check in found["checks"]} == {"passed"}


def test_json_with_a_failure(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure has its problem and advice, a skipped check its cause; no key is in it."""
    monkeypatch.setenv("SONIOX_API_KEY", "another-secret-key")
    done = run_cli("doctor", "--json")
    assert done.code == 1
    found = document(done.out)
    by_name = {check["name"]: check for check in found["checks"]}
    assert found["ok"] is False
    assert by_name["http"]["problem"] == "unauthorized"
    assert "set --region" in by_name["http"]["advice"]
    assert by_name["speech"]["status"] == "skipped" and by_name["speech"]["because"] == "http"
    assert "another-secret-key" not in done.out + done.err
    assert json.loads(done.err)["error"]["code"] == "checks_failed"


def test_missing_key_is_a_failure_not_a_usage_error(service: Sandbox, keyless: None) -> None:
    """Without a key the doctor still runs: exit code 1, and the variable is named."""
    done = run_cli("doctor", "--api-key-env", "MY_KEY")
    assert done.code == 1
    assert "MY_KEY is not set" in done.out


def test_sandbox(keyless: None) -> None:
    """`--sandbox` checks a sandbox of its own, without a key."""
    done = run_cli("--sandbox", "doctor", "--json")
    assert done.code == 0, done.out
    assert document(done.out)["checks"][0]["detail"] == "regular key from the sandbox"


@pytest.mark.parametrize("args", [[], ["--sandbox"]], ids=["service", "sandbox"])
def test_trace(service: Sandbox, tmp_path: Path, args: list[str]) -> None:
    """`--trace` records what the checks of the service send and receive, without the key."""
    path = tmp_path / "trace.jsonl"
    assert run_cli(*args, "doctor", "--trace", str(path)).code == 0
    traced = path.read_text()
    for part in ("/v1/models", "transcribe-websocket", "tts-websocket"):
        assert part in traced
    assert KEY not in traced


def test_trace_that_cannot_be_written(service: Sandbox, tmp_path: Path) -> None:
    """A trace that cannot be opened fails the checks that would be recorded, and is named."""
    done = run_cli("doctor", "--trace", str(tmp_path / "no" / "trace.jsonl"))
    assert done.code == 1
    assert "name another file with --trace" in done.out


@pytest.mark.parametrize(
    "args",
    [
        ["--sandbox", "--region", "eu"],
        ["--sandbox", "--api-key-env", "X"],
        ["--gateway", "slng"],
        ["extra"],
    ],
    ids=range(4),
)
def test_usage_errors(args: list[str]) -> None:
    """Options that the command cannot carry out are usage errors."""
    assert run_cli("doctor", *args).code == 2


def test_help_lists_it() -> None:
    """The program's help lists the command, the command's own shows the exit codes."""
    assert command.HELP in run_cli("--help").out
    assert "Exit code 0 if all checks passed" in run_cli("doctor", "--help").out


def test_control_characters_of_a_server(service: Sandbox) -> None:
    """What a server says cannot write escape codes to the terminal."""
    service.faults.refuse(422, path="/v1/models", body=b"a\x1b[2Jb")
    done = run_cli("doctor")
    assert done.code == 1 and "\x1b" not in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="a child cannot be sent Ctrl-C alone")
def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a check that waits: exit code 130, after the results so far."""
    with RawPeer(raw=True) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        process = start_cli("doctor", env=dict(os.environ))
        remote = peer.accept()
        remote.recv_until(b"\r\n\r\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [line.split()[0] for line in out.decode().splitlines()] == NAMES[:4]
    assert err == b""
