"""`soniox-sync converse`: talking to a program, with a scripted caller in place of a microphone."""

from __future__ import annotations

import functools
import importlib.util
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import SonioxError
from soniox_sync.cli.console import UsageError
from soniox_sync.cli.replying import ReplyCommand
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import run_cli
from tests.waiting import WAIT, Task

needs_voices = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="a caller speaks"
)


def program(tmp_path: Path, code: str) -> str:
    """Return the command of a Python program."""
    path = tmp_path / "bot.py"
    path.write_text(code, encoding="utf-8")
    return shlex.join([sys.executable, str(path)])


ECHO = """
import sys
for line in sys.stdin:
    print("You said", line, end="", flush=True)
"""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the caller's time pass ten times as fast."""
    made = Sandbox.caller

    @functools.wraps(made)
    def caller(self: Any, lines: Any, **options: Any) -> Any:
        return made(self, lines, **options, speed=10.0)

    monkeypatch.setattr(Sandbox, "caller", caller)


def converse(command: str, *args: str) -> Any:
    return run_cli("converse", "--sandbox", "--no-cache", "--reply-command", command, *args)


@needs_voices
def test_a_caller_talks_to_a_program(tmp_path: Path) -> None:
    """Its lines are turns, what the program writes is spoken; both are printed."""
    done = converse(
        program(tmp_path, ECHO), "--line", "Good morning.", "--line", "Thank you.", "--greeting=Hi!"
    )
    assert done.out.splitlines() == [
        "agent: Hi!",
        "you:   Good morning.",
        "agent: You said Good morning.",
        "you:   Thank you.",
        "agent: You said Thank you.",
    ]
    assert (done.code, done.err) == (0, "")


@needs_voices
def test_turns_as_json(tmp_path: Path) -> None:
    """A line for each turn, with its latency."""
    done = converse(program(tmp_path, ECHO), "--line", "Good morning.", "--json")
    (turn,) = [json.loads(line) for line in done.out.splitlines()]
    assert turn["user_text"] == "Good morning."
    assert turn["agent_text_heard"] == "You said Good morning."
    assert turn["latency"]["total_sec"] > 0


@needs_voices
def test_a_program_that_ends_ends_the_conversation(tmp_path: Path) -> None:
    """After what it wrote last was heard."""
    command = program(tmp_path, "input()\nprint('Good bye.', end='')")
    done = converse(command, "--line", "Good morning.", "--line", "Never said.")
    assert done.out.splitlines() == ["you:   Good morning.", "agent: Good bye."]
    assert done.code == 0


@needs_voices
def test_a_program_that_fails_is_an_error(tmp_path: Path) -> None:
    """Its exit code is named, after the turn that it did not answer."""
    done = converse(program(tmp_path, "input()\nraise SystemExit(3)"), "--line", "Good morning.")
    assert done.out == "you:   Good morning.\nagent: --\n"
    assert "ended with code 3" in done.err
    assert done.code == 1


def test_without_devices_a_caller_can_be_scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no microphone the message has the way that needs none."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = run_cli("--sandbox", "converse", "--reply-command", "cat")
    assert done.code == 1
    assert done.err.rstrip().endswith(
        "to try it without audio devices, script the caller: --sandbox --line TEXT"
    )


def test_a_line_needs_the_sandbox() -> None:
    """Nobody scripts a caller for a real microphone."""
    done = run_cli("converse", "--reply-command", "cat", "--line", "Hello.")
    assert (done.code, "--line scripts a caller, which needs --sandbox" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("command", "message"), [("no-such-bot-7", "No such file"), (" ", "needs")]
)
def test_a_program_that_cannot_start_is_a_usage_error(command: str, message: str) -> None:
    """Before anything is opened."""
    with pytest.raises(UsageError, match=message):
        ReplyCommand(command)


# -- the program's lines --------------------------------------------------------------------------


def test_what_is_written_is_passed_on_at_once(tmp_path: Path) -> None:
    """The first sentence is there while the line goes on."""
    go_on = tmp_path / "go"
    code = f"""
import os, sys
input()
print("One moment. ", end="", flush=True)
while not os.path.exists({str(go_on)!r}):
    pass
print("Noon.", flush=True)
input()
"""
    with ReplyCommand(program(tmp_path, code)) as bot:
        pieces = bot.answer("Time?")
        assert next(pieces) == "One moment. "
        go_on.touch()
        assert "".join(pieces) == "Noon."


def test_a_reply_that_is_not_wanted_is_read_to_its_end(tmp_path: Path) -> None:
    """The next line answers the next turn."""
    code = """
for number in range(2):
    input()
    print(f"{number} a ", end="", flush=True)
    print("b" * 100_000, flush=True)
"""
    with ReplyCommand(program(tmp_path, code)) as bot:
        first = bot.answer("one")
        assert next(first).startswith("0 a")
        first.close()  # type: ignore[attr-defined]
        assert "".join(bot.answer("two")).startswith("1 a")


def test_lines_of_any_kind(tmp_path: Path) -> None:
    """Two at once, empty ones, CRLF, letters of several bytes; a turn is one line."""
    code = """
import sys
sys.stdin.reconfigure(encoding="utf-8")
print("ahead", flush=True)
for line in sys.stdin:
    sys.stdout.buffer.write(("Grüße: " + line.strip() + "\\r\\n\\n").encode())
    sys.stdout.buffer.flush()
"""
    with ReplyCommand(program(tmp_path, code)) as bot:
        found = ["".join(bot.answer(text)) for text in ("a\nb", "c", "d", "e")]
    assert found == ["ahead", "Grüße: a b", "", "Grüße: c"]


def test_a_python_program_need_not_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it prints comes at once, though its output is a pipe."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = 'import sys\nfor line in sys.stdin:\n    print("You said", line.strip())'
    with ReplyCommand(program(tmp_path, code)) as bot:
        answer = Task(lambda: "".join(bot.answer("hello")))
        assert answer.result(WAIT) == "You said hello"


def test_a_program_that_was_closed(tmp_path: Path) -> None:
    """It has no answer any more."""
    with ReplyCommand(program(tmp_path, "input()")) as bot:
        assert list(bot.answer("one")) == []
        assert bot.is_over
        assert list(bot.answer("two")) == []
    with ReplyCommand(program(tmp_path, "raise SystemExit(4)")) as bot:
        with pytest.raises(SonioxError, match="ended with code 4"):
            list(bot.answer("one"))


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """Its input is closed, then it is asked to end."""
    with ReplyCommand(program(tmp_path, "import time\ntime.sleep(600)")) as bot:
        process = bot._process
    assert process.returncode not in (None, 0)
