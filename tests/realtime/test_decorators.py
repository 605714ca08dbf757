"""Handlers can be registered by decorators: `@session.on("result")`."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError, StateError
from soniox_sync.sources import IterableSource
from tests.peers import RawPeer, close_frame
from tests.realtime.servers import (
    RAW,
    audio,
    begin,
    client_for,
    connected_stt,
    connected_tts,
    finished,
    result,
    terminated,
    token,
)
from tests.waiting import WAIT


def test_a_handler_of_a_session(raw_peer: RawPeer) -> None:
    """The decorated function is the handler and is returned unchanged; `once` runs it once."""
    with connected_stt(raw_peer) as (session, remote):
        texts: list[str] = []
        firsts: list[str] = []
        over = threading.Event()

        @session.on("result")
        def show(result: Any) -> None:
            texts.append(result.text)

        @session.once("token")
        def first(token: Any) -> None:
            firsts.append(token.text)

        @session.on("finished")
        def done() -> None:
            over.set()

        assert callable(show)
        show(type("Result", (), {"text": "called by hand"}))
        remote.send(result(token("One ")), result(token("two")), finished())
        assert over.wait(WAIT)
        assert texts == ["called by hand", "One ", "two"]
        assert firsts == ["One "]
        session.off("result", show)
        with pytest.raises(StateError):
            iter(session)


def test_a_handler_of_a_stream_and_a_connection(raw_peer: RawPeer) -> None:
    """Streams and connections accept decorators, too."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        chunks: list[bytes] = []
        ends: list[str] = []
        closed = threading.Event()

        @stream.on("audio")
        def play(chunk: bytes) -> None:
            chunks.append(chunk)

        @stream.once("terminated")
        def end() -> None:
            ends.append("terminated")

        @connection.once("close")
        def close() -> None:
            closed.set()

        remote.send(audio("s1", b"one", end=True), terminated("s1"))
        stream.wait(WAIT)
        stream.close()
        remote.answer_close()
        connection.close()
        assert closed.wait(WAIT)
        assert (chunks, ends) == ([b"one"], ["terminated"])


def test_a_handler_of_a_recording(raw_peer: RawPeer) -> None:
    """Recordings accept decorators, too."""
    source = IterableSource([b"\1\0" * 1600])
    recording = client_for(raw_peer.url).realtime.record(source=source, **RAW)
    with raw_peer.accept() as remote:
        texts: list[str] = []

        @recording.on("result")
        def show(result: Any) -> None:
            texts.append(result.text)

        while remote.recv_message().payload:
            pass
        remote.send(result(token("One ")), finished(), close_frame())
        recording.wait(WAIT)
        recording.close()
        assert texts == ["One "]


def test_invalid_handlers_are_refused(raw_peer: RawPeer) -> None:
    """`None`, an unknown event and an `async def` are refused, decorated or not."""
    with connected_stt(raw_peer) as (session, _):
        with pytest.raises(InputTypeError, match="handler: expected a callable, got None"):
            session.on("result", None)
        with pytest.raises(ConfigurationError, match="did you mean 'result'"):

            @session.on("reslut")
            def show(result: Any) -> None: ...

        with pytest.raises(InputTypeError, match=r"handler: .*got an async def"):

            @session.on("result")
            async def later(result: Any) -> None: ...

        remote_free = session.on("endpoint", lambda: None)
        assert remote_free is session
