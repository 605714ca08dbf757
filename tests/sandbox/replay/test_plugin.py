"""A test with the marker `soniox_replay` runs against a trace, and fails when it differs.

All tests of the table are run by one pytest in a process of its own, because starting one is slow.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from tests.sandbox.replay.lines import STT, Trace

USAGE = "usage: soniox_replay(trace, speed=None, allow_remaining=False)"
HELLO = 'post(soniox_sandbox, "Hello")'
BY_NAME = 'request.getfixturevalue("soniox_sandbox")'
HEAD = """
import json, threading
import pytest, requests, websocket
from soniox_sync.sandbox import TrafficLog
from soniox_sync.sandbox.replay.connection import PlayedConnection

def post(sandbox, model):
    requests.post(sandbox.urls.api + "/transcriptions", json={"model": model})

def end_while_the_sandbox_is_busy(monkeypatch, sandbox):
    free, text, wait = threading.Event(), PlayedConnection.text, TrafficLog.wait_until_idle
    monkeypatch.setattr(
        PlayedConnection, "text", lambda self, said: (said or free.wait(10)) and text(self, said)
    )
    monkeypatch.setattr(
        TrafficLog, "wait_until_idle", lambda log, **more: (free.set(), wait(log, **more))[1]
    )
    ws = websocket.create_connection(sandbox.urls.stt)
    ws.send(json.dumps({"model": "m", "audio_format": "auto"}))
    ws.send("")
    ws.send_close()
"""


class Case(NamedTuple):
    """A test: arguments of its marker, its fixtures and body; what its failure says, or `None`."""

    marker: str
    fixtures: str
    body: str
    said: object = None


CASES = {
    "does_the_same": Case('"one.jsonl"', "soniox_client, soniox_sandbox", HELLO),
    "does_something_else": Case(
        '"one.jsonl"',
        "soniox_client, soniox_sandbox",
        'post(soniox_sandbox, "Bye")',
        "the test did not do what is in the trace:\nPOST /v1/transcriptions, line 2 of the trace: "
        'model: expected "Hello", got "Bye"',
    ),
    "plays_a_half": Case(
        '"two.jsonl"',
        "soniox_sandbox",
        HELLO,
        "not played: POST /v1/transcriptions (line 5): never requested",
    ),
    "plays_a_half_as_it_may": Case('"two.jsonl", allow_remaining=True', "soniox_sandbox", HELLO),
    "is_empty": Case(
        '"session.jsonl"',
        "soniox_client",
        "pass",
        "not played: connection 1, /transcribe-websocket (line 2): never requested",
    ),
    # of these something remains in any case, which is no news
    "is_skipped": Case('"one.jsonl"', "soniox_client", 'pytest.skip("later")'),
    "fails_as_expected": Case('"one.jsonl"', "soniox_client", 'pytest.xfail("known")'),
    # what a client sends last may still be on its way when the test is over
    "has_just_ended": Case(
        '"session.jsonl"',
        "monkeypatch, soniox_sandbox",
        "end_while_the_sandbox_is_busy(monkeypatch, soniox_sandbox)",
    ),
    "has_no_fixture": Case(
        '"one.jsonl"',
        "",
        "pass",
        "the marker soniox_replay has no effect: the test uses neither soniox_sandbox nor "
        "soniox_client; add one of these fixtures, or remove the marker",
    ),
    "gets_the_fixture_late": Case('"one.jsonl"', "request", f'post({BY_NAME}, "Hello")'),
    "has_a_typo": Case(
        '"one.jsonl", sped=2.0',
        "soniox_client",
        "pass",
        f"the marker soniox_replay has no field 'sped'; did you mean 'speed'?\n{USAGE}",
    ),
    "has_no_trace": Case(
        "", "soniox_client", "pass", f"the marker soniox_replay takes one trace, a path\n{USAGE}"
    ),
    "has_a_number": Case(
        "7", "soniox_client", "pass", f"the marker soniox_replay takes one trace, a path\n{USAGE}"
    ),
    "allows_a_number": Case(
        '"one.jsonl", allow_remaining=1',
        "soniox_client",
        "pass",
        f"allow_remaining: expected True or False, got int\n{USAGE}",
    ),
}


def write(path: Path, trace: Trace) -> None:
    """Write a trace to a file."""
    path.write_text("".join(json.dumps(line) + "\n" for line in trace.lines), encoding="utf-8")


def write_traces(folder: Path) -> None:
    """Write a trace of one request, one of two, and one of a session."""
    for name, models in (("one", ["Hello"]), ("two", ["Hello", "Bye"])):
        trace = Trace()
        for model in models:
            body = {"json": {"model": model}}
            trace.exchange("POST", "/v1/transcriptions", body, answer={"id": "7"})
        write(folder / f"{name}.jsonl", trace)
    trace = Trace()
    socket = trace.socket(STT).sent({"model": "m", "audio_format": "auto"}, "")
    socket.received({"tokens": [], "finished": True}).close("received").close("sent").end()
    write(folder / "session.jsonl", trace)


def run(folder: Path, *options: str) -> str:
    """Run pytest in a folder and return what it prints."""
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    ).stdout


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run all tests of the table, and provide what each of them failed with, if it failed."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "tests").mkdir()
    write_traces(folder / "tests")
    text = HEAD
    for name, case in CASES.items():
        text += f"\n@pytest.mark.soniox_replay({case.marker})\n"
        text += f"def test_{name}({case.fixtures}):\n    {case.body}\n"
    # in another folder than the one in which pytest runs
    (folder / "tests" / "test_it.py").write_text(text, encoding="utf-8")
    printed = run(folder, "--junitxml=out.xml")
    found: dict[str, str] = {}
    assert (folder / "out.xml").exists(), printed
    for each in ElementTree.parse(folder / "out.xml").iter("testcase"):
        failed = [part for part in each if part.tag in ("failure", "error")]
        name = each.attrib["name"].partition("_")[2]
        found[name] = found.get(name, "") + "".join(part.text or "" for part in failed)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_replayed_test_does_what_is_in_its_trace(name: str, outcomes: dict[str, str]) -> None:
    """A test that differs, leaves something unplayed, or is marked wrongly fails and says so."""
    said = CASES[name].said
    assert outcomes[name] == "" if said is None else str(said) in outcomes[name], outcomes[name]
    assert "Traceback" not in outcomes[name]
    assert "TypeError" not in outcomes[name]


def test_the_marker_describes_itself(tmp_path: Path) -> None:
    """`pytest --markers` and the reference show the marker's arguments as they are."""
    reference = Path(__file__).parents[3] / "docs" / "reference" / "sandbox.rst"
    signature = USAGE.partition(" ")[2]
    assert f"@pytest.mark.{signature}: " in run(tmp_path, "--markers")
    assert f"``{signature}``" in re.sub(r"\s+", " ", reference.read_text(encoding="utf-8"))
