"""The log at DEBUG: what was sent and received, in one vocabulary, without key, audio or text."""

from __future__ import annotations

import logging
import re

import pytest

from soniox_sync import SonioxClient
from tests.peers import RawPeer, close_frame, message
from tests.realtime.servers import (
    KEY,
    RAW,
    audio,
    begin,
    client_for,
    connected_stt,
    connected_tts,
    failure,
    result,
    terminated,
    token,
    whole,
)
from tests.waiting import WAIT


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the logged lines; all contain the number of the one connection."""
    found = [record.getMessage() for record in caplog.records if record.name == "soniox_sync"]
    numbers = {match[1] for match in map(re.compile(r" \[(\d+)\]$").search, found) if match}
    assert len(numbers) == 1, found
    return [line.rpartition(" [")[0] for line in found]


def in_order(wanted: list[str], found: list[str]) -> bool:
    """Return whether lines with these beginnings were found, in this order."""
    rest = iter(found)
    return all(any(line.startswith(start) for line in rest) for start in wanted)


@pytest.mark.parametrize("auth", ["header", "message"])
def test_a_session_is_logged(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture, auth: str
) -> None:
    """Config, control messages, sizes of audio and results, errors: no key, no word, no sample."""
    client = SonioxClient(KEY, stt_ws_url=raw_peer.url, auth=auth)
    with caplog.at_level(logging.DEBUG, "soniox_sync"):
        with connected_stt(raw_peer, client=client) as (session, remote):
            session.send_audio(b"\1\2" * 100)
            session.finalize()
            session.keep_alive()
            remote.send(result(token("Secret"), final_audio_proc_ms=40, total_audio_proc_ms=60))
            remote.send(failure(503, "service_unavailable"), close_frame())
            with pytest.raises(Exception, match=r"503|service"):
                list(session)
    found = lines(caplog)
    assert in_order(
        [
            "= session connecting",
            "= open to 127.0.0.1",
            "= session connected",
            "> config {",
            "> audio 200 bytes",
            '> {"type":"finalize"}',
            '% {"type":"keepalive"}',
            "< result 1 tokens, 40 of 60 ms final",
            "< error",
            "= session error",
            "= closed",
        ],
        found,
    ), found
    everything = "\n".join(found)
    assert RAW["audio_format"] in everything
    assert KEY not in everything
    assert "Secret" not in everything


@pytest.mark.parametrize("auth", ["header", "message"])
def test_a_stream_is_logged(raw_peer: RawPeer, caplog: pytest.LogCaptureFixture, auth: str) -> None:
    """Config, size of text, size of audio, errors, cancels, `terminated`: no key and no text."""
    client = client_for(raw_peer.url, auth=auth)
    with caplog.at_level(logging.DEBUG, "soniox_sync"):
        with connected_tts(raw_peer, client=client) as (connection, remote):
            stream = begin(connection, remote, "s1")
            remote.send(audio("s1", b"12"), whole("s1", b"345"))
            assert stream.read(WAIT) == b"12345"
            other = begin(connection, remote, "s2")
            other.cancel()
            remote.recv_message()
            remote.send(terminated("s2"))
            other.wait(WAIT)
            third = begin(connection, remote, "s3")
            remote.send(message(stream_id="s3", error_code=400, error_message="Bad text."))
            remote.send(terminated("s3"))
            with pytest.raises(Exception, match="Bad text"):
                third.read(WAIT)
            remote.await_handled()
    found = lines(caplog)
    assert in_order(
        [
            "= open to 127.0.0.1",
            "> config {",
            "> text s1 6 chars",
            "< audio s1 2 bytes",
            "< audio s1 3 bytes end",
            "< terminated s1",
            "> config {",
            "> cancel s2",
            "< terminated s2",
            "< error s3 ",
            "< terminated s3",
            "= closed",
        ],
        found,
    ), found
    everything = "\n".join(found)
    assert KEY not in everything
    assert "Hello." not in everything


def test_what_a_server_sends_neither_shows_the_key_nor_controls_the_terminal(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """A key in the name of a stream is redacted; line feeds and escapes are escaped."""
    with caplog.at_level(logging.DEBUG, "soniox_sync"):
        with connected_tts(raw_peer) as (_, remote):
            stream_id = f"{KEY}\n! forged \x1b[2J\x9b\u2028"
            remote.send(message(stream_id=stream_id, error_code=400, error_message="a\nb"))
            remote.await_handled()
    (late,) = [line for line in lines(caplog) if line.startswith("< late frame")]
    assert KEY not in late
    assert late.startswith("< late frame for ***\\n! forged \\x1b[2J\\x9b\\u2028 ignored: a\\nb")
