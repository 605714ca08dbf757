"""Outputs that block, move away, or raise what is no `Exception`."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import ConfigurationError
from soniox_sync.runtime.trace.output import FileOutput
from soniox_sync.runtime.trace.trace import Trace
from tests.conftest import open_descriptors
from tests.peers import RawPeer
from tests.runtime.pairs import text_frame
from tests.runtime.trace.lines import client_of, exchange, lines_of, of_kind, traced
from tests.waiting import WAIT


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("read", [False, True])
def test_a_fifo_is_refused(raw_peer: RawPeer, tmp_path: Path, read: bool) -> None:
    """A FIFO is refused at once, with or without a reader, and `close()` returns."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if read else None
    client = client_of(raw_peer.url, path, api_url="http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="a pipe or a socket, not a file"):
        client.realtime.stt()
    with pytest.raises(ConfigurationError, match="a pipe or a socket, not a file"):
        client.models.list()
    client.close()
    if reader is not None:
        os.close(reader)


def test_a_file_that_is_not_open_is_opened_for_each_line(tmp_path: Path) -> None:
    """Before `open()` and after `close()` a line leaves no descriptor behind."""
    path, line = tmp_path / "trace.jsonl", {"kind": "x"}
    before = open_descriptors()
    output = FileOutput(str(path))
    output.write([line])
    assert open_descriptors() == before
    output.open({"kind": "trace"})
    output.close()
    output.write([line])
    assert open_descriptors() == before
    assert [each["kind"] for each in lines_of(path)] == ["x", "trace", "x"]


def test_close_does_not_wait_for_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`close()` returns while a write blocks; the thread that writes closes the file then."""
    path = tmp_path / "trace.jsonl"
    output = FileOutput(str(path))
    output.open({"kind": "trace"})
    writing, release = threading.Event(), threading.Event()
    write = os.write

    def block(descriptor: int, data: bytes) -> int:
        writing.set()
        assert release.wait(WAIT)
        return write(descriptor, data)

    monkeypatch.setattr("soniox_sync.runtime.trace.output.os.write", block)
    writer = threading.Thread(target=output.write, args=([{"kind": "x"}],))
    writer.start()
    assert writing.wait(WAIT)
    closer = threading.Thread(target=output.close)
    closer.start()
    closer.join(WAIT)
    closed = not closer.is_alive()
    release.set()
    writer.join(WAIT)
    assert closed and str(path) not in open_descriptors().values()
    assert [line["kind"] for line in lines_of(path)] == ["trace", "x"]


def test_a_file_that_was_moved_while_it_is_open(raw_peer: RawPeer, tmp_path: Path) -> None:
    """A connection after a move begins a new file, though another client has the old one open."""
    path = tmp_path / "trace.jsonl"
    one, two = Trace(path), Trace(path)
    exchange(one, raw_peer)
    path.rename(tmp_path / "old.jsonl")
    exchange(two, raw_peer)
    assert [line["kind"] for line in lines_of(path)][:2] == ["trace", "connect"]
    assert len(of_kind(lines_of(tmp_path / "old.jsonl"), "end")) == 1


class Failed(BaseException):
    """What `pytest.fail()` raises is no `Exception`, either."""


@pytest.mark.parametrize("error", [Failed, SystemExit, KeyboardInterrupt])
def test_what_is_raised_in_a_thread_of_the_library(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    """Whatever a callable raises on the reader thread ends the trace, not the session."""

    def fail(line: Any) -> None:
        if line["kind"] in ("open", "message"):
            raise error("stop")

    caplog.set_level(logging.WARNING, logger="soniox_sync")
    exchange(fail, raw_peer)
    (record,) = caplog.records
    assert "tracing stopped" in record.getMessage() and error.__name__ in record.getMessage()


@pytest.mark.parametrize("error", [Failed, KeyboardInterrupt])
def test_what_is_raised_in_a_thread_of_the_user(raw_peer: RawPeer, error: Any) -> None:
    """What is no `Exception`, such as Ctrl-C, reaches the call that sends."""

    def fail(line: Any) -> None:
        if line["kind"] == "message":
            raise error

    connection = traced(fail, raw_peer.url)
    connection.open(WAIT)
    raw_peer.accept()
    with pytest.raises(error):
        connection.send(lambda: text_frame("{}"))
    connection.close(0.0)
