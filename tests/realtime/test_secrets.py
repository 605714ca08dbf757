"""The key is shown nowhere: in no repr, log record, exception or traceback."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from soniox_sync.errors import RealtimeError, StateError
from tests.peers import RawPeer, Remote, close_frame, frame, message, text
from tests.realtime.servers import KEY, RAW, VOICE, client_for, failure, raised_by, terminated
from tests.waiting import drain


class Shown(logging.Handler):
    """Collects everything that users and logs could see."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.logged = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.logged += 1
        self.texts += [logging.Formatter().format(record), repr(record.args), repr(record.msg)]

    def error(self, error: BaseException) -> BaseException:
        """Record all that an exception shows: message, repr, chain, attributes."""
        self.texts += traceback.format_exception(type(error), error, error.__traceback__)
        seen: set[int] = set()
        link: Any = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            self.texts += [str(link), repr(link), repr(vars(link)), repr(link.args)]
            link = link.__cause__ or link.__context__
        return error

    def objects(self, *items: Any) -> None:
        """Record the reprs and attributes of objects."""
        self.texts += [form(item) for item in items for form in (repr, str)]

    def check(self) -> None:
        """Fail when the key is anywhere."""
        assert self.logged, "no log was captured: the check would prove nothing"
        for seen in self.texts:
            assert KEY not in seen, seen
            assert KEY[5:] not in seen, seen


@pytest.fixture
def shown() -> Iterator[Shown]:
    """Capture every logger at DEBUG, then look for the key."""
    found = Shown()
    loggers = [logging.getLogger(name) for name in ("", "soniox_sync", "websocket", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    loggers[0].addHandler(found)
    yield found
    loggers[0].removeHandler(found)
    for logger, level in zip(loggers, levels):
        logger.setLevel(level)
    found.check()


def answer_for(auth: str) -> Callable[[Remote], bytes]:
    """Return the upgrade that a server makes for this way of authentication."""

    def answer(remote: Remote) -> bytes:
        assert remote.request is not None
        chosen = ["Sec-WebSocket-Protocol: soniox-api-key"] if auth == "subprotocol" else []
        return remote.request.accept(*chosen)

    return answer


AUTHS = ["header", "subprotocol", "message"]


@pytest.mark.parametrize("auth", AUTHS)
def test_a_working_session_shows_no_key(shown: Shown, auth: str) -> None:
    """Objects, configs and the DEBUG log of a successful run contain no key, however it is sent."""
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        remote = peer.accept()
        session.send_audio(b"\1\2")
        session.finalize()
        shown.objects(client, client.realtime, session, session.config, session._core.connection)
        shown.objects(session._core.connection._target, vars(session).keys())
        remote.send(message(tokens=[], finished=True), close_frame(1000))
        shown.objects(*session)
        session.close()
        connection = client.realtime.tts.multi_stream()
        remote = peer.accept()
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.send_text("Hello.")
        with contextlib.suppress(StateError):  # gateways may not support it
            connection.keep_alive()
        shown.objects(connection, stream, stream.config, stream.metrics, connection._shared.current)
        shown.objects(connection._shared.plan(), stream._core.record, client.realtime.tts)
        remote.send(terminated("s1"))
        shown.error(raised_by(lambda: stream.wait(10)))
        remote.close()
        connection.close()


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("cut", ["error", "reset", "garbage", "close"])
def test_a_lost_connection_shows_no_key(shown: Shown, auth: str, cut: str) -> None:
    """Errors, their chains and the log of a lost connection contain no key."""
    cuts: dict[str, Callable[[Remote], Any]] = {
        "error": lambda remote: remote.send(failure(401, "unauthenticated"), close_frame(1000)),
        "reset": lambda remote: remote.reset(),
        "garbage": lambda remote: remote.send(b"\xff" * 20),
        "close": lambda remote: remote.send(close_frame(1008, "no")),
    }
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        remote = peer.accept()
        remote.recv_message()
        cuts[cut](remote)
        shown.error(drain(session)[-1])
        for call in (lambda: session.send_audio(b"x"), session.finish, session.finalize):
            shown.error(raised_by(call))
        shown.objects(session)
        session.close()
        stream = client.realtime.tts(**VOICE)
        remote = peer.accept()
        stream.send_text("Hello.")
        remote.recv_message()
        remote.recv_message()
        cuts[cut](remote)
        shown.error(drain(stream)[-1])
        for call in (stream.wait, stream.read, lambda: stream.send_text("x")):
            shown.error(raised_by(call))
        stream.close()


ANSWERS: dict[str, Callable[[Remote], Any]] = {
    "401": lambda remote: b"HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nnope",
    "500": lambda remote: b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "redirect": lambda remote: b"HTTP/1.1 302 Go\r\nLocation: ws://127.0.0.1:9/\r\n\r\n",
    "200": lambda remote: b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": lambda remote: b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "wrong accept": lambda remote: (
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAA\r\n\r\n"
    ),
    "no answer": lambda remote: None,
    "hangs up": lambda remote: remote.reset(),
    "other subprotocol": lambda remote: remote.request.accept("Sec-WebSocket-Protocol: chat"),
}


@pytest.mark.parametrize(
    ("auth", "name"),
    [
        *((auth, name) for auth in AUTHS for name in ANSWERS if name != "other subprotocol"),
        ("subprotocol", "other subprotocol"),
    ],
)
def test_a_refused_upgrade_shows_no_key(shown: Shown, auth: str, name: str) -> None:
    """Whatever the wrong answer to the upgrade, the error and its chain contain no key."""
    with RawPeer(answer=ANSWERS[name]) as peer:
        client = client_for(peer.url, auth=auth)
        options = {"connect_timeout_sec": 0.1 if name == "no answer" else 10.0}
        for call in (
            lambda: client.realtime.stt(**RAW, options=options),
            lambda: client.realtime.tts(**VOICE, **options),
            lambda: client.realtime.tts.multi_stream(**options),
        ):
            shown.error(raised_by(call))
            peer.accept().close()


def test_an_unreachable_server_shows_no_key(shown: Shown) -> None:
    """A refused TCP connection and a name that does not exist show no key."""
    with RawPeer() as peer:
        url = peer.url
    for place in (url, "wss://does-not-exist.invalid/x"):
        client = client_for(place)
        shown.error(raised_by(lambda c=client: c.realtime.stt(**RAW)))


def test_a_refused_config_shows_no_key(shown: Shown, raw_peer: RawPeer) -> None:
    """Configuration errors contain no key, nor do exceptions of a key callable."""
    logging.getLogger("soniox_sync").debug("the log is captured")
    client = client_for(raw_peer.url)
    shown.error(raised_by(lambda: client.realtime.stt(audio_format="pcm_s16le")))
    shown.error(raised_by(lambda: client.realtime.tts(voice=KEY[:0])))
    for bad in (f"{KEY} {KEY}", f"Bearer {KEY}", f"{KEY}\n{KEY}", f"{KEY}é"):
        shown.error(raised_by(lambda b=bad: client_for(raw_peer.url, api_key=b)))


SAID = f"The key {KEY} is not valid."
ECHOES: dict[str, bytes] = {
    "error": message(error_code=401, error_message=SAID, tokens=[], key=[{"was": KEY}]),
    "string error": message(error_code=KEY, error_type=KEY, error_message=SAID, request_id=KEY),
    "not JSON": text(SAID),
    "binary": frame(2, SAID.encode()),
    "odd tokens": message(tokens=KEY),
    "close": close_frame(1008, SAID),
}


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("name", ECHOES)
def test_a_server_that_echoes_the_key_is_not_quoted(shown: Shown, auth: str, name: str) -> None:
    """A key echoed by the server, in any field, is not shown."""
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        remote = peer.accept()
        remote.send(ECHOES[name], close_frame(1000))
        error = drain(session)[-1]
        assert isinstance(error, RealtimeError)
        assert "***" in str(error)
        shown.error(error)
        shown.error(raised_by(session.finish))
        session.close()
        if name == "odd tokens":
            return
        connection = client.realtime.tts.multi_stream()
        remote = peer.accept()
        stream = connection.stream(**VOICE)
        remote.send(ECHOES[name], close_frame(1000))
        for call in (lambda: stream.wait(10), lambda: stream.send_text("x")):
            error = shown.error(raised_by(call))
            assert "***" in str(error)
        connection.close()


def test_a_refusal_that_echoes_the_key_is_not_quoted(shown: Shown) -> None:
    """A key echoed in an HTTP refusal is not shown."""

    def echo(remote: Remote) -> bytes:
        assert remote.request is not None
        body = remote.request.raw
        head = f"HTTP/1.1 403 No\r\nX-Key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    with RawPeer(answer=echo) as peer:
        client = client_for(peer.url)
        for call in (lambda: client.realtime.stt(**RAW), lambda: client.realtime.tts(**VOICE)):
            error = shown.error(raised_by(call))
            assert "***" in str(error)
            peer.accept().close()
