"""`client.files`: streamed uploads with progress, lists with cursors, deletions (PROTOCOL 5.2)."""

from __future__ import annotations

import io
import os
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync import (
    AbortError,
    CancelToken,
    ConfigurationError,
    NotFoundError,
    RateLimitError,
    SonioxClient,
    SonioxHttpError,
)
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import FILE, PATIENCE, RawHttp, reply

Serve = Callable[..., RawHttp]


def test_files_are_uploaded_with_name_size_and_reference(
    client: SonioxClient, tmp_path: Path
) -> None:
    """A path, bytes and a file object are uploaded with name, size and reference."""
    path = tmp_path / "a talk.mp3"
    path.write_bytes(b"0123456789")
    by_path = client.files.upload(path, client_reference_id="ref-1")
    by_str = client.files.upload(str(path), filename="other.mp3")
    by_bytes = client.files.upload(bytearray(b"abc"))
    with open(path, "rb") as file:
        file.seek(4)
        by_file = client.files.upload(file)
        assert not file.closed
    facts = [(f.filename, f.size) for f in (by_path, by_str, by_bytes, by_file)]
    assert facts == [("a talk.mp3", 10), ("other.mp3", 10), ("upload.bin", 3), ("a talk.mp3", 6)]
    assert by_path.client_reference_id == "ref-1"
    assert client.files.get(by_path.id) == by_path


def test_the_form_is_what_the_service_expects(serve: Serve) -> None:
    """The body is multipart/form-data with a length, the reference, the name and the content."""
    server = serve(reply(FILE, "201 Created"))
    with server.client() as client:
        client.files.upload(b"abc", filename='a"b\r\nüж.wav', client_reference_id="ré")
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/files")
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data" and len(boundary) >= 16
    assert "transfer-encoding" not in request.headers
    first, second, rest = request.body.split(b"--" + boundary.encode())[1:]
    assert b'name="client_reference_id"\r\n\r\nr\xc3\xa9\r\n' in first
    assert 'name="file"; filename="a%22b%0D%0Aüж.wav"\r\n'.encode() in second
    assert second.endswith(b"\r\n\r\nabc\r\n") and rest == b"--\r\n"


def test_progress_is_reported_from_start_to_end(client: SonioxClient) -> None:
    """`on_progress` gets 0 first, grows, and ends with all bytes of the file."""
    seen: list[tuple[int, int]] = []
    client.files.upload(
        bytes(1_000_000), on_progress=lambda sent, total: seen.append((sent, total))
    )
    assert seen[0] == (0, 1_000_000) and seen[-1] == (1_000_000, 1_000_000)
    assert [sent for sent, _ in seen] == sorted({sent for sent, _ in seen})
    assert len(seen) > 2


def test_an_exception_of_on_progress_ends_the_upload(client: SonioxClient) -> None:
    """An exception of the callback is raised, and no file is left at the service."""

    def stop(sent: int, total: int) -> None:
        if sent:
            raise KeyError("enough")

    with pytest.raises(KeyError):
        client.files.upload(bytes(1_000_000), on_progress=stop)
    assert client.files.count().total == 0


def test_a_source_that_cannot_seek_is_copied_first(client: SonioxClient) -> None:
    """A pipe has no length, so it is copied to disk first."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        with os.fdopen(writing, "wb") as sink:
            sink.write(b"x" * 1000)
        assert client.files.upload(source).size == 1000


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (b"", ConfigurationError),
        (io.StringIO("text"), TypeError),
        (12, TypeError),
        (None, TypeError),
        ("/does/not/exist.wav", FileNotFoundError),
        ("https://example.com/a.mp3", ConfigurationError),
        ("", ConfigurationError),
        ("a\0.wav", ConfigurationError),
        (b"/home/me/a.wav", ConfigurationError),
        (bytearray(b"meeting.wav"), ConfigurationError),
        ("/", ConfigurationError),
    ],
)
def test_unusable_files_are_refused_at_once(
    serve: Serve, file: Any, error: type[Exception]
) -> None:
    """For an empty, text or missing file no connection is made."""
    server = serve(reply(FILE))
    with server.client() as client, pytest.raises(error):
        client.files.upload(file)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("https://example.com/a.mp3", r"file: .*, got a URL; .*transcribe_and_wait\(audio_url="),
        (b"https://example.com/a.mp3", "got a path or URL as bytes; pass a path as str"),
        ("/", "file: expected a file, got a directory; pass its files one by one"),
    ],
)
def test_what_is_not_a_file_is_refused_with_advice(
    client: SonioxClient, file: Any, message: str
) -> None:
    """A URL, a path as bytes and a directory are refused with what to pass, in every call."""
    for upload in (
        lambda: client.files.upload(file),
        lambda: client.stt.transcribe(file=file),
        lambda: client.voices.create(file, name="Nora"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            upload()


def test_a_file_that_is_too_large_is_refused_at_once(serve: Serve, tmp_path: Path) -> None:
    """More than 1 GiB is refused before a byte is sent."""
    path = tmp_path / "huge"
    with open(path, "wb") as file:
        file.truncate(1_073_741_825)
    server = serve(reply(FILE))
    with server.client() as client, pytest.raises(ConfigurationError, match="too large"):
        client.files.upload(path)
    assert server.connections == 0


class _Shrinking(io.BytesIO):
    """File that has less data than its size."""

    def read(self, size: Any = -1) -> bytes:
        return super().read(size) if self.tell() < 400_000 else b""


def test_a_file_that_shrinks_during_the_upload_is_an_error(client: SonioxClient) -> None:
    """An upload shorter than announced raises, and creates no file."""
    with pytest.raises(ConfigurationError, match="shorter"):
        client.files.upload(_Shrinking(bytes(1_000_000)))
    assert client.files.count().total == 0


class Discarding(RawHttp):
    """Reads uploads without keeping them: answers after `size` bytes, or resets after `limit`."""

    size = 0
    limit = 1 << 40

    def _serve(self, sock: Any) -> None:
        seen = 0
        try:
            while seen < min(self.limit, self.size):
                data = sock.recv(1 << 20)
                seen += len(data)
                if not data:
                    return
            if seen < self.limit:
                sock.sendall(reply(FILE, "201 Created"))
                sock.recv(1)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        except OSError:
            return
        finally:
            sock.close()


def test_an_upload_does_not_load_the_file(tmp_path: Path) -> None:
    """Sending 64 MiB from disk takes a few blocks of memory."""
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(64 * 1024 * 1024)
    with Discarding(b"") as server, server.client() as client:
        server.size = 64 * 1024 * 1024 + 300
        tracemalloc.start()
        client.files.upload(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


def test_an_upload_lost_in_the_middle_is_not_repeated(tmp_path: Path) -> None:
    """A connection lost during the upload ends the call: one connection, one attempt."""
    with Discarding(b"") as server, server.client() as client:
        server.size, server.limit = 1 << 40, 200_000
        with pytest.raises(SonioxHttpError) as caught:
            client.files.upload(bytes(16 * 1024 * 1024))
        assert caught.value.code == "network_error"
    # the second connection is made by the server's close
    assert server.connections <= 2


def test_a_read_error_is_not_a_network_error(client: SonioxClient) -> None:
    """An exception while reading the file is raised unchanged."""

    class Broken(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output") as caught:
        client.files.upload(Broken(bytes(1000)))
    assert not isinstance(caught.value, SonioxHttpError)


def test_a_cancel_ends_an_upload(serve: Serve) -> None:
    """A token cancelled while the server does not read wakes the sender."""
    token = CancelToken()

    class Stuck(RawHttp):
        def _serve(self, sock: Any) -> None:
            sock.recv(100)
            threading.Thread(target=token.cancel, args=("stop",)).start()
            self.release.wait(PATIENCE)
            sock.close()

    with Stuck(reply(FILE)) as server, server.client() as client:
        with pytest.raises(AbortError, match="stop"):
            client.files.upload(bytes(64 * 1024 * 1024), cancel=token)
        server.release.set()


def test_an_early_refusal_is_raised_as_such(make_sandbox: Callable[..., Sandbox]) -> None:
    """A refused upload raises the service's error, not one for the lost connection."""
    sandbox = make_sandbox(limits={"rest_max_files": 1})
    with sandbox.client() as client:
        client.files.upload(b"abc")
        with pytest.raises(RateLimitError, match="files"):
            client.files.upload(b"abc")


@pytest.fixture
def three(client: SonioxClient) -> Iterator[SonioxClient]:
    """Upload three files."""
    for name in "abc":
        client.files.upload(b"x", filename=name)
    yield client


def test_pages_cover_the_whole_list(three: SonioxClient) -> None:
    """A page has a cursor until the last; it is a sequence of its files."""
    first = three.files.list(limit=2)
    assert [file.filename for file in first] == ["a", "b"] and len(first) == 2
    second = three.files.list(2, first.next_page_cursor)
    assert [file.filename for file in second.files] == ["c"] and second.next_page_cursor is None
    assert [file.filename for file in three.files.list_all(limit=1)] == ["a", "b", "c"]
    counts = three.files.count()
    assert (counts.total, counts.public_api, counts.playground) == (3, 3, 0)


def test_a_bad_cursor_is_an_error(three: SonioxClient) -> None:
    """An invalid cursor raises the service's error, with its slug."""
    with pytest.raises(SonioxHttpError) as caught:
        three.files.list(cursor="nonsense")
    assert caught.value.error_type == "invalid_cursor"


@pytest.mark.parametrize("limit", [0, 1001, -1, True, "5"])
def test_limits_are_checked(three: SonioxClient, limit: Any) -> None:
    """A page size out of range is refused in the call, also of generators."""
    with pytest.raises(ConfigurationError):
        three.files.list(limit=limit)
    with pytest.raises(ConfigurationError):
        three.files.list_all(limit=limit)


def test_an_endless_list_is_an_error(serve: Serve) -> None:
    """A repeated cursor ends the iteration with an error."""
    page = b'{"files": [' + FILE + b'], "next_page_cursor": "again"}'
    noticed = pytest.raises(SonioxHttpError, match="same page twice")
    with serve(reply(page)).client() as client, noticed:
        for _ in client.files.list_all():
            continue


def test_missing_files_are_errors_unless_allowed(three: SonioxClient) -> None:
    """`delete` and `get` raise for a missing file, `delete_if_exists` and `get_or_none` do not."""
    file = three.files.list().files[0]
    three.files.delete(file.id)
    with pytest.raises(NotFoundError):
        three.files.delete(file.id)
    three.files.delete_if_exists(file.id)
    assert three.files.get_or_none(file.id) is None
    with pytest.raises(NotFoundError):
        three.files.get(file.id)


def test_delete_all_reaches_every_page(three: SonioxClient) -> None:
    """Deleting while listing skips nothing."""
    three.files.delete_all(limit=1)
    assert three.files.count().total == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_flaky_network_makes_no_second_file(sandbox: Sandbox, seed: int) -> None:
    """Whatever the fault, a call never creates more than one file."""
    faults: list[Callable[..., Any]] = [
        lambda: sandbox.faults.drop(kind="rest", after_body_bytes=5),
        lambda: sandbox.faults.cut(after_body_bytes=10),
        lambda: sandbox.faults.refuse(503, kind="rest"),
        lambda: sandbox.faults.fin(kind="rest", after_bytes_out=20),
        lambda: sandbox.faults.drop(kind="rest"),
    ]
    faults[seed]()
    with sandbox.client(timeout_sec=5) as client:
        with pytest.raises(SonioxHttpError):
            client.files.upload(bytes(100_000))
        sandbox.faults.clear()
        assert client.files.count().total <= 1
