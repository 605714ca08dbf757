"""Every program in `examples/` runs as its reader would run it, on a sandbox of its own."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
import wave
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from serving import EXAMPLES, ServerProcess

from soniox_sync.sandbox import Sandbox

# with speech engines on a loaded machine; one that takes longer hangs
PATIENCE_SEC = 90.0


HAS_SPEECH = all(importlib.util.find_spec(name) for name in ("espeakng_loader", "pocketsphinx"))


@dataclass(frozen=True)
class Program:
    """Says what a program prints, as far as it does not depend on what was heard.

    `heard`: what it prints besides where the sandbox has a voice and an ear. `writes`: what it
    leaves behind. `needs`: packages without which it is skipped. `arguments`: what it is given
    besides `--sandbox`. `hears`: it listens to a microphone.
    """

    says: str
    heard: str = ""
    writes: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    hears: bool = False


def files(*names: str) -> frozenset[str]:
    """Name what a program writes."""
    return frozenset(names)


FIVE = files(*(f"{name}.wav" for name in ("adrian", "nina", "lucia", "oliver", "isla")))
CALLS = files("call1.wav", "call1.srt", "call2.wav", "call2.srt")
PROGRAMS = {
    "app_with_tests/voicemail.py": Program(
        "", "Hello, you have reached Anna. Please leave", files("greeting.wav")
    ),
    "celery_folder/folder.py": Program("call2.wav:", writes=CALLS, needs=("celery",)),
    "five_voices.py": Program("s of speech, first sound after", writes=FIVE),
    "gevent_worker.py": Program("4 jobs of", needs=("gevent",)),
    "legacy_script.py": Program(
        "message2.wav:", "message2.wav: The parcel has arrived.", files("recordings")
    ),
    "llm_to_speech.py": Program("first sound", writes=files("answer.wav")),
    "microphone_captions.py": Program("", arguments=("--seconds", "3"), hears=True),
    "push_handlers.py": Program("said:  all of it", "heard: Nobody"),
    "session_by_hand.py": Program("-- finished at", "' first'"),
    "speak_to_file.py": Program("first sound after", writes=files("speech.wav")),
    "transcribe_file.py": Program(
        "wrote example.srt", "So I speak one.", files("example.wav", "example.srt")
    ),
    "translation_side_by_side.py": Program("-----", f"{'Good morning.':<38}  Guten Morgen.\n"),
    "twilio_phone/caller.py": Program("", "Is it raining?", needs=("flask", "flask_sock")),
    "voice_agent/talk.py": Program(
        "caller: ", "agent:  Of course. Good bye.", needs=("pocketsphinx",)
    ),
}
# go on until they are told to stop; `tests/servers` looks at what they serve
FLASK = ("flask", "flask_sock")
SERVERS = {
    "flask_app/app.py": FLASK,
    "twilio_phone/app.py": FLASK,
    "webhook_receiver.py": ("flask",),
}
# run by the servers and workers they are written for: `tests/servers` starts those
HOSTED = ("celery_folder/tasks.py", "django_site/", "gunicorn_preload/")
# imported by the programs beside them
PARTS = (
    "flask_app/captions.py",
    "flask_app/speech.py",
    "twilio_phone/call.py",
    "voice_agent/agent.py",
    "voice_agent/rehearsal.py",
)
ALL = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for path in EXAMPLES.rglob("*.py")
    if not path.name.startswith("test_")
)

# a device that plays a WAV once, then is quiet
MICROPHONE = """
import os, threading, wave

class PortAudioError(Exception):
    pass

class RawInputStream:
    def __init__(self, **options):
        self.options, self.active = options, False
        with wave.open(os.environ["TEST_MICROPHONE"]) as file:
            self.audio = file.readframes(file.getnframes())
        self.ended = threading.Event()

    def start(self):
        self.active = True
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()

    def play(self):
        size = self.options["blocksize"] or 960
        at = 0
        while not self.ended.wait(size / self.options["samplerate"]):
            piece = self.audio[at : at + 2 * size].ljust(2 * size, bytes(1))
            at += 2 * size
            self.options["callback"](memoryview(bytearray(piece)), size, None, None)

    def stop(self, ignore_errors=True):
        self.ended.set()
        self.active = False

    def close(self, ignore_errors=True):
        self.ended.set()
"""


@dataclass
class Reader:
    """Is somebody who runs the programs in an empty directory, without a key."""

    where: Path
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Give the environment of the programs; what is not closed shows on stderr."""
        found = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
        found["PYTHONIOENCODING"] = "utf-8"
        found["PYTHONWARNINGS"] = "always::ResourceWarning"
        found["PYTHONDONTWRITEBYTECODE"] = "1"
        return {**found, **self.extra}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.where,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_SEC,
        )


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Give a reader of the examples."""
    (tmp_path / "here").mkdir()
    return Reader(tmp_path / "here")


def skip_without(needs: tuple[str, ...]) -> None:
    """Skip where a package is missing."""
    missing = [name for name in needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[sandbox,examples]'")


def plug_in_a_microphone(reader: Reader, tmp_path: Path) -> None:
    """Let the programs find a device that says something."""
    voice = tmp_path / "voice.wav"
    with Sandbox() as sandbox:
        sandbox.client().realtime.speak(
            "The microphone works.", voice="Emma", audio_format="wav", sample_rate=16000
        ).save(voice)
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "sounddevice.py").write_text(textwrap.dedent(MICROPHONE), encoding="utf-8")
    reader.extra.update(PYTHONPATH=str(modules), TEST_MICROPHONE=str(voice))


def test_every_example_is_known_here() -> None:
    """The tables of this test name every Python file, and none that is not there."""
    hosted = [path for path in ALL if path.startswith(HOSTED)]
    assert sorted([*PROGRAMS, *SERVERS, *PARTS, *hosted]) == ALL


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_runs_on_the_sandbox(name: str, reader: Reader, tmp_path: Path) -> None:
    """Each program ends 0 with `--sandbox`, says what it should, and writes whole files."""
    program = PROGRAMS[name]
    skip_without(program.needs)
    if program.hears:
        plug_in_a_microphone(reader, tmp_path)
    done = reader.run(str(EXAMPLES / name), "--sandbox", *program.arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert program.says in done.stdout
    assert program.heard in done.stdout or not HAS_SPEECH
    assert done.stdout.strip()
    assert {path.name for path in reader.where.iterdir()} == program.writes
    for path in reader.where.rglob("*.wav"):
        with wave.open(str(path)) as file:
            assert file.getnframes() > file.getframerate() // 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_explains_itself(name: str, reader: Reader, tmp_path: Path) -> None:
    """`--help` tells what the program does; without a key the error says what is missing."""
    program = PROGRAMS[name]
    skip_without(program.needs)
    (reader.where / "recordings").mkdir()  # for those that want some
    with wave.open(str(reader.where / "recordings" / "call.wav"), "wb") as call:
        call.setparams((1, 2, 16000, 0, "NONE", ""))
        call.writeframes(bytes(16000))
    if program.hears:
        plug_in_a_microphone(reader, tmp_path)
    shown = reader.run(str(EXAMPLES / name), "--help")
    assert shown.returncode == 0
    assert "--sandbox" in shown.stdout
    if name == "celery_folder/folder.py":
        return  # without `--sandbox` it waits for a broker, which is not ours to test here
    keyless = reader.run(str(EXAMPLES / name))
    assert keyless.returncode != 0
    assert "SONIOX_API_KEY" in keyless.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_starts_on_the_sandbox(name: str, reader: Reader) -> None:
    """Each server runs with `--sandbox` alone, and answers."""
    skip_without(SERVERS[name])
    arguments = [str(EXAMPLES / name), "--sandbox", "--port", "0"]
    with ServerProcess(arguments, reader.environment(), where=reader.where) as server:
        assert answer(server.url + "/") in (200, 404)
    assert "Traceback" not in server.output


def answer(url: str) -> int:
    """Ask for a page and give the status."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SEC) as page:
            return int(page.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("name", [*PROGRAMS, *SERVERS])
def test_an_example_names_its_command(name: str) -> None:
    """What to type stands at its top, from here or from beside the file, and that is there."""
    said = ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))) or ""
    command = re.search(r"^\s*python (\S+\.py)\b.* --sandbox\b", said, re.MULTILINE)
    assert command is not None
    beside = (EXAMPLES / name).parent
    assert (EXAMPLES.parent / command[1]).is_file() or (beside / command[1]).is_file()


@pytest.mark.parametrize("name", ALL)
def test_an_example_is_short(name: str) -> None:
    """A file that shows one thing fits on a screen."""
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60
    assert not lines or re.match(r'r?"""\S.*', lines[0])


def test_the_tests_of_the_example_app_pass(reader: Reader, tmp_path: Path) -> None:
    """The little app is tested with nothing but the fixtures that the library brings."""
    tests = EXAMPLES / "app_with_tests"
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tests), f"--basetemp={tmp_path}/t"]
    done = reader.run("-m", "pytest", *options, str(tests))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout or "3 passed, 1 skipped" in done.stdout
