"""The README keeps its promises: it renders, its commands are the real ones, its code runs."""

from __future__ import annotations

import configparser
import importlib.util
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
# with speech engines on a loaded machine; a command that takes longer hangs
PATIENCE_SEC = 90.0
KEY = "readme-key"
SECRET = "readme-secret"


def blocks(opening: str, text: str = README) -> list[str]:
    """Give the indented blocks that follow a line matching `opening`."""
    found = re.finditer(rf"^{opening}\n\n((?:(?: +.*)?\n)+)", text, re.MULTILINE)
    return [textwrap.dedent(match[1]).strip("\n") for match in found]


SNIPPETS = blocks(r"\.\. code-block:: python")
COMMANDS = [line for block in blocks(r"(?!\.\. ).*::") for line in block.splitlines()]


def has_speech() -> bool:
    """Tell whether the sandbox can really speak and hear here."""
    return all(importlib.util.find_spec(name) for name in ("espeakng_loader", "pocketsphinx"))


# -- what it says ---------------------------------------------------------------------------------


def test_it_renders_without_a_warning() -> None:
    """docutils reads the README as strict reStructuredText, as a package index does."""
    core = pytest.importorskip("docutils.core", reason="docutils is not installed")
    warnings = io.StringIO()
    settings = {
        "report_level": 1,
        "halt_level": 5,
        "warning_stream": warnings,
        "syntax_highlight": "none",
        # what an index allows
        "file_insertion_enabled": False,
        "raw_enabled": False,
    }
    core.publish_doctree(README, settings_overrides=settings)
    assert warnings.getvalue() == ""


def test_its_test_command_is_the_one_that_the_check_runs() -> None:
    """`.ci/run` finds the newcomer's second command, and no other."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README\.rst", script)
    assert pattern is not None
    found = [line.strip() for line in README.splitlines() if re.search(pattern[1], line)]
    assert found[0] == COMMANDS[1] == 'python -m pip install -e ".[test]" && python -m pytest'
    assert COMMANDS[0] == 'python -m pip install -e ".[sandbox]" && soniox-sync demo'


def test_its_extras_exist() -> None:
    """Every extra that a command installs is in setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = {name for names in re.findall(r"\.\[([\w,]+)\]", README) for name in names.split(",")}
    assert {"sandbox", "test", "conformance"} <= wanted
    assert wanted <= set(setup["options.extras_require"])


def test_its_paths_exist() -> None:
    """Every file and module of the project that the text names is there."""
    for name in re.findall(r"(?<!\w)(?:tests|\.ci|examples|docs)/[\w./]*\w", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m (tests[\w.]*)", README):
        assert (ROOT / name.replace(".", "/")).is_dir(), name


def section(title: str) -> str:
    """Give the text under a heading, up to the next."""
    return README.partition(f"\n{title}\n{'-' * len(title)}\n")[2].partition("\n---")[0]


def test_its_examples_are_all_of_them() -> None:
    """The list names what is there to be started, once, and nothing else."""
    named = re.findall(r"^``([\w/]+\.py)`` ", section("Examples"), re.MULTILINE)
    for name in named:
        assert (ROOT / "examples" / name).is_file(), name
    tops = [name.split("/")[0] for name in named]
    there = (path.name for path in (ROOT / "examples").iterdir() if path.name[0] not in "._")
    assert sorted(tops) == sorted(there)


def test_its_errors_exist() -> None:
    """The table of errors names classes of ours, most of them."""
    named = set(re.findall(r"\b\w+Error\b", section("When something goes wrong")))
    assert len(named) > 9
    assert named <= set(errors.__all__)


# -- what it shows --------------------------------------------------------------------------------


def keywords_of(cls: Any) -> dict[str, Any]:
    """Give the defaults of a constructor, to be replaced."""
    defaults: dict[str, Any] = cls.__init__.__kwdefaults__
    return defaults


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """Stand in for the service, which the environment points at; work in an empty directory."""
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
        # of the gateway's address there is no variable in the environment
        monkeypatch.setitem(keywords_of(SlngClient), "base_url", urls.slng)
        yield sandbox


@pytest.fixture
def reader(service: Sandbox) -> Iterator[dict[str, Any]]:
    """Give the names that a reader of the snippets has: a client, a meeting, chunks of audio."""
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
        }


def llm_tokens() -> Iterator[str]:
    """Write as a language model does: in pieces that are no words."""
    yield from ("Good ev", "ening. The me", "eting is", " over.")


class Speaker(io.BytesIO):
    """Is a loudspeaker: it takes audio."""


class Webhook:
    """Is the request that a view gets when a job of the meeting has ended."""

    def __init__(self, client: SonioxClient) -> None:
        self._client = client
        self.headers = {"X-Soniox-Webhook-Secret": SECRET}

    def get_data(self) -> bytes:
        """Let a job come to its end, and tell of it."""
        job = self._client.stt.transcribe_and_wait(file="meeting.wav", wait_interval_sec=0.05)
        return json.dumps({"id": job.id, "status": job.status}).encode()


def snippet(part: str) -> str:
    """Find the one snippet that contains `part`."""
    found = [code for code in SNIPPETS if part in code]
    assert len(found) == 1, part
    return found[0]


def run(code: str, names: dict[str, Any]) -> None:
    """Execute a snippet as it stands."""
    exec(compile(code, "README.rst", "exec"), names)


def meant(text: str) -> bool:
    """Tell whether the meeting was heard; a sandbox without an ear hears what it likes."""
    return "The meeting is open." in text if has_speech() else bool(text)


def check_transcribe(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """What is printed last holds the last words."""
    assert printed.strip()
    assert not has_speech() or "open" in printed


def check_speak(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """morning.wav is a whole WAV."""
    check_morning()


def check_morning() -> None:
    """Read the file that the README writes."""
    with wave.open("morning.wav") as file:
        assert file.getnframes() > file.getframerate() // 2


def check_session(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The final words are printed once."""
    assert meant(printed)


def check_voices(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """Both voices gave audio."""
    first, second = map(int, printed.split())
    assert first > 8000 and second > 8000


def check_fixture(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The test of the snippet passes, as it would under pytest."""
    if not has_speech():
        pytest.skip("real speech needs the extra sandbox")
    names["test_my_app_reads_back_what_it_said"](service.client())


def check_tokens(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The loudspeaker got more than a second of samples."""
    assert len(names["speaker"].getvalue()) > 2 * 16_000


def check_captions(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The captions are SRT and hold the words."""
    assert " --> " in printed and meant(printed.replace("\n", " "))


def check_notice(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """notice.wav is a whole WAV."""
    with wave.open("notice.wav") as file:
        assert file.getnframes() > file.getframerate() // 2


def check_job(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """Bytes, statuses, and at last the words; at the service nothing is left."""
    size = Path("meeting.wav").stat().st_size
    assert f"{size} of {size} bytes" in printed and "completed" in printed
    assert meant(printed.splitlines()[-1])
    client = names["client"]
    assert (client.files.count().total, client.stt.count().total) == (0, 0)


def check_webhook(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """The words of the job that the webhook tells of."""
    assert meant(printed)


def check_gateway(names: dict[str, Any], printed: str, service: Sandbox) -> None:
    """morning.wav is a whole WAV, and what is printed holds the words."""
    check_morning()
    check_transcribe(names, printed, service)


CHECKS: dict[str, Callable[[dict[str, Any], str, Sandbox], None]] = {
    'transcribe("meeting.wav", language': check_transcribe,
    "speak(llm_tokens()": check_tokens,
    "transcript.to_srt()": check_captions,
    'stream.save("morning.wav")': check_speak,
    "session.start_sending(": check_session,
    "tts.multi_stream()": check_voices,
    "generate_to_file(": check_notice,
    "transcribe_and_wait_with_tokens(": check_job,
    "webhooks.unwrap(": check_webhook,
    "SlngClient(": check_gateway,
    "soniox_client": check_fixture,
}


def test_every_snippet_is_run_here() -> None:
    """The table of this test names every Python snippet, and each once."""
    assert len(SNIPPETS) == len(CHECKS) >= 5
    assert {snippet(part) for part in CHECKS} == set(SNIPPETS)


@pytest.mark.parametrize("part", CHECKS)
def test_a_snippet_runs(
    part: str, reader: dict[str, Any], service: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each snippet runs as it stands and does what the text above it says."""
    capsys.readouterr()
    run(snippet(part), reader)
    CHECKS[part](reader, capsys.readouterr().out, service)


@pytest.mark.parametrize("page", ["migration_python", "migration_javascript"])
def test_the_code_of_a_guide_runs(
    page: str, reader: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """What a guide shows of this library runs as it stands, and hears the meeting."""
    text = (ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8")
    ours = [code for code in blocks(r"\.\. code-block:: python", text) if "soniox_sync" in code]
    assert ours
    capsys.readouterr()
    for code in ours:
        run(code.replace("snx_temp_...", KEY), reader)
        assert "open" in capsys.readouterr().out or not has_speech()


# -- the command line -----------------------------------------------------------------------------

LINES = [line.split("#")[0].strip() for line in COMMANDS if "soniox-sync" in line]
# need a microphone, a newcomer's environment, or go on for ever
NOT_HERE = ("--mic", "pip install", "soniox-sync sandbox")


def test_the_command_lines_run_in_order(service: Sandbox) -> None:
    """What the text shows can be copied into a shell, line by line."""
    if os.name != "posix":
        pytest.skip("the lines are for a POSIX shell")
    ours = f"{shlex.quote(sys.executable)} -m soniox_sync"
    shown = [line for line in LINES if not any(part in line for part in NOT_HERE)]
    assert len(shown) >= 3
    outputs = []
    for line in shown:
        done = subprocess.run(
            ["/bin/sh", "-c", line.replace("soniox-sync", ours)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_SEC,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        outputs.append(done.stdout)
    check_morning()
    assert "-->" in outputs[1]
    assert not has_speech() or ("Good morning" in outputs[1] and "From a pipe" in outputs[2])
