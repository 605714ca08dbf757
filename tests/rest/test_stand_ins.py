"""Responses that are not fresh ones of `http.client`: stand-ins, and those that a hook has read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from typing import Any, Optional

import pytest
import requests
import urllib3

from soniox_sync import SonioxClient, SonioxHttpError
from tests.rest.raw_http import FILE, KEY, RawHttp, chunked, reply

Serve = Callable[..., RawHttp]
WAV = b"RIFF" + bytes(200_000)
SAY: Any = {"text": "Hello world.", "voice": "Adrian"}


class Original:
    """What stand-ins have in the place of the response of `http.client`: it has no file."""

    def __init__(self, closed: bool = False) -> None:
        self.msg = Message()  # where `requests` looks for cookies
        self._closed = closed

    def isclosed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True


class Adapter(requests.adapters.BaseAdapter):
    """Adapter that invents its responses."""

    def __init__(
        self, body: bytes, original: Any = None, headers: Optional[Mapping[str, str]] = None
    ) -> None:
        super().__init__()
        self._body, self._original, self._headers = body, original, dict(headers or {})

    def send(self, request: Any, **options: Any) -> requests.Response:
        raw = urllib3.HTTPResponse(
            io.BytesIO(self._body),
            status=200,
            headers=self._headers,
            preload_content=False,
            original_response=self._original,
            request_method=request.method,
        )
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Hold nothing."""


def client_of(adapter: Adapter) -> SonioxClient:
    session = requests.Session()
    session.mount("https://", adapter)
    return SonioxClient(KEY, http_session=session, max_retries=0)


@pytest.mark.parametrize("original", [None, Original(), Original(closed=True)])
def test_a_stand_in_is_read_by_requests(original: Any) -> None:
    """Whatever a stand-in has in the place of the original, its body is read."""
    with client_of(Adapter(FILE, original)) as client:
        assert client.files.get("f1").id == "f1"
    with client_of(Adapter(WAV, original)) as client:
        assert client.tts.generate(**SAY, audio_format="wav")[:4] == b"RIFF"
        assert b"".join(client.tts.generate_stream(**SAY)) == WAV


def test_a_stand_in_may_be_compressed() -> None:
    """A compressed body of a stand-in is unpacked by `requests`, and not twice."""
    packed = gzip.compress(FILE)
    with client_of(Adapter(packed, Original(), {"Content-Encoding": "gzip"})) as client:
        assert client.files.get("f1").id == "f1"
    # a recorder that has kept the bytes and lost the header
    with client_of(Adapter(packed, Original())) as client:
        assert client.files.get("f1").id == "f1"
    with client_of(Adapter(packed[:-9], Original())) as client:
        with pytest.raises(SonioxHttpError, match="incomplete"):
            client.files.get("f1")


def test_a_stand_in_that_is_cut_off_is_an_error() -> None:
    """Fewer bytes than its Content-Length are an error, with every version of urllib3."""
    adapter = Adapter(WAV, Original(), {"Content-Length": str(len(WAV) + 1)})
    with client_of(adapter) as client, pytest.raises(SonioxHttpError) as caught:
        client.tts.generate(**SAY)
    assert caught.value.code == "network_error"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Provide a session of the user's."""
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("make", [reply, chunked], ids=["with a length", "in chunks"])
def test_a_hook_may_read_the_content(
    serve: Serve, session: requests.Session, make: Callable[[bytes], bytes]
) -> None:
    """A hook that has read `response.content`, to log it, takes nothing away."""
    seen: list[bytes] = []
    session.hooks["response"].append(lambda response, **_: seen.append(response.content))
    with serve(make(FILE)).client(http_session=session) as client:
        assert client.files.get("f1").id == "f1"
    with serve(make(WAV)).client(http_session=session) as client:
        assert b"".join(client.tts.generate_stream(**SAY)) == WAV
    assert seen == [FILE, WAV]


@pytest.mark.parametrize("amount", [None, 10], ids=["all", "some"])
@pytest.mark.parametrize("make", [reply, chunked], ids=["with a length", "in chunks"])
def test_a_hook_that_takes_the_body_is_an_error(
    serve: Serve,
    session: requests.Session,
    make: Callable[[bytes], bytes],
    amount: Optional[int],
) -> None:
    """What a hook has read past `requests` is gone: an error, and no empty or short body."""
    session.hooks["response"].append(lambda response, **_: response.raw.read(amount) and None)
    for body in (FILE, WAV):
        with serve(make(body)).client(http_session=session, max_retries=0) as client:
            with pytest.raises(SonioxHttpError, match=r"use response\.content"):
                client.tts.generate(**SAY) if body is WAV else client.files.get("f1")


def test_an_empty_body_is_no_error(serve: Serve, session: requests.Session) -> None:
    """Nothing is missing from a response without a body."""
    with serve(reply(b"", "204 No Content")).client(http_session=session) as client:
        client.files.delete("f1")
