"""What the service would refuse is refused locally, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from soniox_sync import SonioxClient
from soniox_sync._support.checks import kind_of
from soniox_sync.errors import ConfigurationError, StateError
from tests.peers import RawPeer
from tests.realtime.servers import (
    KEY,
    RAW,
    VOICE,
    begin,
    client_for,
    connected_stt,
    connected_tts,
    raised_by,
)

LONG = "x" * 257

BAD_STT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no rate", {"audio_format": "pcm_s16le", "num_channels": 1}, ["sample_rate", "pcm_s16le"]),
    ("no channels", {"audio_format": "mulaw", "sample_rate": 8000}, ["num_channels", "mulaw"]),
    ("rate 0", {**RAW, "sample_rate": 0}, ["sample_rate"]),
    ("rate text", {**RAW, "sample_rate": "16000"}, ["sample_rate"]),
    ("rate float", {**RAW, "sample_rate": 16000.0}, ["sample_rate"]),
    ("channels bool", {**RAW, "num_channels": True}, ["num_channels"]),
    ("reference", {**RAW, "client_reference_id": LONG}, ["client_reference_id", "256"]),
    ("model", {**RAW, "model": "m" * 51}, ["model", "50"]),
    ("no model", {**RAW, "model": ""}, ["model"]),
    ("hints str", {**RAW, "language_hints": "en"}, ["language_hints"]),
    ("hints twice", {**RAW, "language_hints": ["en", "en"]}, ["language_hints", "en"]),
    ("hints number", {**RAW, "language_hints": [1]}, ["language_hints"]),
    ("delay", {**RAW, "max_endpoint_delay_ms": 499}, ["max_endpoint_delay_ms", "500", "3000"]),
    ("sensitivity", {**RAW, "endpoint_sensitivity": 1.01}, ["endpoint_sensitivity", "1"]),
    ("sensitivity nan", {**RAW, "endpoint_sensitivity": float("nan")}, ["endpoint_sensitivity"]),
    (
        "level",
        {**RAW, "endpoint_latency_adjustment_level": 4},
        ["endpoint_latency_adjustment_level", "3"],
    ),
    ("flag", {**RAW, "enable_speaker_diarization": "yes"}, ["enable_speaker_diarization"]),
    ("translation", {**RAW, "translation": "de"}, ["translation"]),
    ("one way", {**RAW, "translation": {"type": "one_way"}}, ["target_language"]),
    ("unknown", {**RAW, "langauge_hints": ["en"]}, ["langauge_hints", "language_hints"]),
    ("extra twice", {**RAW, "extra": {"model": "x"}}, ["extra", "model"]),
]


@pytest.mark.parametrize(("name", "config", "shown"), BAD_STT, ids=[b[0] for b in BAD_STT])
def test_a_bad_transcription_config_is_refused_before_connecting(
    raw_peer: RawPeer, name: str, config: dict[str, Any], shown: list[str]
) -> None:
    """The error names the field and its limit, is a ValueError, and no connection was made."""
    error = raised_by(lambda: client_for(raw_peer.url).realtime.stt(**config))
    assert isinstance(error, ConfigurationError), repr(error)
    assert isinstance(error, ValueError)
    for part in shown:
        assert part in str(error)
    assert raw_peer.idle


BAD_TTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("nothing", {}, ["language", "voice", "audio_format"]),
    ("no voice", {"language": "en", "audio_format": "wav"}, ["voice"]),
    ("id 257", {**VOICE, "stream_id": LONG}, ["stream_id", "256"]),
    ("id empty", {**VOICE, "stream_id": ""}, ["stream_id"]),
    ("id number", {**VOICE, "stream_id": 7}, ["stream_id"]),
    ("speed 2.0", {**VOICE, "speed": 2.0}, ["speed", "0.7", "1.3"]),
    ("speed 0.69", {**VOICE, "speed": 0.69}, ["speed", "0.7", "1.3"]),
    ("speed text", {**VOICE, "speed": "fast"}, ["speed"]),
    ("voice long", {**VOICE, "voice": "v" * 51}, ["voice", "50"]),
    ("rate", {**VOICE, "sample_rate": 12345}, ["sample_rate", "24000"]),
    ("bitrate", {**VOICE, "bitrate": 64000}, ["bitrate"]),
    ("reference", {**VOICE, "client_reference_id": LONG}, ["client_reference_id", "256"]),
    ("unknown", {**VOICE, "voise": "Nora"}, ["voise", "voice"]),
    ("extra twice", {**VOICE, "extra": {"voice": "Nora"}}, ["extra", "voice"]),
]


@pytest.mark.parametrize(("name", "fields", "shown"), BAD_TTS, ids=[b[0] for b in BAD_TTS])
def test_a_bad_voice_config_is_refused_before_connecting(
    raw_peer: RawPeer, name: str, fields: dict[str, Any], shown: list[str]
) -> None:
    """A single stream refuses what the service would, without opening its connection."""
    error = raised_by(lambda: client_for(raw_peer.url).realtime.tts(**fields))
    assert isinstance(error, ConfigurationError), repr(error)
    for part in shown:
        assert part in str(error)
    assert raw_peer.idle


def test_a_refused_stream_leaves_its_connection_untouched(raw_peer: RawPeer) -> None:
    """A refused config takes no slot and sends nothing on a shared connection."""
    with connected_tts(raw_peer) as (connection, remote):
        for _, fields, _ in BAD_TTS:
            assert isinstance(
                raised_by(lambda f=fields: connection.stream(**f)), ConfigurationError
            )
        assert connection.active_streams == 0
        connection.keep_alive()
        assert remote.recv_message().json == {"keep_alive": True}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 5001, "5000"),
        ("ж" * 2501, "5000"),
        (b"bytes", "str"),
        (None, "str"),
        ("half \ud800 pair", "surrogate"),
    ],
    ids=["5001 bytes", "5002 bytes", "bytes", "None", "surrogate"],
)
def test_bad_text_is_refused_before_the_config_is_sent(
    raw_peer: RawPeer, text: Any, shown: str
) -> None:
    """Refused text sends nothing, neither itself nor the config, and the stream stays usable.

    Of a language model's chunks `None` and half of a pair are none: those are for `send_stream`.
    """
    with connected_tts(raw_peer) as (connection, remote):
        stream = connection.stream(**VOICE, stream_id="s1")
        error = raised_by(lambda: stream.send_text(text))
        assert isinstance(error, ConfigurationError)
        assert shown in str(error)
        assert "text" in str(error)
        if text is not None and shown != "surrogate":
            assert isinstance(raised_by(lambda: stream.send_stream([text])), ConfigurationError)
            assert stream.state == "ended"  # send_stream cancels what it cannot complete
        connection.keep_alive()
        assert remote.recv_message().json == {"keep_alive": True}


def test_the_text_limit_counts_bytes_over_the_whole_stream(raw_peer: RawPeer) -> None:
    """5000 UTF-8 bytes fit into a stream, however chunked; the next byte is refused."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")  # six bytes
        stream.send_text("ж" * 2000)
        assert remote.recv_message().json["text"] == "ж" * 2000
        error = raised_by(lambda: stream.send_text("x" * 995))
        assert isinstance(error, ConfigurationError)
        assert "4006" in str(error)
        stream.send_text("x" * 994, end=True)
        assert remote.recv_message().json["text_end"] is True


@pytest.mark.parametrize("audio", ["text", None, 7, [1, 2], {"a": 1}])
def test_audio_that_is_not_bytes_is_refused(raw_peer: RawPeer, audio: Any) -> None:
    """A str or anything else for audio raises, a ValueError and TypeError, and sends nothing."""
    with connected_stt(raw_peer) as (session, remote):
        for call in (lambda: session.send_audio(audio), lambda: session.send_stream([audio])):
            error = raised_by(call)
            assert isinstance(error, ConfigurationError)
            assert isinstance(error, TypeError)
            assert f"got {kind_of(audio)}" in str(error)
        session.keep_alive()
        assert remote.recv_message().json == {"type": "keepalive"}


@pytest.mark.parametrize("source", [b"one piece", bytearray(b"x"), "path.wav"])
def test_a_single_chunk_is_not_accepted_as_a_stream(raw_peer: RawPeer, source: Any) -> None:
    """`send_stream` refuses bytes and str, whose items are numbers and letters."""
    with connected_stt(raw_peer) as (session, _):
        error = raised_by(lambda: session.send_stream(source))
        assert isinstance(error, ConfigurationError)
        assert "send_audio" in str(error)


def stt_with(**options: Any) -> Callable[[Any], Any]:
    """Return a call that opens a session with these options."""
    return lambda client: client.realtime.stt(options=options, **RAW)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (stt_with(keepalive_interval_sec=0), "keepalive_interval_sec"),
        (stt_with(connect_timeout_sec=-1), "connect_timeout_sec"),
        (stt_with(max_buffered_events=0), "max_buffered_events"),
        (stt_with(finish_timeout_sec="10"), "finish_timeout_sec"),
        (stt_with(pingg_interval_sec=1), "pingg_interval_sec"),
        (lambda client: client.realtime.tts.multi_stream(connect_timeout_sec=0), "connect_timeout"),
        (lambda client: client.realtime.tts(**VOICE, ping_timeout_sec=-2), "ping_timeout_sec"),
        (
            lambda client: client.realtime.tts.multi_stream(ping_timeout=1),
            "mean 'ping_timeout_sec'",
        ),
        (lambda client: client.realtime.tts.pool(ping_interval=1), "mean 'ping_interval_sec'"),
    ],
)
def test_bad_options_are_refused(raw_peer: RawPeer, call: Callable[[Any], Any], shown: str) -> None:
    """Options out of their range are refused by name, before connecting."""
    error = raised_by(lambda: call(client_for(raw_peer.url)))
    assert isinstance(error, ConfigurationError)
    assert shown in str(error)
    assert raw_peer.idle


def test_a_missing_key_is_refused_before_connecting(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key the error says where one is looked up, and how to use none."""
    monkeypatch.delenv("SONIOX_API_KEY", raising=False)
    client = SonioxClient(stt_ws_url=raw_peer.url, tts_ws_url=raw_peer.url)
    for call in (lambda: client.realtime.stt(**RAW), lambda: client.realtime.tts(**VOICE)):
        error = raised_by(call)
        assert isinstance(error, ConfigurationError)
        assert "SONIOX_API_KEY" in str(error)
        assert "sandbox" in str(error)
    assert raw_peer.idle


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": "cookie"},
        {"region": "not a region"},
        {"stt_ws_url": "https://stt-rt.soniox.com"},
        {"timeout_sec": 0},
        {"max_retries": -1},
        {"proxy": 7},
        {"verify": "/no/such/file.pem"},
        {"tts_defaults": {"voise": "Nora"}},
        {"api_key": 17},
    ],
    ids=lambda s: next(iter(s)),
)
def test_a_client_refuses_bad_settings_at_construction(settings: dict[str, Any]) -> None:
    """Settings that are evidently wrong are refused at construction, by name."""
    error = raised_by(lambda: client_for("ws://127.0.0.1:9/", **settings))
    assert isinstance(error, ConfigurationError), repr(error)
    (name,) = settings
    assert name.split("_")[0] in str(error)
    assert KEY not in str(error)


def test_a_colon_key_cannot_be_a_subprotocol(raw_peer: RawPeer) -> None:
    """An old temporary key with auth="subprotocol" is refused, and not shown."""
    client = client_for(raw_peer.url, api_key="temp:abc123", auth="subprotocol")
    error = raised_by(lambda: client.realtime.tts(**VOICE))
    assert isinstance(error, ConfigurationError)
    assert "abc123" not in str(error)
    assert raw_peer.idle


def test_a_sixth_stream_is_refused_without_a_message(raw_peer: RawPeer) -> None:
    """The sixth stream is refused locally: the service receives five."""
    with connected_tts(raw_peer) as (connection, remote):
        held = [connection.stream(**VOICE, stream_id=f"s{n}") for n in range(5)]
        error = raised_by(lambda: connection.stream(**VOICE))
        assert len(held) == 5  # unreferenced streams would end
        assert isinstance(error, StateError)
        assert "5" in str(error)
        assert "wait_sec" in str(error)
        connection.keep_alive()
        assert remote.recv_message().json == {"keep_alive": True}
