"""What can be uploaded: files of web frameworks, and sources without an end or a length."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import AbortError, CancelToken, ConfigurationError, SonioxClient
from soniox_sync.errors import InputTypeError
from soniox_sync.rest import copying
from tests.rest.raw_http import FILE, RawHttp, reply

Serve = Callable[..., RawHttp]


class UploadFile:
    """As in FastAPI and Starlette: its methods are coroutines, the file is in `.file`."""

    def __init__(self, data: bytes) -> None:
        self.file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - closed by the tests
        self.file.write(data)
        self.file.seek(0)
        self.filename = "talk.mp3"

    async def read(self, size: int = -1) -> bytes:
        return self.file.read(size)

    async def seek(self, offset: int) -> None:
        self.file.seek(offset)


class FileField:
    """As in aiohttp: the file is in `.file`, and it has no methods of one."""

    def __init__(self) -> None:
        self.file = io.BytesIO(b"abc")
        self.filename = "talk.mp3"


class AsyncFile:
    """As in aiofiles."""

    name = "talk.mp3"

    async def read(self, size: int = -1) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("made", "way_out"),
    [
        (lambda: UploadFile(b"abc"), "UploadFile; pass its .file, and filename=its .filename"),
        (FileField, "FileField; pass its .file, and filename=its .filename"),
        (AsyncFile, r"AsyncFile; await its read\(\), and pass the bytes"),
    ],
)
def test_files_of_event_loops_are_refused_with_the_way_out(
    serve: Serve, made: Callable[[], Any], way_out: str
) -> None:
    """An upload whose `read()` is a coroutine is refused by name, before anything is sent."""
    server = serve(reply(FILE))
    file = made()
    with server.client() as client:
        calls: list[Callable[[], object]] = [
            lambda: client.files.upload(file),
            lambda: client.voices.create(name="v", file=file),
            lambda: client.stt.transcribe(file=file),
        ]
        for call in calls:
            with pytest.raises(InputTypeError, match=f"file: expected .*{way_out}"):
                call()
    assert server.connections == 0
    if isinstance(file, UploadFile):
        file.file.close()


def test_the_way_out_works(client: SonioxClient) -> None:
    """The file in it is uploaded, under the name that it was sent with."""
    upload = UploadFile(b"abc" * 1000)
    with upload.file:
        file = client.files.upload(upload.file, filename=upload.filename)
    assert (file.filename, file.size) == ("talk.mp3", 3000)


@pytest.mark.parametrize("size", [3, 600_000])
@pytest.mark.parametrize("sent_as", ["talk.mp3", "C:\\fakepath\\talk.mp3", "../../talk.mp3"])
def test_a_file_of_flask_keeps_the_name_it_was_sent_with(
    client: SonioxClient, sent_as: str, size: int
) -> None:
    """The name of a `FileStorage` is its `filename`, not the form's field; folders are left out."""
    werkzeug = pytest.importorskip("werkzeug.datastructures", reason="werkzeug is not installed")
    with tempfile.SpooledTemporaryFile(max_size=500_000) as stream:
        stream.write(bytes(size))
        stream.seek(0)
        storage = werkzeug.FileStorage(stream, filename=sent_as, name="the_field")
        file = client.files.upload(storage)
        assert (file.filename, file.size) == ("talk.mp3", size)
        stream.seek(0)
        assert client.files.upload(storage, filename="mine.mp3").filename == "mine.mp3"


class Endless(io.RawIOBase):
    """Source that never ends, and cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.given += size
        return bytes(size)


@pytest.mark.parametrize("with_cancel", [False, True])
def test_an_endless_source_is_refused_at_the_limit(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, with_cancel: bool
) -> None:
    """No more is read than the limit and one block."""
    monkeypatch.setattr(copying, "MAX_BYTES", 1_000_000)
    server, source = serve(reply(FILE)), Endless()
    cancel = CancelToken() if with_cancel else None
    with server.client() as client, pytest.raises(ConfigurationError, match="too large"):
        client.files.upload(source, cancel=cancel)
    assert server.connections == 0
    assert 1_000_000 < source.given <= 1_000_000 + copying.BLOCK_BYTES


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, io.BufferedWriter]]:
    """Open a pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb") as sink:
        yield source, sink


@pytest.mark.parametrize("before", [False, True], ids=["while it blocks", "before"])
def test_a_cancel_ends_the_wait_for_a_pipe(
    serve: Serve, pipe: tuple[Any, Any], before: bool
) -> None:
    """A cancel is noticed while a read of a pipe blocks; nothing is sent."""
    source, sink = pipe
    sink.write(b"some of it")
    sink.flush()
    token, server = CancelToken(), serve(reply(FILE))
    reads = threading.Event()

    class Watched:
        def read(self, size: int) -> Any:
            reads.set()
            return source.read(size)

    helper = threading.Thread(target=lambda: reads.wait(20) and token.cancel("enough"))
    if before:
        token.cancel("enough")
    else:
        helper.start()
    with server.client() as client, pytest.raises(AbortError, match="enough"):
        client.files.upload(Watched(), cancel=token)  # type: ignore[arg-type]
    assert server.connections == 0
    sink.close()  # lets the thread that reads end
    for thread in threading.enumerate():
        if thread.name == "soniox-upload" or thread is helper:
            thread.join(20)
            assert not thread.is_alive()


def test_a_pipe_with_a_cancel_is_uploaded(client: SonioxClient, pipe: tuple[Any, Any]) -> None:
    """A pipe that ends is uploaded, with a token as without one."""
    source, sink = pipe
    writer = threading.Thread(target=lambda: (sink.write(b"x" * 300_000), sink.close()))
    writer.start()
    assert client.files.upload(source, cancel=CancelToken()).size == 300_000
    writer.join()
    assert not source.closed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("with_cancel", [False, True])
def test_a_named_pipe_is_uploaded(client: SonioxClient, tmp_path: Path, with_cancel: bool) -> None:
    """The path of a pipe, as of a process substitution, is copied like an open one."""
    path = tmp_path / "talk.mp3"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"x" * 1000))
    writer.start()
    file = client.files.upload(path, cancel=CancelToken() if with_cancel else None)
    writer.join()
    assert (file.filename, file.size) == ("talk.mp3", 1000)


@pytest.mark.parametrize("block", ["text", None, 5])
def test_a_source_that_returns_no_bytes_is_refused(serve: Serve, block: Any) -> None:
    """Text, and the `None` of a source that does not wait, are not taken for its end."""

    class Odd:
        def read(self, size: int) -> Any:
            return block

    server = serve(reply(FILE))
    with server.client() as client, pytest.raises(InputTypeError, match="whose read"):
        client.files.upload(Odd())  # type: ignore[arg-type]
    assert server.connections == 0


def test_an_error_of_a_source_is_raised_as_it_is(serve: Serve) -> None:
    """What a source raises while it is copied by a thread is raised in the call."""

    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError(5, "the disk is gone")

    with serve(reply(FILE)).client() as client, pytest.raises(OSError, match="the disk is gone"):
        client.files.upload(Broken(), cancel=CancelToken())  # type: ignore[arg-type]


@pytest.mark.parametrize("cancel", [5, "x", object()])
def test_a_wrong_token_is_refused_before_anything_is_read(serve: Serve, cancel: Any) -> None:
    """`cancel=` is checked first."""
    with serve(reply(FILE)).client() as client, pytest.raises(InputTypeError, match="cancel"):
        client.files.upload(Endless(), cancel=cancel)
