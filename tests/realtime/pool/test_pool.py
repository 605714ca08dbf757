"""`TtsPool`: bounded connections for many threads, against the sandbox."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import (
    ConfigurationError,
    QuotaError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    TtsPool,
    is_retriable,
)
from soniox_sync.config import TtsConnectionOptions
from soniox_sync.realtime.tts.connection import SharedConnection
from soniox_sync.sandbox import Sandbox

WAIT = 20.0
VOICE = {
    "voice": "Adrian",
    "language": "en",
    "audio_format": "pcm_s16le",
    "sample_rate": 8000,
}
# a tone of 65 ms per character and 250 ms more for the full stop, 16 bytes per ms
HELLO = "Hello."
HELLO_BYTES = (6 * 65 + 250) * 16


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes that play tones, and close them."""
    made: list[Sandbox] = []

    def make(**limits: Any) -> Sandbox:
        limits.setdefault("tts_pace", None)
        made.append(Sandbox(engines="tones", limits=limits).start())
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Provide a sandbox that speaks as fast as possible."""
    return make_sandbox()


def pool_of(sandbox: Sandbox, **options: Any) -> TtsPool:
    """Make a pool of a sandbox's connections."""
    pool = sandbox.client(tts_defaults=VOICE).realtime.tts.pool(**options)
    assert isinstance(pool, TtsPool)
    return pool


def say(pool: TtsPool, text: str = HELLO, **options: Any) -> int:
    """Speak a text to its end; return the number of bytes of audio."""
    with pool.stream(**options) as stream:
        stream.send_text(text, end=True)
        return len(stream.read(WAIT))


class Holder:
    """Occupies a slot of a pool until it is released."""

    def __init__(self, pool: TtsPool) -> None:
        self.stream = pool.stream(wait_sec=WAIT)

    def release(self) -> None:
        self.stream.close()


def test_nothing_is_opened_before_it_is_needed(sandbox: Sandbox) -> None:
    """A pool opens its first connection for its first stream, and reuses it."""
    with pool_of(sandbox) as pool:
        assert sandbox.log.totals["tts.connections"] == 0
        for _ in range(3):
            assert say(pool) == HELLO_BYTES
        assert pool.connections == 1
        assert pool.active_streams == 0
        assert sandbox.log.totals["tts.connections"] == 1


def test_connections_are_added_only_when_the_others_are_full(sandbox: Sandbox) -> None:
    """The sixth concurrent stream opens a second connection; fifteen fill three."""
    with pool_of(sandbox) as pool:
        holders = [Holder(pool) for _ in range(5)]
        assert pool.connections == 1
        holders += [Holder(pool) for _ in range(10)]
        assert pool.connections == 3
        assert pool.active_streams == 15
        with pytest.raises(SonioxTimeoutError, match="no slot"):
            pool.stream(wait_sec=0)
        with pytest.raises(SonioxTimeoutError):
            pool.stream(wait_sec=0.05)
        holders[0].release()
        assert say(pool, wait_sec=WAIT) == HELLO_BYTES
        for holder in holders:
            holder.release()


def test_waiters_are_served_in_order(sandbox: Sandbox) -> None:
    """With a single slot, waiting threads get it in the order of their calls."""
    with pool_of(sandbox, max_streams=1) as pool:
        holder = Holder(pool)
        order: list[int] = []
        threads = []
        for number in range(6):

            def wait_and_say(number: int = number) -> None:
                with pool.stream(wait_sec=WAIT) as stream:
                    order.append(number)
                    stream.send_text(HELLO, end=True)
                    stream.read(WAIT)

            thread = threading.Thread(target=wait_and_say)
            thread.start()
            threads.append(thread)
            until(lambda count=number + 1: len(pool._table._waiters) == count)
        holder.release()
        for thread in threads:
            thread.join(WAIT)
        assert order == list(range(6))
        assert sandbox.log.peaks["tts.streams"] == 1


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline, pause = time.monotonic() + WAIT, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.005)


def test_warm_opens_connections_ahead(sandbox: Sandbox) -> None:
    """`warm(n)` opens that many connections, up to the bound, and streams use them."""
    with pool_of(sandbox, max_connections=2) as pool:
        assert pool.warm(2) == 2
        assert pool.warm(9) == 2
        assert say(pool) == HELLO_BYTES
        # the sandbox counts a connection a moment after the pool has it
        until(lambda: sandbox.log.totals["tts.connections"] == 2)


def test_a_lost_connection_is_replaced_unnoticed(sandbox: Sandbox) -> None:
    """Connections closed or cut while idle fail no caller."""
    for fault in (sandbox.faults.close(1001, "Timeout", kind="tts", after_sec=0.3),):
        with pool_of(sandbox) as pool:
            assert say(pool) == HELLO_BYTES
            assert fault.fired.wait(WAIT)
            until(lambda: pool.connections == 0)
            assert say(pool) == HELLO_BYTES
            assert pool.connections == 1


def test_an_idle_connection_is_retired(sandbox: Sandbox) -> None:
    """Before the server's limit of three minutes without audio, new streams use another one."""
    now = [1000.0]
    plan = sandbox.client(tts_defaults=VOICE)._service.tts_plan

    def open_connection() -> SharedConnection:
        return SharedConnection(plan, TtsConnectionOptions())

    with TtsPool(open_connection, now=lambda: now[0]) as pool:
        assert say(pool) == HELLO_BYTES
        now[0] += 100.0
        assert say(pool) == HELLO_BYTES
        assert sandbox.log.totals["tts.connections"] == 1
        now[0] += 149.0
        assert say(pool) == HELLO_BYTES
        assert sandbox.log.totals["tts.connections"] == 1
        now[0] += 151.0
        assert say(pool) == HELLO_BYTES
        assert sandbox.log.totals["tts.connections"] == 2
        until(lambda: sandbox.log.counts["tts.connections"] == 1)


def test_a_refusal_for_concurrency_lowers_the_bound(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """After a 429 the pool waits briefly, then stays below the account's limit."""
    sandbox = make_sandbox(tts_max_streams=2)
    with pool_of(sandbox) as pool:
        holders = [Holder(pool) for _ in range(3)]
        for holder in holders:
            holder.stream.send_text("Hold on")
        with pytest.raises(QuotaError):
            holders[2].stream.read(WAIT)
        with pytest.raises(SonioxTimeoutError):
            pool.stream(wait_sec=0.01)
        for holder in holders:
            holder.release()
        threads = [threading.Thread(target=say, args=(pool,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert sandbox.log.peaks["tts.streams"] == 2
        refused = [e for e in sandbox.log.entries() if (e.message or {}).get("error_code") == 429]
        assert len(refused) == 1


def test_speak_on_a_pool_hides_refusals_and_cuts(make_sandbox: Callable[..., Sandbox]) -> None:
    """`pool.speak()` tries again after refusals for concurrency and lost connections."""
    sandbox = make_sandbox(tts_max_streams=1)
    text = "A sentence of some words. " * 60
    with pool_of(sandbox) as pool:
        sandbox.faults.drop(kind="tts", after_frames_in=2)
        sandbox.faults.delay(0.2, kind="tts")
        audio = pool.speak(text).read(WAIT)
        assert len(audio) == 60 * (len("A sentence of some words.") * 65 + 250) * 16
        assert pool.connections == 1
    assert sandbox.log.peaks["tts.streams"] == 1


def test_close_drains(make_sandbox: Callable[..., Sandbox]) -> None:
    """`close()` lets running streams end, fails waiting callers, and is idempotent."""
    sandbox = make_sandbox(tts_pace=20.0)
    pool = pool_of(sandbox, max_streams=1)
    results: list[Any] = []
    speaking = threading.Event()

    def speak() -> None:
        with pool.stream() as stream:
            stream.send_text("A rather long sentence to be spoken to its end.", end=True)
            speaking.set()
            results.append(len(stream.read(WAIT)))

    def wait_in_vain() -> None:
        try:
            pool.stream()
        except SonioxError as error:
            results.append(type(error))

    threads = [threading.Thread(target=speak)]
    threads[0].start()
    assert speaking.wait(WAIT)
    threads.append(threading.Thread(target=wait_in_vain))
    threads[1].start()
    until(lambda: len(pool._table._waiters) == 1)
    pool.close()
    pool.close()
    for thread in threads:
        thread.join(WAIT)
    assert sorted(results, key=str)[1:] == [StateError]
    assert results[-1] > 10_000 or results[0] > 10_000
    with pytest.raises(StateError, match="closed"):
        pool.stream()


def test_a_wrong_configuration_takes_no_slot(sandbox: Sandbox) -> None:
    """A refused call frees its slot, and bounds are checked when the pool is made."""
    with pool_of(sandbox, max_streams=1) as pool:
        for _ in range(3):
            with pytest.raises(ConfigurationError):
                pool.stream(speed=9.0, wait_sec=0)
        assert pool.active_streams == 0
        assert say(pool) == HELLO_BYTES
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ConfigurationError):
            pool_of(sandbox, max_connections=wrong)


def test_an_unreachable_server_fails_the_caller_at_once(sandbox: Sandbox) -> None:
    """A connection that cannot be made raises, and its slot is free again."""
    pool = pool_of(sandbox)
    sandbox.close()
    for _ in range(20):  # more often than there are slots
        with pytest.raises(SonioxConnectionError):
            pool.stream(wait_sec=0)
    assert pool.active_streams == 0
    pool.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_pool_survives_a_fork(sandbox: Sandbox) -> None:
    """A pool warmed before the fork works in the child, with its own connections."""
    pool = pool_of(sandbox)
    pool.warm(1)
    with pool.stream() as held:
        held.send_text("Hold on")
        child = os.fork()
        if child == 0:
            try:
                good = pool.active_streams == 0 and say(pool, wait_sec=WAIT) == HELLO_BYTES
                pool.close(0.0)
                os._exit(0 if good else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
    assert say(pool) == HELLO_BYTES
    pool.close()
    assert sandbox.log.totals["tts.connections"] == 2


def readers() -> int:
    """Count the threads that read connections."""
    return sum(thread.name.startswith("soniox-reader") for thread in threading.enumerate())


def hammer(
    sandbox: Sandbox, threads: int, utterances: int, *, max_connections: int = 3
) -> dict[str, Any]:
    """Let threads speak over one pool while connections are cut; return counts of the outcome."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for number in range(utterances // 3):
        sandbox.faults.drop(kind="tts", skip=number, after_audio_ms=rng.randint(2_000, 60_000))
    lock = threading.Lock()
    todo = list(range(utterances))
    sizes: list[int] = []
    repeated = [0]
    highest = [0]
    with pool_of(sandbox, max_connections=max_connections) as pool:

        def work() -> None:
            while True:
                with lock:
                    if not todo:
                        return
                    number = todo.pop()
                text = f"Utterance {number:04d} of many."
                while True:
                    try:
                        size = say(pool, text, wait_sec=WAIT)
                        break
                    except SonioxError as error:
                        if not is_retriable(error):
                            raise
                        repeated[0] += 1
                with lock:
                    sizes.append(size)
                    highest[0] = max(highest[0], readers())

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        left = pool.active_streams
    return {
        "sizes": sizes,
        "repeated": repeated[0],
        "left": left,
        "readers": highest[0],
        "peak": sandbox.log.peaks["tts.streams"],
        "connections": sandbox.log.totals["tts.connections"],
    }


def test_many_threads_share_a_pool_while_connections_are_cut(sandbox: Sandbox) -> None:
    """16 threads speak 150 utterances over 3 connections; each is complete in the end."""
    got = hammer(sandbox, 16, 150)
    expected = (len("Utterance 0000 of many.") * 65 + 250) * 16
    assert got["sizes"] == [expected] * 150
    assert got["peak"] <= 15
    assert got["readers"] <= 6  # three connections, and those that were just cut
    assert got["left"] == 0
    assert got["connections"] > 3, "nothing was cut"
