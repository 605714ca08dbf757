"""Tests of the examples: every program runs on the sandbox, as a reader would run it."""

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

from soniox_sync.sandbox import Sandbox
from tests.serving import EXAMPLES, ServerProcess

pytestmark = pytest.mark.slow

# speech engines are slow on a loaded machine; a program that takes longer hangs
TIMEOUT_SEC = 90.0


# the sandbox recognises its own speech without pocketsphinx, too
HAS_SPEECH = importlib.util.find_spec("espeakng_loader") is not None


@dataclass(frozen=True)
class Program:
    """Expected behaviour of an example program.

    `prints`: part of its output. `transcribes`: part of its output if the sandbox has speech
    engines. `writes`: the files it leaves. `needs`: packages without which it is skipped.
    `arguments`: arguments besides `--sandbox`. `uses_microphone`: it needs a microphone.
    """

    prints: str
    transcribes: str = ""
    writes: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    uses_microphone: bool = False


def files(*names: str) -> frozenset[str]:
    """Return the names of the files that a program writes."""
    return frozenset(names)


FLASK = ("flask", "flask_sock")
CALLER = ("espeakng_loader",)
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
    "microphone_captions.py": Program(
        "", needs=("pocketsphinx",), arguments=("--seconds", "3"), uses_microphone=True
    ),
    "push_handlers.py": Program("spoken: all of the text", "heard: Nobody"),
    "session_by_hand.py": Program("-- finished at", "' first'"),
    "speak_to_file.py": Program("first sound after", writes=files("speech.wav")),
    "transcribe_file.py": Program(
        "wrote example.srt", "So I speak one.", files("example.wav", "example.srt")
    ),
    "translation_side_by_side.py": Program("-----", f"{'Good morning.':<38}  Guten Morgen.\n"),
    "twilio_phone/caller.py": Program(
        "You said: How do the tides work? Interrupt me",
        "You said: Stop, thank you. Interrupt me at any time, as I listen while I speak.\n",
        needs=(*FLASK, *CALLER),
    ),
    "voice_agent/agent.py": Program(
        "How do the tides work? -> The moon pulls the water",
        "Stop, thank you. -> Of course. Good bye.\n",
        needs=CALLER,
    ),
}
# run until they are stopped; `tests/servers` tests what they serve
SERVERS = {
    "flask_agent/app.py": FLASK,
    "flask_app/app.py": FLASK,
    "webhook_receiver.py": ("flask",),
}
# run by servers and workers, which `tests/servers` starts
HOSTED = ("celery_folder/tasks.py", "django_site/", "gunicorn_preload/")
# imported by other programs
PARTS = (
    "flask_agent/sockets.py",
    "flask_agent/talk.py",
    "flask_app/captions.py",
    "flask_app/sockets.py",
    "flask_app/speech.py",
    "twilio_phone/app.py",
    "twilio_phone/twilio.py",
)
ALL = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for path in EXAMPLES.rglob("*.py")
    if not path.name.startswith("test_")
)

# a microphone that plays a WAV once, then silence
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
class Runner:
    """Runs programs in an empty directory, without a key."""

    where: Path
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of the programs, with warnings of unclosed resources on."""
        found = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
        found["PYTHONIOENCODING"] = "utf-8"
        found["PYTHONWARNINGS"] = "always::ResourceWarning"
        found["PYTHONDONTWRITEBYTECODE"] = "1"
        return {**found, **self.extra}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.where,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SEC,
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Provide a runner of the examples."""
    (tmp_path / "here").mkdir()
    return Runner(tmp_path / "here")


def skip_without(needs: tuple[str, ...]) -> None:
    """Skip the test if a package is missing."""
    missing = [name for name in needs if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[sandbox,examples]'")


def plug_in_a_microphone(runner: Runner, tmp_path: Path) -> None:
    """Provide the programs with a microphone that plays a sentence."""
    voice = tmp_path / "voice.wav"
    with Sandbox() as sandbox:
        sandbox.client().realtime.speak(
            "The microphone works.", voice="Emma", audio_format="wav", sample_rate=16000
        ).save(voice)
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "sounddevice.py").write_text(textwrap.dedent(MICROPHONE), encoding="utf-8")
    runner.extra.update(PYTHONPATH=str(modules), TEST_MICROPHONE=str(voice))


def test_every_example_is_listed() -> None:
    """The tables of this test name exactly the Python files of the examples."""
    hosted = [path for path in ALL if path.startswith(HOSTED)]
    assert sorted([*PROGRAMS, *SERVERS, *PARTS, *hosted]) == ALL


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_runs_on_the_sandbox(name: str, runner: Runner, tmp_path: Path) -> None:
    """With `--sandbox` each program succeeds, prints what is expected, and writes valid files."""
    program = PROGRAMS[name]
    skip_without(program.needs)
    if program.uses_microphone:
        plug_in_a_microphone(runner, tmp_path)
    done = runner.run(str(EXAMPLES / name), "--sandbox", *program.arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert program.prints in done.stdout
    assert program.transcribes in done.stdout or not HAS_SPEECH
    assert done.stdout.strip()
    assert {path.name for path in runner.where.iterdir()} == program.writes
    for path in runner.where.rglob("*.wav"):
        with wave.open(str(path)) as file:
            assert file.getnframes() > file.getframerate() // 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_has_help(name: str, runner: Runner, tmp_path: Path) -> None:
    """`--help` names `--sandbox`; without a key the error says what is missing."""
    program = PROGRAMS[name]
    skip_without(program.needs)
    (runner.where / "recordings").mkdir()  # for the programs that need some
    with wave.open(str(runner.where / "recordings" / "call.wav"), "wb") as call:
        call.setparams((1, 2, 16000, 0, "NONE", ""))
        call.writeframes(bytes(16000))
    if program.uses_microphone:
        plug_in_a_microphone(runner, tmp_path)
    shown = runner.run(str(EXAMPLES / name), "--help")
    assert shown.returncode == 0
    assert "--sandbox" in shown.stdout
    if name == "celery_folder/folder.py":
        return  # without `--sandbox` it waits for a broker
    keyless = runner.run(str(EXAMPLES / name))
    assert keyless.returncode != 0
    assert "SONIOX_API_KEY" in keyless.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_starts_on_the_sandbox(name: str, runner: Runner) -> None:
    """Each server runs with only `--sandbox`, and responds."""
    skip_without(SERVERS[name])
    arguments = [str(EXAMPLES / name), "--sandbox", "--port", "0"]
    with ServerProcess(arguments, runner.environment(), where=runner.where) as server:
        assert status_of(server.url + "/") in (200, 404)
    assert "Traceback" not in server.output


def status_of(url: str) -> int:
    """Request a page and return the status."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SEC) as page:
            return int(page.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("name", [*PROGRAMS, *SERVERS, "django_site/manage.py"])
def test_an_example_names_its_command(name: str) -> None:
    """Its docstring contains a command that runs it, from the checkout or from its own folder."""
    doc = ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))) or ""
    command = re.search(r"^\s*python (\S+\.py)\b.* --sandbox\b", doc, re.MULTILINE)
    assert command is not None
    folder = (EXAMPLES / name).parent
    assert (EXAMPLES.parent / command[1]).is_file() or (folder / command[1]).is_file()


@pytest.mark.parametrize("name", ALL)
def test_an_example_is_short(name: str) -> None:
    """A file has less than 60 lines, and a docstring."""
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60
    assert not lines or re.match(r'r?"""\S.*', lines[0])


def test_the_tests_of_the_example_app_pass(runner: Runner, tmp_path: Path) -> None:
    """The example app's tests need only the fixtures of the library."""
    tests = EXAMPLES / "app_with_tests"
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tests), f"--basetemp={tmp_path}/t"]
    done = runner.run("-m", "pytest", *options, str(tests))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout or "3 passed, 1 skipped" in done.stdout
