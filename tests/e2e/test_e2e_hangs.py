"""Nothing hangs: close, Ctrl-C, the end of the process, fork. API, house conventions."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from peers import WAIT, RawPeer, Task, eventually
from servers import RAW, VOICE, SttService, TtsService, client_for, raised_by

from soniox_sync.errors import SonioxError

PROGRAMS = Path(__file__).with_name("programs.py")
# far above what is promised (0.5 s), far below any time-out: a loaded machine must not fail it
PROMPT_SEC = 3.0


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of the programs; it is killed at the end should it still live."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(PROGRAMS), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Give what the program says next."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    said: dict[str, Any] = json.loads(line)
    return said


WAYS = [
    "connect-stt",
    "connect-tts",
    "stt-iterate",
    "stt-results",
    "stt-finish",
    "stt-send",
    "stt-pace",
    "tts-iterate",
    "tts-events",
    "tts-read",
    "tts-wait",
    "tts-place",
    "tts-save",
    "tts-with",
    "token",
]


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_ends_any_wait(way: str, record_property: Any) -> None:
    """SIGINT during a wait raises KeyboardInterrupt at once, and the process ends soon after."""
    silent = way.startswith("connect")
    answer = {"answer": lambda line: None} if silent else {}
    with RawPeer(receive_buffer=4096, **answer) as peer:
        with program("interrupted", peer.url, way) as process:
            assert "blocked" in told(process)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = told(process)
            assert "interrupted" in said, said
            _, errors = process.communicate(timeout=WAIT)
            ended = time.monotonic() - sent
    took = said["interrupted"] - sent
    record_property("interrupted_sec", round(took, 3))
    record_property("ended_sec", round(ended, 3))
    print(f"{way}: interrupted after {took:.3f} s, process ended after {ended:.3f} s")
    assert took < PROMPT_SEC
    assert ended < 2 * PROMPT_SEC
    assert errors == ""
    assert process.returncode == 0


def test_a_forgotten_close_does_not_keep_the_process_alive() -> None:
    """A program that closes nothing ends by itself, with code 0 and nothing on stderr."""
    with SttService() as stt, TtsService() as tts:
        with program("forgotten", stt.url, tts.url) as process:
            assert told(process) == {"open": True}
            began = time.monotonic()
            _, errors = process.communicate(timeout=WAIT)
            assert time.monotonic() - began < PROMPT_SEC
            assert process.returncode == 0
            assert errors == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_leaves_the_parent_s_connections_alone() -> None:
    """In a child inherited objects fail at once and new ones work; the parent's go on."""
    with SttService() as stt, TtsService() as tts:
        with program("forked", stt.url, tts.url) as process:
            inherited = told(process)["inherited"]
            for name, (kind, code, seconds) in inherited.items():
                assert (kind, code) == ("connection", "forked"), name
                assert seconds < PROMPT_SEC, name
            closing = told(process)
            assert closing["closed"] < PROMPT_SEC
            own = told(process)
            assert own["own"] == "w0 "
            assert own["audio"] == own["again"] == 3 * 960
            assert own["heard"] is True
            assert own["clock"] is True
            assert told(process) == {
                "parent": "w0 w1 ",
                "stream": "ended",
                "session": "finished",
            }
            _, errors = process.communicate(timeout=WAIT)
            assert errors == ""
            assert process.returncode == 0


def closed_after(what: str, peer: RawPeer, reads: bool) -> float:
    """Open `what` at a peer that never answers, close it twice, give the seconds that took."""
    client = client_for(peer.url)
    connection: Any = None
    if what == "stt":
        session = client.realtime.stt(**RAW)
        session.send_audio(b"\0\0")
        close = session.close
    elif what == "tts-single":
        stream = client.realtime.tts(**VOICE)
        stream.send_text("Hello.")
        close = stream.close
    else:
        connection = client.realtime.tts.multi_stream()
        stream = connection.stream(**VOICE)
        stream.send_text("Hello.")
        close = connection.close if what == "tts" else stream.close
    line = peer.line()
    if reads:
        line.recv_message()
    began = time.monotonic()
    close()
    close()
    took = time.monotonic() - began
    line.close()
    if connection is not None:
        connection.close()
    return took


def test_close_is_bounded_with_a_silent_peer() -> None:
    """`close()` returns within its few seconds though the peer reads nothing or says nothing."""
    closings: dict[str, Task] = {}
    with ExitStack() as stack:
        for what in ("stt", "tts", "tts-stream", "tts-single"):
            for reads in (False, True):
                peer = stack.enter_context(RawPeer(receive_buffer=4096))
                closings[f"{what} {reads}"] = Task(partial(closed_after, what, peer, reads))
        for name, closing in closings.items():
            assert closing.result(4 * PROMPT_SEC) < 2 * PROMPT_SEC, name


def test_close_is_bounded_behind_a_blocked_sender() -> None:
    """A stream closes in time though another thread is stuck sending on its connection."""
    with RawPeer(receive_buffer=4096) as peer:
        connection = client_for(peer.url).realtime.tts.multi_stream()
        line = peer.line()
        # the less the kernel holds, the sooner the uplink is full
        connection._line.connection._line._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        stream = connection.stream(**VOICE)
        stream.send_text("Hello.")
        sent: list[float] = []

        def flood() -> None:
            while True:
                connection.keep_alive()
                sent.append(time.monotonic())

        flooding = Task(flood)
        eventually(lambda: sent and time.monotonic() - sent[-1] > 0.2, "a full uplink")
        began = time.monotonic()
        stream.close()
        assert time.monotonic() - began < 2 * PROMPT_SEC
        assert not flooding.done
        # once the line moves again, whoever sends next tells the server of the cancel
        while line.recv_message().json != {"stream_id": stream.stream_id, "cancel": True}:
            pass
        line.close()
        assert isinstance(raised_by(flooding.result), SonioxError)
        connection.close()
