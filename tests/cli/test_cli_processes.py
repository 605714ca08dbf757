"""Tests of the command line as a process: pipes, terminals, Ctrl-C."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import TIMEOUT_SEC, Screen, environment, run_cli, start_cli

from soniox_sync.sandbox import Sandbox

# pseudo-terminals and signals sent to a child are POSIX's
fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

RAW = ("--audio-format", "pcm_s16le", "--sample-rate", "16000", "--pace", "0")
SECOND = bytes(2 * 16000)


def _end(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Wait for the end; give what is left of stdout, and stderr."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    # not communicate(): it would miss what readline() has buffered
    out = process.stdout.read() if process.stdout else b""
    err = process.stderr.read() if process.stderr else b""
    process.wait(TIMEOUT_SEC)
    return out.decode(), err.decode()


# --- pipes


def test_speak_and_transcribe_in_a_pipe(service: Sandbox) -> None:
    """Lines are spoken and transcribed while more are still to come."""
    speak = start_cli("speak", "-")
    transcribe = start_cli("transcribe", "-", "--pace", "0", stdin=speak.stdout)
    assert speak.stdin and speak.stdout and transcribe.stdout
    speak.stdout.close()
    speak.stdin.write(b"This is long enough to be heard as the first four words.\n")
    speak.stdin.flush()
    assert transcribe.stdout.readline() == b"Hello there my friend.\n"
    assert speak.poll() is None
    speak.stdin.write(b"And this is the rest of it, long enough as well.\n")
    speak.stdin.close()
    assert _end(transcribe) == ("How are you?\n", "")
    assert speak.stderr and speak.stderr.read() == b""
    speak.stderr.close()
    assert (speak.wait(TIMEOUT_SEC), transcribe.returncode) == (0, 0)


def test_reader_that_goes_away(service: Sandbox, recording: str) -> None:
    """A reader that closes the pipe ends the command quietly."""
    for args in (["transcribe", recording, "--pace", "0"], ["speak", "Hello there."], ["models"]):
        process = start_cli(*args)
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        assert _end(process) == ("", "")
        assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize(
    "args",
    [["transcribe", "FILE", "--pace", "0"], ["speak", "Hi"], ["models"], ["models", "--json"]],
)
def test_full_disk(service: Sandbox, recording: str, args: list[str]) -> None:
    """A stdout that takes nothing ends with 1 and one line, also at the interpreter's exit."""
    with open("/dev/full", "wb") as full:
        process = start_cli(*[recording if arg == "FILE" else arg for arg in args], stdout=full)
        _, err = _end(process)
    assert process.returncode == 1
    assert "No space left on device" in err and err.count("\n") == 1


def test_full_disk_under_a_name(service: Sandbox) -> None:
    """A file that cannot be written is named, and ends with 1: another try may do."""
    run = run_cli("speak", "Hello", "-o", "/dev/full")
    assert run.code == 1
    assert run.err == "soniox-sync: cannot write /dev/full: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="this system has no such name")
def test_speech_into_a_pipe_with_a_name(service: Sandbox) -> None:
    """A pipe that goes by a file's name, as the shell's `>(...)` does, is written to."""
    process = start_cli("speak", "Hello", "-o", "/dev/stdout")
    assert process.stdout
    assert process.stdout.read()[:4] == b"RIFF"
    assert _end(process) == ("", "")
    assert process.returncode == 0


def test_stdin_that_is_a_file_is_paced(service: Sandbox, recording: str) -> None:
    """A file behind `<` is read like a named one: its samples, at its pace."""
    with open(recording, "rb") as file:
        process = start_cli("transcribe", "-", "--pace", "0", stdin=file)
        assert _end(process) == ("Hello there my friend.\nHow are you?\n", "")
    start = service.log.messages(kind="stt")[0]
    assert start["audio_format"] == "pcm_s16le"


def test_stdin_that_is_no_audio(service: Sandbox, tmp_path: Path) -> None:
    """An empty file behind `<` is refused before anything is opened."""
    path = tmp_path / "empty.wav"
    path.touch()
    with path.open("rb") as file:
        process = start_cli("transcribe", "-", stdin=file)
        out, err = _end(process)
    assert (process.returncode, out) == (2, "") and "empty" in err
    assert not service.log.entries(kind="stt")


def test_named_pipe(service: Sandbox, tmp_path: Path, recording: str) -> None:
    """A named pipe is waited for and read as it comes."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    process = start_cli("transcribe", str(path), *RAW)
    with path.open("wb") as writer:
        writer.write(SECOND * 3)
    assert _end(process) == ("Hello there my friend.\nHow are you?\n", "")


# --- Ctrl-C


def test_interrupt_once_finishes(service: Sandbox) -> None:
    """The first Ctrl-C ends the audio; the rest is transcribed and printed, and the code is 130."""
    process = start_cli("transcribe", "-", *RAW)
    assert process.stdin and process.stdout
    process.stdin.write(SECOND + SECOND[: 16000 * 2 * 3 // 10])
    process.stdin.flush()
    assert process.stdout.readline() == b"Hello there my friend.\n"
    process.send_signal(signal.SIGINT)
    out = process.stdout.read().decode()
    assert out == "How are you?\n"
    assert _end(process)[1] == ""
    assert process.returncode == 130


def test_interrupt_twice_cancels(service: Sandbox) -> None:
    """A further Ctrl-C does not wait for the service; what was transcribed is printed."""
    stall = service.faults.stall(kind="stt", after_audio_ms=2000)
    process = start_cli("transcribe", "-", *RAW)
    assert process.stdin and process.stdout
    process.stdin.write(SECOND + SECOND[:9600])
    process.stdin.flush()
    assert process.stdout.readline() == b"Hello there my friend.\n"
    process.stdin.write(SECOND)
    process.stdin.flush()
    assert stall.fired.wait(TIMEOUT_SEC)
    _interrupt_until_over(process)
    assert process.returncode == 130
    out, err = _end(process)
    assert out == "" or out.startswith("How")
    assert err == ""


def _interrupt_until_over(process: subprocess.Popen[bytes]) -> None:
    """Send Ctrl-C again and again: how many it takes depends on where the first ones fall."""
    for _ in range(TIMEOUT_SEC * 5):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.2)
            return
        except subprocess.TimeoutExpired:
            continue


def test_interrupt_while_nothing_comes(service: Sandbox) -> None:
    """Ctrl-C ends a command that waits for the first byte of its input."""
    process = start_cli("-v", "transcribe", "-", *RAW)
    assert process.stderr
    assert b"stdin" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = _end(process)
    assert (process.returncode, out) == (130, "")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_interrupted_speech_leaves_what_was_there(tmp_path: Path, name: str, code: int) -> None:
    """A signal, also an impatient one, leaves the file that was there, and nothing beside it."""
    path = tmp_path / "out.wav"
    path.write_bytes(b"before")
    with Sandbox(engines="tones", limits={"tts_pace": 1.0}) as slow:
        process = start_cli("speak", "A word. " * 100, "-o", str(path), env=environment(slow))
        assert slow.log.wait_for(
            lambda entry: entry.kind == "tts" and entry.direction == "out" and entry.size > 0,
            timeout_sec=TIMEOUT_SEC,
        )
        for _ in range(3):
            process.send_signal(getattr(signal, name))
        out, err = _end(process)
    assert process.returncode == code
    assert (out, err) == ("", "" if name == "SIGINT" else f"soniox-sync: ended by {name}\n")
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.wav"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_ended_transcription_prints_what_there_is(service: Sandbox, name: str) -> None:
    """A service manager's signal, or a closed terminal, ends at once; what was heard is written."""
    process = start_cli("transcribe", "-", *RAW, "--format", "srt")
    assert process.stdin and process.stdout
    process.stdin.write(SECOND * 2)
    process.stdin.flush()
    assert process.stdout.readline() == b"1\n"
    process.send_signal(getattr(signal, name))
    out, err = _end(process)
    assert process.returncode == 128 + getattr(signal, name)
    assert "Hello there my friend." in out
    assert err == f"soniox-sync: ended by {name}\n"


@pytest.mark.parametrize("args", [["transcribe", "FILE"], ["speak", "Hi", "-o", "OUT"], ["models"]])
def test_interrupt_while_connecting(args: list[str], recording: str, tmp_path: Path) -> None:
    """Ctrl-C ends a command whose service never answers: at the latest when it is repeated."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        place = f"127.0.0.1:{hole.getsockname()[1]}"
        env = {
            "SONIOX_API_KEY": "key",
            "SONIOX_API_BASE_URL": f"http://{place}/v1",
            "SONIOX_WS_URL": f"ws://{place}/x",
            "SONIOX_TTS_WS_URL": f"ws://{place}/x",
        }
        names = {"FILE": recording, "OUT": str(tmp_path / "out.wav")}
        process = start_cli(*[names.get(arg, arg) for arg in args], env=env)
        hole.settimeout(TIMEOUT_SEC)
        line, _ = hole.accept()
        with line:
            line.settimeout(TIMEOUT_SEC)
            assert line.recv(1)  # it has asked, and waits
            _interrupt_until_over(process)
    assert process.returncode == 130
    assert _end(process) == ("", "")
    assert not (tmp_path / "out.wav").exists()


# --- terminals


def _on_terminal(*args: str, columns: int = 30, **options: Any) -> tuple[int, str]:
    """Run a command on a terminal; give its code and all that the terminal was sent."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {"stdin": slave, "stdout": slave, "stderr": slave, **options}
    process = start_cli(*args, **streams)
    os.close(slave)
    sent = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # Linux says so when the last one has closed the terminal
            break
        if not data:
            break
        sent += data
    os.close(master)
    return process.wait(TIMEOUT_SEC), sent.decode()


def test_captions_grow_in_place(service: Sandbox, recording: str) -> None:
    """On a terminal captions are redrawn in place, the guess dimmed, and stand at the end."""
    code, sent = _on_terminal("transcribe", recording, "--pace", "3", env={"TERM": "xterm"})
    assert code == 0
    assert "\x1b[2m" in sent and "\x1b[J" in sent
    screen = Screen(30)
    screen.write(sent)
    assert screen.text == ["Hello there my friend.", "How are you?"]


def test_captions_fit_a_narrow_terminal(service: Sandbox, recording: str) -> None:
    """Rows never reach the last column of the terminal."""
    options: dict[str, Any] = {"columns": 14, "env": {"TERM": "xterm"}}
    code, sent = _on_terminal("transcribe", recording, "--pace", "3", **options)
    screen = Screen(14)
    screen.write(sent)
    assert code == 0
    assert screen.text == ["Hello there", "my friend.", "How are you?"]


def test_no_color(service: Sandbox, recording: str) -> None:
    """With NO_COLOR nothing is dimmed; on a dumb terminal nothing is redrawn."""
    bare = {"TERM": "xterm", "NO_COLOR": "1"}
    _, sent = _on_terminal("transcribe", recording, "--pace", "3", env=bare)
    assert "\x1b[2m" not in sent and "\x1b[J" in sent
    _, sent = _on_terminal("transcribe", recording, "--pace", "3", env={"TERM": "dumb"})
    assert "\x1b" not in sent
    assert sent.split("\r\n") == ["Hello there my friend.", "How are you?", ""]


def test_result_in_a_file_progress_on_the_terminal(
    service: Sandbox, recording: str, tmp_path: Path
) -> None:
    """With stdout in a file, the terminal shows captions and the file gets the result alone."""
    path = tmp_path / "out.srt"
    with path.open("wb") as file:
        args = ("transcribe", recording, "--pace", "3", "--format", "srt")
        code, sent = _on_terminal(*args, stdout=file, env={"TERM": "xterm"})
    assert code == 0
    assert "\x1b[J" in sent
    assert "Hello there my friend." in path.read_text()
    assert "\x1b" not in path.read_text()


def test_nothing_is_drawn_beside_a_pipe(service: Sandbox, recording: str) -> None:
    """With stdout in a pipe nothing is drawn: its reader may write to the same terminal."""
    for args in (["transcribe", recording, "--pace", "3"], ["speak", "Hello there."]):
        pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "env": {"TERM": "xterm"}}
        assert _on_terminal(*args, **pipe) == (0, "")


def test_progress_of_a_file(service: Sandbox, tmp_path: Path) -> None:
    """On a terminal the seconds spoken are drawn while a file is written, then its name."""
    path = str(tmp_path / "out.wav")
    code, sent = _on_terminal("speak", "Hello.", "-o", path, columns=200, env={"TERM": "xterm"})
    screen = Screen(200)
    screen.write(sent)
    assert code == 0 and " s of speech" in sent
    assert [row.rstrip() for row in screen.text] == [f"wrote {path}"]


def test_lost_line_is_told_above_the_captions(service: Sandbox, recording: str) -> None:
    """What happens to the line is told without tearing the captions that are drawn."""
    service.faults.drop(kind="stt", after_audio_ms=1500)
    options: dict[str, Any] = {"columns": 60, "env": {"TERM": "xterm"}}
    code, sent = _on_terminal("transcribe", recording, "--pace", "3", **options)
    screen = Screen(60)
    screen.write(sent)
    assert code == 0
    told = [row for row in screen.text if "reconnect" in row]
    assert told[0] == "reconnecting ... (1 of 8)"
    assert re.fullmatch(r"reconnected, \d+ ms replayed", told[1])
    assert "Hello there my friend." in screen.text


def test_speech_is_not_written_to_a_terminal(service: Sandbox) -> None:
    """Audio for a terminal is refused before anything is opened."""
    code, sent = _on_terminal("speak", "Hello", env={"TERM": "xterm"})
    assert code == 2
    assert "RIFF" not in sent and "-o FILE" in sent
    assert not service.log.entries(kind="tts")


# --- sandbox


def test_sandbox_serves_until_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sandbox prints lines that lead other commands to it, and ends at Ctrl-C."""
    process = start_cli("sandbox", "--engines", "tones")
    assert process.stdout
    exports: dict[str, str] = {}
    while len(exports) < 5:
        line = process.stdout.readline().decode()
        assert line, "the sandbox ended"
        found = re.match(r"export (\w+)=(.*)", line)
        if found:
            exports[found.group(1)] = shlex.split(found.group(2))[0]
    for name, value in exports.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "out.wav"
    assert run_cli("speak", "Hello", "-o", str(path)).code == 0
    assert path.stat().st_size > 1000
    process.send_signal(signal.SIGINT)
    assert _end(process) == ("", "")
    assert process.returncode == 130


def test_sandbox_port_in_use(service: Sandbox) -> None:
    """A port that is taken is a usage error."""
    run = run_cli("sandbox", "--port", str(service.port))
    assert run.code == 2
    assert str(service.port) in run.err
