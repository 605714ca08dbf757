"""Crash reporters record the local variables of tracebacks: the key is in none of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import websocket

from soniox_sync import SonioxClient
from soniox_sync.errors import SonioxError
from soniox_sync.realtime.stt.core import SessionCore
from tests.frames import leaks_of
from tests.peers import Authority, RawPeer, Remote, close_frame, message
from tests.realtime.servers import (
    KEY,
    RAW,
    VOICE,
    client_for,
    failure,
    finished,
    raised_by,
    result,
    token,
)
from tests.realtime.test_secrets import ANSWERS, AUTHS, answer_for
from tests.waiting import WAIT, drain

Open = Callable[[SonioxClient, float], Any]
OPENINGS: dict[str, Open] = {
    "stt": lambda client, sec: client.realtime.stt(**RAW, options={"connect_timeout_sec": sec}),
    "tts": lambda client, sec: client.realtime.tts(**VOICE, connect_timeout_sec=sec),
    "multi_stream": lambda client, sec: client.realtime.tts.multi_stream(connect_timeout_sec=sec),
    "transcribe": lambda client, sec: client.realtime.transcribe(
        bytes(32000), **RAW, options={"connect_timeout_sec": sec}, give_up_after_sec=0.1
    ).read(),
    "speak": lambda client, sec: client.realtime.speak(
        "Hello.", **VOICE, connect_timeout_sec=sec, give_up_after_sec=0.1
    ).read(),
}


def check(call: Callable[[], object]) -> None:
    """Fail if a local variable of the error that `call` raises shows the key."""
    assert leaks_of(raised_by(call), KEY, KEY[5:]) == []


@pytest.mark.parametrize(
    ("auth", "name", "opening"),
    [
        *((auth, name, "stt") for auth in AUTHS for name in ANSWERS if name[:5] != "other"),
        ("subprotocol", "other subprotocol", "stt"),
        *(("header", name, opening) for name in ("401", "hangs up") for opening in OPENINGS),
    ],
)
def test_a_refused_upgrade(auth: str, name: str, opening: str) -> None:
    """Whatever the wrong answer to the upgrade, no frame of the error holds the key."""
    with RawPeer(answer=ANSWERS[name]) as peer:
        client = client_for(peer.url, auth=auth)
        check(lambda: OPENINGS[opening](client, 0.1 if name == "no answer" else 10.0))


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_dead_network(opening: str) -> None:
    """Connections that are refused: no frame of the error holds the key."""
    with RawPeer() as peer:
        url = peer.url
    check(lambda: OPENINGS[opening](client_for(url), 10.0))


def test_an_unknown_host() -> None:
    """A name that cannot be resolved: no frame of the error holds the key."""
    client = client_for("wss://does-not-exist.invalid/x")
    check(lambda: OPENINGS["stt"](client, 10.0))


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_dead_proxy(opening: str) -> None:
    """A proxy that cannot be reached: no frame of the error holds the key."""
    with RawPeer() as peer:
        proxy = peer.url.replace("ws:", "http:")
    client = client_for("wss://192.0.2.1/", proxy=proxy)
    check(lambda: OPENINGS[opening](client, 10.0))


@pytest.mark.parametrize("opening", OPENINGS)
def test_an_error_of_tls(opening: str, authority: Authority) -> None:
    """A certificate that is not trusted: no frame of the error holds the key."""
    with RawPeer(tls=authority.server) as peer:
        check(lambda: OPENINGS[opening](client_for(peer.url), 10.0))


LOSSES: dict[str, Callable[[Remote], object]] = {
    "401": lambda remote: remote.send(failure(401, "unauthenticated"), close_frame(1000)),
    "401 that echoes it": lambda remote: remote.send(
        message(error_code=401, error_message=f"The key {KEY} is not valid."), close_frame(1000)
    ),
    "close that echoes it": lambda remote: remote.send(close_frame(1008, f"bad key {KEY}")),
    "not JSON": lambda remote: remote.send(message()[:2] + b"x", close_frame(1000)),
    "reset": lambda remote: remote.reset(),
    "garbage": lambda remote: remote.send(b"\xff" * 20),
}


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_connection(auth: str, loss: str) -> None:
    """Error frames and lost connections: no frame of any call's error holds the key."""
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        remote = peer.accept()
        LOSSES[loss](remote)
        assert leaks_of(drain(session)[-1], KEY) == []
        for call in (lambda: session.send_audio(b"x"), session.finish, session.finalize):
            check(call)
        session.close()
        stream = client.realtime.tts(**VOICE)
        remote = peer.accept()
        LOSSES[loss](remote)
        assert leaks_of(drain(stream)[-1], KEY) == []
        for call in (stream.wait, stream.read, lambda: stream.send_text("x")):
            check(call)
        stream.close()


def test_a_refusal_before_the_start_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session refused before its first message, which would have the key, has no such local."""
    send = SessionCore._send

    def send_late(core: SessionCore, *arguments: Any) -> None:
        assert core.over.wait(WAIT)
        send(core, *arguments)

    monkeypatch.setattr(SessionCore, "_send", send_late)

    def refuse(remote: Remote) -> bytes:
        assert remote.request is not None
        return remote.request.accept() + failure(401, "unauthenticated") + close_frame(1000)

    with RawPeer(answer=refuse) as peer:
        client = client_for(peer.url, auth="message")
        check(lambda: client.realtime.stt(**RAW))


def test_a_stream_that_is_not_admitted(closing_peer: RawPeer) -> None:
    """A stream refused before its first message, which would have the key, has no such local."""
    client = client_for(closing_peer.url, auth="message")
    connection = client.realtime.tts.multi_stream()
    streams = [connection.stream(**VOICE, stream_id="s1")]
    check(lambda: connection.stream(**VOICE, stream_id="s1"))
    streams += [connection.stream(**VOICE) for _ in range(4)]
    check(lambda: connection.stream(**VOICE))
    for stream in streams:
        stream.cancel()
    connection.close()


def test_an_own_callback_that_raises(raw_peer: RawPeer, caplog: pytest.LogCaptureFixture) -> None:
    """The exception of a handler, as it is logged, and that of an audio iterator."""

    def chunks() -> Iterator[bytes]:
        yield b"\0\0"
        raise ZeroDivisionError

    def fail(_: object) -> None:
        raise ZeroDivisionError

    session = client_for(raw_peer.url).realtime.stt(**RAW)
    remote = raw_peer.accept()
    over = threading.Event()
    session.on("result", fail).on("disconnected", over.set)
    remote.send(result(token("Hello.")), finished(), close_frame())
    assert over.wait(WAIT)
    (logged,) = [record.exc_info for record in caplog.records if record.exc_info]
    assert logged[1] is not None
    assert leaks_of(logged[1], KEY) == []
    sending = client_for(raw_peer.url).realtime.stt(**RAW)
    with pytest.raises(ZeroDivisionError) as raised:
        sending.send_stream(chunks())
    assert leaks_of(raised.value, KEY) == []
    sending.close()


def test_a_key_per_session() -> None:
    """A key in a mapping of session options is in no frame either."""
    with RawPeer(answer=ANSWERS["401"]) as peer:
        client = client_for(peer.url, api_key="another-key")
        check(lambda: client.realtime.stt(**RAW, options={"api_key": KEY}))


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("name", ["accepted", "401", "redirect", "hangs up"])
def test_the_trace_of_websocket_client(
    auth: str, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """With `websocket.enableTrace(True)` the upgrade is shown without the key."""
    websocket.enableTrace(True, level="DEBUG")
    try:
        with RawPeer(answer=answer_for(auth) if name == "accepted" else ANSWERS[name]) as peer:
            client = client_for(peer.url, auth=auth)
            try:
                client.realtime.stt(**RAW).close()
            except SonioxError:
                assert name != "accepted"
            request = peer.accept().request
    finally:
        websocket.enableTrace(False)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "User-Agent: soniox-sync" in said, "nothing was traced"
    assert KEY not in said
    if auth != "message":
        assert request is not None
        assert KEY in request.raw.decode()
