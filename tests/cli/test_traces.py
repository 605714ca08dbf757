"""`--trace` and `--trace-audio` of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import run_cli
from tests.runtime.trace.lines import lines_of, of_kind

COMMANDS = [
    ("models",),
    ("files", "list"),
    ("jobs", "list"),
    ("voices", "list"),
    ("temp-key", "stt"),
    ("usage",),
    ("speak", "Hi.", "-o", "out.wav"),
    ("transcribe", "RECORDING"),
    ("demo",),
    ("doctor",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_can_be_traced(
    service: Sandbox,
    recording: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    """Every command that talks to a service writes what it sent and received, without the key."""
    monkeypatch.chdir(tmp_path)
    args = [recording if each == "RECORDING" else each for each in command]
    ran = run_cli(*args, "--trace", "trace.jsonl")
    assert ran.code == 0, ran.err
    lines = lines_of("trace.jsonl")
    assert lines[0]["kind"] == "trace" and lines[0]["audio"] is False
    assert of_kind(lines, "request", "connect")
    assert service.api_key not in Path("trace.jsonl").read_text()


@pytest.mark.parametrize("gateway", [(), ("--gateway", "slng")])
def test_the_sandbox_option_can_be_traced(tmp_path: Path, gateway: tuple[str, ...]) -> None:
    """--trace works with --sandbox, also through the gateway; --trace-audio adds the audio."""
    path = tmp_path / "trace.jsonl"
    ran = run_cli(
        *("--trace", str(path), "--trace-audio", "--sandbox", *gateway),
        *("speak", "Hi.", "-o", str(tmp_path / "out.wav")),
    )
    assert ran.code == 0, ran.err
    lines = lines_of(path)
    assert lines[0]["audio"] is True and of_kind(lines, "connect")
    assert any('"data"' in line for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("models", "--trace", "missing/trace.jsonl"), "--trace: "),
        (("models", "--trace", ""), "--trace needs the name of a file"),
        (("models", "--trace-audio"), "--trace-audio needs --trace FILE"),
        (("sandbox", "--trace", "trace.jsonl"), "give it to the command that connects"),
    ],
)
def test_wrong_traces(
    service: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    message: str,
) -> None:
    """A file that cannot be opened, and options that record nothing, are usage errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SONIOX_SYNC_TRACE", raising=False)
    ran = run_cli(*args)
    assert ran.code == 2, ran.err
    assert message in ran.err and ran.out == ""
    assert list(tmp_path.iterdir()) == []


def test_audio_for_a_trace_of_the_environment(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--trace-audio also applies to the file that the environment names."""
    path = tmp_path / "trace.jsonl"
    monkeypatch.setenv("SONIOX_SYNC_TRACE", str(path))
    assert run_cli("models", "--trace-audio").code == 0
    assert lines_of(path)[0]["audio"] is True
