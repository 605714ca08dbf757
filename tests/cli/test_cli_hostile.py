"""Tests of the command line given what it cannot use: one line that says so, and no traceback."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import environment, run_cli

from soniox_sync.cli.app import build_parser
from soniox_sync.sandbox import Sandbox


def one_line(*args: str, code: int = 2, **options: Any) -> str:
    """Run a command that must fail with one line on stderr and no result; give the line."""
    run = run_cli(*args, **options)
    assert (run.code, run.out) == (code, "")
    assert run.err.startswith("soniox-sync: ") and run.err.count("\n") == 1
    return run.err


# --- inputs


def test_input_that_is_no_file(service: Sandbox, tmp_path: Path) -> None:
    """A missing file, a directory and a name that cannot be are named; nothing is opened."""
    assert "nothing.wav: No such file" in one_line("transcribe", str(tmp_path / "nothing.wav"))
    assert "is a directory" in one_line("transcribe", str(tmp_path))
    assert "cannot read" in one_line("transcribe", "nul\0.wav")
    assert not service.log.entries(kind="stt")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser reads everything"
)
def test_input_that_may_not_be_read(service: Sandbox, recording: str) -> None:
    """A file without permission is named with the reason."""
    os.chmod(recording, 0)
    assert "Permission denied" in one_line("transcribe", recording)


def test_input_without_audio(service: Sandbox, tmp_path: Path, recording: str) -> None:
    """An empty file, a pipe that ends at once and a header alone are no transcription."""
    empty, header = tmp_path / "empty.mp3", tmp_path / "header.wav"
    empty.touch()
    header.write_bytes(Path(recording).read_bytes()[:44])
    assert "empty.mp3 is empty" in one_line("transcribe", str(empty))
    assert "no audio" in one_line("transcribe", "-")
    assert "no audio" in one_line("transcribe", str(header))


@pytest.mark.parametrize("size", [3, 50_000])
def test_input_that_is_no_audio(tmp_path: Path, size: int) -> None:
    """Bytes that are no audio end with the service's own reason, whatever was tried after it."""
    path = tmp_path / "garbage.mp3"
    path.write_bytes(b"\x93garbage"[:size] * (1 + size // 8))
    with Sandbox(engines="tones", limits={"stt_decode_timeout_sec": 0.1}) as service:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(service).items():
                patch.setenv(name, value)
            assert "(408, request_timeout" in one_line("transcribe", str(path), code=1)


def test_samples_without_their_format(service: Sandbox, tmp_path: Path) -> None:
    """A file of bare samples is refused with the options that say what it is."""
    path = tmp_path / "call.ulaw"
    path.write_bytes(bytes(100))
    assert "--audio-format pcm_s16le --sample-rate" in one_line("transcribe", str(path))
    assert "--sample-rate HZ" in one_line("transcribe", str(path), "--audio-format", "mulaw")
    wrong = one_line("transcribe", str(path), "--audio-format", "telephone")
    assert "unknown audio format telephone" in wrong


# --- outputs


def test_output_that_cannot_be(service: Sandbox, tmp_path: Path) -> None:
    """A directory, a place that does not exist and an unclear format are named as they were."""
    assert f"cannot write {tmp_path}: Is a dir" in one_line("speak", "Hi", "-o", str(tmp_path))
    path = str(tmp_path / "no" / "out.wav")
    assert f"cannot write {path}: No such" in one_line("speak", "Hi", "-o", path)
    assert "--audio-format" in one_line("speak", "Hi", "-o", str(tmp_path / "out.m4a"))
    assert not service.log.entries(kind="tts")
    assert os.listdir(tmp_path) == []


def test_failed_speech_leaves_what_was_there(service: Sandbox, tmp_path: Path) -> None:
    """A refusal of the service leaves the file that was there, and nothing beside it."""
    path = tmp_path / "out.wav"
    path.write_bytes(b"before")
    one_line("speak", "Hello", "-o", str(path), "--voice", "Nobody", code=1)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.wav"]


def test_speech_takes_the_place_of_what_was_there(service: Sandbox, tmp_path: Path) -> None:
    """A file that exists is replaced by a whole one."""
    path = tmp_path / "out.wav"
    path.write_bytes(b"before")
    assert run_cli("speak", "Hello", "-o", str(path)).code == 0
    assert path.read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("place", ["no-such-directory", "file"])
def test_demo_needs_a_directory(service: Sandbox, tmp_path: Path, place: str) -> None:
    """A place for the demo's files that is none is refused before anything is said."""
    (tmp_path / "file").touch()
    run = run_cli("demo", "--dir", str(tmp_path / place))
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
    """A value that makes no sense ends with 2, and nothing is asked of the service."""
    run = run_cli(*[recording if arg == "FILE" else arg for arg in args])
    assert (run.code, run.out) == (2, "")
    assert "internal error" not in run.err and "Traceback" not in run.err
    assert not service.log.messages(direction="in")
    assert not Path("o.wav").exists()


def test_errors_as_json(keyless: None, recording: str) -> None:
    """With --json what went wrong is a line of JSON as well, on stderr."""
    run = run_cli("transcribe", recording, "--json")
    assert (run.code, run.out) == (2, "")
    error = json.loads(run.err)["error"]
    assert error["type"] == "ConfigurationError" and "SONIOX_API_KEY" in error["message"]


def test_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch, recording: str) -> None:
    """A service that cannot be reached is told with the system's reason, not with ours."""
    with socket.socket() as taken:  # bound, not listening
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("SONIOX_API_KEY", "key")
        monkeypatch.setenv("SONIOX_WS_URL", f"ws://{place}/x")
        told = one_line("transcribe", recording, code=1)
    assert place in told and "refused" in told and "handler" not in told


# --- help and log


def parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Give a parser and those of its commands and actions."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                found += parsers(each)
    return found


def test_help_is_complete() -> None:
    """Every command and action says what it does, and what each of its options is."""
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
    """The help of a command begins with commands to copy."""
    assert f"\n  soniox-sync {command}" in run_cli(command, "--help").out


def test_common_options_follow_an_action(keyless: None) -> None:
    """Common options are taken after an action, too, the log's among them."""
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
def test_log_holds_no_key(
    service: Sandbox, recording: str, tmp_path: Path, args: list[str]
) -> None:
    """The log of -vv tells what is done on stderr, and never a key."""
    names = {"FILE": recording, "OUT": str(tmp_path / "out.wav")}
    run = run_cli("-vv", *[names.get(arg, arg) for arg in args])
    assert run.code == 0
    if args[0] in ("transcribe", "speak"):
        assert "soniox_sync" in run.err
    assert service.api_key not in run.err + run.out
    assert "snx_temp" not in run.err
