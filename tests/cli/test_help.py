"""Help fits the terminal and has examples that work; usage errors begin with the sentence."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Optional
from unittest import mock

import pytest

from soniox_sync.cli.app import COMMANDS, build_parser, parse
from soniox_sync.cli.parser import HelpFormatter, ParseError, Parser
from tests.cli.helpers import run_cli


def commands(parser: Optional[argparse.ArgumentParser] = None) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command and each action, the empty tuple for the program."""
    top = build_parser() if parser is None else parser
    yield tuple(top.prog.split()[1:])
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from commands(child)


ALL = list(commands())


@cache
def help_of(words: tuple[str, ...], columns: int) -> str:
    """Return the help of a command on a terminal."""
    with mock.patch.dict("os.environ", {"COLUMNS": str(columns)}):
        done = run_cli(*words, "--help")
    assert (done.code, done.err) == (0, "")
    return done.out


def examples(text: str) -> list[str]:
    """Return the example lines of a help, continued ones joined."""
    return re.findall(
        r"^  (?! )(?!-)(.*soniox-sync.*)$", text.replace(" \\\n   ", ""), re.MULTILINE
    )


@pytest.mark.parametrize("columns", [40, 200])
@pytest.mark.parametrize("words", ALL, ids="-".join)
def test_help_fits_the_terminal(words: tuple[str, ...], columns: int) -> None:
    """No line is wider than the terminal, nor than 100 columns."""
    limit = min(columns, 102)
    wide = [line for line in help_of(words, columns).splitlines() if len(line) > limit]
    assert wide == []


@pytest.mark.parametrize("words", ALL, ids="-".join)
def test_every_help_has_examples_that_parse(words: tuple[str, ...]) -> None:
    """Each help has an example of its own, which the parser accepts, broken or not."""
    shown = examples(help_of(words, 200))
    assert shown
    assert examples(help_of(words, 40)) == shown
    own = 0
    for line in shown:
        for part in re.split(r" \| ", line):
            argv = shlex.split(re.split(r" [<>] ", part)[0])
            if argv[0] == "soniox-sync":
                args = parse(argv[1:])
                own += args.command in words or not words
    assert own


def test_a_broken_example_still_runs_in_a_shell() -> None:
    """A long example continues after a backslash, between words and never inside of quotes."""
    formatter = HelpFormatter("x", width=30)
    line = '  soniox-sync speak "Good morning to you all." -o morning.wav'
    rows = formatter._fill_text(line, 30, "").splitlines()
    assert len(rows) > 1 and all(row.endswith(" \\") for row in rows[:-1])
    assert shlex.split(" ".join(row.rstrip("\\") for row in rows)) == shlex.split(line)


@pytest.mark.parametrize("words", ALL, ids="-".join)
def test_common_options_are_one_short_group_at_the_end(words: tuple[str, ...]) -> None:
    """The common options are the last group, of one line each at 80 columns."""
    text = help_of(words, 80).partition("\ncommon options:\n")[2].partition("\n\n")[0]
    names = re.findall(r"^  (-\S+)", text, re.MULTILINE)
    assert names == [
        "--sandbox",
        "--no-cache",
        "--region",
        "--api-key-env",
        "--json",
        "-v",
        "--trace",
        "--trace-audio",
    ]
    assert "options:" not in text
    assert len(text.splitlines()) <= len(names) + 1


def test_the_program_lists_its_commands_first() -> None:
    """All commands are listed with what they do, before the options."""
    text = help_of((), 80)
    assert text.index("\ncommands:\n") < text.index("\noptions:\n")
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("line", "sentence", "program"),
    [
        ("", "give a COMMAND: demo, ", "soniox-sync"),
        ("sing", "no command 'sing': one of demo, ", "soniox-sync"),
        ("speek hi", "no command 'speek': did you mean speak?", "soniox-sync"),
        ("jobs", "jobs needs an ACTION: submit, ", "soniox-sync jobs"),
        ("jobs lsit", "no action 'lsit': did you mean list?", "soniox-sync jobs"),
        ("speak", "speak needs TEXT|-", "soniox-sync speak"),
        ("jobs get", "jobs get needs ID", "soniox-sync jobs get"),
        (
            "transcribe a.wav --trasnlate es",
            "transcribe has no option --trasnlate: did you mean --translate?",
            "soniox-sync transcribe",
        ),
        (
            "jobs submit a.wav --spekers=1",
            "jobs submit has no option --spekers: did you mean --speakers?",
            "soniox-sync jobs submit",
        ),
        (
            "--regoin eu models",
            "no option --regoin before the command: did you mean --region?",
            "soniox-sync",
        ),
        (
            "converse --reply-comand cat",
            "converse has no option --reply-comand: did you mean --reply-command?",
            "soniox-sync converse",
        ),
        (
            "jobs get --jsn",
            "jobs get has no option --jsn: did you mean --json?",
            "soniox-sync jobs get",
        ),
        (
            "speak --Voice Nina",
            "speak has no option --Voice: did you mean --voice?",
            "soniox-sync speak",
        ),
        (
            "transcribe -format srt",
            "transcribe has no option -format: did you mean --format?",
            "soniox-sync transcribe",
        ),
        (
            "--format srt transcribe a.wav",
            "no option --format before the command: give it after the command",
            "soniox-sync",
        ),
        (
            "jobs --region eu --stat run.json submit",
            "jobs has no option --stat before the action: did you mean --state after the action?",
            "soniox-sync jobs",
        ),
        ("TRANSCRIBE a.wav", "no command 'TRANSCRIBE': did you mean transcribe?", "soniox-sync"),
        (
            "transcribe a.wav --format SRT",
            "--format: no choice 'SRT': did you mean srt?",
            "soniox-sync transcribe",
        ),
        ("models extra", "unexpected argument 'extra'", "soniox-sync models"),
        ("transcribe a.wav --pace", "--pace needs a value", "soniox-sync transcribe"),
        (
            "transcribe a.wav --pace x",
            "--pace: expected a number of at least 0, got 'x'",
            "soniox-sync transcribe",
        ),
        (
            "transcribe a.wav --format strt",
            "--format: no choice 'strt': did you mean srt?",
            "soniox-sync transcribe",
        ),
        (
            "speak hi -o x --play",
            "--play and -o/--output exclude each other",
            "soniox-sync speak",
        ),
        ("models --stt=1", "--stt takes no value", "soniox-sync models"),
    ],
)
def test_a_usage_error_is_its_sentence_and_where_to_read_on(
    line: str, sentence: str, program: str
) -> None:
    """The first line is the sentence, with the closest name; the second names the help."""
    done = run_cli(*line.split())
    first, second = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert first.startswith(f"soniox-sync: {sentence}")
    assert second == f"see {program} --help"


def test_each_misspelled_option_is_answered_with_the_option() -> None:
    """With a letter too much and its arguments missing, any option of any command is suggested."""
    top = build_parser()
    for words in ALL:
        parser = top
        for word in words:
            parser = parser._children()[word]
        for name in parser.option_names():
            wrong = f"{name[:4]}{name[3:]}"
            if name.startswith("--"):
                with pytest.raises(ParseError, match=f"no option {wrong}.*: did you mean {name}"):
                    top.parse([*words, wrong])


def test_an_option_with_two_words_is_no_file() -> None:
    """`argparse` would take a misspelled option with a space in its value for an argument."""
    done = run_cli("transcribe", "a.wav", "--trm=Soniox Sync")
    assert done.err.startswith("soniox-sync: transcribe has no option --trm: did you mean --term?")


def test_a_file_whose_name_begins_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks like an option, and the message says how to name it."""
    monkeypatch.chdir(tmp_path)
    Path("-a.wav").touch()
    done = run_cli("transcribe", "-a.wav")
    assert done.code == 2
    assert "no option -a.wav: if you mean the file, write ./-a.wav" in done.err.splitlines()[0]


def test_values_that_look_like_options_are_left_alone() -> None:
    """Texts with dashes, negative numbers and what follows `--` are arguments."""
    assert parse(["speak", "-5", "degrees"]).text == ["-5", "degrees"]
    assert parse(["speak", "--", "--voicee"]).text[-1] == "--voicee"
    assert parse(["speak", "-- he said"]).text == ["-- he said"]


def test_a_usage_error_as_json() -> None:
    """With --json a usage error is a line of JSON, as every other error."""
    done = run_cli("models", "extra", "--json")
    assert json.loads(done.err)["error"]["message"] == "unexpected argument 'extra'"
    assert json.loads(done.err)["error"]["exit_code"] == 2


def test_arguments_may_follow_options() -> None:
    """Several arguments need not stand together."""
    assert parse(["speak", "Hello", "--voice", "Nina", "there"]).text == ["Hello", "there"]
    assert parse(["files", "upload", "a", "--reference", "r", "b"]).files == ["a", "b"]
    assert parse(["jobs", "delete", "a", "-y", "b"]).ids == ["a", "b"]


def test_an_escape_in_an_argument_does_not_reach_the_terminal() -> None:
    """A usage error that repeats an argument shows no control characters."""
    assert "\x1b" not in run_cli("models", "\x1b[2J").err


@pytest.mark.parametrize(
    "command", [name for name in COMMANDS if name not in ("speak", "transcribe", "converse")]
)
def test_the_gateway_is_refused_by_name(command: str) -> None:
    """A command without gateways says which ones have them."""
    words = {"temp-key": ["stt"], "files": ["list"], "jobs": ["list"], "voices": ["list"]}
    done = run_cli(command, *words.get(command, []), "--gateway", "slng")
    assert done.code == 2
    assert done.err.startswith("soniox-sync: --gateway works with speak")
    assert done.err.rstrip().endswith(f"not with {command}")


def test_hidden_options_are_not_suggested() -> None:
    """A suggestion is an option that the help shows."""
    parser = Parser(prog="x y")
    parser.add_argument("--gateway", help=argparse.SUPPRESS)
    parser.add_argument("--gatepost")
    with pytest.raises(Exception, match="did you mean --gatepost"):
        parser.parse(["--gatewax"])
