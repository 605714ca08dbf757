"""Reading a trace back, and a client of which every frame is traced."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

from soniox_sync import SonioxClient
from soniox_sync.runtime.connection import Connection
from soniox_sync.runtime.trace.trace import Trace
from soniox_sync.transport.connect import Target
from tests.peers import Listener, RawPeer, message
from tests.runtime.pairs import text_frame
from tests.waiting import WAIT

KEY = "sk-Trace/test+key-0123456789"
Line = dict[str, Any]


def lines_of(source: Any) -> list[Line]:
    """Return the lines of a trace at a path, in a file object or as text, each of which is JSON."""
    if isinstance(source, io.BytesIO):
        text = source.getvalue().decode("utf-8")
    elif isinstance(source, io.StringIO):
        text = source.getvalue()
    else:
        text = Path(source).read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def of_kind(lines: Iterable[Line], *kinds: str) -> list[Line]:
    """Return the lines of these kinds."""
    return [line for line in lines if line["kind"] in kinds]


def said(lines: Iterable[Line], direction: str) -> list[Any]:
    """Return the contents of the messages in one direction: JSON, text or audio object."""
    return [
        next(line[name] for name in ("json", "text", "binary") if name in line)
        for line in of_kind(lines, "message")
        if line["direction"] == direction
    ]


def traced(trace: Any, url: str, listener: Optional[Listener] = None, **options: Any) -> Connection:
    """Return a connection to `url`, not open yet, that is recorded."""
    target = options.pop("target", None) or Target(
        url, headers=(f"Authorization: Bearer {KEY}", "User-Agent: test"), secrets=(KEY,)
    )
    recorder = trace if isinstance(trace, Trace) else Trace(trace, options.pop("audio", False))
    return Connection(
        target, listener or Listener(), ping_interval_sec=None, trace=recorder, **options
    )


def client_of(url: str, trace: Any, **options: Any) -> SonioxClient:
    """Return a client that talks to the WebSocket server at `url`."""
    return SonioxClient(
        **{"api_key": KEY, "stt_ws_url": url, "tts_ws_url": url, "trace": trace, **options}
    )


def exchange(trace: Any, peer: RawPeer, listener: Optional[Listener] = None) -> None:
    """Open a connection, send and receive one message, and close it."""
    listener = listener or Listener()
    connection = traced(trace, peer.url, listener)
    connection.open(WAIT)
    remote = peer.accept()
    connection.send(lambda: text_frame('{"a":"é"}'))
    remote.recv_frame()
    remote.send(message(tokens=[]))
    listener.take()
    connection.close(0.0)
