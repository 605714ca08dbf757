"""Where lines go: files, file objects, callables; processes, threads and what can go wrong."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import ConfigurationError, SlngClient, SonioxClient
from soniox_sync.runtime.trace.output import FileOutput
from soniox_sync.runtime.trace.trace import Trace
from tests.conftest import open_descriptors
from tests.peers import Listener, RawPeer, message
from tests.runtime.pairs import text_frame
from tests.runtime.trace.lines import KEY, client_of, exchange, lines_of, of_kind, said, traced
from tests.waiting import WAIT

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


# -- files ----------------------------------------------------------------------------------------


def test_a_file_is_private_and_appended_to(raw_peer: RawPeer, tmp_path: Path) -> None:
    """A new file has mode 0600, whatever the umask; an existing one keeps what is in it."""
    path = tmp_path / "trace.jsonl"
    before = os.umask(0)
    try:
        exchange(Trace(path), raw_peer)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    exchange(Trace(str(path)), raw_peer)
    assert path.read_bytes().startswith(first) and len(lines_of(path)) > len(first.splitlines())


def test_a_client_opens_nothing(tmp_path: Path) -> None:
    """Making a client with a trace opens no file."""
    path = tmp_path / "trace.jsonl"
    SonioxClient(KEY, trace=path)
    SlngClient(KEY, trace=path)
    assert not path.exists()


def test_a_line_is_in_the_file_at_once(raw_peer: RawPeer, tmp_path: Path) -> None:
    """A line is in the file before the frame is handled, and before it is sent."""
    path = tmp_path / "trace.jsonl"
    listener = Listener()
    connection = traced(path, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    connection.send(lambda: text_frame('{"n":1}'))
    remote.recv_frame()
    assert said(lines_of(path), "sent") == [{"n": 1}]
    remote.send(message(n=2))
    listener.take()
    assert said(lines_of(path), "received") == [{"n": 2}]
    connection.close(0.0)


def test_one_header_for_each_process(raw_peer: RawPeer, tmp_path: Path) -> None:
    """Clients of one process share a file, however its path is spelled, and one first line."""
    path = tmp_path / "trace.jsonl"
    traces = [Trace(path), Trace(str(tmp_path / "." / "trace.jsonl"))]
    for trace in traces:
        exchange(trace, raw_peer)
    lines = lines_of(path)
    assert [line["kind"] for line in lines].count("trace") == 1 and lines[0]["kind"] == "trace"
    assert {line["pid"] for line in lines} == {os.getpid()}
    assert len({line["connection"] for line in lines[1:]}) == 2


def test_a_file_that_was_moved_begins_anew(closing_peer: RawPeer, tmp_path: Path) -> None:
    """A new file at the same path has a header, too; what is no file gets one for all."""
    path = tmp_path / "trace.jsonl"
    client = client_of(closing_peer.url, path)
    for _ in range(2):
        with client.realtime.tts.multi_stream() as connection:
            connection.connect()
            closing_peer.accept()
        client.close()
        assert lines_of(path)[0]["kind"] == "trace"
        path.rename(tmp_path / "old.jsonl")
    if os.path.exists("/dev/null"):
        output, written = FileOutput("/dev/null"), []
        output.write = written.append  # type: ignore[method-assign]
        output.open({"kind": "trace"})
        output.open({"kind": "trace"})
        output.close()
        assert len(written) == 1


def test_a_relative_path_is_fixed_when_the_client_is_made(
    raw_peer: RawPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later change of directory does not move the file."""
    monkeypatch.chdir(tmp_path)
    trace = Trace("trace.jsonl")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    exchange(trace, raw_peer)
    assert lines_of(tmp_path / "trace.jsonl")


def test_close_releases_the_file(closing_peer: RawPeer, tmp_path: Path) -> None:
    """`client.close()` closes the file; a session that goes on opens it again."""
    path = tmp_path / "trace.jsonl"
    client = client_of(closing_peer.url, path)
    with client.realtime.tts.multi_stream() as connection:
        connection.connect()
        closing_peer.accept()
        assert str(path) in open_descriptors().values()
        client.close()
        assert str(path) not in open_descriptors().values()
    assert of_kind(lines_of(path), "end")
    client.close()
    assert str(path) not in open_descriptors().values()


def test_a_file_that_cannot_be_opened(raw_peer: RawPeer, tmp_path: Path) -> None:
    """The call that first connects raises, names the file and says what to do; so do later ones."""
    path = tmp_path / "missing" / "trace.jsonl"
    client = client_of(raw_peer.url, path, api_url="http://127.0.0.1:9")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="folder that exists") as caught:
            client.realtime.stt()
        assert str(path) in str(caught.value)
    with pytest.raises(ConfigurationError, match="folder that exists"):
        client.models.list()
    with pytest.raises(ConfigurationError, match="folder that exists"):
        list(client.realtime.speak("Hi.", voice="Adrian", audio_format="pcm_s16le"))
    with pytest.raises(ConfigurationError, match="folder that exists"):
        list(client.realtime.transcribe(b"\0" * 3200).utterances())
    assert raw_peer.idle


def test_a_write_that_fails_stops_the_trace_only(
    raw_peer: RawPeer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A full disk is reported once, with what to do; the session goes on without a trace."""
    caplog.set_level(logging.WARNING, logger="soniox_sync")
    path = tmp_path / "trace.jsonl"
    trace = Trace(path)
    exchange(trace, raw_peer)
    before = path.read_bytes()

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("soniox_sync.runtime.trace.output.os.write", full)
    exchange(trace, raw_peer)
    exchange(trace, raw_peer)
    (record,) = caplog.records
    shown = record.getMessage()
    assert str(path) in shown and "No space left on device" in shown
    assert "free some disk space" in shown
    assert path.read_bytes() == before and "stopped" in repr(trace)


def test_a_partial_write_is_completed(
    raw_peer: RawPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that takes a few bytes at a time gets the rest of each line."""
    write = os.write
    monkeypatch.setattr(
        "soniox_sync.runtime.trace.output.os.write", lambda fd, data: write(fd, data[:7])
    )
    exchange(Trace(tmp_path / "trace.jsonl"), raw_peer)
    assert said(lines_of(tmp_path / "trace.jsonl"), "sent") == [{"a": "é"}]


# -- file objects and callables -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [io.BytesIO, io.StringIO])
def test_file_objects(raw_peer: RawPeer, kind: Any) -> None:
    """Text and binary file objects get the same lines, and stay open."""
    out = kind()
    exchange(out, raw_peer)
    lines = lines_of(out)
    assert said(lines, "sent") == [{"a": "é"}] and lines[-1]["kind"] == "end"
    assert not out.closed


def test_a_file_object_gets_whole_lines_and_flushes(raw_peer: RawPeer) -> None:
    """Each line is one write, and what was written is flushed."""
    calls: list[Any] = []

    class File:
        def write(self, line: bytes) -> None:
            calls.append(json.loads(line))
            assert line.endswith(b"\n")

        def flush(self) -> None:
            calls.append("flush")

    exchange(File(), raw_peer)
    kinds = [call if call == "flush" else call["kind"] for call in calls]
    assert kinds[:4] == ["trace", "flush", "connect", "flush"]
    assert kinds[-2:] == ["end", "flush"]


def test_a_text_file_of_few_letters(raw_peer: RawPeer, tmp_path: Path) -> None:
    """A text file that cannot encode a letter gets it escaped."""
    with open(tmp_path / "t", "w", encoding="ascii") as file:
        exchange(file, raw_peer)
    assert said(lines_of(tmp_path / "t"), "sent") == [{"a": "é"}]


def test_a_raw_file_that_takes_part_of_a_line_gets_the_rest(raw_peer: RawPeer) -> None:
    """A raw binary file may accept fewer bytes than it was given."""

    class Slow(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data)[:5])

    out = Slow()
    exchange(out, raw_peer)
    assert said(lines_of(out), "sent") == [{"a": "é"}]


def test_a_callable_gets_dicts(raw_peer: RawPeer) -> None:
    """A callable gets each line as a dict with clock and pid, the same as a file would hold."""
    lines: list[Any] = []
    out = io.BytesIO()
    exchange(lines.append, raw_peer)
    exchange(out, raw_peer)
    assert lines[0]["kind"] == "trace" and lines[0]["pid"] == os.getpid()
    shape = [{name for name in line if name != "clock"} for line in lines]
    assert shape == [{name for name in line if name != "clock"} for line in lines_of(out)]
    assert all(isinstance(line["clock"], float) for line in lines)
    assert said(lines, "received") == [{"tokens": []}]


def test_a_callable_runs_outside_the_state_lock(raw_peer: RawPeer) -> None:
    """A callable gets a frame after the lock under which it was decided upon was released."""
    state = threading.Lock()
    held: list[bool] = []

    def look(line: Any) -> None:
        held.append(state.locked())

    def decide() -> bytes:
        with state:
            return text_frame('{"a":1}')

    connection = traced(look, raw_peer.url)
    connection.open(WAIT)
    raw_peer.accept()
    before = len(held)
    connection.send(decide)
    assert connection.try_send(decide)
    assert held[before:] == [False, False]
    connection.close(0.0)


@pytest.mark.parametrize("first", [0, 4])
def test_a_callable_that_raises(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture, first: int
) -> None:
    """A callable that raises, even for the first line, is not called again; the session goes on."""
    calls: list[Any] = []

    def fail(line: Any) -> None:
        calls.append(line)
        if len(calls) > first:
            raise ValueError(f"no {KEY}")

    caplog.set_level(logging.WARNING, logger="soniox_sync")
    trace = Trace(fail, secrets=[KEY])
    exchange(trace, raw_peer)
    exchange(trace, raw_peer)
    (record,) = caplog.records
    assert "ValueError: no ***" in record.getMessage()
    assert "pass a callable that does not raise" in record.getMessage()
    assert len(calls) == first + 1


# -- several writers ------------------------------------------------------------------------------


def test_threads_and_processes_write_whole_lines(raw_peer: RawPeer, tmp_path: Path) -> None:
    """Several threads and processes on one file give whole lines, each process its header."""
    path = tmp_path / "trace.jsonl"
    program = textwrap.dedent(
        """
        import sys, threading
        from soniox_sync.runtime.trace.trace import Trace
        def work():
            trace = Trace(sys.argv[1])
            trace.start()
            for n in range(100):
                trace.write({"kind": "x", "n": n, "text": "é" * 3000}, {"kind": "x", "n": -1})
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    command = [sys.executable, "-c", program, str(path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    lines = lines_of(path)
    assert len(lines) == 3 * (1 + 3 * 200)
    for pid in {line["pid"] for line in lines}:
        mine = [line for line in lines if line["pid"] == pid]
        assert mine[0]["kind"] == "trace" and len(of_kind(mine, "trace")) == 1
        assert [line["clock"] for line in mine] == sorted(line["clock"] for line in mine)


@forks
@pytest.mark.parametrize("kind", ["path", "callable"])
def test_a_forked_child_traces_under_its_own_pid(
    closing_peer: RawPeer, tmp_path: Path, kind: str
) -> None:
    """A child begins with a header of its own, also if a thread held the lock during the fork."""
    path = tmp_path / "trace.jsonl"
    lock = threading.Lock()

    def append(line: Any) -> None:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    client = client_of(closing_peer.url, path if kind == "path" else append)
    trace = client._service.settings.trace
    assert trace is not None

    def once() -> None:
        with client.realtime.tts.multi_stream() as connection:
            connection.connect()

    once()
    closing_peer.accept()
    held = trace._output._lock  # type: ignore[attr-defined]
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with held, lock:
            taken.set()
            release.wait(WAIT)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(WAIT)
    pid = os.fork()
    if pid == 0:
        try:
            once()
            os._exit(0)
        finally:
            os._exit(1)
    release.set()
    holder.join()
    assert os.waitpid(pid, 0)[1] == 0
    closing_peer.accept()
    once()
    closing_peer.accept()
    client.close()
    lines = lines_of(path)
    child = [line for line in lines if line["pid"] == pid]
    assert [line["kind"] for line in child][:3] == ["trace", "connect", "open"]
    assert child[-1]["kind"] == "end"
    parent = [line for line in lines if line["pid"] == os.getpid()]
    assert len(of_kind(parent, "trace")) == 1 and len(of_kind(parent, "end")) == 2


def test_a_file_in_use_by_another_client_survives_the_close_of_one(
    closing_peer: RawPeer, tmp_path: Path
) -> None:
    """Closing one client does not end the trace of another that uses the same file."""
    path = tmp_path / "trace.jsonl"
    one, two = client_of(closing_peer.url, path), client_of(closing_peer.url, path)
    with two.realtime.tts.multi_stream() as connection:
        connection.connect()
        closing_peer.accept()
        one.close()
    two.close()
    assert len(of_kind(lines_of(path), "end")) == 1


def test_an_output_is_dropped_with_its_clients(tmp_path: Path, raw_peer: RawPeer) -> None:
    """A client that is dropped without `close()` leaves no descriptor."""
    path = tmp_path / "trace.jsonl"
    trace = Trace(path)
    exchange(trace, raw_peer)
    assert str(path) in open_descriptors().values()
    assert FileOutput.at(str(path)) is trace._output
    del trace
    gc.collect()
    assert str(path) not in open_descriptors().values()


# -- the option -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "expected"), [(None, "env"), ("given", "given"), ("", ""), ("list", "list")]
)
def test_the_argument_wins_over_the_environment(
    closing_peer: RawPeer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
    expected: str,
) -> None:
    """`SONIOX_SYNC_TRACE` is read when a client is made, and used unless `trace` is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SONIOX_SYNC_TRACE", "env")
    lines: list[Any] = []
    client = client_of(closing_peer.url, lines.append if argument == "list" else argument)
    monkeypatch.setenv("SONIOX_SYNC_TRACE", "later")
    with client.realtime.tts.multi_stream() as connection:
        connection.connect()
        closing_peer.accept()
    client.close()
    names = [file.name for file in tmp_path.iterdir()] + (["list"] if lines else [])
    assert names == ([expected] if expected else [])
