"""The key shows nowhere: no repr, no log record, no exception, no traceback."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from peers import RawLine, RawPeer, close_frame, drain, frame, message, text
from servers import KEY, RAW, VOICE, client_for, failure, raised_by, terminated

from soniox_sync.errors import RealtimeError


class Shown(logging.Handler):
    """Collects everything a user or a log could see."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.logged = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.logged += 1
        self.texts += [logging.Formatter().format(record), repr(record.args), repr(record.msg)]

    def error(self, error: BaseException) -> BaseException:
        """Note an exception as its reader sees it: message, repr, chain, attributes."""
        self.texts += traceback.format_exception(type(error), error, error.__traceback__)
        seen: set[int] = set()
        link: Any = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            self.texts += [str(link), repr(link), repr(vars(link)), repr(link.args)]
            link = link.__cause__ or link.__context__
        return error

    def objects(self, *items: Any) -> None:
        """Note what objects show of themselves."""
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


def answer_for(auth: str) -> Callable[[RawLine], bytes]:
    """Give the upgrade that a server makes for this way of authentication."""

    def answer(line: RawLine) -> bytes:
        assert line.request is not None
        chosen = ["Sec-WebSocket-Protocol: soniox-api-key"] if auth == "subprotocol" else []
        return line.request.accept(*chosen)

    return answer


AUTHS = ["header", "subprotocol", "message"]


@pytest.mark.parametrize("auth", AUTHS)
def test_a_working_session_shows_no_key(shown: Shown, auth: str) -> None:
    """Objects, configs and the DEBUG log of a good run hold no key, however it travels."""
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        line = peer.line()
        session.send_audio(b"\1\2")
        session.finalize()
        shown.objects(client, client.realtime, session, session.config, session._connection)
        shown.objects(session._connection._target, vars(session).keys())
        line.send(message(tokens=[], finished=True), close_frame(1000))
        shown.objects(*session)
        session.close()
        connection = client.realtime.tts.multi_stream()
        line = peer.line()
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.send_text("Hello.")
        connection.keep_alive()
        shown.objects(connection, stream, stream.config, stream.metrics, connection._line)
        shown.objects(connection._plan(), stream._record, client.realtime.tts)
        line.send(terminated("s1"))
        shown.error(raised_by(lambda: stream.wait(10)))
        line.close()
        connection.close()


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("cut", ["error", "reset", "garbage", "close"])
def test_a_failing_line_shows_no_key(shown: Shown, auth: str, cut: str) -> None:
    """Errors, their chains and the log of a lost line hold no key."""
    cuts: dict[str, Callable[[RawLine], Any]] = {
        "error": lambda line: line.send(failure(401, "unauthenticated"), close_frame(1000)),
        "reset": lambda line: line.reset(),
        "garbage": lambda line: line.send(b"\xff" * 20),
        "close": lambda line: line.send(close_frame(1008, "no")),
    }
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        line = peer.line()
        line.recv_message()
        cuts[cut](line)
        shown.error(drain(session)[-1])
        for call in (lambda: session.send_audio(b"x"), session.finish, session.finalize):
            shown.error(raised_by(call))
        shown.objects(session)
        session.close()
        stream = client.realtime.tts(**VOICE)
        line = peer.line()
        stream.send_text("Hello.")
        line.recv_message()
        line.recv_message()
        cuts[cut](line)
        shown.error(drain(stream)[-1])
        for call in (stream.wait, stream.read, lambda: stream.send_text("x")):
            shown.error(raised_by(call))
        stream.close()


ANSWERS: dict[str, Callable[[RawLine], Any]] = {
    "401": lambda line: b"HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nnope",
    "500": lambda line: b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "redirect": lambda line: b"HTTP/1.1 302 Go\r\nLocation: ws://127.0.0.1:9/\r\n\r\n",
    "200": lambda line: b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": lambda line: b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "wrong accept": lambda line: (
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAA\r\n\r\n"
    ),
    "no answer": lambda line: None,
    "hangs up": lambda line: line.reset(),
    "other subprotocol": lambda line: line.request.accept("Sec-WebSocket-Protocol: chat"),
}


@pytest.mark.parametrize(
    ("auth", "name"),
    [
        *((auth, name) for auth in AUTHS for name in ANSWERS if name != "other subprotocol"),
        ("subprotocol", "other subprotocol"),
    ],
)
def test_a_refused_upgrade_shows_no_key(shown: Shown, auth: str, name: str) -> None:
    """Whatever answers the upgrade wrongly, the error and its whole chain hold no key."""
    with RawPeer(answer=ANSWERS[name]) as peer:
        client = client_for(peer.url, auth=auth)
        options = {"connect_timeout_sec": 0.1 if name == "no answer" else 10.0}
        for call in (
            lambda: client.realtime.stt(**RAW, options=options),
            lambda: client.realtime.tts(**VOICE, **options),
            lambda: client.realtime.tts.multi_stream(**options),
        ):
            shown.error(raised_by(call))
            peer.line().close()


def test_an_unreachable_place_shows_no_key(shown: Shown) -> None:
    """A refused TCP connection and a name that does not exist show no key."""
    with RawPeer() as peer:
        url = peer.url
    for place in (url, "wss://does-not-exist.invalid/x"):
        client = client_for(place)
        shown.error(raised_by(lambda c=client: c.realtime.stt(**RAW)))


def test_a_refused_config_shows_no_key(shown: Shown, raw_peer: RawPeer) -> None:
    """Errors of configuration hold no key, nor does what a key callable raised with it."""
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
def test_a_server_that_says_the_key_back_is_not_quoted(shown: Shown, auth: str, name: str) -> None:
    """A server that echoes the key, wherever it can, does not make us show it."""
    with RawPeer(answer=answer_for(auth)) as peer:
        client = client_for(peer.url, auth=auth)
        session = client.realtime.stt(**RAW)
        line = peer.line()
        line.send(ECHOES[name], close_frame(1000))
        error = drain(session)[-1]
        assert isinstance(error, RealtimeError)
        assert "***" in str(error)
        shown.error(error)
        shown.error(raised_by(session.finish))
        session.close()
        if name == "odd tokens":
            return
        connection = client.realtime.tts.multi_stream()
        line = peer.line()
        stream = connection.stream(**VOICE)
        line.send(ECHOES[name], close_frame(1000))
        for call in (lambda: stream.wait(10), lambda: stream.send_text("x")):
            error = shown.error(raised_by(call))
            assert "***" in str(error)
        connection.close()


def test_a_refusal_that_says_the_key_back_is_not_quoted(shown: Shown) -> None:
    """An HTTP refusal that echoes the request does not make us show the key in it."""

    def echo(line: RawLine) -> bytes:
        assert line.request is not None
        body = line.request.raw
        head = f"HTTP/1.1 403 No\r\nX-Key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    with RawPeer(answer=echo) as peer:
        client = client_for(peer.url)
        for call in (lambda: client.realtime.stt(**RAW), lambda: client.realtime.tts(**VOICE)):
            error = shown.error(raised_by(call))
            assert "***" in str(error)
            peer.line().close()
