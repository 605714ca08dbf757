"""A successful response to a call for speech that is not speech is an error, before the first byte.

Captive portals and proxies answer 200 with a page of their own.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import SonioxHttpError
from tests.rest.raw_http import RawHttp, chunked, reply

SAY = {"text": "Hello world.", "voice": "Adrian"}
Serve = Callable[..., RawHttp]

HTML = b"<!DOCTYPE html>\n<html><head><title>Welcome to our hotel</title></head><body>Log in"
JSON = json.dumps({"error_message": "no such route", "status": 404}).encode()
PAGES = {
    "html": (HTML, "text/html; charset=utf-8"),
    "html with another type": (HTML, "application/octet-stream"),
    "html without a type": (HTML, ""),
    "html in Latin-1": ("<html><title>Willkommen für Gäste".encode("latin-1"), "text/html"),
    "html with a byte order mark": (b"\xef\xbb\xbf\r\n<HTML lang='de'>" + HTML, "text/html"),
    "a comment": (b"<!-- portal --><script>location='http://10.0.0.1'</script>", "audio/wav"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "application/xml"),
    "json": (JSON, "application/json"),
    "json with another type": (JSON, "audio/mpeg"),
    "an empty object": (b"{}", "application/json"),
    "a list": (b'[ {"detail": "x"} ]', "application/problem+json"),
    "a word of a page": (b"Unauthorized", "text/html"),
    "nothing": (b"", "audio/wav"),
    "nothing of no type": (b"", ""),
}
FORMATS = ("wav", "mp3", "flac", "opus", "aac", "pcm_s16le", "pcm_mulaw")


def answer(body: bytes, kind: str) -> bytes:
    return reply(body, headers={"Content-Type": kind} if kind else None)


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_not_speech(serve: Serve, page: str, audio_format: str, tmp_path: Path) -> None:
    """A page, a JSON object and nothing at all raise in every call, and replace no file."""
    old = tmp_path / "old.wav"
    old.write_bytes(b"old")
    into = io.BytesIO()
    server = serve(answer(*PAGES[page]))
    options: Any = {**SAY, "audio_format": audio_format}
    with server.client() as client:
        calls: list[Callable[[], object]] = [
            lambda: client.tts.generate(**options),
            lambda: next(client.tts.generate_stream(**options)),
            lambda: client.tts.generate_to_file(old, **options),
            lambda: client.tts.generate_to_file(into, **options),
        ]
        for call in calls:
            with pytest.raises(SonioxHttpError, match=r"POST /tts.*check tts_api_url") as caught:
                call()
            assert (caught.value.code, caught.value.status_code) == ("parse_error", 200)
    assert old.read_bytes() == b"old" and into.getvalue() == b""
    assert list(tmp_path.iterdir()) == [old]


def test_the_error_shows_how_the_page_begins(serve: Serve) -> None:
    """The message quotes the beginning and names the format, and `body_text` has what came."""
    with serve(answer(JSON, "application/json")).client() as client:
        with pytest.raises(SonioxHttpError) as caught:
            client.tts.generate(**SAY)
    assert "it begins with" in str(caught.value) and "no such route" in str(caught.value)
    assert "which is not wav" in str(caught.value)
    assert caught.value.body_text == JSON.decode()


@pytest.mark.parametrize("body", [b"\0\0\0\0 samples", b"ID3\3\0\0 an mp3", b"RI", b"RIF\0"])
def test_a_wav_begins_with_riff(serve: Serve, body: bytes) -> None:
    """Other bytes than a WAV's are refused if a WAV was requested, even if they are audio."""
    with serve(chunked(body)).client() as client, pytest.raises(SonioxHttpError, match="not wav"):
        client.tts.generate(**SAY)


@pytest.mark.parametrize(
    ("audio_format", "pieces"),
    [
        ("wav", [b"R", b"I", b"FF", b"rest"]),
        ("wav", [b"RF64....ds64"]),
        ("flac", [b"fL", b"aC\0\0"]),
        ("mp3", [b"ID3\4\0"]),
        ("mp3", [b"\xff\xfb\x90\x64"]),
        ("opus", [b"OggS\0\2"]),
        ("aac", [b"\xff\xf1\x50\x80"]),
        # samples that spell the beginning of a page
        ("pcm_s16le", [b'{"', b"\x03\x00\xfe\xff" * 20]),
        ("pcm_s16le", [b"<html>", bytes(200)]),
        ("pcm_mulaw", [b"{" * 300]),
        ("pcm_mulaw", [b"<AAAA" * 30]),
        ("pcm_f32le", [bytes(8)]),
        # formats that are newer than this library
        ("from_the_future", [b"\x89what"]),
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_speech_is_delivered_whatever_its_type(
    serve: Serve, audio_format: str, pieces: list[bytes], kind: str
) -> None:
    """What can be speech is delivered completely, however it is cut and whatever its type says."""
    head = f"Content-Type: {kind}\r\n" if kind else ""
    with serve(chunked(*pieces, head=head)).client() as client:
        got = b"".join(client.tts.generate_stream(**SAY, audio_format=audio_format))
    assert got == b"".join(pieces)


@pytest.mark.parametrize("audio_format", ["pcm_s16le", "mp3", "wav"])
def test_a_text_without_words_may_have_no_audio(serve: Serve, audio_format: str) -> None:
    """For a text without a letter or digit an empty response is accepted."""
    with serve(reply(b"")).client() as client:
        assert client.tts.generate(text=" ... ", voice="Adrian", audio_format=audio_format) == b""


def test_a_failure_before_the_first_audio_is_raised_as_such(serve: Serve) -> None:
    """A trailer after an empty body says more than that it is empty."""
    end = b"0\r\nX-Tts-Error-Code: 503\r\nX-Tts-Error-Message: No capacity.\r\n\r\n"
    with serve(chunked(end=end)).client() as client:
        with pytest.raises(SonioxHttpError, match="No capacity") as caught:
            client.tts.generate(**SAY)
    assert caught.value.status_code == 503
