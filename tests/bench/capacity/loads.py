"""What each client does: one live session, recording or speech after another, in a thread."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import threading
import time
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    List,
    Optional,
    Protocol,
)

import certifi

from tests.bench.capacity.meter import Ear, Ending, live_audio
from tests.bench.clients.floor import FloorClient
from tests.bench.clients.official import stt_config, tts_config
from tests.bench.clients.ours import STT, TTS

if TYPE_CHECKING:
    from soniox.realtime import RealtimeTTSMultiplexedConnection

    from soniox_sync import SonioxClient

STREAMS_A_CONNECTION = 5  # the service's limit
SENTENCE = "This is one complete sentence."

Load = Callable[[int, Ear, Ending], None]
"""Work of consumer number ``index``: hears with its ear until the end."""


class Caller(Protocol):
    """The loads of one client, by their names, for ``count`` consumers."""

    def loads(self, url: str, count: int) -> Dict[str, Callable[[], ContextManager[Load]]]:
        """Return functions that open what the consumers of a load share."""


def again(ending: Ending, call: Callable[[int], None]) -> None:
    """Call with the time at which the call begins, until the end."""
    while not ending.is_set:
        call(time.monotonic_ns())


@contextlib.contextmanager
def sending(ending: Ending, send: Callable[[], None]) -> Iterator[None]:
    """Send in a thread of its own."""

    def run() -> None:
        try:
            send()
        except BaseException as error:  # noqa: BLE001 - raised by the meter
            ending.failed(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class Ours:
    """soniox_sync."""

    def __init__(self, trace: str = "") -> None:
        self._trace = trace

    def loads(self, url: str, count: int) -> Dict[str, Callable[[], ContextManager[Load]]]:
        """Return functions that open what the consumers of a load share."""
        from soniox_sync import SonioxClient

        client = SonioxClient(
            "bench-key-0123456789", stt_ws_url=url, tts_ws_url=url, proxy="", trace=self._trace
        )
        loads: Dict[str, Callable[[int, Ear, Ending], None]] = {
            "stt": lambda i, ear, ending: _session(
                client, live_audio(i, count, ending), ear, ending
            ),
            "transcribe": lambda i, ear, ending: _recording(
                client, live_audio(i, count, ending), ear
            ),
            "tts": lambda i, ear, ending: _streams(client, ear, ending),
            "speak": lambda i, ear, ending: _speeches(client, ear, ending),
        }
        opened = {name: _shares_nothing(load) for name, load in loads.items()}
        return {**opened, "pool": lambda: _pooled(client, count)}


def _shares_nothing(load: Load) -> Callable[[], ContextManager[Load]]:
    return lambda: contextlib.nullcontext(load)


def _session(client: SonioxClient, audio: Iterator[bytes], ear: Ear, ending: Ending) -> None:
    with client.realtime.stt(**STT) as session:

        def send() -> None:
            for chunk in audio:
                session.send_audio(chunk)
            session.end_audio()

        with sending(ending, send):
            for result in session.results():
                ear.tokens(result.tokens)


def _recording(client: SonioxClient, audio: Iterator[bytes], ear: Ear) -> None:
    for event in client.realtime.transcribe(audio, **STT):
        if event.kind == "result":
            ear.tokens(event.result.tokens)


def _streams(client: SonioxClient, ear: Ear, ending: Ending) -> None:
    def call(started_ns: int) -> None:
        with client.realtime.tts(**TTS) as stream:
            stream.send_text(SENTENCE, end=True)
            ear.audio_of_call(started_ns, stream)

    again(ending, call)


def _speeches(client: SonioxClient, ear: Ear, ending: Ending) -> None:
    def call(started_ns: int) -> None:
        with client.realtime.speak(SENTENCE, **TTS) as speech:
            ear.audio_of_call(started_ns, speech)

    again(ending, call)


@contextlib.contextmanager
def _pooled(client: SonioxClient, count: int) -> Iterator[Load]:
    connections = math.ceil(count / STREAMS_A_CONNECTION)
    with client.realtime.tts.pool(max_connections=connections) as pool:

        def work(index: int, ear: Ear, ending: Ending) -> None:
            def call(started_ns: int) -> None:
                with pool.stream(**TTS) as stream:
                    stream.send_text(SENTENCE, end=True)
                    ear.audio_of_call(started_ns, stream)

            again(ending, call)

        yield work


class Official:
    """The synchronous classes of the ``soniox`` package."""

    def loads(self, url: str, count: int) -> Dict[str, Callable[[], ContextManager[Load]]]:
        """Return functions that open what the consumers of a load share."""
        from soniox import SonioxClient

        client = SonioxClient(api_key="bench", websocket_base_url=url, tts_websocket_base_url=url)

        def session(index: int, ear: Ear, ending: Ending) -> None:
            with client.realtime.stt.connect(config=stt_config()) as session:

                def send() -> None:
                    for chunk in live_audio(index, count, ending):
                        session.send_byte_chunk(chunk)
                    session.finish()

                with sending(ending, send):
                    for event in session.receive_events():
                        ear.tokens(event.tokens)

        def streams(index: int, ear: Ear, ending: Ending) -> None:
            def call(started_ns: int) -> None:
                with client.realtime.tts.connect(config=tts_config("b0")) as stream:
                    stream.send_text_chunk(SENTENCE, text_end=True)
                    ear.audio_of_call(started_ns, stream.receive_audio_chunks())

            again(ending, call)

        return {
            "stt": _shares_nothing(session),
            "tts": _shares_nothing(streams),
            "pool": lambda: _shared(client.realtime.tts.connect_multi_stream, count),
        }


@contextlib.contextmanager
def _shared(connect: Callable[[], RealtimeTTSMultiplexedConnection], count: int) -> Iterator[Load]:
    """Five consumers use one connection, all of which are open before."""
    with contextlib.ExitStack() as stack:
        needed = math.ceil(count / STREAMS_A_CONNECTION)
        connections: List[Any] = [stack.enter_context(connect()) for _ in range(needed)]

        def work(index: int, ear: Ear, ending: Ending) -> None:
            connection, number = connections[index // STREAMS_A_CONNECTION], 0

            def call(started_ns: int) -> None:
                nonlocal number
                number += 1
                stream = connection.open_stream(config=tts_config(f"{index}-{number}"))
                stream.send_text_chunk(SENTENCE, text_end=True)
                ear.audio_of_call(started_ns, stream.receive_audio_chunks())

            again(ending, call)

        yield work


class Floor:
    """Blocking sockets and the fastest parser there is, without any checks.

    Two threads for each session: one sends, the other reads, parses and consumes. ``hands_off``:
    three, because the one that reads hands each result to the one that consumes, as any client
    must that is to notice a ping or an error while its user is busy. ``makes_objects``: the
    consumer gets tokens with attributes instead of the parser's dicts.
    """

    def __init__(self, hands_off: bool, makes_objects: bool) -> None:
        self._hands_off = hands_off
        self._makes_objects = makes_objects

    def loads(self, url: str, count: int) -> Dict[str, Callable[[], ContextManager[Load]]]:
        """Return functions that open what the consumers of a load share."""
        client = FloorClient(certifi.where())
        parse = _parser()

        def session(index: int, ear: Ear, ending: Ending) -> None:
            with client.listening(url) as session:

                def send() -> None:
                    for chunk in live_audio(index, count, ending):
                        session.send(chunk)
                    session.end()

                with sending(ending, send):
                    frames = session.frames()
                    for payload in _handed_off(frames, ending) if self._hands_off else frames:
                        message = parse(payload)
                        if self._makes_objects:
                            ear.tokens([_Token(item) for item in message["tokens"]])
                        else:
                            ear.dicts(message["tokens"])
                        if message.get("finished"):
                            return

        return {"stt": _shares_nothing(session)}


# by the names of clients
FLOORS: Dict[str, Dict[str, bool]] = {
    "floor": {"hands_off": False, "makes_objects": False},
    "hand-off": {"hands_off": True, "makes_objects": False},
    "objects": {"hands_off": True, "makes_objects": True},
}


class _Token:
    """What attributes cost at least: three slots, filled from the parser's dict."""

    __slots__ = ("is_final", "raw", "text")

    def __init__(self, item: Dict[str, Any]) -> None:
        self.text: str = item["text"]
        self.is_final: bool = item["is_final"]
        self.raw = item


def _parser() -> Callable[[bytes], Any]:
    try:
        import orjson
    except ImportError:
        return json.loads
    parse: Callable[[bytes], Any] = orjson.loads
    return parse


def _handed_off(frames: Iterator[bytes], ending: Ending) -> Iterator[bytes]:
    """Yield what another thread reads."""
    items: queue.SimpleQueue[Optional[bytes]] = queue.SimpleQueue()

    def read() -> None:
        for payload in frames:
            items.put(payload)
        items.put(None)

    with sending(ending, read):
        yield from iter(items.get, None)
