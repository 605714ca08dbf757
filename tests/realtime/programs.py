"""Programs that the tests run in their own processes: `python programs.py NAME URL`.

They print one JSON object per line; times are those of the system-wide monotonic clock.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Optional

from soniox_sync import CancelToken, SonioxClient
from soniox_sync.errors import SonioxConnectionError, SonioxError
from soniox_sync.sources import IterableSource

# for a lock that is free most of the time
WAIT_SEC = 5.0
VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le"}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


def report(**fields: Any) -> None:
    """Print facts for the test to read; not through a buffer, of which a fork makes a copy."""
    os.write(1, f"{json.dumps(fields)}\n".encode())


def make_client(stt_url: str, tts_url: str = "") -> SonioxClient:
    """Make a client whose time limits do not matter."""
    return SonioxClient(
        "snx-key", stt_ws_url=stt_url, tts_ws_url=tts_url or stt_url, timeout_sec=600
    )


# -- Ctrl-C ---------------------------------------------------------------------------------------


def announce_block() -> None:
    """Report when the main thread has been blocked for a while, so that a signal interrupts it."""
    main = threading.main_thread().ident
    assert main is not None
    still, before = 0, None
    pause = threading.Event()
    while still < 10:
        pause.wait(0.01)
        at = sys._current_frames()[main]
        place = (id(at), at.f_lasti, at.f_code.co_filename)
        still = still + 1 if place == before and "soniox_sync" in deep(at) else 0
        before = place
    report(blocked=deep(sys._current_frames()[main]).split("soniox_sync")[-1])


def deep(frame: Any) -> str:
    """Return the innermost file of the library on a stack, an empty text if there is none."""
    while frame is not None:
        if "soniox_sync" in frame.f_code.co_filename:
            return f"{frame.f_code.co_filename}:{frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(60_000)


def block(client: SonioxClient, name: str) -> None:
    """Wait forever, in the call that `name` names."""
    if name == "connect-stt":
        client.realtime.stt(**RAW)
    elif name == "connect-tts":
        client.realtime.tts(**VOICE)
    elif name == "token":
        CancelToken().wait()
    elif name.startswith("stt"):
        with client.realtime.stt(**RAW) as session:
            ways: dict[str, Callable[[], Any]] = {
                "stt-iterate": lambda: list(session),
                "stt-results": lambda: list(session.results()),
                "stt-finish": lambda: (session.send_audio(b"\0\0"), session.finish(600)),
                "stt-send": lambda: session.send_stream(endless()),
                "stt-pace": lambda: session.send_stream(endless(), pace_sec=600),
            }
            ways[name]()
    else:
        with client.realtime.tts.multi_stream() as connection:
            stream = connection.stream(**VOICE)
            stream.send_text("Hello.")
            for _ in range(4):
                connection.stream(**VOICE)
            tts: dict[str, Callable[[], Any]] = {
                "tts-iterate": lambda: list(stream),
                "tts-events": lambda: list(stream.events()),
                "tts-read": stream.read,
                "tts-wait": stream.wait,
                "tts-place": lambda: connection.stream(**VOICE, wait_sec=600),
                "tts-save": lambda: stream.save(os.devnull),
                "tts-with": lambda: stream.__enter__().wait(),
            }
            tts[name]()


def interrupted(url: str, name: str) -> None:
    """Wait, be interrupted, and report when the exception was raised."""
    threading.Thread(target=announce_block, daemon=True).start()
    client = make_client(url)
    try:
        block(client, name)
    except KeyboardInterrupt:
        report(interrupted=time.monotonic())
    else:
        report(returned=True)


# -- the end of the process -----------------------------------------------------------------------


def forgotten(url: str, tts_url: str) -> None:
    """Leave sessions, streams, handlers and senders open, and end."""
    client = make_client(url, tts_url)
    session = client.realtime.stt(**RAW, options={"keepalive_interval_sec": 1})
    session.on("result", lambda r: r.text).on("error", lambda e: str(e))
    session.start_sending(endless(), pace_sec=0.01)
    connection = client.realtime.tts.multi_stream(ping_interval_sec=0.01)
    connection.on("error", lambda e: str(e))
    stream = connection.stream(**{**VOICE, "voice": "endless"})
    stream.on("audio", lambda chunk: time.monotonic())
    stream.send_text("Hello.")
    single = client.realtime.tts(**{**VOICE, "voice": "endless"})
    single.send_text("Hello.")
    next(iter(single))
    report(open=True)


kept: list[Any] = []


def referenced(url: str, tts_url: str) -> None:
    """Leave iterators that are in use to the end of the interpreter."""
    client = make_client(url, tts_url)
    audio = bytes(3200)
    events = iter(client.realtime.transcribe([audio] * 10_000, **RAW))
    chunks = iter(client.realtime.speak("Hello. " * 1000, **{**VOICE, "voice": "endless"}))
    stream = client.realtime.tts(**{**VOICE, "voice": "endless"})
    stream.send_text("Hello.")
    kept.extend([events, chunks, iter(stream)])
    for iterator in kept:
        next(iterator)
    kept.append(client.realtime.stt(**RAW))
    report(open=True)


# -- fork -----------------------------------------------------------------------------------------


def error_of(call: Callable[[], Any]) -> list[Any]:
    """Return class, code and duration of the failure of a call."""
    began = time.monotonic()
    try:
        call()
    except SonioxError as error:
        kind = "connection" if isinstance(error, SonioxConnectionError) else type(error).__name__
        return [kind, getattr(error, "code", None), time.monotonic() - began]
    return ["none", None, time.monotonic() - began]


def unseen_fork() -> int:
    """Fork without the hooks of Python, as uWSGI does."""
    import ctypes

    return int(ctypes.PyDLL(None).fork())


def forked(url: str, tts_url: str, fork: str = "seen") -> None:
    """Use inherited and new objects in a child, then the parent's own."""
    client = make_client(url, tts_url)
    session = client.realtime.stt(**RAW)
    session.on("endpoint", lambda: None)  # a callback thread, which a fork does not copy
    iterated = client.realtime.stt(**RAW)
    threading.Thread(target=lambda: error_of(lambda: list(iterated)), daemon=True).start()
    connection = client.realtime.tts.multi_stream()
    connection.on("close", lambda: None)
    stream = connection.stream(**{**VOICE, "voice": "mute"}, stream_id="s1")
    stream.send_text("Hello.")
    session.send_audio(b"\0\0")
    first = next(iter(session)).text
    child = os.fork() if fork == "seen" else unseen_fork()
    if child == 0:
        try:
            in_child(client, session, iterated, connection, stream)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    session.send_audio(b"\1\1")
    session.finish()
    rest = "".join(event.text for event in session)
    stream.cancel()
    stream.wait(10)
    stream.close()
    connection.close()
    iterated.close()
    report(parent=first + rest, stream=str(stream.state), session=str(session.state))


def in_child(client: Any, session: Any, iterated: Any, connection: Any, stream: Any) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "iterate": lambda: list(session),
        "iterated": lambda: list(iterated),
        "send_audio": lambda: session.send_audio(b"x"),
        "finish": session.finish,
        "keep_alive": session.keep_alive,
        "send_text": lambda: stream.send_text("x"),
        "read": stream.read,
        "wait": stream.wait,
    }
    report(inherited={name: error_of(call) for name, call in calls.items()})
    began = time.monotonic()
    stream.cancel()
    stream.close()
    session.close()
    iterated.close()
    report(closed=time.monotonic() - began)
    with client.realtime.stt(**RAW, options={"keepalive_interval_sec": 1}) as own:
        own.send_audio(b"\2\2")
        own.finish()
        text = "".join(event.text for event in own)
    with client.realtime.tts(**{**VOICE, "voice": "frames-3"}) as speech:
        seen: list[int] = []
        speech.on("terminated", lambda: seen.append(1))
        speech.send_text("Hello.", end=True)
        audio = len(speech.read(10))
    again = connection.stream(**{**VOICE, "voice": "frames-3"})
    again.send_text("Hello.", end=True)
    heard = threading.Event()
    connection.on("close", heard.set)
    size = len(again.read(10))
    connection.close()
    clock = threading.Event()
    from soniox_sync.runtime.clock import process_clock

    process_clock.call_later(0.01, clock.set)
    report(
        own=text, audio=audio, again=size, heard=heard.wait(5), clock=clock.wait(5), terminated=seen
    )


def forked_holding(url: str, tts_url: str) -> None:
    """Fork while another thread holds every lock of the library; use everything in the child."""
    from soniox_sync._support import locks

    client = make_client(url, tts_url)
    token = CancelToken()
    wait = threading.Event().wait

    def slowly(item: Any) -> Iterator[Any]:
        yield item
        wait()  # for ever: a source and a text that never end

    source = IterableSource(slowly(b"\0\0"), **RAW)
    recording = client.realtime.record(source=source, **RAW)
    recording.on("endpoint", lambda: None)
    transcription = client.realtime.transcribe(slowly(b"\0\0"), pace=False, **RAW).start()
    session = client.realtime.stt(**RAW, cancel=token)
    session.on("endpoint", lambda: None)
    pool = client.realtime.tts.pool()
    stream = pool.stream(**{**VOICE, "voice": "mute"})
    stream.on("terminated", lambda: None)
    stream.send_text("Hello.")
    single = client.realtime.tts(**{**VOICE, "voice": "mute"})
    speech = client.realtime.speak(slowly("Hello."), **VOICE)
    over = client.realtime.stt(**RAW)
    over.send_audio(b"\0\0")
    over.finish()
    over.close()
    held, go_on = threading.Event(), threading.Event()
    count = [0]

    def hold() -> None:
        made = [each for each in locks._made if not isinstance(each, threading.Condition)]
        taken = [lock for lock in made if lock.acquire(timeout=WAIT_SEC)]
        count[0] = len(taken)
        held.set()
        go_on.wait()
        for lock in taken:
            lock.release()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # ends a child that hangs
        waits: dict[str, Callable[[], Any]] = {
            "recording": lambda: list(recording),
            "recording.wait": recording.wait,
            "recording.stop": recording.stop,
            "transcription": transcription.read,
            "session": lambda: list(session),
            "session.send_audio": lambda: session.send_audio(b"x"),
            "session.finish": session.finish,
            "stream": stream.read,
            "stream.wait": stream.wait,
            "single": single.read,
            "speech": speech.read,
        }
        report(inherited={name: error_of(call) for name, call in waits.items()})
        began = time.monotonic()
        token.cancel()
        for each in (speech, single, stream, session, transcription, recording, over):
            repr(each)
            each.close()
        report(closed=time.monotonic() - began)
        again = pool.stream(**{**VOICE, "voice": "frames-3"})
        again.send_text("Hello.", end=True)
        audio = len(again.read(10))
        pool.close()
        with client.realtime.stt(**RAW) as own:
            own.send_audio(b"\2\2")
            own.finish()
            report(own="".join(event.text for event in own), audio=audio)
        client.close()
        os._exit(0)
    os.waitpid(child, 0)
    go_on.set()
    holder.join()
    session.send_audio(b"\1\1")
    session.finish()
    report(parent="".join(event.text for event in session), held=count[0])
    os._exit(0)  # the sources never end


class SlowImports(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the execution of one module take until the main thread is about to fork."""

    def __init__(self, module: str, wait_sec: Optional[float] = 0.2) -> None:
        self.module = module
        self.wait_sec = wait_sec
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self._loader: Any = None

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.module or self.reached.is_set():
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        self._loader, spec.loader = spec.loader, self  # a finder would hold a lock of Python's
        return spec

    def exec_module(self, module: Any) -> None:
        self.reached.set()
        # the fork waits for this thread, so nothing can announce it
        self.go_on.wait(self.wait_sec)
        self._loader.exec_module(module)


class PatientLock:
    """Lock for whose holder a fork waits some milliseconds at a time, while modules keep coming."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.waits = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout <= 0:
            return bool(self._lock.acquire(blocking, timeout))
        self.waits += 1
        sys.modules[f"module {self.waits}"] = sys  # another has come in the meantime
        return bool(self._lock.acquire(timeout=0.01))

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def forked_while_loading_on(url: str, tts_url: str, module: str) -> None:
    """As `forked_while_loading`, where modules take longer than a fork waits for one of them."""
    from soniox_sync._support import loading

    loading._lock = patient = PatientLock(loading._lock)  # type: ignore[assignment]
    forked_while_loading(url, tts_url, module)
    report(waits=patient.waits)


def forked_while_stuck(url: str, tts_url: str, module: str) -> None:
    """Fork while another thread loads a module that takes until the child has ended."""
    from soniox_sync._support import loading

    loading._NO_MODULE_SEC = 0.01
    stuck = SlowImports(module, wait_sec=None)
    sys.meta_path.insert(0, stuck)
    client = make_client(url, tts_url)
    text: list[str] = []

    def use() -> None:
        transcription = client.realtime.transcribe([bytes(320)] * 3, pace=False, **RAW)
        text.append(transcription.read(10).text)

    first = threading.Thread(target=use)
    first.start()
    stuck.reached.wait()
    child = os.fork()
    if child == 0:
        try:
            use()
        except ImportError as error:
            report(child=str(error))
        os._exit(0)
    os.waitpid(child, 0)
    stuck.go_on.set()
    first.join()
    report(parent=text)


def forked_while_loading(url: str, tts_url: str, module: str) -> None:
    """Fork while another thread loads `module` for its first call; the child then needs it, too."""
    slow = SlowImports(module)
    sys.meta_path.insert(0, slow)
    client = make_client(url, tts_url)

    def use() -> int:
        text = client.realtime.transcribe([bytes(320)] * 3, pace=False, **RAW).read(10).text
        return len(text) + len(client.realtime.speak("Hello.", **VOICE).read(10))

    first = threading.Thread(target=lambda: report(parent=use()))
    first.start()
    slow.reached.wait()
    child = os.fork()
    if child == 0:
        report(child=use())
        os._exit(0)
    os.waitpid(child, 0)
    first.join()


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {
        "interrupted": interrupted,
        "forgotten": forgotten,
        "referenced": referenced,
        "forked": forked,
        "forked_while_loading": forked_while_loading,
        "forked_while_loading_on": forked_while_loading_on,
        "forked_holding": forked_holding,
        "forked_while_stuck": forked_while_stuck,
    }
    programs[sys.argv[1]](*sys.argv[2:])
