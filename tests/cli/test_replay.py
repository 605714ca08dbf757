"""`sandbox --replay` plays a trace, and writes to stderr what differs."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.helpers import TIMEOUT_SEC, run_cli, start_cli
from tests.sandbox.client import Client
from tests.sandbox.replay.lines import STT, Trace, audio


def write(path: Path, trace: Trace) -> str:
    """Write a trace to a file; return its name."""
    path.write_text("".join(json.dumps(line) + "\n" for line in trace.lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("more", [[], ["-v"]])
def test_a_difference_is_one_line_on_stderr(tmp_path: Path, more: list[str]) -> None:
    """Notes and differences are lines on stderr, each once, also with `-v`."""
    trace = Trace()
    trace.socket(STT).sent({"model": "a"}).received({"audio": audio(b"abc", keep=False)})
    name = write(tmp_path / "t.jsonl", trace)
    process = start_cli(*more, "sandbox", "--json", "--replay", name, "--replay-speed", "max")
    assert process.stdout and process.stderr
    urls = json.loads(process.stdout.readline())["urls"]
    with Client(urls["stt"]) as client:
        client.send({"model": "b"})
        assert client.receive_all()[0]["error_type"] == "replay_difference"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_SEC)
    lines = [line for line in err.decode().splitlines() if name in line]
    assert [line.startswith(f"soniox-sync: {name}") for line in lines] == [True] * 3
    assert "silence of the same length" in lines[0]
    assert lines[1].endswith('line 4 of the trace: model: expected "a", got "b"')
    assert lines[2].endswith(
        ": not played: connection 1, /transcribe-websocket: not played from line 5 on"
    )


def test_what_was_not_played_is_written_at_the_end(tmp_path: Path) -> None:
    """Each connection and request that nobody asked for is one line on stderr."""
    trace = Trace()
    trace.socket(STT).received({"tokens": []})
    trace.exchange("GET", "/v1/models", answer={"models": []})
    name = write(tmp_path / "t.jsonl", trace)
    process = start_cli("sandbox", "--json", "--replay", name)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_SEC)
    assert [line for line in err.decode().splitlines() if name in line] == [
        f"soniox-sync: {name}: not played: connection 1, {STT} (line 2): never requested",
        f"soniox-sync: {name}: not played: GET /v1/models (line 5): never requested",
    ]


def test_a_variable_that_spoils_the_trace_is_told(tmp_path: Path) -> None:
    """A variable that makes the program append to the trace is named before it is run."""
    trace = Trace()
    name = write(tmp_path / "t.jsonl", trace)
    process = start_cli("sandbox", "--json", "--replay", name, env={"SONIOX_SYNC_TRACE": name})
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_SEC)
    (line,) = [line for line in err.decode().splitlines() if name in line]
    assert line == (
        f"soniox-sync: SONIOX_SYNC_TRACE names the trace that is replayed, {name}: unset it where "
        "the client runs, which would append to it"
    )


def test_a_replay_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    """A missing or malformed trace, and a speed without one, are refused before serving."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text("no trace\n", encoding="utf-8")
    missing = run_cli("sandbox", "--replay", str(tmp_path / "none"))
    assert (missing.code, missing.err.split(": ", 1)[1]) == (
        2,
        f"cannot read {tmp_path / 'none'}: No such file or directory\n",
    )
    malformed = run_cli("sandbox", "--replay", str(bad))
    assert malformed.code == 2
    assert f"{bad}, line 1: expected JSON" in malformed.err
    alone = run_cli("sandbox", "--replay-speed", "2")
    assert (alone.code, "--replay-speed needs --replay FILE" in alone.err) == (2, True)
    assert run_cli("sandbox", "--replay", str(bad), "--replay-speed", "0").code == 2


def test_a_client_that_is_still_connected_is_a_difference(tmp_path: Path) -> None:
    """What is found while the sandbox closes is written in the same form as before."""
    trace = Trace()
    trace.socket(STT).received({"tokens": []}).sent({"model": "a"}).received({"tokens": []})
    name = write(tmp_path / "t.jsonl", trace)
    process = start_cli("sandbox", "--json", "--replay", name, "--replay-speed", "max")
    assert process.stdout
    urls = json.loads(process.stdout.readline())["urls"]
    with Client(urls["stt"]) as client:
        assert client.receive() == {"tokens": []}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT_SEC)
    lines = [line for line in err.decode().splitlines() if name in line]
    assert [line.startswith(f"soniox-sync: {name}: ") for line in lines] == [True, True]
    assert "got the end of the connection" in lines[0]
    assert "not played from line 6 on" in lines[1]
