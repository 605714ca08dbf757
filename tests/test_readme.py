"""Tests of the README: it renders, its commands and paths exist, its code runs."""

from __future__ import annotations

import configparser
import functools
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import soniox_sync
import soniox_sync.audio
from soniox_sync.client import SonioxClient
from soniox_sync.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.rst").read_text(encoding="utf-8")
# speech engines are slow on a loaded machine; a command that takes longer hangs
TIMEOUT_SEC = 90.0
KEY = "readme-key"


def blocks(opening: str, text: str = README) -> list[str]:
    """Return the indented blocks that follow a line matching `opening`."""
    found = re.finditer(rf"^{opening}\n\n((?:(?: +.*)?\n)+)", text, re.MULTILINE)
    return [textwrap.dedent(match[1]).strip("\n") for match in found]


SNIPPETS = blocks(r"\.\. code-block:: python")
COMMANDS = [line for block in blocks(r"(?!\.\. ).*::") for line in block.splitlines()]
VENV, DEMO, TESTS = COMMANDS[:3]


def has_speech() -> bool:
    """Return whether the sandbox speaks; it then recognises what it spoke."""
    return importlib.util.find_spec("espeakng_loader") is not None


# -- text and commands ----------------------------------------------------------------------------


def test_it_renders_without_a_warning() -> None:
    """docutils parses the README without a warning, as a package index does."""
    core = pytest.importorskip("docutils.core", reason="docutils is not installed")
    warnings = io.StringIO()
    settings = {
        "report_level": 1,
        "halt_level": 5,
        "warning_stream": warnings,
        "syntax_highlight": "none",
        # what a package index allows
        "file_insertion_enabled": False,
        "raw_enabled": False,
    }
    core.publish_doctree(README, settings_overrides=settings)
    assert warnings.getvalue() == ""


def test_its_test_command_is_the_one_that_the_check_runs() -> None:
    """`.ci/run` extracts the command that runs the tests."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README\.rst", script)
    assert pattern is not None
    found = [line.strip() for line in README.splitlines() if re.search(pattern[1], line)]
    # for contributors: edits take effect, and type checkers find the package
    editable = 'python -m pip install -e ".[test]" --config-settings editable_mode=compat'
    assert found[0] == TESTS == f"{editable} && python -m pytest"
    # for users: type checkers cannot follow setuptools' editable finder
    assert DEMO == 'python -m pip install ".[sandbox]" && soniox-sync demo'
    # nothing is to be filled in, and little to be read, before the first success
    assert VENV == "python3 -m venv .venv && . .venv/bin/activate"
    assert README.index(DEMO) < README.index("\n---")


def test_its_extras_exist() -> None:
    """Every extra in a command is defined in setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = {name for names in re.findall(r"\.\[([\w,]+)\]", README) for name in names.split(",")}
    assert {"sandbox", "test"} <= wanted
    assert wanted <= set(setup["options.extras_require"])


def test_its_paths_exist() -> None:
    """Every file and module of the project that the text names exists."""
    for name in re.findall(r"(?<!\w)(?:tests|\.ci|examples|docs)/[\w./]*\w", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m (tests[\w.]*)", README):
        module = ROOT / name.replace(".", "/")
        assert module.is_dir() or module.with_suffix(".py").is_file(), name


def test_it_is_short() -> None:
    """It is read in one sitting: what does not help a beginner is in the documentation."""
    assert len(README.splitlines()) < 190


def test_it_points_to_every_kind_of_page() -> None:
    """The map at its end names the pages to begin with, each by a link."""
    linked = set(re.findall(r"<docs/(\w+)\.rst>`__", README))
    assert linked >= {"installation", "quickstart", "tutorial", "testing", "command_line", "errors"}


# -- code -----------------------------------------------------------------------------------------


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """Start a sandbox, named in the environment, and work in an empty directory."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(api_keys=[KEY]) as sandbox:
        urls = sandbox.urls
        monkeypatch.setenv("SONIOX_API_KEY", KEY)
        monkeypatch.setenv("SONIOX_API_BASE_URL", urls.api)
        monkeypatch.setenv("SONIOX_WS_URL", urls.stt)
        monkeypatch.setenv("SONIOX_TTS_API_URL", urls.tts_api)
        monkeypatch.setenv("SONIOX_TTS_WS_URL", urls.tts)
        yield sandbox


@pytest.fixture
def namespace(service: Sandbox) -> Iterator[dict[str, Any]]:
    """Provide what the snippets use: a client, and a meeting."""
    with SonioxClient() as client:
        voice = {"voice": "Nina", "language": "en", "audio_format": "wav", "sample_rate": 16000}
        with client.realtime.tts(voice) as stream:
            stream.send_text("The meeting is open.", end=True)
            stream.save("meeting.wav")
        yield {"client": client}


def snippet(part: str) -> str:
    """Return the one snippet that contains `part`."""
    found = [code for code in SNIPPETS if part in code]
    assert len(found) == 1, part
    return found[0]


def run(code: str, names: dict[str, Any]) -> None:
    """Execute a snippet unchanged."""
    exec(compile(code, "README.rst", "exec"), names)


def is_meeting(text: str) -> bool:
    """Return whether a text is the meeting's; without speech engines any text is accepted."""
    return "The meeting is open." in text if has_speech() else bool(text)


def check_transcribe(names: dict[str, Any], printed: str) -> None:
    """The words are printed once, not as they grow."""
    assert is_meeting(printed)
    assert not has_speech() or printed.count("meeting") == 1


def check_live(names: dict[str, Any], printed: str) -> None:
    """Each redraw replaces the one before, and the last one shows the words."""
    redraws = printed.split("\r\x1b[K")
    assert len(redraws) > 2 and is_meeting(redraws[-1])


def check_tokens(names: dict[str, Any], printed: str) -> None:
    """The file is a WAV of more than a second of samples."""
    assert len(Path("evening.wav").read_bytes()) > 2 * 16_000


def check_agent(names: dict[str, Any], printed: str) -> None:
    """The greeting and the question were heard, with the caller of the sandbox."""
    # on a machine that is busy for seconds the caller takes the answer for missing, and hangs up
    greeting, answer = printed.splitlines()
    assert greeting.startswith(" -> Hello!")
    assert answer.startswith("What time is it? -> ")


def check_fixture(names: dict[str, Any], printed: str) -> None:
    """The test of the snippet passes, as it would under pytest."""
    names["test_my_app_reads_back_what_it_said"](names["client"])


CHECKS: dict[str, Callable[[dict[str, Any], str], None]] = {
    'save("meeting.wav")': check_transcribe,
    'language_hints=["en"]).utterances()': check_transcribe,
    "transcription.transcript.text": check_live,
    "speaker.write(": check_tokens,
    "realtime.converse(": check_agent,
    "soniox_client": check_fixture,
}
# parts of snippets that make no sense without a voice
NEED_SPEECH = ("realtime.converse(", "soniox_client")


def test_every_snippet_is_run() -> None:
    """The table of this test names every Python snippet once."""
    assert len(SNIPPETS) == len(CHECKS)
    assert {snippet(part) for part in CHECKS} == set(SNIPPETS)


@pytest.mark.parametrize("part", CHECKS)
def test_a_snippet_runs(
    part: str,
    namespace: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each snippet runs unchanged and does what the text above it promises."""
    if part in NEED_SPEECH and not has_speech():
        pytest.skip("real speech needs the extra sandbox")
    monkeypatch.setattr(sys, "argv", ["agent.py", "--sandbox"])
    monkeypatch.setattr(Sandbox, "caller", functools.partialmethod(Sandbox.caller, speed=4.0))
    capsys.readouterr()
    run(snippet(part), namespace)
    CHECKS[part](namespace, capsys.readouterr().out)


def test_the_agent_runs_unchanged_on_a_microphone(
    namespace: dict[str, Any],
    service: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without `--sandbox` the agent takes a key, a microphone and a loudspeaker."""
    if not has_speech():
        pytest.skip("real speech needs the extra sandbox")
    caller = service.caller(["What time is it?"], speed=4.0)
    monkeypatch.setattr(sys, "argv", ["agent.py"])
    monkeypatch.setattr(soniox_sync, "MicrophoneSource", lambda: caller)
    monkeypatch.setattr(soniox_sync.audio, "Player", lambda: caller)
    run(snippet("realtime.converse("), namespace)
    check_agent(namespace, capsys.readouterr().out)
    assert "Hello!" in caller.heard


@pytest.mark.parametrize("page", ["migration_python", "migration_javascript"])
def test_the_code_of_a_guide_runs(
    page: str, namespace: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A guide's code for this library runs unchanged, and transcribes the meeting."""
    text = (ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8")
    ours = [code for code in blocks(r"\.\. code-block:: python", text) if "soniox_sync" in code]
    assert ours
    capsys.readouterr()
    for code in ours:
        run(code.replace("snx_temp_...", KEY), namespace)
        assert "open" in capsys.readouterr().out or not has_speech()


# -- the command line -----------------------------------------------------------------------------

LINES = [line.split("#")[0].strip() for line in COMMANDS if "soniox-sync" in line]
# not run: these need a microphone or a fresh environment
NOT_RUN = ("--mic", "pip install")


def test_the_command_lines_run_in_order(service: Sandbox) -> None:
    """The commands can be copied into a shell, line by line."""
    if os.name != "posix":
        pytest.skip("the lines are for a POSIX shell")
    ours = f"{shlex.quote(sys.executable)} -m soniox_sync"
    shown = [line for line in LINES if not any(part in line for part in NOT_RUN)]
    assert len(shown) == 4
    outputs = []
    for line in shown:
        done = subprocess.run(
            ["/bin/sh", "-c", line.replace("soniox-sync", ours)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SEC,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        outputs.append(done.stdout)
    assert "-->" in outputs[1]
    assert not has_speech() or "Good morning" in outputs[1]
    assert [path.name for path in Path("texts").iterdir()] == ["morning.txt"]
