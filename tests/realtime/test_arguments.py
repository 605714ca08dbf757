"""Wrong arguments of clients and everything real-time: one outcome, one form of message."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from soniox_sync import CancelToken, SlngClient, SonioxClient
from soniox_sync.sources import IterableSource
from tests.arguments import (
    CONVERSATION,
    SAY,
    STREAM,
    TIMES,
    TRANSCRIPTION,
    Entry,
    check_complete,
    check_refusals,
    entry,
    made,
    options_of,
)
from tests.peers import RawPeer
from tests.realtime.servers import RAW, VOICE, client_for

URLS = dict.fromkeys(("stt_ws_url", "tts_ws_url"), "str")
CLIENT = {
    **URLS,
    "stt_defaults": "mapping",
    "tts_defaults": "mapping",
    "default_session_options": "mapping",
    "buffer_queue_size": "int",
    "permissions": "object",
    "timeout_sec": "seconds",
    "proxy": "str",
    "ssl_context": "object",
    "trace": "trace",
    "trace_audio": "bool",
}
PATIENCE = {
    "max_reconnect_attempts": "int",
    "reconnect_base_delay_sec": "limit",
    "max_reconnect_delay_sec": "limit",
    "give_up_after_sec": "limit",
    "stable_after_sec": "limit",
}
RECORDING = {
    **TRANSCRIPTION,
    "auto_reconnect": "bool",
    **PATIENCE,
    "reset_transcript_on_reconnect": "bool",
    "replay_window_sec": "seconds",
    "rotate_after_sec": "seconds",
    "translation_watchdog": "bool",
    "catch_up_speed": "number",
    "catch_up_burst_sec": "seconds",
    "buffer_queue_size": "int",
    "session_options": "mapping",
    "cancel": "cancel",
}
NESTED = ("context", "translation")
SPOKEN = {**{k: v for k, v in STREAM.items() if k != "stream_id"}, **TIMES}
ON = {"event": "choice", "handler": "callable"}
IN = {"source": b"\0\0", **RAW}

OF_CLIENTS = [
    made(
        SonioxClient,
        {
            **CLIENT,
            "api_key": "secret",
            "region": "str",
            "base_domain": "str",
            "api_url": "str",
            "tts_api_url": "str",
            "auth": "choice",
            "max_retries": "int",
            "http_session": "object",
        },
        others=("config", "verify"),
    ),
    made(
        SlngClient,
        {
            **CLIENT,
            "api_key": "secret",
            "provider_key": "secret",
            "base_url": "str",
            "agent_id": "name",
            "session_id": "name",
        },
        others=("world_part", "region", "verify"),
    ),
    entry(
        "client.realtime.stt",
        {**TRANSCRIPTION, "config": "mapping", "options": "mapping", "cancel": "cancel"},
        needs=RAW,
        others=NESTED,
    ),
    entry(
        "client.realtime.record",
        RECORDING,
        needs={"source": IterableSource([b"\0\0"]), **RAW},
        others=("source", "session_config", *NESTED),
    ),
    entry(
        "client.realtime.transcribe",
        {**RECORDING, "pace": "pace"},
        needs=IN,
        others=("source", "session_config", *NESTED),
    ),
    entry(
        "client.realtime.speak",
        {**SPOKEN, **PATIENCE, "max_quiet_sec": "seconds", "timestamps": "bool"},
        needs={"text": "Hi.", **SAY},
        others=("text", "stream_id"),
    ),
    entry(
        "client.realtime.converse",
        {
            **{k: v for k, v in SPOKEN.items() if k not in ("bitrate", "return_timestamps")},
            **PATIENCE,
            **CONVERSATION,
            "reply": "callable",
            "text_filter": "callable",
            "options": "mapping",
            "stt": "mapping",
            "tts": "mapping",
            "cancel": "cancel",
            "max_quiet_sec": "seconds",
            "timestamps": "bool",
        },
        needs={"source": b"\0\0", "reply": str, "sink": None, "voice": "Emma"},
        others=("source", "sink", "stream_id", "bitrate", "return_timestamps"),
    ),
    entry("client.realtime.tts", {**STREAM, **TIMES, "input": "mapping"}, needs=SAY),
    entry("client.realtime.tts.multi_stream", TIMES),
    entry("client.realtime.tts.pool", {**TIMES, "max_connections": "int", "max_streams": "int"}),
]

# the same calls of the gateway's client take ids as well
OF_THE_GATEWAY = [
    entry(
        each.name.replace("client.", "gateway.", 1),
        {"agent_id": "name", "session_id": "name"},
        needs=each.needs,
        others=(*each.options, *each.others),
    )
    for each in OF_CLIENTS
    if each.name.startswith("client.realtime.")
]

OF_OBJECTS = [
    *[
        entry(
            f"session.{method}",
            {"chunks": "chunks", "pace_sec": "limit", "finish": "bool"},
            needs={"chunks": []},
        )
        for method in ("send_stream", "start_sending")
    ],
    *[
        entry(f"{name}.send_message", {"message": "extra"}, needs={"message": {"type": "newer"}})
        for name in ("session", "recording")
    ],
    entry("session.finalize", {"trailing_silence_ms": "int"}),
    entry("session.pause", {"finalize": "bool", "drop": "bool"}),
    entry("session.finish", {"timeout_sec": "limit"}),
    entry("session.read", {"timeout_sec": "limit"}),
    entry("session.next_event", {"timeout_sec": "limit"}),
    entry("transcription.read", {"timeout_sec": "limit"}),
    entry("transcription.next_event", {"timeout_sec": "limit"}),
    entry("recording.cancel", {"error": "exception"}),
    entry("recording.stop", {"timeout_sec": "limit"}),
    entry("recording.wait", {"timeout_sec": "limit"}),
    entry("recording.read", {"timeout_sec": "limit"}),
    entry("recording.next_event", {"timeout_sec": "limit"}),
    entry(
        "connection.stream",
        {**STREAM, "input": "mapping", "wait_sec": "limit"},
        needs=VOICE,
    ),
    entry("pool.stream", {**STREAM, "input": "mapping", "wait_sec": "limit"}, needs=VOICE),
    entry(
        "pool.speak",
        {
            **{k: v for k, v in STREAM.items() if k != "stream_id"},
            **PATIENCE,
            "max_quiet_sec": "seconds",
            "timestamps": "bool",
            "wait_sec": "limit",
        },
        needs={"text": "Hi.", **VOICE},
        others=("text", "stream_id"),
    ),
    entry("pool.warm", {"n": "int"}),
    entry("pool.close", {"timeout_sec": "limit"}),
    entry("stream.send_text", {"text": "str", "end": "bool"}, needs={"text": "Hi."}),
    entry("stream.send_stream", {"texts": "texts"}),
    entry("stream.wait", {"timeout_sec": "limit"}),
    entry("stream.read", {"timeout_sec": "limit"}),
    entry("stream.save", {"path": "output"}),
    entry("speech.read", {"timeout_sec": "limit"}),
    entry("speech.save", {"path": "output"}),
    *[
        entry(f"{name}.{method}", ON, needs={"event": "error", "handler": print})
        for name in ("session", "recording", "stream", "connection")
        for method in ("on", "once", "off")
    ],
    entry("token.wait", {"timeout": "limit"}),
    entry("token.on_cancel", {"fn": "callable"}),
]


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    """Provide one of each object; a call that is not refused fails with another error."""
    with RawPeer() as peer:
        client = client_for(peer.url)
        session = client.realtime.stt(**RAW)
        connection = client.realtime.tts.multi_stream()
        pool = client.realtime.tts.pool()
        speech = client.realtime.speak(iter(()), **VOICE)
        transcription = client.realtime.transcribe(b"\0\0", **RAW)
        nobody = client_for("ws://127.0.0.1:1")
        # of session, connection and speech: none may be opened while a test looks for leaks
        remotes = [peer.accept() for _ in range(3)]
        yield SimpleNamespace(
            client=nobody,
            gateway=SlngClient("a-key", base_url="ws://127.0.0.1:1"),
            session=session,
            connection=connection,
            stream=connection.stream(**VOICE),
            pool=pool,
            speech=speech,
            transcription=transcription,
            recording=transcription.recording,
            token=CancelToken(),
        )
        for remote in remotes:
            remote.close()
        for each in (session, connection, pool, speech, transcription):
            each.close()


ENTRIES = [*OF_CLIENTS, *OF_THE_GATEWAY, *OF_OBJECTS]


@pytest.mark.parametrize(("where", "name"), options_of(ENTRIES))
def test_wrong_arguments_are_refused(world: Any, where: Entry, name: str) -> None:
    """A wrong type is an `InputTypeError`, a wrong value another `ConfigurationError`, by name."""
    check_refusals(world, where, name)


@pytest.mark.parametrize("where", ENTRIES, ids=lambda each: each.name)
def test_no_option_is_forgotten(world: Any, where: Entry) -> None:
    """Every parameter of an entry point is in the table."""
    check_complete(world, where)
