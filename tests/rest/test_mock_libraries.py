"""Applications are tested with mock libraries: every kind of call works under each of them."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import pytest
import requests

from soniox_sync import AbortError, CancelToken, NotFoundError, SonioxClient, SonioxHttpError
from soniox_sync.audio import wav_header
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import FILE, KEY

SAY: Any = {"text": "Hello world.", "voice": "Adrian"}
WAV = wav_header(sample_rate=24000, data_bytes=200_000) + bytes(200_000)
GONE = {"status_code": 404, "error_type": "file_not_found", "message": "No such file."}
# one after the other, so that the body is not one block
LARGE = bytes(range(256)) * 8192


class Answer:
    """What a mock answers one call with."""

    def __init__(
        self, body: bytes, status: int = 200, headers: Optional[Mapping[str, str]] = None
    ) -> None:
        self.body = body
        self.status = status
        self.headers = dict(headers or {})


class Mocked:
    """A mock library at work: `answer()` sets the next response, `sent` has the bodies."""

    base = "https://mock.example"

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def answer(self, method: str, path: str, answer: Answer) -> None:
        raise NotImplementedError


class Responses(Mocked):
    def __init__(self, library: Any) -> None:
        super().__init__()
        self._library = library

    def answer(self, method: str, path: str, answer: Answer) -> None:
        def match(request: Any) -> tuple[bool, str]:
            self.sent.append(request.body)
            return True, ""

        headers = dict(answer.headers)
        self._library.add(
            method,
            self.base + path,
            body=answer.body,
            status=answer.status,
            content_type=headers.pop("Content-Type", "text/plain"),
            headers=headers,
            match=[match],
        )


class RequestsMock(Mocked):
    def __init__(self, library: Any) -> None:
        super().__init__()
        self._library = library

    def answer(self, method: str, path: str, answer: Answer) -> None:
        def match(request: Any) -> bool:
            self.sent.append(request.body)
            return True

        self._library.register_uri(
            method,
            self.base + path,
            content=answer.body,
            status_code=answer.status,
            headers=answer.headers,
            additional_matcher=match,
        )


class HttpServer(Mocked):
    def __init__(self, library: Any) -> None:
        super().__init__()
        self._library = library
        self.base = library.url_for("").rstrip("/")

    def answer(self, method: str, path: str, answer: Answer) -> None:
        from werkzeug import Request, Response

        def respond(request: Request) -> Response:
            self.sent.append(request.get_data())
            return Response(answer.body, answer.status, answer.headers)

        self._library.expect_request(path, method=method).respond_with_handler(respond)


@pytest.fixture(scope="module")
def http_server() -> Iterator[Any]:
    """Start one server for all tests, since each takes half a second to stop."""
    try:
        from pytest_httpserver import HTTPServer
    except ImportError:
        yield None
        return
    with HTTPServer() as active:
        yield active


@pytest.fixture(params=["responses", "requests_mock", "pytest_httpserver"])
def mocked(request: pytest.FixtureRequest, http_server: Any) -> Iterator[Mocked]:
    """Start each library that is installed."""
    library = pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    if request.param == "responses":
        with library.RequestsMock(assert_all_requests_are_fired=False) as active:
            yield Responses(active)
    elif request.param == "requests_mock":
        with library.Mocker() as active:
            yield RequestsMock(active)
    else:
        yield HttpServer(http_server)
        http_server.clear()


@pytest.fixture(params=["our session", "the user's session"])
def client(request: pytest.FixtureRequest, mocked: Mocked) -> Iterator[SonioxClient]:
    """Provide a client of the mock, with a session of its own or the user's."""
    urls: Any = {"api_url": f"{mocked.base}/v1", "tts_api_url": mocked.base}
    if request.param == "our session":
        with SonioxClient(KEY, **urls) as client:
            yield client
    else:
        with requests.Session() as session:
            with SonioxClient(KEY, **urls, http_session=session) as client:
                yield client


# -- every kind of call ---------------------------------------------------------------------------


def test_json_is_read(mocked: Mocked, client: SonioxClient) -> None:
    """A list and a single object are parsed, and so is what `client.request()` returns."""
    page = b'{"files": [%s], "next_page_cursor": null}' % FILE
    mocked.answer("GET", "/v1/files/f1", Answer(FILE))
    mocked.answer("GET", "/v1/files", Answer(page, headers={"Content-Type": "application/json"}))
    assert [file.id for file in client.files.list()] == ["f1"]
    assert client.files.get("f1").filename == "a.wav"
    assert client.request("GET", "/files")["files"][0]["size"] == 3


def test_compressed_json_is_unpacked(mocked: Mocked, client: SonioxClient) -> None:
    """A compressed response of a mock is unpacked, once."""
    import gzip

    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    mocked.answer("GET", "/v1/files/f1", Answer(gzip.compress(FILE), headers=headers))
    assert client.files.get("f1").filename == "a.wav"


def test_an_error_keeps_its_body(mocked: Mocked, client: SonioxClient) -> None:
    """A 404 has the class, the error type and the message of its body."""
    mocked.answer("GET", "/v1/files/f2", Answer(json.dumps(GONE).encode(), 404))
    with pytest.raises(NotFoundError, match="No such file") as caught:
        client.files.get("f2")
    assert caught.value.error_type == "file_not_found"
    assert json.loads(caught.value.body_text or "") == GONE


def test_a_deletion_without_content_succeeds(mocked: Mocked, client: SonioxClient) -> None:
    """A 204 without a body is a success."""
    mocked.answer("DELETE", "/v1/files/f1", Answer(b"", 204))
    client.files.delete("f1")
    assert len(mocked.sent) == 1


def test_head_has_no_body(mocked: Mocked, client: SonioxClient) -> None:
    """HEAD succeeds although its length announces a body."""
    mocked.answer("HEAD", "/v1/files", Answer(b"", headers={"Content-Length": "500"}))
    assert client.request("HEAD", "/files") is None


def test_speech_is_read_whole_and_as_it_arrives(
    mocked: Mocked, client: SonioxClient, tmp_path: Path
) -> None:
    """`generate`, `generate_stream` and `generate_to_file` return all of the audio."""
    mocked.answer("POST", "/tts", Answer(WAV, headers={"Content-Type": "audio/wav"}))
    assert client.tts.generate(**SAY) == WAV
    with client.tts.generate_stream(**SAY) as pieces:
        got = list(pieces)
    assert b"".join(got) == WAV and len(got) > 1
    path = tmp_path / "a.wav"
    assert client.tts.generate_to_file(path, **SAY) == len(WAV)
    assert path.read_bytes() == WAV
    assert json.loads(mocked.sent[-1])["text"] == SAY["text"]


def test_speech_that_is_left_early_is_closed(mocked: Mocked, client: SonioxClient) -> None:
    """A stream may be closed in its loop, and the next call works."""
    mocked.answer("POST", "/tts", Answer(WAV))
    with client.tts.generate_stream(**SAY) as pieces:
        assert next(pieces)[:4] == b"RIFF"
    assert list(pieces) == []
    assert client.tts.generate(**SAY) == WAV


def test_a_cancel_ends_speech(mocked: Mocked, client: SonioxClient) -> None:
    """A cancel in the loop raises with the next piece, though a mock has no socket to shut."""
    token = CancelToken()
    mocked.answer("POST", "/tts", Answer(WAV))
    with pytest.raises(AbortError):
        for _ in client.tts.generate_stream(**SAY, cancel=token):
            token.cancel()


def test_a_page_in_the_place_of_speech_is_an_error(mocked: Mocked, client: SonioxClient) -> None:
    """An empty body is never taken for audio, nor is a page."""
    mocked.answer("POST", "/tts", Answer(b""))
    with pytest.raises(SonioxHttpError, match="it is empty"):
        client.tts.generate(**SAY)


@pytest.mark.parametrize("content", [b"abc", LARGE], ids=["small", "large"])
def test_an_upload_is_sent_whole(mocked: Mocked, client: SonioxClient, content: bytes) -> None:
    """The body has the file: as bytes, a large one as blocks of them."""
    mocked.answer("POST", "/v1/files", Answer(FILE, 201))
    assert client.files.upload(io.BytesIO(content), filename="a.wav").id == "f1"
    sent = mocked.sent[0]
    assert isinstance(sent, bytes) or content is LARGE
    assert content in (sent if isinstance(sent, bytes) else b"".join(sent))


def test_an_upload_with_progress_can_be_read(mocked: Mocked, client: SonioxClient) -> None:
    """With `on_progress` the body is read while it is sent; a mock may read it, too."""
    seen: list[int] = []
    mocked.answer("POST", "/v1/files", Answer(FILE, 201))
    client.files.upload(b"abc", on_progress=lambda sent, total: seen.append(sent))
    sent = mocked.sent[0]
    assert b"\r\n\r\nabc\r\n" in (sent if isinstance(sent, bytes) else b"".join(sent))
    assert {0, 3} >= set(seen)


def test_other_threads_may_use_the_mock(mocked: Mocked, client: SonioxClient) -> None:
    """Calls of several threads are answered by the mock."""
    mocked.answer("GET", "/v1/files/f1", Answer(FILE))
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(client.files.get("f1").id)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["f1"] * 4


@pytest.mark.parametrize("name", ["responses", "requests_mock"])
def test_a_call_that_the_mock_does_not_know_is_named(name: str) -> None:
    """What a mock says of an unexpected call is in the error, without the key."""
    library = pytest.importorskip(name, reason=f"{name} is not installed")
    active = library.RequestsMock() if name == "responses" else library.Mocker()
    with active, SonioxClient(KEY, max_retries=0) as client:
        with pytest.raises(SonioxHttpError, match=r"(?s)GET .*https://api\.soniox\.com") as caught:
            client.files.get("f1")
    assert KEY not in str(caught.value) and caught.value.code == "network_error"


def test_the_form_matcher_of_responses_reads_an_upload() -> None:
    """`responses.matchers.multipart_matcher` compares the form with what it expects."""
    responses = pytest.importorskip("responses", reason="responses is not installed")
    matchers = importlib.import_module("responses.matchers")
    expected = matchers.multipart_matcher(
        {"file": ("a.wav", b"abc", "application/octet-stream")}, data={"client_reference_id": "r"}
    )
    with responses.RequestsMock() as active, SonioxClient(KEY) as client:
        url = "https://api.soniox.com/v1/files"
        active.post(url, body=FILE, status=201, match=[expected])
        client.files.upload(b"abc", filename="a.wav", client_reference_id="r")


# -- vcrpy ----------------------------------------------------------------------------------------


@pytest.fixture
def cassettes(tmp_path: Path) -> Any:
    """Provide the settings of cassettes in a folder of the test."""
    vcr = pytest.importorskip("vcr", reason="vcrpy is not installed")
    return vcr.VCR(cassette_library_dir=str(tmp_path), filter_headers=["authorization"])


def every_kind(client: SonioxClient, tmp_path: Path) -> list[Any]:
    """Make calls of every kind, and return what they return."""
    file = client.files.upload(io.BytesIO(LARGE), filename="a.wav")
    small = client.files.upload(b"abc", filename="b.wav")
    found: list[Any] = [file.id, small.id, client.files.list().files]
    client.files.delete(file.id)
    with pytest.raises(NotFoundError) as caught:
        client.files.get(file.id)
    found += [str(caught.value), caught.value.body_text]
    found.append(client.tts.generate(**SAY))
    with client.tts.generate_stream(**SAY, audio_format="pcm_s16le") as pieces:
        found.append(b"".join(pieces))
    client.tts.generate_to_file(tmp_path / "a.wav", **SAY)
    with client.tts.generate_stream(**SAY, audio_format="flac") as pieces:
        found.append(next(pieces)[:4])
    return [*found, (tmp_path / "a.wav").read_bytes()]


@pytest.fixture(params=["our session", "the user's session"])
def clients(
    request: pytest.FixtureRequest, sandbox: Sandbox
) -> Iterator[Callable[[], SonioxClient]]:
    """Provide clients of the sandbox, with a session of their own or one of the user's."""
    urls: Any = {"api_url": sandbox.urls.api, "tts_api_url": sandbox.urls.tts_api}
    with requests.Session() as session:
        if request.param == "the user's session":
            urls["http_session"] = session
        made: list[SonioxClient] = []

        def make() -> SonioxClient:
            made.append(SonioxClient(KEY, **urls))
            return made[-1]

        yield make
        for client in made:
            client.close()


def test_a_cassette_records_and_replays(
    cassettes: Any, clients: Callable[[], SonioxClient], sandbox: Sandbox, tmp_path: Path
) -> None:
    """What was recorded is replayed equally, without a service; there is no key in the cassette."""
    with cassettes.use_cassette("calls.yaml") as cassette:
        recorded = every_kind(clients(), tmp_path)
    assert len(cassette) == 9
    assert KEY.encode() not in (tmp_path / "calls.yaml").read_bytes()
    sandbox.close()
    with cassettes.use_cassette("calls.yaml", record_mode="none") as cassette:
        assert every_kind(clients(), tmp_path) == recorded
    assert cassette.play_count == 9


def test_a_call_that_was_not_recorded_is_an_error(
    cassettes: Any, clients: Callable[[], SonioxClient], sandbox: Sandbox
) -> None:
    """Nothing reaches the network that the cassette does not have."""
    client = clients()
    with cassettes.use_cassette("none.yaml", record_mode="none"):
        with pytest.raises(Exception, match=r"[Cc]assette"):
            client.files.list()
    assert sandbox.log.entries() == []


# vcrpy before 8 drops the connections that were kept before, without closing them
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_client_may_be_used_before_in_and_after_a_cassette(
    cassettes: Any, clients: Callable[[], SonioxClient], sandbox: Sandbox
) -> None:
    """Kept connections are not mixed up: a cassette sees its own calls, and no others."""
    client = clients()
    client.files.list()
    with cassettes.use_cassette("one.yaml") as cassette:
        client.files.list()
    client.files.list()
    assert len(cassette) == 1
    with cassettes.use_cassette("one.yaml", record_mode="none") as cassette:
        client.files.list()
    assert cassette.play_count == 1
    client.files.upload(b"abc")
    assert client.files.count().total == 1


FIRST_IN_A_CASSETTE = """
import sys, vcr
from soniox_sync import SonioxClient
with SonioxClient("key", api_url=sys.argv[1]) as client:
    assert "requests" not in sys.modules or "soniox_sync.rest.adapter" not in sys.modules
    with vcr.use_cassette(sys.argv[2]) as cassette:
        client.files.list()
    assert len(cassette) == 1
    with vcr.use_cassette(sys.argv[2], record_mode="none"):
        client.files.list()
    client.files.list()
from soniox_sync.rest import adapter
import urllib3.connection
bases = (adapter._Connection.__mro__[1], adapter._SecureConnection.__mro__[2])
assert bases == (urllib3.connection.HTTPConnection, urllib3.connection.HTTPSConnection), bases
"""


def test_the_first_call_of_a_process_may_be_in_a_cassette(sandbox: Sandbox, tmp_path: Path) -> None:
    """What is imported while a cassette is in use works after it, too."""
    pytest.importorskip("vcr", reason="vcrpy is not installed")
    done = subprocess.run(
        [sys.executable, "-c", FIRST_IN_A_CASSETTE, sandbox.urls.api, str(tmp_path / "a.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
