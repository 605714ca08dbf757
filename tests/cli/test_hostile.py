"""Tests of bad input to the command line: one line on stderr and no traceback."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.cli.app import build_parser
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import environment, run_cli

HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\x9b2Jy"
CONTROLS = set("\x1b\x07\x9b\r")


def one_line(*args: str, code: int = 2, **options: Any) -> str:
    """Run a command that must fail with one line on stderr and no result; return the line."""
    run = run_cli(*args, **options)
    assert (run.code, run.out) == (code, "")
    assert run.err.startswith("soniox-sync: ") and run.err.count("\n") == 1
    return run.err


# --- messages


@pytest.mark.parametrize("verbose", [(), ("-vv",)])
def test_an_error_of_the_service_cannot_control_the_terminal(
    service: Sandbox, verbose: tuple[str, ...]
) -> None:
    """Escape codes in the text of an error are not written, neither plain nor in tracebacks."""
    said = "x\x1b]0;owned\x07\x1b[2J\r\x9b2Jy"
    # once there is a stream: the error of an idle connection is nobody's
    service.faults.error_frame("invalid_request", said, kind="tts", after_frames_in=1)
    run = run_cli(*verbose, "speak", "Hello.", "-o", os.devnull)
    assert run.code == 1
    assert "owned" in run.err
    assert not set("\x1b\x07\x9b\r") & set(run.err)


@pytest.mark.parametrize("verbose", [(), ("-vv",)])
def test_a_body_of_the_service_cannot_control_the_terminal(
    service: Sandbox, verbose: tuple[str, ...]
) -> None:
    """The same for the body of an HTTP error, whatever it is."""
    as_json = json.dumps({"error_type": "internal", "message": HOSTILE, "request_id": HOSTILE})
    for body in (HOSTILE, as_json):
        # a POST: it is not repeated
        service.faults.refuse(500, body=body.encode(), kind="rest")
        run = run_cli(*verbose, "temp-key", "stt")
        assert run.code == 1 and "owned" in run.err
        assert not CONTROLS & set(run.err + run.out)


def test_what_the_service_stores_cannot_control_the_terminal(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recording: str
) -> None:
    """Names of files in tables, headings and progress, and the words of a job, are cleaned."""
    monkeypatch.chdir(tmp_path)
    names = ["a\x1b]0;owned\x07.wav", "b\x1b[2J.wav"]
    for name in names:
        Path(name).write_bytes(Path(recording).read_bytes())
    service.script(f"Hello {HOSTILE} there.", ms_per_word=200)
    for args in (
        ["jobs", "submit", *names, "--wait"],
        ["jobs", "submit", *names],
        ["jobs", "list"],
        ["files", "list"],
        ["transcribe", *names, "--pace", "0"],
        ["transcribe", *names, "--pace", "0", "-o", "out/"],
        ["transcribe", "\x1b[2J.wav"],
    ):
        for terminal in (0, 80):
            run = run_cli(*args, terminal=terminal)
            shown = (run.out + run.err).replace("\x1b[J", "").replace("\x1b[1A", "")
            assert "\x1b" not in shown and "\x07" not in shown, args


# --- inputs


def test_input_that_is_not_a_file(service: Sandbox, tmp_path: Path) -> None:
    """A missing file, a directory and an illegal name are reported; no connection is made."""
    assert f"cannot read {tmp_path / 'nothing.wav'}: No such file" in one_line(
        "transcribe", str(tmp_path / "nothing.wav")
    )
    assert "it is a folder" in one_line("transcribe", str(tmp_path))
    assert "cannot read" in one_line("transcribe", "nul\0.wav")
    assert not service.log.entries(kind="stt")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser reads everything"
)
def test_input_without_permission(service: Sandbox, recording: str) -> None:
    """A file that may not be read is reported with the reason."""
    os.chmod(recording, 0)
    assert "Permission denied" in one_line("transcribe", recording)


def test_input_without_audio(service: Sandbox, tmp_path: Path, recording: str) -> None:
    """An empty file, an empty pipe and a header without samples are errors."""
    empty, header = tmp_path / "empty.mp3", tmp_path / "header.wav"
    empty.touch()
    header.write_bytes(Path(recording).read_bytes()[:44])
    assert "empty.mp3 is empty" in one_line("transcribe", str(empty))
    assert "no audio" in one_line("transcribe", "-")
    assert "no audio" in one_line("transcribe", str(header))


@pytest.mark.parametrize("size", [3, 50_000])
def test_input_that_is_not_audio(tmp_path: Path, size: int) -> None:
    """Bytes that are not audio end with the service's error."""
    path = tmp_path / "garbage.mp3"
    path.write_bytes(b"\x93garbage"[:size] * (1 + size // 8))
    with Sandbox(engines="tones", limits={"stt_decode_timeout_sec": 0.1}) as service:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(service).items():
                patch.setenv(name, value)
            assert "(408, request_timeout" in one_line("transcribe", str(path), code=1)


def test_raw_audio_without_its_format(service: Sandbox, tmp_path: Path) -> None:
    """Raw audio is refused with the options that name its format."""
    path = tmp_path / "call.ulaw"
    path.write_bytes(bytes(100))
    assert "--audio-format pcm_s16le --sample-rate" in one_line("transcribe", str(path))
    assert "--sample-rate HZ" in one_line("transcribe", str(path), "--audio-format", "mulaw")
    wrong = one_line("transcribe", str(path), "--audio-format", "telephone")
    assert "unknown audio format telephone" in wrong


# --- outputs


def test_output_that_cannot_be_written(service: Sandbox, tmp_path: Path) -> None:
    """A directory, a missing directory and an unknown file ending are reported by name."""
    assert f"cannot write {tmp_path}: Is a dir" in one_line("speak", "Hi", "-o", str(tmp_path))
    path = str(tmp_path / "no" / "out.wav")
    assert f"cannot write {path}: No such" in one_line("speak", "Hi", "-o", path)
    assert "--audio-format" in one_line("speak", "Hi", "-o", str(tmp_path / "out.m4a"))
    assert not service.log.entries(kind="tts")
    assert os.listdir(tmp_path) == []


def test_failed_speech_keeps_the_old_file(service: Sandbox, tmp_path: Path) -> None:
    """After an error the old file is unchanged and no temporary file remains."""
    path = tmp_path / "out.wav"
    path.write_bytes(b"before")
    one_line("speak", "Hello", "-o", str(path), "--voice", "Nobody", code=1)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.wav"]


def test_speech_replaces_the_old_file(service: Sandbox, tmp_path: Path) -> None:
    """An existing file is replaced by the complete new one."""
    path = tmp_path / "out.wav"
    path.write_bytes(b"before")
    assert run_cli("speak", "Hello", "-o", str(path)).code == 0
    assert path.read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("name", ["no-such-directory", "file"])
def test_demo_needs_a_directory(service: Sandbox, tmp_path: Path, name: str) -> None:
    """A --dir that is not a directory is refused before anything is spoken."""
    (tmp_path / "file").touch()
    run = run_cli("demo", "--dir", str(tmp_path / name))
    assert (run.code, run.out) == (2, "") and "no directory" in run.err


# --- options


@pytest.mark.parametrize(
    "args",
    [
        ["speak", "hi", "-o", "o.wav", "--speed", "1.4"],
        ["speak", "hi", "-o", "o.wav", "--speed", "nan"],
        ["speak", "hi", "-o", "o.wav", "--sample-rate", "12345"],
        ["speak", "hi", "-o", "o.wav", "--sample-rate", "0"],
        ["speak", "hi", "-o", "o.wav", "--bitrate", "-1"],
        ["speak", "hi", "-o", "o.wav", "--voice", ""],
        ["speak", "hi", "--json"],
        ["speak", " "],
        ["demo", "--text", " "],
        ["transcribe", "FILE", "--pace", "inf"],
        ["transcribe", "FILE", "--pace", "fast"],
        ["transcribe", "FILE", "--json", "--format", "vtt"],
        ["transcribe", "FILE", "--audio-format", "pcm_s16le", "--sample-rate", "-1"],
        ["transcribe", "FILE", "--sample-rate", "0"],
        ["sandbox", "--port", "70000"],
        ["sandbox", "--port", "http"],
        ["temp-key", "stt", "--max-session", "0"],
    ],
)
def test_values_out_of_range(service: Sandbox, recording: str, args: list[str]) -> None:
    """A value out of range has exit code 2, and no request is made."""
    run = run_cli(*[recording if arg == "FILE" else arg for arg in args])
    assert (run.code, run.out) == (2, "")
    assert "internal error" not in run.err and "Traceback" not in run.err
    assert not service.log.messages(direction="in")
    assert not Path("o.wav").exists()


def test_errors_as_json(keyless: None, recording: str) -> None:
    """With --json an error is a line of JSON on stderr."""
    run = run_cli("transcribe", recording, "--json")
    assert (run.code, run.out) == (2, "")
    error = json.loads(run.err)["error"]
    assert error["type"] == "ConfigurationError" and "SONIOX_API_KEY" in error["message"]


def test_connection_refused(monkeypatch: pytest.MonkeyPatch, recording: str) -> None:
    """A service that cannot be reached is reported with its address and the system's reason."""
    with socket.socket() as taken:  # bound, not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("SONIOX_API_KEY", "key")
        monkeypatch.setenv("SONIOX_WS_URL", f"ws://{address}/x")
        message = one_line("transcribe", recording, "--no-reconnect", code=1)
    assert address in message and "refused" in message and "handler" not in message


# --- help and log


def parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return a parser and those of its commands and actions."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                found += parsers(each)
    return found


def test_help_is_complete() -> None:
    """Every command, action and option has a description."""
    for parser in parsers(build_parser()):
        assert parser.description, parser.prog
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert action.help, f"{parser.prog}: {action.dest}"
        assert "--sandbox" in parser.format_help()


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "speak", "transcribe", "jobs", "files", "voices"),
        *("models", "temp-key", "usage", "sandbox"),
    ],
)
def test_help_has_examples(command: str) -> None:
    """The help of a command shows examples."""
    assert f"\n  soniox-sync {command}" in run_cli(command, "--help").out


def test_common_options_follow_an_action(keyless: None) -> None:
    """Common options, `-v` included, are also accepted after an action."""
    run = run_cli("models", "--sandbox", "-v", "--stt")
    assert run.code == 0
    run = run_cli("files", "list", "--sandbox", "-vv")
    assert run.code == 0 and "soniox" in run.err
    assert logging.getLogger("soniox_sync").handlers == []


@pytest.mark.parametrize(
    "args",
    [
        ["transcribe", "FILE", "--pace", "0"],
        ["speak", "Hello.", "-o", "OUT"],
        ["models"],
        ["files", "upload", "FILE"],
        ["temp-key", "stt", "--json"],
        ["usage"],
    ],
)
def test_log_contains_no_key(
    service: Sandbox, recording: str, tmp_path: Path, args: list[str]
) -> None:
    """-vv logs to stderr, and no key appears in the output."""
    names = {"FILE": recording, "OUT": str(tmp_path / "out.wav")}
    run = run_cli("-vv", *[names.get(arg, arg) for arg in args])
    assert run.code == 0
    if args[0] in ("transcribe", "speak"):
        assert "soniox_sync" in run.err
    assert service.api_key not in run.err + run.out
    assert "snx_temp" not in run.err
