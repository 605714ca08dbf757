"""Tests of the commands, run in this process against a sandbox."""

from __future__ import annotations

import io
import json
import sys
import wave
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from soniox_sync import __version__
from soniox_sync.cli import main
from soniox_sync.cli.app import build_parser, parse
from soniox_sync.cli.options import patience_of
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import Output, run_cli

# --- the command line itself


def test_version_and_help() -> None:
    """Version and help go to stdout with exit code 0."""
    assert run_cli("--version").out == f"soniox-sync {__version__}\n"
    run = run_cli("--help")
    assert (run.code, run.err) == (0, "")
    for command in ("demo", "speak", "transcribe", "sandbox"):
        assert command in run.out


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["sing"],
        ["transcribe"],
        ["transcribe", "--mic", "a.wav"],
        ["transcribe", "nothing-here.wav"],
        ["transcribe", "a.wav", "--format", "doc"],
        ["transcribe", "a.wav", "--sample-rate", "16000"],
        ["transcribe", "a.raw", "--audio-format", "pcm_s16le"],
        ["transcribe", "a.wav", "--pace", "-1"],
        ["transcribe", "a.wav", "--width", "40"],
        ["transcribe", "a.wav", "--format", "srt", "--width", "1"],
        ["speak"],
        ["speak", "hi", "-o", "a.wav", "--play"],
        ["speak", "hi", "--play", "--audio-format", "mp3"],
        ["speak", "hi", "-o", ""],
        ["demo", "--region", "moon"],
        ["sandbox", "--region", "eu"],
        ["--sandbox", "--region", "eu", "speak", "hi", "-o", "x.wav"],
        ["--region", "moon", "speak", "hi", "-o", "x.wav"],
        ["sandbox", "--host", "8.8.8.8"],
        ["sandbox", "--allow-origin", "example.org"],
    ],
)
def test_usage_errors(args: list[str], keyless: None) -> None:
    """A usage error has exit code 2 and a message on stderr, and writes no result."""
    run = run_cli(*args)
    assert (run.code, run.out) == (2, "")
    assert "Traceback" not in run.err
    assert run.err.strip()


def test_common_options_before_and_after_the_command() -> None:
    """Common options are accepted before and after the command; `-v` is counted in both places."""
    before = parse(["--sandbox", "--json", "-v", "speak", "hi", "--region", "eu"])
    assert (before.sandbox, before.json, before.region, before.verbose) == (True, True, "eu", 1)
    after = parse(["-v", "speak", "hi", "--sandbox", "-v", "--api-key-env", "MINE"])
    assert (after.sandbox, after.api_key_env, after.verbose) == (True, "MINE", 2)
    neither = parse(["speak", "hi"])
    assert (neither.sandbox, neither.json, neither.verbose) == (False, False, 0)


def test_missing_key(keyless: None, recording: str) -> None:
    """Without a key the message names the variable and the sandbox."""
    run = run_cli("transcribe", recording)
    assert run.code == 2
    assert "SONIOX_API_KEY" in run.err and "sandbox" in run.err
    run = run_cli("transcribe", recording, "--api-key-env", "NO_SUCH_KEY")
    assert run.code == 2
    assert "NO_SUCH_KEY" in run.err


def test_refused_key(service: Sandbox, recording: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key has exit code 1 and one line with advice; -vv adds the traceback."""
    monkeypatch.setenv("MY_KEY", "invalid-key")
    run = run_cli("transcribe", recording, "--api-key-env", "MY_KEY")
    assert (run.code, run.out) == (1, "")
    assert run.err.count("\n") == 1
    assert "401" in run.err and "region" in run.err
    assert "invalid-key" not in run.err
    loud = run_cli("transcribe", recording, "--api-key-env", "MY_KEY", "-vv")
    assert "Traceback" in loud.err
    assert "invalid-key" not in loud.err


@pytest.mark.parametrize("format", ["text", "vtt", "json"])
def test_unreachable_service(monkeypatch: pytest.MonkeyPatch, recording: str, format: str) -> None:
    """An unreachable service has exit code 1, one line on stderr and no result."""
    monkeypatch.setenv("SONIOX_API_KEY", "key")
    monkeypatch.setenv("SONIOX_WS_URL", "ws://127.0.0.1:1/transcribe-websocket")
    run = run_cli("transcribe", recording, "--format", format, "--give-up-after", "0.2")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("soniox-sync: ") and run.err.count("\n") == 1
    assert "Gave up after " in run.err


@pytest.mark.parametrize("command", ["speak", "transcribe"])
def test_the_number_of_attempts_is_limited(
    monkeypatch: pytest.MonkeyPatch, recording: str, tmp_path: Path, command: str
) -> None:
    """--max-reconnect-attempts and --reconnect-base-delay limit what is tried by either command."""
    monkeypatch.setenv("SONIOX_API_KEY", "key")
    for name in ("SONIOX_WS_URL", "SONIOX_TTS_WS_URL"):
        monkeypatch.setenv(name, "ws://127.0.0.1:1/x")
    said = ["Hello", "-o", str(tmp_path / "out.wav")] if command == "speak" else [recording]
    limits = ["--max-reconnect-attempts", "3", "--reconnect-base-delay", "0.01"]
    run = run_cli(command, *said, *limits)
    assert (run.code, run.out) == (1, "")
    assert "Gave up after 3 attempts" in run.err


@pytest.mark.parametrize("command", ["speak", "transcribe"])
def test_patience_is_passed_on(command: str) -> None:
    """Every option about outages reaches the library; without options its defaults apply."""
    parsed = build_parser().parse_args([command, "x"])
    assert patience_of(parsed) == {}
    given = ["--give-up-after", "5", "--max-reconnect-attempts", "7", "--stable-after", "2"]
    given += ["--max-reconnect-delay", "3", "--reconnect-base-delay", "0.5"]
    assert patience_of(build_parser().parse_args([command, "x", *given])) == {
        "give_up_after_sec": 5.0,
        "max_reconnect_attempts": 7,
        "reconnect_base_delay_sec": 0.5,
        "max_reconnect_delay_sec": 3.0,
        "stable_after_sec": 2.0,
    }


# --- speak


def _wav(data: bytes) -> wave.Wave_read:
    return wave.open(io.BytesIO(data), "rb")


def test_speak_into_a_file(service: Sandbox, tmp_path: Path) -> None:
    """Speech is written to a WAV file with the correct length; nothing is written to stdout."""
    path = tmp_path / "out.wav"
    run = run_cli("speak", "Hello", "there", "-o", str(path), "--voice", "Nina", "--speed", "1.1")
    assert (run.code, run.out, run.err) == (0, "", "")
    with _wav(path.read_bytes()) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 24000)
        assert wav.getnframes() * 2 + 44 == path.stat().st_size > 10_000
    config, text = service.log.messages(kind="tts")[:2]
    assert (config["voice"], config["speed"], text["text"]) == ("Nina", 1.1, "Hello there")


def test_speak_into_a_pipe(service: Sandbox) -> None:
    """Without -o, and with `-o -`, speech is written to stdout as WAV."""
    for extra in ([], ["-o", "-"]):
        run = run_cli("speak", "Hello", *extra, "--sample-rate", "16000")
        assert run.code == 0
        assert run.out_bytes[:4] == b"RIFF" and run.out_bytes[8:12] == b"WAVE"
        assert len(run.out_bytes) > 10_000


def test_speak_into_a_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audio is never written to a terminal; the message names the alternatives."""
    err = Output()
    terminal = Output()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(["--sandbox", "speak", "Hello"]) == 2
    assert terminal.text == ""
    assert "-o FILE" in err.text and "--play" in err.text


def test_speak_selects_the_format(service: Sandbox, tmp_path: Path) -> None:
    """--audio-format, or else the file's ending, selects the format; raw audio has no header."""
    path = tmp_path / "out.pcm"
    assert run_cli("speak", "Hello", "-o", str(path)).code == 0
    assert path.read_bytes()[:4] != b"RIFF"
    assert run_cli("speak", "Hello", "--audio-format", "mulaw", "-o", str(path)).code == 0
    formats = [
        (message["audio_format"], message["sample_rate"])
        for message in service.log.messages(kind="tts")
        if "voice" in message
    ]
    assert formats == [("pcm_s16le", 24000), ("pcm_mulaw", 8000)]


def _spoken(service: Sandbox) -> list[str]:
    return [m["text"] for m in service.log.messages(kind="tts") if m.get("text")]


def test_speak_long_text(service: Sandbox) -> None:
    """Text beyond the limits of a stream is spoken by several, joined under one WAV header."""
    text = "".join(f"This is sentence {number}, said only once. " for number in range(150))
    assert len(text) > 5000
    run = run_cli("speak", text)
    assert run.code == 0
    assert run.out_bytes.count(b"RIFF") == 1
    assert "".join(_spoken(service)).split() == text.split()
    assert service.log.totals["tts.connections"] == 1
    assert service.log.totals["tts.streams"] > 1


def test_speak_lines_of_stdin(service: Sandbox) -> None:
    """Lines of stdin are spoken in order; invalid UTF-8 is replaced."""
    run = run_cli("speak", "-", stdin="Eins.\n\nZwei grüßt.\nDrei".encode() + b"\xff")
    assert run.code == 0
    assert " ".join(_spoken(service)).split() == ["Eins.", "Zwei", "grüßt.", "Drei\ufffd"]
    assert run.out_bytes.count(b"RIFF") == 1


@pytest.mark.parametrize("text", ["", "  \n"])
def test_speak_nothing(service: Sandbox, text: str, tmp_path: Path) -> None:
    """Without text there is an error and no file."""
    path = tmp_path / "out.wav"
    run = run_cli("speak", "-", "-o", str(path), stdin=text.encode())
    assert run.code == 2
    assert "no text" in run.err
    assert not path.exists()


def test_speak_long_text_in_a_format_that_cannot_be_joined(
    service: Sandbox, tmp_path: Path
) -> None:
    """Long text is refused in formats whose streams cannot be joined."""
    path = tmp_path / "out.flac"
    run = run_cli("speak", "A long sentence. " * 100, "-o", str(path))
    assert run.code == 2
    assert "joined" in run.err and "wav" in run.err
    assert not path.exists()


def test_speak_into_a_missing_directory(service: Sandbox, tmp_path: Path) -> None:
    """The message names a file that cannot be created."""
    run = run_cli("speak", "Hello", "-o", str(tmp_path / "no" / "out.wav"))
    assert run.code == 2
    assert "out.wav: No such file" in run.err


def test_speak_refused_voice(service: Sandbox, tmp_path: Path) -> None:
    """A refusal of the service is reported in one line and leaves no file."""
    path = tmp_path / "out.wav"
    run = run_cli("speak", "Hello", "-o", str(path), "--voice", "Nobody")
    assert run.code == 1
    assert "400" in run.err and run.err.count("\n") == 1
    assert not path.exists()


def test_speak_with_json_reports_the_file(service: Sandbox, tmp_path: Path) -> None:
    """With --json the file, its size and its duration are a line on stdout."""
    path = tmp_path / "out.pcm"
    run = run_cli("speak", "Hello", "-o", str(path), "--json")
    summary = json.loads(run.out)
    assert (summary["file"], summary["audio_bytes"]) == (str(path), path.stat().st_size)
    assert summary["audio_sec"] == pytest.approx(path.stat().st_size / 48_000)


# --- transcribe

SAID = "Hello there my friend.\nHow are you?\n"


def test_transcribe_a_file(service: Sandbox, recording: str) -> None:
    """Text is written as plain lines, without escape codes."""
    run = run_cli("transcribe", recording, "--pace", "0")
    assert (run.code, run.out, run.err) == (0, SAID, "")


def test_transcribe_logs_the_model_that_runs(service: Sandbox, recording: str) -> None:
    """With `-v`, the model that the service names is logged once; it may be another than asked."""
    done = run_cli("transcribe", recording, "--pace", "0", "--model", "stt-rt-v4", "-v")
    assert done.code == 0
    assert done.err.count("the service runs model") == 1
    assert "the service runs model 'stt-rt-v6'" in done.err


def test_transcribe_stdin(service: Sandbox, recording: str) -> None:
    """`-` reads the audio from stdin."""
    run = run_cli("transcribe", "-", "--pace", "0", stdin=Path(recording).read_bytes())
    assert (run.code, run.out) == (0, SAID)


def test_transcribe_raw_audio(service: Sandbox, tmp_path: Path) -> None:
    """Raw audio is sent with its format and, by default, one channel."""
    path = tmp_path / "raw"
    path.write_bytes(bytes(8000 * 3))
    run = run_cli(
        "transcribe", str(path), "--audio-format", "pcm_mulaw", "--sample-rate", "8000",
        "--pace", "0", "--speakers", "--languages", "--language-hint", "en",
    )  # fmt: skip
    assert run.code == 0
    assert run.out == "Speaker 1 [en]: Hello there my friend.\nSpeaker 1 [en]: How are you?\n"
    start = service.log.messages(kind="stt")[0]
    assert (start["audio_format"], start["sample_rate"], start["num_channels"]) == (
        "mulaw",
        8000,
        1,
    )
    assert start["language_hints"] == ["en"]
    assert service.log.audio_bytes() == 24000


def test_transcribe_to_srt(service: Sandbox, recording: str) -> None:
    """SRT captions have the words at their times."""
    run = run_cli("transcribe", recording, "--pace", "0", "--format", "srt")
    assert run.code == 0
    assert run.out == (
        "1\n00:00:00,000 --> 00:00:00,800\nHello there my friend.\n\n"
        "2\n00:00:00,800 --> 00:00:01,800\nHow are you?\n\n"
    )


def test_transcribe_to_narrow_lines(service: Sandbox, recording: str) -> None:
    """--width limits the width of caption lines."""
    run = run_cli("transcribe", recording, "--pace", "0", "--format", "srt", "--width", "12")
    assert "\nHello there\nmy friend.\n\n" in run.out


def test_transcribe_to_vtt(service: Sandbox, recording: str) -> None:
    """WebVTT captions begin with their header."""
    run = run_cli("transcribe", recording, "--pace", "0", "--format", "vtt")
    assert run.out.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.800\nHello there")


def test_transcribe_to_json(service: Sandbox, recording: str) -> None:
    """`--format json` writes one document with text, segments and tokens."""
    run = run_cli("transcribe", recording, "--pace", "0", "--format", "json")
    document = json.loads(run.out)
    assert document["text"].split() == SAID.split()
    assert document["tokens"][0]["start_ms"] == 0


def test_transcribe_to_lines_of_json(service: Sandbox, recording: str) -> None:
    """With --json every event is a line; the last one is `finished`."""
    run = run_cli("--json", "transcribe", recording, "--pace", "0")
    lines = [json.loads(line) for line in run.out.splitlines()]
    assert lines[-1]["type"] == "finished"
    assert any(line["type"] == "endpoint" for line in lines)
    finals = [t["text"] for line in lines for t in line.get("tokens", []) if t["is_final"]]
    assert "".join(finals).split() == SAID.split()


def test_transcribe_with_translation(service: Sandbox, recording: str) -> None:
    """A translation is a line below the original; captions show only the translation."""
    run = run_cli("transcribe", recording, "--pace", "0", "--translate", "es")
    assert run.code == 0
    originals = [line for line in run.out.splitlines() if not line.startswith("  -> [es] ")]
    translated = [line for line in run.out.splitlines() if line.startswith("  -> [es] ")]
    assert translated and originals[0] == "[en] Hello there my friend."
    captions = run_cli(
        "transcribe", recording, "--pace", "0", "--translate", "es", "--format", "vtt"
    )
    assert translated[0][len("  -> [es] ") :].split()[0] in captions.out
    assert "Hello" not in captions.out or "Hello" in translated[0]


def test_transcribe_reconnects(service: Sandbox, recording: str) -> None:
    """After a lost connection every word is written once."""
    lost = service.faults.drop(kind="stt", after_audio_ms=1500)
    run = run_cli("transcribe", recording, "--pace", "4")
    assert lost.fired.is_set()
    assert service.log.totals["stt.connections"] == 2
    assert (run.code, run.err) == (0, "")
    # the script restarts with each session, so only the first words are certain
    assert run.out.startswith("Hello there my friend.\n")


def test_transcribe_writes_the_text_before_an_error(service: Sandbox, recording: str) -> None:
    """Text transcribed before an error is written; the exit code is 1."""
    service.faults.error_frame(kind="stt", after_audio_ms=1500)
    run = run_cli("transcribe", recording, "--pace", "4", "--no-reconnect")
    assert run.code == 1
    assert run.out.startswith("Hello there my friend.\n")
    assert "503" in run.err and run.err.count("\n") == 1


@pytest.mark.parametrize("format", ["srt", "json"])
def test_captions_of_an_incomplete_transcription(
    service: Sandbox, recording: str, format: str
) -> None:
    """Captions and documents of a transcription that failed half way are well-formed."""
    service.faults.error_frame(kind="stt", after_audio_ms=1500)
    run = run_cli("transcribe", recording, "--pace", "4", "--format", format, "--no-reconnect")
    assert run.code == 1
    text = json.loads(run.out)["text"] if format == "json" else run.out
    assert "Hello there my friend." in text


# --- demo, sandbox


def test_demo_with_a_key(service: Sandbox, tmp_path: Path) -> None:
    """With a key the demo uses the service, prints that, and writes both files."""
    run = run_cli("demo", "--dir", str(tmp_path), "--text", "Hello there my friend.")
    assert run.code == 0
    assert f"using the service at {urlsplit(service.urls.stt).netloc}, with" in run.out
    assert "heard: Hello there my friend." in run.out
    wrote = [line for line in run.out.splitlines() if line.startswith("wrote ")]
    assert len(wrote) == 2  # in the form of `speak`
    assert service.log.totals["stt.connections"] == 1
    with _wav((tmp_path / "hello.wav").read_bytes()) as wav:
        assert wav.getnframes() > 0
    assert "Hello there my friend." in (tmp_path / "hello.srt").read_text()


def test_demo_without_a_key(keyless: None, tmp_path: Path) -> None:
    """Without a key the demo uses the sandbox; the words it recognises are in its captions."""
    run = run_cli("demo", "--dir", str(tmp_path), "--json", "--text", "Hello there.")
    assert run.code == 0
    summary = json.loads(run.out)
    assert (summary["service"], summary["said"]) == ("sandbox", "Hello there.")
    captions = (tmp_path / "hello.srt").read_text().split()
    assert all(word in captions for word in summary["heard"].split())
    if summary["heard"] != "Hello there.":
        assert "soniox-sync[sandbox]" in run.err


def test_demo_without_speech_engines(
    keyless: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra the demo plays tones, and prints what is missing and how to install it."""
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    run = run_cli("demo", "--dir", str(tmp_path), "--text", "Hello there.")
    assert run.code == 0
    assert "makes up the words" in run.err
    assert 'pip install "soniox-sync[sandbox]"' in run.err
    assert (tmp_path / "hello.srt").exists()


def test_demo_without_recognition(
    keyless: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pocketsphinx the demo names it, speaks, and recognises its own speech."""
    pytest.importorskip("espeakng_loader")
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    run = run_cli("demo", "--dir", str(tmp_path), "--text", "Hello there.")
    assert run.code == 0
    assert "pocketsphinx is not installed" in run.err
    assert "espeakng_loader" not in run.err
    assert "heard: Hello there." in run.out + run.err
    assert "makes up the words" not in run.err


def test_commands_name_their_missing_engine(
    keyless: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`speak` reports only a missing voice, `transcribe` only missing recognition."""
    pytest.importorskip("numpy")
    wav = str(tmp_path / "hello.wav")
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    spoken = run_cli("speak", "--sandbox", "Hello.", "-o", wav)
    transcribed = run_cli("transcribe", "--sandbox", wav)
    assert "pocketsphinx" not in spoken.err
    assert "pocketsphinx is not installed" in transcribed.err
