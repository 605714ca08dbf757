"""Many files in one command: patterns, folders, names of results, progress, and what fails."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.cli import batch
from soniox_sync.cli.console import Console, UsageError
from soniox_sync.cli.inputs import Input, expanded
from soniox_sync.cli.targets import format_of, targets_of
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import Screen, run_cli

TEXT = "Hello there my friend.\nHow are you?\n"
FORMATS = ("text", "srt", "vtt", "json", "html")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    inside = tmp_path / "work"
    inside.mkdir()
    monkeypatch.chdir(inside)
    return inside


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


# --- inputs


def test_patterns_are_expanded_in_order_and_files_named_once(folder: Path) -> None:
    """What the shell has left is expanded, sorted; a file that is named twice counts once."""
    touch("b.wav", "a.wav", "deep/c.wav", "x[1].wav")
    os.symlink("a.wav", "link.wav")
    names = ["b.wav", "?.wav", "**/c.wav", "x[1].wav", "link.wav", "./a.wav"]
    found = expanded(names, folders=False, urls=False).usable
    assert [each.source for each in found] == ["b.wav", "a.wav", "deep/c.wav", "x[1].wav"]


def test_a_folder_stands_for_its_audio(folder: Path) -> None:
    """Audio files at any depth, sorted, with the folder that they are in; nothing hidden."""
    touch("in/b.MP3", "in/a.wav", "in/notes.txt", "in/.a.wav", "in/sub/c.m4a", "in/.git/d.wav")
    found = expanded(["in"], folders=True, urls=True).usable
    assert [(each.source, each.folder) for each in found] == [
        ("in/a.wav", ""),
        ("in/b.MP3", ""),
        ("in/sub/c.m4a", "sub"),
    ]


@pytest.mark.parametrize(
    ("name", "folders", "message"),
    [
        ("*.wav", False, "no file matches *.wav"),
        ("no.wav", False, "cannot read no.wav: No such file or directory"),
        ("", False, "the name of a file is empty"),
        ("in", False, "it is a folder; name its files (in/*.wav), or let the service read them"),
        ("in", True, "no audio files in in: none ends with .aac"),
        ("a\0b", False, "cannot read"),
    ],
)
def test_inputs_that_cannot_be_used(folder: Path, name: str, folders: bool, message: str) -> None:
    """Each is refused with what to do, before anything is sent."""
    touch("in/notes.txt")
    with pytest.raises(UsageError) as raised:
        expanded([name], folders=folders, urls=False)
    assert message in str(raised.value)


# --- where results go


@pytest.mark.parametrize(
    ("format", "output", "chosen"),
    [
        (None, None, "text"),
        (None, "a.srt", "srt"),
        (None, "a.HTML", "html"),
        (None, "captions/", "text"),
        (None, "captions", "text"),
        ("vtt", "captions/", "vtt"),
        ("srt", "a.caption", "srt"),
        ("json", "a.json", "json"),
    ],
)
def test_the_ending_chooses_the_format(
    folder: Path, format: str | None, output: str | None, chosen: str
) -> None:
    """Without --format the ending of the file decides; a folder has none."""
    assert format_of(format, output, FORMATS) == chosen


@pytest.mark.parametrize(
    ("format", "output", "message"),
    [
        (None, "a.docx", "cannot tell the format of a.docx: end it with .txt, .srt, "),
        ("srt", "a.vtt", "a.vtt looks like vtt, and --format says srt"),
    ],
)
def test_endings_that_contradict(folder: Path, format: str, output: str, message: str) -> None:
    """An unknown ending, and one of another format, are refused."""
    with pytest.raises(UsageError) as raised:
        format_of(format, output, FORMATS)
    assert str(raised.value).startswith(message)


def targets(output: str, *sources: str) -> list[str]:
    return targets_of([Input(source) for source in sources], output, ".srt")


def test_results_are_named_after_their_inputs(folder: Path) -> None:
    """In a folder: the stem and the ending; of equal stems the later ones keep the old suffix."""
    assert targets("out", "x/a.wav", "a.mp3", "b.wav", "y/a.mp3", "A.wav") == [
        "out/a.srt",
        "out/a.mp3.srt",
        "out/b.srt",
        "out/a.mp3.2.srt",
        "out/A.wav.srt",
    ]
    assert targets("a.srt", "a.wav") == ["a.srt"]
    assert targets("out/", "a.wav") == ["out/a.srt"]
    inside = [Input("in/a.wav"), Input("in/sub/a.wav", "sub")]
    assert targets_of(inside, "out", ".txt") == ["out/a.txt", "out/sub/a.txt"]
    assert targets_of([Input("a.wav")], "out/", ".txt", taken=["out/A.txt"]) == ["out/a.wav.txt"]
    assert targets_of([Input("https://x.y/talk.mp3?z=/1")], "out/", ".txt") == ["out/talk.txt"]


def test_results_that_would_destroy_something_are_refused(folder: Path) -> None:
    """Several inputs for one file, and a result in the place of an input."""
    touch("one", "a.srt")
    for output in ("one", "all.srt"):
        with pytest.raises(UsageError, match="is a file, and 2 inputs need a folder"):
            targets(output, "a.wav", "b.wav")
    with pytest.raises(UsageError, match=r"a\.srt is an input"):
        targets("a.srt", "a.srt")


# --- transcribe


@pytest.fixture
def files(folder: Path, recording: str) -> list[str]:
    """Make three recordings."""
    names = ["a.wav", "b.wav", "a.mp3"]
    for name in names:
        shutil.copy(recording, name)
    return names


def test_many_files_into_a_folder(service: Sandbox, files: list[str]) -> None:
    """Each file has its captions in the folder, which is made; nothing goes to a pipe."""
    done = run_cli("transcribe", "*.wav", "a.mp3", "-o", "cap", "--format", "srt", "--pace", "0")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert sorted(os.listdir("cap")) == ["a.mp3.srt", "a.srt", "b.srt"]
    for name in os.listdir("cap"):
        assert "Hello there my friend." in Path("cap", name).read_text()


def test_many_files_on_stdout(service: Sandbox, files: list[str]) -> None:
    """Without -o each text has a heading."""
    done = run_cli("transcribe", "a.wav", "--pace", "0", "b.wav")
    assert done.out == f"==> a.wav <==\n{TEXT}\n==> b.wav <==\n{TEXT}"


def test_many_files_as_json(service: Sandbox, files: list[str]) -> None:
    """Each event names its file; with -o a line for each file says where its result is."""
    events = run_cli("transcribe", "a.wav", "b.wav", "--pace", "0", "--json").out.splitlines()
    named = [json.loads(line)["file"] for line in events]
    assert list(dict.fromkeys(named)) == ["a.wav", "b.wav"]
    done = run_cli("transcribe", "a.wav", "b.wav", "--pace", "0", "--json", "-o", "out/")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["file"], line["output"]) for line in lines] == [
        ("a.wav", "out/a.txt"),
        ("b.wav", "out/b.txt"),
    ]
    assert all(line["audio_ms"] > 1000 for line in lines)  # where the script of the words ends


@pytest.mark.parametrize("columns", [40, 80])
def test_progress_of_many_files(service: Sandbox, files: list[str], columns: int) -> None:
    """On a terminal each file has a line that stays, and at the end there is the total."""
    done = run_cli("transcribe", "a.wav", "b.wav", "-o", "o/", "--pace", "0", terminal=columns)
    screen = Screen(columns)
    screen.write(done.err)
    rows = [re.sub(r"0:0\d", "0:0.", row.rstrip()) for row in screen.text if row.strip()]
    assert rows == [
        "a.wav -> o/a.txt (0:0.)",
        "b.wav -> o/b.txt (0:0.)",
        "2 of 2 files, 0:0. of audio",
    ]
    assert "a.wav (1 of 2): 0:01" in done.err and "b.wav (2 of 2): 0:01" in done.err


def test_one_file_that_fails_does_not_end_the_others(service: Sandbox, files: list[str]) -> None:
    """It is reported by name, the others are written, and the exit code is 1."""
    Path("b.wav").write_bytes(b"")
    done = run_cli("transcribe", "a.wav", "b.wav", "a.mp3", "-o", "out", "--pace", "0")
    assert done.code == 1
    assert sorted(os.listdir("out")) == ["a.mp3.txt", "a.txt"]
    assert done.err.splitlines() == [
        "soniox-sync: b.wav is empty: there is nothing to transcribe",
        "soniox-sync: 1 of 3 files failed",
    ]


def test_a_file_that_is_no_audio_does_not_end_the_others(
    service: Sandbox, files: list[str]
) -> None:
    """The service waits for audio and gives up with a 408, which is not an outage."""
    Path("c.mp3").write_bytes(random.Random(0).randbytes(3000))
    done = run_cli("transcribe", "c.mp3", "a.wav", "-o", "out", "--pace", "0")
    assert done.code == 1
    assert os.listdir("out") == ["a.txt"]
    assert done.err.startswith("soniox-sync: c.mp3: ") and "408" in done.err
    assert done.err.splitlines()[-1] == "soniox-sync: 1 of 2 files failed"


def test_an_error_of_all_files_ends_the_command(
    service: Sandbox, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a refused key only one file is tried."""
    monkeypatch.setenv("SONIOX_API_KEY", "invalid-key")
    done = run_cli("transcribe", *files, "-o", "out", "--pace", "0")
    assert done.code == 1 and done.err.count("(401,") == 1 and done.err.count("\n") == 1
    assert service.log.totals["stt.connections"] == 1


def test_ctrl_c_ends_the_command_after_what_was_heard(
    service: Sandbox, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that is being heard is written, the others are not begun; the exit code is 130."""
    real = batch.transcribe

    def interrupted(console: Console, *args: Any, **options: Any) -> None:
        real(console, *args, **options)
        console.interrupts.interrupted = True

    monkeypatch.setattr(batch, "transcribe", interrupted)
    done = run_cli("transcribe", *files, "-o", "out", "--pace", "0", terminal=80)
    assert done.code == 130 and os.listdir("out") == ["a.txt"]
    assert "2 of 3 files were not transcribed" in done.err


def test_an_outage_ends_the_command(
    service: Sandbox, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the service only one file is tried, for as long as was told."""
    monkeypatch.setenv("SONIOX_WS_URL", "ws://127.0.0.1:1/transcribe-websocket")
    done = run_cli("transcribe", *files, "-o", "out", "--give-up-after", "0.1")
    assert done.code == 1 and done.err.count("Gave up") == 1 == done.err.count("\n")


def test_a_file_that_is_missing_does_not_keep_the_others(
    service: Sandbox, files: list[str]
) -> None:
    """It is named before anything else, what can be done is done, and the exit code is 1."""
    Path("folder").mkdir()
    args = ["transcribe", "a.wav", "typo.wav", "x*.wav", "folder", "--pace", "0"]
    done = run_cli(*args)
    assert (done.code, done.out) == (1, f"==> a.wav <==\n{TEXT}")
    assert done.err.splitlines()[:2] == [
        "soniox-sync: cannot read typo.wav: No such file or directory",
        "soniox-sync: no file matches x*.wav",
    ]
    assert "folder: it is a folder" in done.err.splitlines()[2]
    assert done.err.splitlines()[3:] == ["soniox-sync: 3 of 4 files failed"]
    lines = run_cli(*args, "--json", "-o", "out").err.splitlines()
    assert [json.loads(line)["error"].get("file") for line in lines] == [
        "typo.wav",
        "x*.wav",
        "folder",
        None,
    ]


def test_where_results_go_does_not_depend_on_what_is_missing(
    service: Sandbox, files: list[str]
) -> None:
    """Two were named: it is a folder, also when only one of them is there."""
    assert run_cli("transcribe", "a.wav", "typo.wav", "--pace", "0", "-o", "out").code == 1
    assert os.listdir("out") == ["a.txt"]
    done = run_cli("transcribe", "a.wav", "typo.wav", "--pace", "0", "-o", "out.srt")
    assert done.code == 2 and "out.srt is a file, and 2 inputs need a folder" in done.err
    done = run_cli("transcribe", "a.wav", "typo.wav", "--format", "srt")
    assert (done.code, done.err) == (2, "soniox-sync: 2 inputs as srt: add -o FOLDER\n")


def test_nothing_is_sent_if_all_files_are_missing(service: Sandbox, files: list[str]) -> None:
    """That is a usage error, which names all of them."""
    done = run_cli("transcribe", "typo.wav", "x*.wav", "--pace", "0")
    assert (done.code, done.err) == (
        2,
        "soniox-sync: cannot read typo.wav: No such file or directory; no file matches x*.wav\n",
    )
    assert not service.log.entries(kind="stt")


@pytest.mark.parametrize("format", ["srt", "vtt", "json", "html"])
def test_documents_of_many_files_need_a_folder(
    service: Sandbox, files: list[str], format: str
) -> None:
    """Several documents one behind the other would be none."""
    done = run_cli("transcribe", "a.wav", "b.wav", "--format", format)
    assert (done.code, done.err) == (2, f"soniox-sync: 2 inputs as {format}: add -o FOLDER\n")


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("x.txt", TEXT),
        ("x.srt", "1\n00:00:00,000 --> "),
        ("x.vtt", "WEBVTT\n\n"),
        ("x.json", '{\n  "text": '),
        ("x.html", "<!DOCTYPE html>"),
    ],
)
def test_one_file_by_its_ending(service: Sandbox, files: list[str], name: str, sign: str) -> None:
    """The ending of -o chooses the format; stdout stays empty."""
    done = run_cli("transcribe", "a.wav", "-o", name, "--pace", "0")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert Path(name).read_text(encoding="utf-8").startswith(sign)


def test_what_was_heard_before_an_error_is_written(service: Sandbox, files: list[str]) -> None:
    """An hour of text is not thrown away; without a word an old file stays as it is."""
    service.faults.error_frame(kind="stt", after_audio_ms=1500)
    done = run_cli("transcribe", "a.wav", "-o", "x.txt", "--pace", "4", "--no-reconnect")
    assert done.code == 1 and "503" in done.err
    assert Path("x.txt").read_text().startswith("Hello there my friend.")
    Path("old.txt").write_text("before")
    service.faults.error_frame(kind="stt", after_audio_ms=0)
    done = run_cli("transcribe", "a.wav", "-o", "old.txt", "--pace", "0", "--no-reconnect")
    assert done.code == 1 and Path("old.txt").read_text() == "before"


def test_an_old_file_stays_if_the_new_one_cannot_be_written(
    service: Sandbox, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, or if the document cannot be made, nothing cut takes its place."""
    resource = pytest.importorskip("resource", reason="limits are POSIX's")
    Path("old.html").write_text("before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        done = run_cli("transcribe", "a.wav", "-o", "old.html", "--pace", "0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.code == 1 and Path("old.html").read_text() == "before"

    def broken(*_: Any) -> str:
        raise ZeroDivisionError("no page")

    monkeypatch.setattr("soniox_sync.cli.pages._MAX_EMBEDDED_BYTES", 1000)
    monkeypatch.setattr("soniox_sync.cli.pages._link", broken)
    done = run_cli("transcribe", "a.wav", "-o", "old.html", "--pace", "0")
    assert done.code == 1 and Path("old.html").read_text() == "before"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_page_links_a_name_that_is_not_utf_8(
    service: Sandbox, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link has the bytes of the name."""
    monkeypatch.setattr("soniox_sync.cli.pages._MAX_EMBEDDED_BYTES", 1000)
    shutil.copy("a.wav", os.fsdecode(b"big\xff.wav"))
    name = os.fsdecode(b"big\xff.wav")
    assert run_cli("transcribe", name, "-o", "b.html", "--pace", "0").code == 0
    assert 'src="big%FF.wav"' in Path("b.html").read_text(encoding="utf-8")


def test_a_page_has_the_audio_inside_or_a_link(
    service: Sandbox, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of moderate size is embedded, a large one linked relative to the page."""
    assert run_cli("transcribe", "a.wav", "-o", "in/", "--format", "html", "--pace", "0").code == 0
    page = Path("in/a.html").read_text(encoding="utf-8")
    assert 'src="data:audio/wav;base64,' in page and "<title>a.wav</title>" in page
    monkeypatch.setattr("soniox_sync.cli.pages._MAX_EMBEDDED_BYTES", 1000)
    shutil.copy("a.wav", "my talk#1.wav")
    assert run_cli("transcribe", "my talk#1.wav", "-o", "in/b.html", "--pace", "0").code == 0
    page = Path("in/b.html").read_text(encoding="utf-8")
    assert 'src="../my%20talk%231.wav"' in page
    piped = run_cli("transcribe", "a.wav", "--format", "html", "--pace", "0").out
    assert f'src="{Path("a.wav").resolve().as_uri()}"' in piped


def test_a_page_of_raw_audio_has_no_player(service: Sandbox, folder: Path) -> None:
    """What a browser cannot play is left out."""
    Path("call.raw").write_bytes(bytes(8000 * 3))
    raw = ["--audio-format", "mulaw", "--sample-rate", "8000", "--pace", "0"]
    assert run_cli("transcribe", "call.raw", *raw, "-o", "c.html").code == 0
    assert "<audio" not in Path("c.html").read_text(encoding="utf-8")


# --- context


def test_terms_and_context_reach_the_service(service: Sandbox, files: list[str]) -> None:
    """--term adds to what the file of --context says; a text is the context's text."""
    Path("c.json").write_text('{"general": {"domain": "Sea"}, "terms": ["Soniox"]}')
    Path("c.txt").write_text("A talk about ships.")
    run_cli("transcribe", "a.wav", "--pace", "0", "--context", "c.json", "--term", "Nordöst")
    run_cli("transcribe", "a.wav", "--pace", "0", "--context", "c.txt")
    run_cli("transcribe", "a.wav", "--pace", "0", "--term", "x", "--term", "y")
    sent = [m["context"] for m in service.log.messages(kind="stt") if "context" in m]
    assert sent == [
        {"general": [{"key": "domain", "value": "Sea"}], "terms": ["Soniox", "Nordöst"]},
        {"text": "A talk about ships."},
        {"terms": ["x", "y"]},
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.json", b"{", "--context c.json: not JSON: "),
        ("c.json", b"[]", "--context c.json: expected an object with general, text, terms, "),
        ("c.json", b'{"term": []}', "--context c.json: expected an object with general, "),
        ("c.json", b'{"terms": "x"}', "--context c.json: context.terms: expected a list"),
        ("c.txt", b" \n", "--context c.txt: the file is empty"),
        ("c.txt", b"\xff\xfe\xff", "cannot read c.txt: it is not UTF-8 text"),
        ("no.txt", None, "cannot read no.txt: No such file or directory"),
    ],
)
def test_a_context_that_cannot_be_used(
    service: Sandbox, files: list[str], name: str, content: bytes | None, message: str
) -> None:
    """It is refused by name, before anything is sent."""
    if content is not None:
        Path(name).write_bytes(content)
    done = run_cli("transcribe", "a.wav", "--context", name)
    assert done.code == 2 and done.err.startswith(f"soniox-sync: {message}")
    assert not service.log.entries(kind="stt")
