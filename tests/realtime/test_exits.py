"""`sys.exit()` in the user's code, on a thread of the library: it is reported like any error.

Threads end silently with it; whoever waits for what they do would wait for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import SonioxClient
from soniox_sync.realtime.stt.sending import SendHandle
from soniox_sync.runtime.delivery import CallbackWorker, Emitter
from soniox_sync.sandbox import Caller, Key, Quiet, Sandbox
from soniox_sync.sources import AudioSourceHandlers, IterableSource, SourceAudio
from soniox_sync.web import WebSocketAudio
from tests.sources.sockets import FakeSocket, Heard
from tests.waiting import WAIT, Task, eventually

RAW: Any = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


def leaving(*_: object) -> Any:
    """End the thread."""
    raise SystemExit(3)


class LastingKey:
    """API key that is there so many times."""

    def __init__(self, key: str, good: int) -> None:
        self._key = key
        self._left = good

    def __call__(self) -> str:
        self._left -= 1
        return self._key if self._left >= 0 else leaving()


@pytest.mark.parametrize("good", [0, 1])
@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.realtime.transcribe(bytes(640), **RAW).read(),
        lambda client: client.realtime.speak("Hello.", voice="Emma").read(),
        lambda client: list(client.realtime.converse([bytes(640)], str, None, voice="Emma")),
    ],
    ids=["transcribe", "speak", "converse"],
)
def test_a_key_that_exits_reaches_the_caller(
    soniox_sandbox: Sandbox, use: Callable[[SonioxClient], object], good: int
) -> None:
    """Wherever it is asked for; if the first one is enough, nothing is wrong."""
    key = LastingKey(soniox_sandbox.api_key, good)
    with soniox_sandbox.client(api_key=key) as client:
        task = Task(lambda: use(client))
        try:
            task.result()
            assert good == 1
        except SystemExit as end:
            assert end.code == 3


def test_a_source_whose_stop_exits(soniox_client: SonioxClient) -> None:
    """The recording is over all the same."""

    class Leaving:
        audio = SourceAudio("pcm_s16le", 16000, 1)
        stop = leaving

        def start(self, handlers: AudioSourceHandlers) -> None:
            """Deliver nothing."""

    conversation = soniox_client.realtime.converse(Leaving(), str, None, voice="Emma")
    conversation.close()
    eventually(conversation._runtime.over.is_set)


def test_a_handler_that_exits_is_reported(worker: CallbackWorker) -> None:
    """To the handlers of `"error"`; the others still run."""
    emitter = Emitter(("turn", "error"), worker)
    errors: list[BaseException] = []
    ran = threading.Event()
    emitter.on("error", errors.append)
    emitter.on("turn", leaving)
    emitter.on("turn", ran.set)
    emitter.emit("turn", 1)
    assert ran.wait(WAIT)
    assert [type(each) for each in errors] == [SystemExit]


@pytest.fixture
def worker() -> Iterator[CallbackWorker]:
    """Provide a thread for handlers, which ends after the test."""
    worker = CallbackWorker("soniox-callback-test")
    yield worker
    worker.stop()


def test_audio_that_exits_while_it_is_sent() -> None:
    """The thread that feeds a session has failed, and says so."""
    failed: list[BaseException] = []
    handle = SendHandle(leaving, failed.append)
    eventually(lambda: failed)
    assert isinstance(handle.error, SystemExit)


def test_a_websocket_that_exits() -> None:
    """As those of some event loops do, which end their threads so."""
    socket, heard = FakeSocket(), Heard()
    socket.receive = leaving  # type: ignore[method-assign]
    WebSocketAudio(socket).start(heard.handlers)
    assert isinstance(heard.next(), SystemExit)


def test_a_key_handler_of_a_caller_that_exits(
    soniox_sandbox: Sandbox, soniox_caller: Callable[..., Caller]
) -> None:
    """The call ends with it."""
    caller, heard = soniox_caller([Quiet(0.1), Key("1"), Quiet(60)], speed=10), Heard()
    caller.on_dtmf(leaving)
    caller.start(AudioSourceHandlers(lambda data: None, heard.handlers.on_error))
    assert isinstance(heard.next(), SystemExit)


def test_a_source_that_exits(soniox_client: SonioxClient) -> None:
    """What an iterable raises comes out of the loop, this as well."""

    def chunks() -> Iterator[bytes]:
        yield bytes(640)
        leaving()

    source = IterableSource(chunks(), **RAW)
    conversation = soniox_client.realtime.converse(source, str, None, voice="Emma")
    with pytest.raises(SystemExit):
        list(conversation)
