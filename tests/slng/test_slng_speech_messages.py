"""Every message of the gateway's speech route, byte for byte. PROTOCOL 8.2."""

from __future__ import annotations

from typing import Any

import pytest
from peers import RawPeer, drain
from slng_talk import KEY, READY, VOICE, client_for, hears, says, speech_line

from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    NetworkError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
)

INIT = (
    '{"type":"init","stream_id":"s1","model":"tts-rt-v1","language":"en","voice":"Adrian",'
    '"audio_format":"pcm_s16le","sample_rate":24000}'
)
HELLO = '{"type":"text","stream_id":"s1","text":"Hello.","text_end":false}'
END = '{"type":"text","stream_id":"s1","text":"","text_end":true}'
CLEAR = '{"type":"clear","stream_id":"s1","cancel":true}'
ONE = '{"type":"audio_chunk","audio":"b25l","audio_end":false,"stream_id":"s1"}'
LAST = '{"type":"audio_chunk","audio":"dHdv","audio_end":true,"stream_id":"s1"}'
TERMINATED = '{"type":"terminated","terminated":true,"stream_id":"s1"}'


def begin(connection: Any, line: Any, name: str = "s1") -> Any:
    """Start a stream with its first text."""
    stream = connection.stream(**VOICE, stream_id=name)
    stream.send_text("Hello.")
    assert hears(line) == INIT.replace('"s1"', f'"{name}"')
    assert hears(line) == HELLO.replace('"s1"', f'"{name}"')
    return stream


def test_a_whole_stream_byte_for_byte(raw_peer: RawPeer) -> None:
    """A stream is init, text, end; audio comes until `terminated`; the init waits for text."""
    with speech_line(raw_peer) as (connection, line):
        assert line.request.path == "/v1/tts/soniox/tts-rt:v1"
        stream = begin(connection, line)
        stream.send_text("Grüße, 東京 “.”")
        assert hears(line) == (
            '{"type":"text","stream_id":"s1","text":"Grüße, 東京 “.”","text_end":false}'
        )
        stream.finish()
        assert hears(line) == END
        says(line, ONE, LAST, TERMINATED)
        assert [(c.audio, c.audio_end) for c in stream.events()] == [
            (b"one", False),
            (b"two", True),
        ]
        stream.wait(5)
        assert stream.state == "ended"


def test_cancel_is_a_clear(raw_peer: RawPeer) -> None:
    """A cancelled stream sends `clear`, drops late audio, ends with `terminated`."""
    with speech_line(raw_peer) as (connection, line):
        stream = begin(connection, line)
        stream.cancel()
        assert hears(line) == CLEAR
        says(line, ONE, TERMINATED)
        stream.wait(5)
        assert list(stream) == []


def test_each_utterance_is_initialised_anew(raw_peer: RawPeer) -> None:
    """The gateway ends a stream with its utterance: the next one sends its own init, same id."""
    with speech_line(raw_peer) as (connection, line):
        for _ in range(3):
            stream = begin(connection, line)
            stream.finish()
            assert hears(line) == END
            says(line, LAST, TERMINATED)
            assert stream.read(5) == b"two"


def test_text_that_crossed_the_end_of_its_stream_hits_no_other(raw_peer: RawPeer) -> None:
    """The gateway's "not found" for a dead id leaves the connection and a new stream alone."""
    with speech_line(raw_peer) as (connection, line):
        first = begin(connection, line)
        says(line, LAST, TERMINATED)
        assert first.read(5) == b"two"
        second = begin(connection, line, "s2")
        says(
            line,
            '{"type":"error","error_code":400,"error_message":"Stream s1 not found. Send a start '
            'message first.","stream_id":"s1"}',
            LAST.replace('"s1"', '"s2"'),
            TERMINATED.replace('"s1"', '"s2"'),
        )
        assert second.read(5) == b"two"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, BadRequestError), (401, AuthError), (408, NetworkError), (429, QuotaError)],
)
def test_an_error_then_terminated_is_one_failure(raw_peer: RawPeer, code: int, kind: type) -> None:
    """An error frame fails its stream with the class of its code, after the audio before it."""
    with speech_line(raw_peer) as (connection, line):
        stream = begin(connection, line)
        says(
            line,
            ONE,
            f'{{"type":"error","error_code":{code},"error_message":"No such voice.",'
            '"stream_id":"s1"}',
            TERMINATED,
        )
        heard = drain(stream)
        assert heard[0] == b"one"
        assert type(heard[1]) is kind
        assert heard[1].status_code == code
        assert "No such voice" in str(heard[1])
        assert len(heard) == 2


@pytest.mark.parametrize(
    "frames",
    [
        [READY, '{"type":"READY"}', ONE, LAST, TERMINATED],
        [ONE.replace("audio_chunk", "Audio_Chunk"), LAST, TERMINATED.replace("ter", "TER", 1)],
        [
            '{"type":"audio_chunk","data":{"audio":"b25l","stream_id":"s1"}}',
            '{"type":"audio_chunk","data":{"audio":"dHdv","audio_end":true,"stream_id":"s1"}}',
            '{"type":"terminated","data":{"stream_id":"s1"}}',
        ],
        [
            '{"type":"audio_chunk","data":"b25l","stream_id":"s1","sequence":0}',
            '{"type":"audio_chunk","data":"dHdv","stream_id":"s1","sequence":1}',
            '{"type":"audio_end","duration":0.1,"stream_id":"s1"}',
            TERMINATED,
        ],
        [
            ONE,
            '{"type":"segment_start","segment_id":"1"}',
            '{"type":"metadata","data":{"anything":[1]}}',
            '{"type":17,"note":"a type that is no text"}',
            LAST,
            '{"type":"terminated","stream_id":"s1"}',
        ],
        [ONE.replace('"type":"audio_chunk",', ""), LAST, TERMINATED],
    ],
    ids=["ready", "case", "nested", "typed audio_end", "unknown", "untyped"],
)
def test_spellings_seen_in_the_wild(raw_peer: RawPeer, frames: list[str]) -> None:
    """`ready`, other cases, payload under `data`, a typed `audio_end`: the audio is the same."""
    with speech_line(raw_peer) as (connection, line):
        stream = begin(connection, line)
        stream.finish()
        says(line, *frames)
        assert stream.read(5) == b"onetwo"
        stream.wait(5)


def test_a_long_chunk_is_taken_whole_nested_or_not(raw_peer: RawPeer) -> None:
    """Audio longer than a few hundred bytes arrives as it was, whichever way it is wrapped."""
    import base64

    pcm = bytes(range(256)) * 40
    encoded = base64.b64encode(pcm).decode()
    with speech_line(raw_peer) as (connection, line):
        stream = begin(connection, line)
        says(
            line,
            ONE.replace("b25l", encoded),
            f'{{"type":"audio_chunk","data":{{"audio":"{encoded}","stream_id":"s1"}}}}',
            f'{{"type":"audio_chunk","data":"{encoded}","stream_id":"s1","audio_end":true}}',
            TERMINATED,
        )
        assert stream.read(5) == pcm * 3


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"error","code":"auth_error","message":"Bad key."}',
        '{"type":"error","error_code":"auth_error","error_message":"Bad key."}',
        '{"type":"Error","data":{"code":401,"message":"Bad key."}}',
        '{"type":"error","error":{"code":"auth_error","message":"Bad key."}}',
        '{"error":{"code":"auth_error","message":"Bad key."}}',
        '{"type":"fatal","error_code":401,"error_message":"Bad key."}',
    ],
)
def test_an_error_of_the_gateway_itself_fails_every_stream(raw_peer: RawPeer, frame: str) -> None:
    """An error without a stream, in any spelling, is an AuthError for all streams."""
    with speech_line(raw_peer) as (connection, line):
        streams = [begin(connection, line, name) for name in ("s1", "s2")]
        says(line, frame)
        for stream in streams:
            (error,) = drain(stream)
            assert type(error) is AuthError
            assert "Bad key" in str(error)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ('{"type":"error","code":429,"message":"Busy.","stream_id":"s1"}', QuotaError),
        (
            '{"type":"error","data":{"code":400,"message":"Busy.","stream_id":"s1"}}',
            BadRequestError,
        ),
        ('{"type":"error","error":"Busy.","stream_id":"s1"}', RealtimeError),
        (
            '{"type":"terminated","error_code":503,"error_message":"Busy.","stream_id":"s1"}',
            NetworkError,
        ),
    ],
)
def test_an_error_of_one_stream_spares_the_others(
    raw_peer: RawPeer, frame: str, kind: type
) -> None:
    """An error that names its stream, in any spelling, fails that one; the other speaks on."""
    with speech_line(raw_peer) as (connection, line):
        first, second = (begin(connection, line, name) for name in ("s1", "s2"))
        says(line, frame, TERMINATED, LAST.replace('"s1"', '"s2"'))
        says(line, TERMINATED.replace('"s1"', '"s2"'))
        (error,) = drain(first)
        assert type(error) is kind
        assert "Busy" in str(error)
        assert second.read(5) == b"two"


@pytest.mark.parametrize(
    "frame",
    ['{"type":"audio_chunk","audio":7,"stream_id":"s1"}', "not JSON", "[1]", '{"stream_id":17}'],
)
def test_garbage_is_a_connection_error(raw_peer: RawPeer, frame: str) -> None:
    """What is no message at all fails the streams with SonioxConnectionError."""
    with speech_line(raw_peer) as (connection, line):
        stream = begin(connection, line)
        says(line, ONE, frame)
        heard = drain(stream)
        assert heard[0] == b"one"
        assert type(heard[1]) is SonioxConnectionError
        assert heard[1].code == "protocol_error"


def test_audio_behind_an_audio_end_was_not_the_end(raw_peer: RawPeer) -> None:
    """A gateway may end the audio of a piece; a stream cut off in the next is not complete."""
    ended = '{"type":"audio_end","duration":0.1,"stream_id":"s1"}'
    with speech_line(raw_peer) as (connection, line):
        whole, cut = (begin(connection, line, name) for name in ("s2", "s1"))
        for frame in (ONE, ended, ONE, ended, TERMINATED):
            says(line, frame.replace('"s1"', '"s2"'))
        assert whole.read(5) == b"oneone"
        says(line, ONE, ended, ONE, TERMINATED)
        heard = drain(cut)
        assert b"".join(heard[:-1]) == b"oneone"
        assert isinstance(heard[-1], NetworkError)


def test_a_wrong_provider_key_says_what_to_check(raw_peer: RawPeer) -> None:
    """`backend_connection_failed` names the argument and the header of the provider's key."""
    with speech_line(raw_peer) as (connection, line):
        stream = begin(connection, line)
        says(line, '{"type":"error","code":"backend_connection_failed","message":"Upstream."}')
        (error,) = drain(stream)
        assert isinstance(error, RealtimeError)
        assert error.error_type == "backend_connection_failed"
        assert "provider_key" in str(error)
        assert "X-Slng-Provider-Key" in str(error)


def test_no_keepalive_is_ever_sent(raw_peer: RawPeer) -> None:
    """None is documented on this route: a quiet connection stays quiet, also when asked."""
    from servers import nothing_came

    with speech_line(raw_peer) as (connection, line):
        connection.keep_alive()
        nothing_came(line)


def test_the_model_of_the_defaults_chooses_the_route(raw_peer: RawPeer) -> None:
    """`tts_defaults` name model and route together; fields the route does not document pass."""
    client = client_for(raw_peer, tts_defaults={"model": "tts-rt-v2", **VOICE})
    with client.realtime.tts(stream_id="s1", speed=1.1, extra={"style": "calm"}) as stream:
        with raw_peer.line() as line:
            assert line.request.path == "/v1/tts/soniox/tts-rt:v2"
            stream.send_text("Hello.")
            assert hears(line) == INIT.replace("rt-v1", "rt-v2").replace(
                "24000}", '24000,"speed":1.1,"style":"calm"}'
            )
            assert KEY not in hears(line)


@pytest.mark.parametrize("model", ["tts-rt:v1", "soniox/tts-rt:v1"])
def test_a_speech_model_may_be_named_as_its_route(raw_peer: RawPeer, model: str) -> None:
    """The gateway's name of a model leads to its route; the init has the service's name."""
    with speech_line(raw_peer, tts_defaults={"model": model}) as (connection, line):
        assert line.request.path == "/v1/tts/soniox/tts-rt:v1"
        begin(connection, line)
        connection.stream(**VOICE, stream_id="s2", model=model).send_text("Hello.")
        assert hears(line) == INIT.replace('"s1"', '"s2"')
