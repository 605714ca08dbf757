"""Tests of the command line in its own process: pipes, terminals, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import TIMEOUT_SEC, Screen, environment, run_cli, start_cli

# pseudo-terminals and signals to a child process need POSIX
fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

pytestmark = pytest.mark.slow

RAW = ("--audio-format", "pcm_s16le", "--sample-rate", "16000", "--pace", "0")
SECOND = bytes(2 * 16000)


def _end(process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Wait for the end; return the rest of stdout, and stderr."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    # not communicate(): it would miss what readline() has buffered
    out = process.stdout.read() if process.stdout else b""
    err = process.stderr.read() if process.stderr else b""
    process.wait(TIMEOUT_SEC)
    return out.decode(), err.decode()


# --- pipes


def test_speak_and_transcribe_in_a_pipe(service: Sandbox) -> None:
    """Lines are spoken and transcribed before the next ones arrive."""
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


def test_closed_pipe(service: Sandbox, recording: str) -> None:
    """A command ends quietly when the reader closes the pipe."""
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
    """A stdout that cannot be written leads to exit code 1, one line, and no error at exit."""
    with open("/dev/full", "wb") as full:
        process = start_cli(*[recording if arg == "FILE" else arg for arg in args], stdout=full)
        _, err = _end(process)
    assert process.returncode == 1
    assert "No space left on device" in err and err.count("\n") == 1


def test_full_disk_with_an_output_file(service: Sandbox) -> None:
    """A file that cannot be written is reported by name, with exit code 1."""
    run = run_cli("speak", "Hello", "-o", "/dev/full")
    assert run.code == 1
    assert run.err == "soniox-sync: cannot write /dev/full: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="this system has no such name")
def test_speech_into_a_pipe_with_a_file_name(service: Sandbox) -> None:
    """`-o` accepts the name of a pipe, such as that of the shell's `>(...)`."""
    process = start_cli("speak", "Hello", "-o", "/dev/stdout")
    assert process.stdout
    assert process.stdout.read()[:4] == b"RIFF"
    assert _end(process) == ("", "")
    assert process.returncode == 0


def test_redirected_stdin_is_read_as_a_file(service: Sandbox, recording: str) -> None:
    """A file behind `<` is decoded like a named file."""
    with open(recording, "rb") as file:
        process = start_cli("transcribe", "-", "--pace", "0", stdin=file)
        assert _end(process) == ("Hello there my friend.\nHow are you?\n", "")
    start = service.log.messages(kind="stt")[0]
    assert start["audio_format"] == "pcm_s16le"


def test_redirected_stdin_that_is_empty(service: Sandbox, tmp_path: Path) -> None:
    """An empty file behind `<` is refused before connecting."""
    path = tmp_path / "empty.wav"
    path.touch()
    with path.open("rb") as file:
        process = start_cli("transcribe", "-", stdin=file)
        out, err = _end(process)
    assert (process.returncode, out) == (2, "") and "empty" in err
    assert not service.log.entries(kind="stt")


def test_named_pipe(service: Sandbox, tmp_path: Path, recording: str) -> None:
    """A named pipe is read as data arrives."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    process = start_cli("transcribe", str(path), *RAW)
    with path.open("wb") as writer:
        writer.write(SECOND * 3)
    assert _end(process) == ("Hello there my friend.\nHow are you?\n", "")


# --- Ctrl-C


def test_interrupt_once_finishes(service: Sandbox) -> None:
    """The first Ctrl-C ends the audio; the rest is transcribed and printed, with exit code 130."""
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
    """A second Ctrl-C does not wait for the service; text received so far is printed."""
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
    """Send Ctrl-C repeatedly: how many are needed depends on when the first ones arrive."""
    for _ in range(TIMEOUT_SEC * 5):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.2)
            return
        except subprocess.TimeoutExpired:
            continue


def test_interrupt_while_waiting_for_input(service: Sandbox) -> None:
    """Ctrl-C ends a command that waits for the first byte of its input."""
    process = start_cli("-v", "transcribe", "-", *RAW)
    assert process.stderr
    assert b"stdin" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = _end(process)
    assert (process.returncode, out) == (130, "")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_interrupted_speech_keeps_the_old_file(tmp_path: Path, name: str, code: int) -> None:
    """After a signal, even a repeated one, the old file is unchanged and no other file remains."""
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
def test_terminated_transcription_prints_its_text(service: Sandbox, name: str) -> None:
    """SIGTERM and SIGHUP end the command at once; text received so far is written."""
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
    """Ctrl-C, possibly repeated, ends a command whose service never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        address = f"127.0.0.1:{hole.getsockname()[1]}"
        env = {
            "SONIOX_API_KEY": "key",
            "SONIOX_API_BASE_URL": f"http://{address}/v1",
            "SONIOX_WS_URL": f"ws://{address}/x",
            "SONIOX_TTS_WS_URL": f"ws://{address}/x",
        }
        names = {"FILE": recording, "OUT": str(tmp_path / "out.wav")}
        process = start_cli(*[names.get(arg, arg) for arg in args], env=env)
        hole.settimeout(TIMEOUT_SEC)
        connection, _ = hole.accept()
        with connection:
            connection.settimeout(TIMEOUT_SEC)
            assert connection.recv(1)  # the request is sent, and the command waits
            _interrupt_until_over(process)
    assert process.returncode == 130
    assert _end(process) == ("", "")
    assert not (tmp_path / "out.wav").exists()


# --- terminals


def _on_terminal(
    *args: str, columns: int = 30, typed: bytes = b"", **options: Any
) -> tuple[int, str]:
    """Run a command on a terminal; return its exit code and all that it wrote to the terminal."""
    master, slave = pty.openpty()
    os.write(master, typed)  # waits there until it is read
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {"stdin": slave, "stdout": slave, "stderr": slave, **options}
    process = start_cli(*args, **streams)
    os.close(slave)
    sent = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # on Linux, when all other ends of the terminal are closed
            break
        if not data:
            break
        sent += data
    os.close(master)
    return process.wait(TIMEOUT_SEC), sent.decode()


@pytest.mark.parametrize("loud", [(), ("-v",)])
def test_speak_reports_attempts_to_connect(tmp_path: Path, loud: tuple[str, ...]) -> None:
    """On a terminal `speak` reports each attempt once; in a pipe only the log of -v does."""
    output = tmp_path / "out.wav"
    limits = ["--max-reconnect-attempts", "2", "--reconnect-base-delay", "0.2"]
    args = ["speak", "Hello", "-o", str(output), *limits, *loud]
    env = {"SONIOX_API_KEY": "some-key", "SONIOX_TTS_WS_URL": "ws://127.0.0.1:1/x"}
    code, sent = _on_terminal(*args, env={**env, "TERM": "xterm"})
    assert code == 1 and "(--max-reconnect-attempts)" in sent
    assert sent.count("reconnecting ... (attempt 1)") == 1
    assert re.search(r"reconnecting in 0\.[12] s \.\.\. \(attempt 2\)", sent)
    process = start_cli(*args, env=env)
    assert (b"reconnecting" in process.communicate(timeout=TIMEOUT_SEC)[1]) == bool(loud)


@pytest.mark.parametrize(
    ("answer", "options", "left"),
    [(b"\n", (), 2), (b"n\n", (), 2), (b"y\n", (), 0), (b"", ("--yes",), 0)],
)
def test_deleting_all_is_confirmed_on_a_terminal(
    service: Sandbox, recording: str, answer: bytes, options: tuple[str, ...], left: int
) -> None:
    """On a terminal `delete --all` asks with the number of items, unless there is --yes."""
    run_cli("files", "upload", recording, recording)
    code, sent = _on_terminal("files", "delete", "--all", *options, typed=answer)
    assert code == 0 and json.loads(run_cli("files", "count", "--json").out)["total"] == left
    assert ("delete 2 files? [y/N]" in sent) == (not options)
    assert ("nothing was deleted" if left else "deleted 2 files") in sent


def test_captions_grow_in_place(service: Sandbox, recording: str) -> None:
    """On a terminal captions are redrawn in place, partial text dimmed, and remain at the end."""
    code, sent = _on_terminal("transcribe", recording, "--pace", "3", env={"TERM": "xterm"})
    assert code == 0
    assert "\x1b[2m" in sent and "\x1b[J" in sent
    screen = Screen(30)
    screen.write(sent)
    assert screen.text == ["Hello there my friend.", "How are you?"]


def test_captions_fit_a_narrow_terminal(service: Sandbox, recording: str) -> None:
    """Rows do not use the last column of the terminal."""
    options: dict[str, Any] = {"columns": 14, "env": {"TERM": "xterm"}}
    code, sent = _on_terminal("transcribe", recording, "--pace", "3", **options)
    screen = Screen(14)
    screen.write(sent)
    assert code == 0
    assert screen.text == ["Hello there", "my friend.", "How are you?"]


def test_no_color(service: Sandbox, recording: str) -> None:
    """With NO_COLOR nothing is dimmed; with TERM=dumb nothing is redrawn."""
    bare = {"TERM": "xterm", "NO_COLOR": "1"}
    _, sent = _on_terminal("transcribe", recording, "--pace", "3", env=bare)
    assert "\x1b[2m" not in sent and "\x1b[J" in sent
    _, sent = _on_terminal("transcribe", recording, "--pace", "3", env={"TERM": "dumb"})
    assert "\x1b" not in sent
    assert sent.split("\r\n") == ["Hello there my friend.", "How are you?", ""]


def test_result_in_a_file_progress_on_the_terminal(
    service: Sandbox, recording: str, tmp_path: Path
) -> None:
    """With stdout in a file, the terminal shows captions and the file gets only the result."""
    path = tmp_path / "out.srt"
    with path.open("wb") as file:
        args = ("transcribe", recording, "--pace", "3", "--format", "srt")
        code, sent = _on_terminal(*args, stdout=file, env={"TERM": "xterm"})
    assert code == 0
    assert "\x1b[J" in sent
    assert "Hello there my friend." in path.read_text()
    assert "\x1b" not in path.read_text()


def test_nothing_is_drawn_beside_a_pipe(service: Sandbox, recording: str) -> None:
    """With stdout in a pipe nothing is drawn, since its reader may use the same terminal."""
    for args in (["transcribe", recording, "--pace", "3"], ["speak", "Hello there."]):
        pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "env": {"TERM": "xterm"}}
        assert _on_terminal(*args, **pipe) == (0, "")


def test_progress_of_a_file(service: Sandbox, tmp_path: Path) -> None:
    """While a file is written the terminal shows the seconds spoken, then the file's name."""
    path = str(tmp_path / "out.wav")
    code, sent = _on_terminal("speak", "Hello.", "-o", path, columns=200, env={"TERM": "xterm"})
    screen = Screen(200)
    screen.write(sent)
    assert code == 0 and " s of speech" in sent
    assert [row.rstrip() for row in screen.text] == [f"wrote {path}"]


def test_reconnecting_is_reported_above_the_captions(service: Sandbox, recording: str) -> None:
    """Messages about the connection do not disturb the captions."""
    service.faults.drop(kind="stt", after_audio_ms=1500)
    options: dict[str, Any] = {"columns": 60, "env": {"TERM": "xterm"}}
    code, sent = _on_terminal("transcribe", recording, "--pace", "3", **options)
    screen = Screen(60)
    screen.write(sent)
    assert code == 0
    messages = [row for row in screen.text if "reconnect" in row]
    assert messages[0] == "reconnecting ... (attempt 1)"
    assert re.fullmatch(r"reconnected, \d+ ms replayed", messages[1])
    assert "Hello there my friend." in screen.text


def test_speech_is_not_written_to_a_terminal(service: Sandbox) -> None:
    """Audio for a terminal is refused before connecting."""
    code, sent = _on_terminal("speak", "Hello", env={"TERM": "xterm"})
    assert code == 2
    assert "RIFF" not in sent and "-o FILE" in sent
    assert not service.log.entries(kind="tts")


# --- sandbox


def test_sandbox_serves_until_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sandbox prints a shell script that makes other commands use it, and ends at Ctrl-C.

    Pages of an origin that was named may use it.
    """
    page = "https://app.example.org"
    process = start_cli("sandbox", "--engines", "tones", "--allow-origin", page)
    assert process.stdout
    script = ""
    while not script.endswith(");\n"):  # the last line is JavaScript
        line = process.stdout.readline().decode()
        assert line, "the sandbox ended"
        script += line
    done = subprocess.run(
        ["sh", "-e"],
        input=f"{script}env",
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
        check=True,
    )
    assert done.stderr == ""
    exported = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    names = ("API_KEY", "API_BASE_URL", "WS_URL", "TTS_API_URL", "TTS_WS_URL")
    gateway = ("SLNG_API_KEY", "SLNG_BASE_URL")
    for name in (*(f"SONIOX_{each}" for each in names), *gateway):
        monkeypatch.setenv(name, exported[name])
    path = tmp_path / "out.wav"
    for options in ([], ["--gateway", "slng"]):
        assert run_cli("speak", "Hello", "-o", str(path), *options).code == 0
        assert path.stat().st_size > 1000
        path.unlink()
    headers = {"Authorization": f"Bearer {exported['SONIOX_API_KEY']}", "Origin": page}
    asked = urllib.request.Request(exported["SONIOX_API_BASE_URL"] + "/v1/models", headers=headers)
    with urllib.request.urlopen(asked, timeout=TIMEOUT_SEC) as response:
        assert response.headers["Access-Control-Allow-Origin"] == page
    process.send_signal(signal.SIGINT)
    assert _end(process) == ("", "")
    assert process.returncode == 130


def test_sandbox_as_json() -> None:
    """`--json` has URLs, variables and code: the host alone for what adds `/v1` itself."""
    process = start_cli("sandbox", "--engines", "tones", "--json")
    assert process.stdout
    shown = json.loads(process.stdout.readline())
    api = shown["urls"]["api"]
    assert shown["env"]["SONIOX_API_BASE_URL"] + "/v1" == api
    assert shown["env"]["SLNG_BASE_URL"] == shown["urls"]["slng"]
    python, javascript = shown["code"]["python"], shown["code"]["javascript"]
    assert python[0] == "from soniox import SonioxClient" and f'api_base_url="{api}"' in python[1]
    assert "@soniox/node" in javascript[0] and f'"base_url": "{api[:-3]}"' in javascript[1]
    process.send_signal(signal.SIGINT)
    assert _end(process) == ("", "")


def test_sandbox_port_in_use(service: Sandbox) -> None:
    """A port in use is a usage error."""
    run = run_cli("sandbox", "--port", str(service.port))
    assert run.code == 2
    assert str(service.port) in run.err
