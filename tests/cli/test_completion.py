"""Shell completion: commands, options, choices and files, and nothing that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from soniox_sync.cli import completion
from soniox_sync.cli.app import build_parser, parse
from tests.cli.helpers import TIMEOUT_SEC

# one process for all lines; its own, because argcomplete takes descriptors by their number
_PROGRAM = """
import io, json, os, sys
from soniox_sync.cli.app import build_parser
from soniox_sync.cli.completion import complete

found = {}
for line in json.load(sys.stdin):
    os.environ.update(_ARGCOMPLETE="1", _ARGCOMPLETE_IFS="\\n", COMP_LINE=line,
                      COMP_POINT=str(len(line)), COMP_TYPE="9")
    out = io.StringIO()
    codes = []
    complete(build_parser(), out, codes.append)
    found[line] = [word.strip() for word in out.getvalue().split("\\n")], codes
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Complete all lines of these tests."""
    pytest.importorskip("argcomplete", reason="needs the extra cli")
    folder = tmp_path_factory.mktemp("files")
    (folder / "meeting.wav").touch()
    (folder / "music").mkdir()
    (folder / "music" / "x y.wav").touch()
    (folder / ".hidden").touch()
    os.symlink("loop", folder / "loop")
    if sys.platform == "linux":
        (folder / os.fsdecode(b"b\xff.wav")).touch()
    lines = [line for line, _ in EXPECTED]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(lines),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
        check=True,
    )
    found = json.loads(done.stdout)
    assert all(codes == [0] for _, codes in found.values())
    return {line: words for line, (words, _) in found.items()}


EXPECTED = [
    ("soniox-sync tr", ["transcribe"]),
    ("soniox-sync jobs su", ["submit"]),
    ("soniox-sync transcribe --transl", ["--translate"]),
    ("soniox-sync transcribe --format ", ["text", "srt", "vtt", "json", "html"]),
    ("soniox-sync --region ", ["us", "eu", "jp", "in"]),
    ("soniox-sync speak --audio-format m", ["mp3"]),
    ("soniox-sync transcribe m", ["meeting.wav", "music/"]),
    ("soniox-sync transcribe music/", ["music/x\\ y.wav"]),
    ("soniox-sync transcribe l", ["loop"]),
    ("soniox-sync transcribe .h", [".hidden"]),
    ("soniox-sync transcribe no/such", [""]),
    ("soniox-sync jobs submit --state mee", ["meeting.wav"]),
    ("soniox-sync jobs submit --reference m", [""]),
    ("soniox-sync models --gate", [""]),
    ("soniox-sync speak --gate", ["--gateway"]),
]


@pytest.mark.parametrize(("line", "words"), EXPECTED, ids=[line for line, _ in EXPECTED])
def test_a_line_is_completed(completed: dict[str, list[str]], line: str, words: list[str]) -> None:
    """Commands, shown options, choices, and files only where files are wanted."""
    assert completed[line] == words


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_name_that_is_not_utf_8_is_completed(tmp_path: Path, locale: str) -> None:
    """It is written to the shell with the bytes that it has."""
    pytest.importorskip("argcomplete", reason="needs the extra cli")
    os.mkdir(tmp_path / "in")
    (tmp_path / "in" / os.fsdecode(b"b\xff.wav")).touch()
    line = "soniox-sync transcribe in/"
    subprocess.run(
        [sys.executable, "-m", "soniox_sync"],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "LC_ALL": locale,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "answer"),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_TYPE": "9",
        },
        cwd=tmp_path,
        timeout=TIMEOUT_SEC,
        check=True,
    )
    assert (tmp_path / "answer").read_bytes() == b"in/b\xff.wav "


def test_all_commands_are_offered() -> None:
    """The commands that completion offers are those of the parser, so none can be missing."""
    parsers = [each.prog for each in completion._parsers(build_parser())]
    assert "soniox-sync jobs submit" in parsers and "soniox-sync doctor" in parsers


def test_a_shell_that_asks_runs_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without argcomplete the process ends before any command runs."""
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise SystemExit(code)

    monkeypatch.setattr(completion.complete, "__defaults__", (None, leave))
    monkeypatch.setattr(sys, "argv", ["soniox-sync", "files", "delete", "--all"])
    with pytest.raises(SystemExit):
        parse(None)
    assert codes == [1]
