"""Tests of the README: it renders, its commands and paths exist, its code runs."""

from __future__ import annotations

import configparser
import importlib.util
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import SlngClient, errors
from soniox_sync.client import SonioxClient
from soniox_sync.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.rst").read_text(encoding="utf-8")
# speech engines are slow on a loaded machine; a command that takes longer hangs
TIMEOUT_SEC = 90.0
KEY = "readme-key"
SECRET = "readme-secret"


def blocks(opening: str, text: str = README) -> list[str]:
    """Return the indented blocks that follow a line matching `opening`."""
    found = re.finditer(rf"^{opening}\n\n((?:(?: +.*)?\n)+)", text, re.MULTILINE)
    return [textwrap.dedent(match[1]).strip("\n") for match in found]


SNIPPETS = blocks(r"\.\. code-block:: python")
COMMANDS = [line for block in blocks(r"(?!\.\. ).*::") for line in block.splitlines()]


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
    """`.ci/run` extracts the second command, which runs the tests."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README\.rst", script)
    assert pattern is not None
    found = [line.strip() for line in README.splitlines() if re.search(pattern[1], line)]
    # for contributors: edits take effect, and type checkers find the package
    editable = 'python -m pip install -e ".[test]" --config-settings editable_mode=compat'
    assert found[0] == COMMANDS[1] == f"{editable} && python -m pytest"
    # for users: type checkers cannot follow setuptools' editable finder
    assert COMMANDS[0] == 'python -m pip install ".[sandbox]" && soniox-sync demo'


def test_its_extras_exist() -> None:
    """Every extra in a command is defined in setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = {name for names in re.findall(r"\.\[([\w,]+)\]", README) for name in names.split(",")}
    assert {"sandbox", "test", "conformance"} <= wanted
    assert wanted <= set(setup["options.extras_require"])


def test_its_paths_exist() -> None:
    """Every file and module of the project that the text names exists."""
    for name in re.findall(r"(?<!\w)(?:tests|\.ci|examples|docs)/[\w./]*\w", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m (tests[\w.]*)", README):
        module = ROOT / name.replace(".", "/")
        assert module.is_dir() or module.with_suffix(".py").is_file(), name


def section(title: str) -> str:
    """Return the text under a heading, up to the next."""
    return README.partition(f"\n{title}\n{'-' * len(title)}\n")[2].partition("\n---")[0]


def test_its_list_of_examples_is_complete() -> None:
    """The list contains each example once, and nothing else."""
    named = re.findall(r"^``([\w/]+\.py)`` ", section("Examples"), re.MULTILINE)
    for name in named:
        assert (ROOT / "examples" / name).is_file(), name
    tops = [name.split("/")[0] for name in named]
    there = (path.name for path in (ROOT / "examples").iterdir() if path.name[0] not in "._")
    assert sorted(tops) == sorted(there)


def test_its_errors_exist() -> None:
    """The table of errors contains only classes of this library."""
    named = set(re.findall(r"\b\w+Error\b", section("When something goes wrong")))
    assert len(named) > 9
    assert named <= set(errors.__all__)


# -- code -----------------------------------------------------------------------------------------


def keywords_of(cls: Any) -> dict[str, Any]:
    """Return the keyword defaults of a constructor, for monkeypatching."""
    defaults: dict[str, Any] = inspect.unwrap(cls.__init__).__kwdefaults__
    return defaults


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
        monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("SLNG_API_KEY", KEY)
        # no environment variable sets the gateway's URL
        monkeypatch.setitem(keywords_of(SlngClient), "base_url", urls.slng)
        yield sandbox


@pytest.fixture
def namespace(service: Sandbox) -> Iterator[dict[str, Any]]:
    """Provide the names that the snippets use: a client, a meeting, chunks of audio."""
    with SonioxClient() as client:
        voice = {"voice": "Nina", "language": "en", "audio_format": "wav", "sample_rate": 16000}
        with client.realtime.tts(voice) as stream:
            stream.send_text("The meeting is open.", end=True)
            stream.save("meeting.wav")
        with wave.open("meeting.wav") as file:
            audio = file.readframes(file.getnframes())
        chunks = [audio[at : at + 3840] for at in range(0, len(audio), 3840)]
        yield {
            "client": client,
            "chunks": chunks,
            "llm_tokens": llm_tokens,
            "speaker": Speaker(),
            "request": Webhook(client),
            "my_llm": lambda messages: f"You said: {messages[-1]['content']}",
            **caller_of(service),
        }


def caller_of(sandbox: Sandbox) -> dict[str, Any]:
    """Return source and sink of a conversation, whose time passes ten times as fast."""
    if not has_speech():
        return {}
    caller = sandbox.caller(["What time is it?"], speed=10.0)
    return {"source": caller, "sink": caller}


def llm_tokens() -> Iterator[str]:
    """Yield parts of words, as a language model does."""
    yield from ("Good ev", "ening. The me", "eting is", " over.")


class Speaker(io.BytesIO):
    """Loudspeaker that keeps the audio."""


class Webhook:
    """Request of a webhook, sent when a transcription job of the meeting has ended."""

    def __init__(self, client: SonioxClient) -> None:
        self._client = client
        self.headers = {"X-Soniox-Webhook-Secret": SECRET}

    def get_data(self) -> bytes:
        """Run a job to its end and return the webhook's body."""
        job = self._client.stt.transcribe_and_wait(file="meeting.wav", wait_interval_sec=0.05)
        return json.dumps({"id": job.id, "status": job.status}).encode()


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


def check_transcribe(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The words are printed once, not as they grow."""
    assert is_meeting(printed)
    assert not has_speech() or printed.count("meeting") == 1


def check_live(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """Each redraw replaces the one before, and the last one shows the words."""
    redraws = printed.split("\r\x1b[K")
    assert len(redraws) > 2 and is_meeting(redraws[-1])


def check_speak(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """morning.wav is a complete WAV."""
    check_morning()


def check_morning() -> None:
    """Read the file that the README writes."""
    with wave.open("morning.wav") as file:
        assert file.getnframes() > file.getframerate() // 2


def check_session(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The final words are printed once."""
    assert is_meeting(printed)


def check_voices(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """Both voices produced audio."""
    first, second = map(int, printed.split())
    assert first > 8000 and second > 8000


def check_fixture(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The test of the snippet passes, as it would under pytest."""
    if not has_speech():
        pytest.skip("real speech needs the extra sandbox")
    names["test_my_app_reads_back_what_it_said"](service.client())


def check_tokens(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The loudspeaker received more than a second of samples."""
    assert len(names["speaker"].getvalue()) > 2 * 16_000


def check_agent(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The greeting and the answer were heard."""
    assert printed.splitlines() == [
        " -> Hello! What can I do for you? False",
        "What time is it? -> You said: What time is it? False",
    ]
    assert "What can I do for you?" in names["sink"].heard


def check_captions(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The captions are SRT and contain the words."""
    assert " --> " in printed and is_meeting(printed.replace("\n", " "))


def check_notice(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """notice.wav is a complete WAV."""
    with wave.open("notice.wav") as file:
        assert file.getnframes() > file.getframerate() // 2


def check_job(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """Progress, statuses and the words are printed; nothing is left at the service."""
    size = Path("meeting.wav").stat().st_size
    assert f"{size} of {size} bytes" in printed and "completed" in printed
    assert is_meeting(printed.splitlines()[-1])
    client = names["client"]
    assert (client.files.count().total, client.stt.count().total) == (0, 0)


def check_webhook(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The words of the webhook's job are printed."""
    assert is_meeting(printed)


def check_newer(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The list of files is returned, and the message was received as it is written."""
    assert names["files"] == []
    assert {"type": "keepalive"} in service.log.messages(kind="stt")


def check_gateway(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """morning.wav is a complete WAV, and the words are printed."""
    check_morning()
    check_transcribe(names, printed, service)


CHECKS: dict[str, Callable[[dict[str, Any], str, Sandbox], None]] = {
    'language_hints=["en"]).utterances()': check_transcribe,
    "transcription.transcript.text": check_live,
    "speak(llm_tokens()": check_tokens,
    "realtime.converse(": check_agent,
    "read().to_srt()": check_captions,
    'stream.save("morning.wav")': check_speak,
    "session.start_sending(": check_session,
    "tts.multi_stream()": check_voices,
    "generate_to_file(": check_notice,
    "transcribe_and_wait_with_tokens(": check_job,
    "webhooks.unwrap(": check_webhook,
    "session.send_message(": check_newer,
    "SlngClient(": check_gateway,
    "soniox_client": check_fixture,
}


def test_every_snippet_is_run() -> None:
    """The table of this test names every Python snippet once."""
    assert len(SNIPPETS) == len(CHECKS) >= 5
    assert {snippet(part) for part in CHECKS} == set(SNIPPETS)


@pytest.mark.parametrize("part", CHECKS)
def test_a_snippet_runs(
    part: str, namespace: dict[str, Any], service: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each snippet runs unchanged and does what the text above it promises."""
    if part == "realtime.converse(" and not has_speech():
        pytest.skip("a caller speaks, which needs the extra sandbox")
    capsys.readouterr()
    run(snippet(part), namespace)
    CHECKS[part](namespace, capsys.readouterr().out, service)


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
# not run: these need a microphone or a fresh environment, or never end
NOT_RUN = ("--mic", "pip install", "soniox-sync sandbox")


def test_the_command_lines_run_in_order(service: Sandbox) -> None:
    """The commands can be copied into a shell, line by line."""
    if os.name != "posix":
        pytest.skip("the lines are for a POSIX shell")
    ours = f"{shlex.quote(sys.executable)} -m soniox_sync"
    shown = [line for line in LINES if not any(part in line for part in NOT_RUN)]
    assert len(shown) >= 3
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
    check_morning()
    assert "-->" in outputs[1]
    assert ">morning<" in Path("morning.html").read_text(encoding="utf-8") or not has_speech()
    assert not has_speech() or ("Good morning" in outputs[1] and "From a pipe" in outputs[3])
