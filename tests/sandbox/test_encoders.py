"""AAC by a program of this machine, and the end of every encoder."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync import SonioxHttpError
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.audio import piped
from soniox_sync.sandbox.audio.encoders import Encoder, open_encoder
from soniox_sync.sandbox.engines.tones import ToneSynthesizer
from soniox_sync.sandbox.problems import Problem
from soniox_sync.sandbox.tts import rest, stream
from tests.sandbox.client import PATIENCE, audio_of, start, text, tts

AAC = {"audio_format": "aac", "sample_rate": 24000}
NAME = "soniox-sandbox-encoder"
# what a program in the place of ffmpeg does
COPIES = "sys.stdout.buffer.write(b'<' + sys.stdin.buffer.read() + b'>')"
FAILS = "sys.exit(print('Something.\\nUnknown encoder \\'aac\\'', file=sys.stderr) or 3)"
DIES = "sys.stdin.buffer.read(1); sys.exit(4)"
HANGS = "import time; sys.stdout.buffer.write(b'x'); sys.stdout.flush(); time.sleep(600)"

Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Provide a function that puts a program in the place of ffmpeg; it returns its arguments."""
    if sys.platform == "win32":
        pytest.skip("a script is a program only on POSIX")

    def install(code: str) -> Path:
        program, told = tmp_path / "ffmpeg", tmp_path / "told"
        lines = [
            f"#!{sys.executable}",
            "import sys",
            f"open({str(told)!r}, 'w').write(' '.join(sys.argv[1:]))",
            code,
        ]
        program.write_text("\n".join(lines))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return told

    return install


def encoder_threads() -> list[threading.Thread]:
    """Return the threads that read from a program."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture(autouse=True)
def no_program_left() -> Iterator[None]:
    """Check that every program has ended: its reader ends with it."""
    yield
    for thread in encoder_threads():
        thread.join(PATIENCE)
    assert encoder_threads() == []


def test_the_program_gets_samples_and_gives_audio(install: Install) -> None:
    """All samples go to its stdin, all its output is the audio; rate and bitrate are told."""
    told = install(COPIES)
    encoder = open_encoder("aac", 44100, 128000)
    pieces = [bytes([n]) * 100_000 for n in range(5)]
    out = b"".join([encoder.feed(piece) for piece in pieces]) + encoder.finish()
    encoder.close()
    encoder.close()
    assert out == b"<" + b"".join(pieces) + b">"
    arguments = told.read_text()
    for part in ("-f s16le -ar 44100 -ac 1 -i pipe:0", "-b:a 128000", "-f adts pipe:1"):
        assert part in arguments


def test_without_samples_no_program_runs(install: Install) -> None:
    """A stream without audio starts nothing, and ends."""
    told = install(COPIES)
    encoder = open_encoder("aac", 24000, None)
    assert encoder.feed(b"") == encoder.finish() == b""
    encoder.close()
    assert not told.exists()


@pytest.mark.parametrize(
    ("code", "reason"), [(FAILS, "ffmpeg failed: Unknown encoder 'aac'"), (DIES, "exit code 4")]
)
def test_a_program_that_fails_is_named(install: Install, code: str, reason: str) -> None:
    """Its last line, or its exit code, is the message."""
    install(code)
    encoder = open_encoder("aac", 24000, None)
    with pytest.raises(Problem) as caught:
        for _ in range(1000):
            encoder.feed(bytes(10_000))
        encoder.finish()
    encoder.close()
    assert (caught.value.error_type, caught.value.code) == ("internal_error", 500)
    assert reason in caught.value.message


def test_a_program_that_cannot_run_is_named(install: Install, tmp_path: Path) -> None:
    """A file that is no program is an error of the stream, not of the sandbox."""
    install(COPIES)
    (tmp_path / "ffmpeg").write_bytes(b"\x7fELF")
    encoder = open_encoder("aac", 24000, None)
    with pytest.raises(Problem, match="ffmpeg cannot be run"):
        encoder.feed(b"\0\0")
    encoder.close()


def test_a_program_that_hangs_is_ended(install: Install) -> None:
    """`close()` ends it, whatever it does."""
    install(HANGS)
    encoder = open_encoder("aac", 24000, None)
    encoder.feed(b"\0\0")
    assert encoder_threads()
    encoder.close()
    assert encoder_threads() == []


def test_a_program_that_does_not_end_is_ended(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last sample it has some seconds; then it is ended, and the stream fails."""
    monkeypatch.setattr(piped, "_END_SEC", 0.1)
    monkeypatch.setattr(piped, "_EXIT_SEC", 0.1)
    install(HANGS)
    encoder = open_encoder("aac", 24000, None)
    encoder.feed(b"\0\0")
    with pytest.raises(Problem, match="ffmpeg failed"):
        encoder.finish()
    encoder.close()


def test_both_services_speak_aac(install: Install, sandbox: Sandbox) -> None:
    """A stream and a request get the program's output."""
    install(COPIES)
    with sandbox.client() as client:
        pcm = client.tts.generate(text="Hello.", voice="Adrian", audio_format="pcm_s16le")
        aac = client.tts.generate(text="Hello.", voice="Adrian", audio_format="aac")
    assert aac == b"<" + pcm + b">"
    with tts(sandbox) as connection:
        connection.send(start("s", **AAC), text("s", "Hello."))
        received = connection.receive_until("terminated")
    assert audio_of(received) == aac
    assert encoder_threads() == []


def test_a_failure_is_an_error_of_the_request(install: Install, sandbox: Sandbox) -> None:
    """A program that fails ends the stream with its reason; the next stream works."""
    install(FAILS)
    with sandbox.client() as client, pytest.raises(SonioxHttpError, match="Unknown encoder"):
        client.tts.generate(text="Hello.", voice="Adrian", audio_format="aac")
    with tts(sandbox) as connection:
        connection.send(start("s", **AAC), text("s", "Hello."))
        assert "Unknown encoder" in connection.receive_until("terminated")[-2]["error_message"]
        connection.send(start("next"), text("next", "Hello."))
        assert connection.receive_until("terminated")[-2]["audio_end"]


@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000])
def test_ffmpeg_writes_frames_as_long_as_the_speech(rate: int) -> None:
    """With ffmpeg the audio is a sequence of ADTS frames, as long as the samples."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    speech = ToneSynthesizer().speak("hello " * 10, voice="Adrian", language="en", sample_rate=rate)
    pcm = b"".join(chunk.pcm for chunk in speech)
    encoder = open_encoder("aac", rate, 64000)
    data = b"".join(encoder.feed(pcm[at : at + 4800]) for at in range(0, len(pcm), 4800))
    data += encoder.finish()
    encoder.close()
    at = frames = 0
    while at < len(data):
        assert data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0
        at += (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames += 1
    assert at == len(data)
    assert frames * 1024 / rate == pytest.approx(len(pcm) / 2 / rate, abs=3 * 1024 / rate)


class Noted:
    """Encoder that passes samples on, and notes that it was closed."""

    def __init__(self, fails: bool) -> None:
        self._fails = fails
        self.closed = threading.Event()

    def feed(self, pcm: bytes) -> bytes:
        """Encode."""
        if self._fails:
            raise Problem("internal_error", "no")
        return pcm

    def finish(self) -> bytes:
        """End."""
        return b""

    def close(self) -> None:
        """Close."""
        self.closed.set()


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Noted]:
    """Provide a function that makes every stream use one encoder, and returns it."""

    def note(fails: bool) -> Noted:
        made = Noted(fails)

        def opened(*args: Any) -> Encoder:
            return made

        monkeypatch.setattr(stream, "open_encoder", opened)
        monkeypatch.setattr(rest, "open_encoder", opened)
        return made

    return note


@pytest.mark.parametrize("end", ["whole", "cancel", "close", "error"])
def test_every_end_of_a_stream_closes_its_encoder(
    make_sandbox: Callable[..., Sandbox], note: Callable[[bool], Noted], end: str
) -> None:
    """The encoder is closed after the last audio, a cancel, a lost connection, and an error."""
    encoder = note(end == "error")
    sandbox = make_sandbox(limits={"tts_pace": None if end == "whole" else 1.0})
    with tts(sandbox) as connection:
        connection.send(start("s"), text("s", "A long story. " * 50))
        if end == "cancel":
            connection.receive()
            connection.send({"stream_id": "s", "cancel": True})
        if end == "close":
            connection.receive()
        else:
            connection.receive_until("terminated")
    assert encoder.closed.wait(PATIENCE)


@pytest.mark.parametrize("end", ["whole", "close", "error"])
def test_every_end_of_a_request_closes_its_encoder(
    make_sandbox: Callable[..., Sandbox], note: Callable[[bool], Noted], end: str
) -> None:
    """So it is after a response, one that the client leaves, and an error."""
    encoder = note(end == "error")
    sandbox = make_sandbox(limits={"tts_pace": None if end == "whole" else 1.0})
    with sandbox.client() as client:
        options: dict[str, Any] = {"text": "A long story. " * 50, "voice": "Adrian"}
        if end == "error":
            with pytest.raises(SonioxHttpError):
                client.tts.generate(**options, audio_format="pcm_s16le")
        else:
            with client.tts.generate_stream(**options, audio_format="pcm_s16le") as body:
                for _ in body:
                    if end == "close":
                        break
    assert encoder.closed.wait(PATIENCE)
