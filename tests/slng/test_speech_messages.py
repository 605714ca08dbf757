"""Every message of the gateway's speech route, byte for byte. PROTOCOL 8.2."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from soniox_sync import SlngClient
from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    ConfigurationError,
    NetworkError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
    StateError,
)
from tests.peers import RawPeer
from tests.slng.wire import KEY, READY, VOICE, client_for, connected_speech, recv_text, send_texts
from tests.waiting import drain

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


def begin(connection: Any, remote: Any, name: str = "s1") -> Any:
    """Start a stream with its first text."""
    stream = connection.stream(**VOICE, stream_id=name)
    stream.send_text("Hello.")
    assert recv_text(remote) == INIT.replace('"s1"', f'"{name}"')
    assert recv_text(remote) == HELLO.replace('"s1"', f'"{name}"')
    return stream


def test_a_whole_stream_byte_for_byte(raw_peer: RawPeer) -> None:
    """A stream sends init (with the first text), text, end, and gets audio until `terminated`."""
    with connected_speech(raw_peer) as (connection, remote):
        assert remote.request.path == "/v1/tts/soniox/tts-rt:v1"
        stream = begin(connection, remote)
        stream.send_text("Grüße, 東京 “.”")
        assert recv_text(remote) == (
            '{"type":"text","stream_id":"s1","text":"Grüße, 東京 “.”","text_end":false}'
        )
        stream.finish()
        assert recv_text(remote) == END
        send_texts(remote, ONE, LAST, TERMINATED)
        assert [(c.audio, c.audio_end) for c in stream.events()] == [
            (b"one", False),
            (b"two", True),
        ]
        stream.wait(5)
        assert stream.state == "ended"


def test_cancel_is_a_clear(raw_peer: RawPeer) -> None:
    """A cancelled stream sends `clear`, drops late audio, ends with `terminated`."""
    with connected_speech(raw_peer) as (connection, remote):
        stream = begin(connection, remote)
        stream.cancel()
        assert recv_text(remote) == CLEAR
        send_texts(remote, ONE, TERMINATED)
        stream.wait(5)
        assert list(stream) == []


def test_each_stream_sends_its_own_init(raw_peer: RawPeer) -> None:
    """The gateway ends a stream with its audio: the next one sends an init, even with its id."""
    with connected_speech(raw_peer) as (connection, remote):
        for _ in range(3):
            stream = begin(connection, remote)
            stream.finish()
            assert recv_text(remote) == END
            send_texts(remote, LAST, TERMINATED)
            assert stream.read(5) == b"two"


def test_a_late_error_for_an_ended_stream_changes_nothing(raw_peer: RawPeer) -> None:
    """The gateway's "not found" for an ended id affects neither the connection nor a new stream."""
    with connected_speech(raw_peer) as (connection, remote):
        first = begin(connection, remote)
        send_texts(remote, LAST, TERMINATED)
        assert first.read(5) == b"two"
        second = begin(connection, remote, "s2")
        send_texts(
            remote,
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
def test_an_error_and_its_terminated_are_one_failure(
    raw_peer: RawPeer, code: int, kind: type
) -> None:
    """An error frame fails its stream with the class of its code, after the audio before it."""
    with connected_speech(raw_peer) as (connection, remote):
        stream = begin(connection, remote)
        send_texts(
            remote,
            ONE,
            f'{{"type":"error","error_code":{code},"error_message":"No such voice.",'
            '"stream_id":"s1"}',
            TERMINATED,
        )
        received = drain(stream)
        assert received[0] == b"one"
        assert isinstance(received[1], kind)
        assert received[1].status_code == code
        assert "No such voice" in str(received[1])
        assert len(received) == 2


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
def test_undocumented_spellings(raw_peer: RawPeer, frames: list[str]) -> None:
    """`ready`, other cases, payload under `data`, a typed `audio_end`: the audio is the same."""
    with connected_speech(raw_peer) as (connection, remote):
        stream = begin(connection, remote)
        stream.finish()
        send_texts(remote, *frames)
        assert stream.read(5) == b"onetwo"
        stream.wait(5)


def test_a_long_chunk_is_received_whole(raw_peer: RawPeer) -> None:
    """Audio of more than a few hundred bytes is received whole, however it is wrapped."""
    import base64

    pcm = bytes(range(256)) * 40
    encoded = base64.b64encode(pcm).decode()
    with connected_speech(raw_peer) as (connection, remote):
        stream = begin(connection, remote)
        send_texts(
            remote,
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
    with connected_speech(raw_peer) as (connection, remote):
        streams = [begin(connection, remote, name) for name in ("s1", "s2")]
        send_texts(remote, frame)
        for stream in streams:
            (error,) = drain(stream)
            assert isinstance(error, AuthError)
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
def test_an_error_of_one_stream_leaves_the_others_running(
    raw_peer: RawPeer, frame: str, kind: type
) -> None:
    """An error that names its stream, in any spelling, fails that one; the other continues."""
    with connected_speech(raw_peer) as (connection, remote):
        first, second = (begin(connection, remote, name) for name in ("s1", "s2"))
        send_texts(remote, frame, TERMINATED, LAST.replace('"s1"', '"s2"'))
        send_texts(remote, TERMINATED.replace('"s1"', '"s2"'))
        (error,) = drain(first)
        assert isinstance(error, kind)
        assert "Busy" in str(error)
        assert second.read(5) == b"two"


@pytest.mark.parametrize(
    "frame",
    ['{"type":"audio_chunk","audio":7,"stream_id":"s1"}', "not JSON", "[1]", '{"stream_id":17}'],
)
def test_garbage_is_a_connection_error(raw_peer: RawPeer, frame: str) -> None:
    """A frame that is not a message fails the streams with SonioxConnectionError."""
    with connected_speech(raw_peer) as (connection, remote):
        stream = begin(connection, remote)
        send_texts(remote, ONE, frame)
        received = drain(stream)
        assert received[0] == b"one"
        assert type(received[1]) is SonioxConnectionError
        assert received[1].code == "protocol_error"


def test_a_stream_lost_after_an_audio_end_is_incomplete(raw_peer: RawPeer) -> None:
    """More audio may follow an `audio_end`; a stream lost during it is not complete."""
    ended = '{"type":"audio_end","duration":0.1,"stream_id":"s1"}'
    with connected_speech(raw_peer) as (connection, remote):
        whole, cut = (begin(connection, remote, name) for name in ("s2", "s1"))
        for frame in (ONE, ended, ONE, ended, TERMINATED):
            send_texts(remote, frame.replace('"s1"', '"s2"'))
        assert whole.read(5) == b"oneone"
        send_texts(remote, ONE, ended, ONE, TERMINATED)
        received = drain(cut)
        assert b"".join(received[:-1]) == b"oneone"
        assert isinstance(received[-1], NetworkError)


def test_the_error_for_a_wrong_provider_key_has_advice(raw_peer: RawPeer) -> None:
    """`backend_connection_failed` names the argument and the header of the provider's key."""
    with connected_speech(raw_peer) as (connection, remote):
        stream = begin(connection, remote)
        send_texts(
            remote, '{"type":"error","code":"backend_connection_failed","message":"Upstream."}'
        )
        (error,) = drain(stream)
        assert isinstance(error, RealtimeError)
        assert error.error_type == "backend_connection_failed"
        assert "provider_key" in str(error)
        assert "X-Slng-Provider-Key" in str(error)


def test_no_keepalive_is_ever_sent(raw_peer: RawPeer) -> None:
    """The route documents none: `keep_alive()` raises and sends nothing."""
    from tests.realtime.servers import assert_nothing_received

    with connected_speech(raw_peer) as (connection, remote):
        with pytest.raises(StateError, match="the gateway has none for speech"):
            connection.keep_alive()
        assert_nothing_received(remote)
        assert connection.is_connected


@pytest.mark.parametrize("where", ["connection", "own connection", "pool", "speak", "pool.speak"])
def test_a_model_that_contradicts_the_route_is_refused(raw_peer: RawPeer, where: str) -> None:
    """Another model per call is refused: the route would silently use its own."""
    client = client_for(raw_peer)
    fields = {**VOICE, "model": "tts-rt-v2"}
    with client.realtime.tts.pool() as pool:
        with connected_speech(raw_peer) as (connection, _):
            calls: dict[str, Callable[[], Any]] = {
                "connection": lambda: connection.stream(**fields),
                "own connection": lambda: client.realtime.tts(**fields),
                "pool": lambda: pool.stream(**fields),
                "speak": lambda: client.realtime.speak("Hello.", **fields),
                "pool.speak": lambda: pool.speak("Hello.", **fields),
            }
            with pytest.raises(ConfigurationError) as caught:
                calls[where]()
            said = str(caught.value)
            assert said.startswith("model: expected 'tts-rt-v1', the model of this client's route")
            assert "got 'tts-rt-v2'; for another one set tts_defaults=" in said
            connection.stream(**{**VOICE, "model": "tts-rt:v1"}).close()
    assert raw_peer.idle


def test_a_custom_url_allows_any_speech_model(raw_peer: RawPeer) -> None:
    """With `tts_ws_url` the model is sent as given."""
    client = SlngClient(KEY, tts_ws_url=raw_peer.url)
    with client.realtime.tts(**{**VOICE, "model": "tts-rt-v9"}) as stream:
        with raw_peer.accept() as remote:
            stream.send_text("Hello.")
            assert '"model":"tts-rt-v9"' in recv_text(remote)


def test_the_model_of_the_defaults_selects_the_route(raw_peer: RawPeer) -> None:
    """The model of `tts_defaults` selects the route; fields it does not document are sent, too."""
    client = client_for(raw_peer, tts_defaults={"model": "tts-rt-v2", **VOICE})
    with client.realtime.tts(stream_id="s1", speed=1.1, extra={"style": "calm"}) as stream:
        with raw_peer.accept() as remote:
            assert remote.request.path == "/v1/tts/soniox/tts-rt:v2"
            stream.send_text("Hello.")
            assert recv_text(remote) == INIT.replace("rt-v1", "rt-v2").replace(
                "24000}", '24000,"speed":1.1,"style":"calm"}'
            )
            assert KEY not in recv_text(remote)


@pytest.mark.parametrize("model", ["tts-rt:v1", "soniox/tts-rt:v1"])
def test_a_speech_model_may_be_named_as_its_route(raw_peer: RawPeer, model: str) -> None:
    """The gateway's name of a model selects its route; the init has the service's name."""
    with connected_speech(raw_peer, tts_defaults={"model": model}) as (connection, remote):
        assert remote.request.path == "/v1/tts/soniox/tts-rt:v1"
        streams = [begin(connection, remote)]
        streams.append(connection.stream(**VOICE, stream_id="s2", model=model))
        streams[1].send_text("Hello.")
        assert recv_text(remote) == INIT.replace('"s1"', '"s2"')
