"""`PipeSource`: audio from other processes and from sockets."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from soniox_sync.errors import InputTypeError, StateError
from soniox_sync.sources import PipeSource
from tests.sources.helpers import PATIENCE_SEC, Collector, deliver

PCM = bytes(range(256)) * 40


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "wb", buffering=0) as writer:
        yield reader, writer  # type: ignore[misc]


def test_pipe_does_not_wait_for_full_chunks(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """A few bytes are delivered while the pipe is open; closing it is the end."""
    reader, writer = pipe
    collector = Collector()
    source = PipeSource(reader)
    source.start(collector.handlers)
    writer.write(b"ab")
    collector.wait_for(lambda: len(collector.calls) == 1)
    writer.write(b"c")
    collector.wait_for(lambda: len(collector.calls) == 2)
    writer.close()
    collector.wait_over()
    source.stop()
    assert collector.calls == [("data", b"ab"), ("data", b"c"), ("end", None)]
    assert not reader.closed
    assert collector.threads == {"soniox-source-pipe"}


@pytest.mark.skipif(os.name == "nt", reason="pipes cannot be waited for there")
def test_stop_wakes_a_blocked_pipe(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """Stopping a silent pipe ends its thread."""
    reader, _ = pipe
    before = threading.active_count()
    source = PipeSource(reader)
    collector = Collector()
    source.start(collector.handlers)
    source.stop()
    source.stop()
    assert threading.active_count() == before
    assert collector.names == []


def test_raw_pipe(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """An unbuffered file is read as data arrives."""
    reader, writer = pipe
    writer.write(PCM)
    writer.close()
    raw: BinaryIO = reader.raw  # type: ignore[attr-defined]
    assert deliver(PipeSource(raw)).data == PCM


def test_socket_file() -> None:
    """A socket's file is delivered to its end, and `stop()` does not hang."""
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as file:
        there.sendall(b"abc")
        there.shutdown(socket.SHUT_WR)
        assert deliver(PipeSource(file)).data == b"abc"


def test_stream_without_descriptor() -> None:
    """Objects that only have `read` are read to their end."""

    class Plain:
        def __init__(self) -> None:
            self.left = [b"ab", b"cd", b""]

        def read(self, size: int = -1) -> bytes:
            return self.left.pop(0)

    assert deliver(PipeSource(Plain())).chunks == [b"ab", b"cd"]  # type: ignore[arg-type]
    assert deliver(PipeSource(io.BytesIO(PCM))).data == PCM


def test_pipe_error() -> None:
    """An exception of the stream is reported unchanged."""

    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    got = deliver(PipeSource(Broken()))  # type: ignore[arg-type]
    assert str(got.error) == "gone" and got.names == ["error"]


def test_non_blocking_pipe(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """A non-blocking pipe is polled; `None` is not the end."""
    reader, writer = pipe
    os.set_blocking(reader.fileno(), False)
    collector = Collector()
    source = PipeSource(reader.raw)  # type: ignore[attr-defined]
    source.start(collector.handlers)
    writer.write(b"ab")
    collector.wait_for(lambda: len(collector.calls) == 1)
    source.stop()
    assert collector.names == ["data"]


def test_pipe_refusals() -> None:
    """Text streams and closed ones are refused with a reason."""
    with pytest.raises(InputTypeError, match=r"\.buffer"):
        PipeSource(io.StringIO("a"))  # type: ignore[arg-type]
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(StateError, match="closed"):
        PipeSource(closed).start(Collector().handlers)


def test_paused_pipe_delivers_nothing(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    """Data that arrives during a pause is held back until its end."""
    reader, writer = pipe
    paused = threading.Event()

    def pause(data: bytes) -> None:
        if data == b"ab":
            source.pause()
            paused.set()

    collector = Collector(pause)
    source = PipeSource(reader)
    source.start(collector.handlers)
    writer.write(b"ab")
    assert paused.wait(PATIENCE_SEC)
    writer.write(b"cd")
    assert collector.chunks == [b"ab"]
    source.resume()
    collector.wait_for(lambda: len(collector.calls) == 2)
    source.stop()
    assert collector.chunks == [b"ab", b"cd"]
