"""Programs that run the library on greenlets: `python under_gevent.py NAME` prints "done"."""

from __future__ import annotations

import importlib
import sys

if sys.argv[1] == "patched_late":
    # as in a preloading server: everything is imported before the patch
    for name in ("client", "realtime.recording.recording", "realtime.pool.pool"):
        importlib.import_module(f"soniox_sync.{name}")

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import ssl  # noqa: E402
import threading  # noqa: E402
from typing import Any, Callable  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from soniox_sync import AbortError, CancelToken, SonioxClient, SonioxTimeoutError  # noqa: E402

RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": 16000}
# limit for the whole program; the test kills it a little later
TIMEOUT_SEC = 60
GREENLETS = 8
# a hub blocked for longer does not serve other greenlets
LONGEST_BLOCK_SEC = 2.0


def client() -> SonioxClient:
    """Return a client, with TLS if the environment names a certificate."""
    authority = os.environ.get("TEST_CA")
    context = ssl.create_default_context(cafile=authority) if authority else None
    return SonioxClient(ssl_context=context)


def speak(soniox: SonioxClient, text: str) -> bytes:
    """Return the samples of a text."""
    return soniox.realtime.speak(text, voice="Emma", **RAW).read()


def transcribe(soniox: SonioxClient, audio: bytes) -> str:
    """Return the text of samples."""
    transcription = soniox.realtime.transcribe(audio, pace=4, num_channels=1, **RAW)
    for _ in transcription:
        pass
    return transcription.transcript.final_text.strip()


def many() -> None:
    """Speak and transcribe in many greenlets at once, while others keep running."""
    soniox = client()
    gaps: list[float] = []

    def tick() -> None:
        import time

        while True:
            before = time.monotonic()
            gevent.sleep(0.01)
            gaps.append(time.monotonic() - before)

    ticker = gevent.spawn(tick)
    texts = [f"This is greenlet number {n}." for n in range(GREENLETS)]
    jobs = [
        gevent.spawn(lambda text=text: transcribe(soniox, speak(soniox, text))) for text in texts
    ]
    gevent.joinall(jobs, raise_error=True)
    ticker.kill()
    transcribed = [job.value for job in jobs]
    if os.environ.get("TEST_RECOGNISES"):
        assert transcribed == texts, transcribed
    assert all(transcribed), transcribed
    assert len(gaps) > 20, len(gaps)
    assert max(gaps) < LONGEST_BLOCK_SEC, max(gaps)


def patched_late() -> None:
    """Do the same after the library was imported before the patch."""
    many()


def closed_from_outside() -> None:
    """Wake a greenlet that waits for words by closing its session from another one."""
    session = client().realtime.stt(num_channels=1, **RAW)
    waiting = Event()
    ends: list[str] = []

    def wait() -> None:
        waiting.set()
        try:
            for _ in session:
                pass
        finally:
            ends.append("woken")

    waiter = gevent.spawn(wait)
    waiting.wait()
    gevent.sleep(0.05)
    session.close()
    waiter.join(TIMEOUT_SEC)
    assert ends == ["woken"]


def cancelled() -> None:
    """Wake a greenlet that waits for words by cancelling its token."""
    token = CancelToken()
    session = client().realtime.stt(num_channels=1, cancel=token, **RAW)
    gevent.spawn_later(0.05, token.cancel)
    try:
        for _ in session:
            pass
    except AbortError:
        return
    raise AssertionError("it was not cancelled")


def timed_out() -> None:
    """Keep deadlines, the library's own and gevent's."""
    soniox = client()
    with soniox.realtime.tts(voice="Emma", language="en", audio_format="wav") as stream:
        stream.send_text("The end of this is never said")
        try:
            stream.read(timeout_sec=0.2)
        except SonioxTimeoutError:
            pass
        else:
            raise AssertionError("it ended")
        timeout = gevent.Timeout(0.2)
        try:
            with timeout:
                stream.read()
        except gevent.Timeout as error:
            assert error is timeout
        else:
            raise AssertionError("it ended")


def killed() -> None:
    """Leave no thread running after a greenlet is killed in its loop."""
    soniox = client()
    begun = Event()

    def listen() -> None:
        quiet = (bytes(3200) for _ in iter(int, 1))
        for _ in soniox.realtime.transcribe(quiet, pace=True, num_channels=1, **RAW):
            begun.set()

    listener = gevent.spawn(listen)
    begun.wait(TIMEOUT_SEC)
    listener.kill(timeout=TIMEOUT_SEC)
    assert listener.dead
    for thread in threading.enumerate():
        if thread.name.startswith("soniox-"):
            thread.join(TIMEOUT_SEC)
            assert not thread.is_alive(), thread


def rest() -> None:
    """Make HTTP calls concurrently."""
    with client() as soniox:
        jobs = [gevent.spawn(soniox.tts.generate, text=f"{n}.", voice="Emma") for n in range(3)]
        jobs += [gevent.spawn(soniox.models.list) for _ in range(5)]
        gevent.joinall(jobs, raise_error=True)
        assert all(job.value for job in jobs)


PROGRAMS: dict[str, Callable[[], None]] = {
    program.__name__: program
    for program in (many, patched_late, closed_from_outside, cancelled, timed_out, killed, rest)
}

if __name__ == "__main__":
    with gevent.Timeout(TIMEOUT_SEC):
        PROGRAMS[sys.argv[1]]()
    print("done")
