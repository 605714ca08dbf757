"""Rules for every test: it leaves nothing behind and does not hang. Shared fixtures."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# slowness is not a failure; a failing example prints how to reproduce it
settings.register_profile("soniox", deadline=None, print_blob=True)
settings.register_profile("thorough", settings.get_profile("soniox"), max_examples=2000)
settings.load_profile("soniox")

# how long threads and descriptors may outlive a test; on a loaded machine they end late
GRACE_SEC = 5.0
# a test that takes this long hangs: all stacks are shown and the run ends
HANG_SEC = 180.0
_FD_DIR = "/proc/self/fd"
# descriptors that belong to the process, not to a test: caches, devices, imported libraries
_HARMLESS = (
    ".hypothesis",
    "/dev/",
    "/proc/",
    "site-packages",
    "__pycache__",
    ".pytest_cache",
    "/libffi.so",  # libffi keeps its own file open, for its trampolines
)

_stderr: list[int] = []


def pytest_configure(config: pytest.Config) -> None:
    # commands, also those in processes of their own, share no speech with earlier runs
    os.environ["SONIOX_SYNC_CACHE"] = ""
    _let_children_be_interrupted()
    config.addinivalue_line("markers", "slow: takes seconds; files with such tests begin first")
    config.addinivalue_line("markers", "leaks(reason): leaves threads or descriptors on purpose")
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        _stderr.append(os.dup(2))
        return
    with capture.global_and_fixture_disabled():
        _stderr.append(os.dup(2))


@pytest.hookimpl(tryfirst=True)  # other orders, as a random one, replace this one
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: of several processes none is left alone with one."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Spare what is there now, ten thousand tests among it, every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before the fixtures' ends, which would close it
def pytest_runtest_teardown() -> None:
    """Fail a test that drops an open session, every time and not when a collection happens by."""
    gc.collect(1)  # what the test made is young; the oldest generation would cost minutes a run


def _let_children_be_interrupted() -> None:
    """Catch the signals that `nohup pytest &` ignores: child processes would inherit that.

    In a new program a caught signal has its default action again, an ignored one stays ignored,
    and tests that interrupt a program would wait forever.
    """
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # still without effect here


@pytest.fixture(autouse=True)
def nothing_hangs() -> Iterator[None]:
    """End the run with all stacks when one test hangs: a failure is better than a stuck run."""
    faulthandler.dump_traceback_later(HANG_SEC, exit=True, file=_stderr[0])
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest, nothing_hangs: None) -> Iterator[None]:
    """Fail the test that leaves a `soniox-*` thread or a descriptor behind."""
    threads_before = set(threading.enumerate())
    descriptors_before = open_descriptors()
    yield
    if request.node.get_closest_marker("leaks") is not None:
        return
    deadline = time.monotonic() + GRACE_SEC
    threads = _threads_left(threads_before, deadline)
    descriptors = _descriptors_left(descriptors_before, deadline)
    assert not threads, f"threads left behind: {threads}"
    assert not descriptors, f"descriptors left behind: {descriptors}"


@pytest.fixture(autouse=True)
def log_stays_as_it_was() -> Iterator[None]:
    """Fail the test that leaves the library's logger changed: all later ones would log and grow."""
    logger = logging.getLogger("soniox_sync")
    level, handlers = logger.level, list(logger.handlers)
    yield
    level_after, handlers_after = logger.level, list(logger.handlers)
    logger.setLevel(level)
    logger.handlers[:] = handlers
    assert (level_after, handlers_after) == (level, handlers), "the logger was left changed"


def _threads_left(before: set[threading.Thread], deadline: float) -> list[str]:
    left = []
    # a sandbox that serves many tests starts its own clock during one of them
    shared = any(thread.name == "soniox-sandbox-accept" for thread in before)
    for thread in set(threading.enumerate()) - before:
        if thread is threading.current_thread() or not thread.name.startswith("soniox-"):
            continue
        if shared and thread.name == "soniox-sandbox-clock":
            continue
        if not _ended(thread, deadline):
            left.append(thread.name)
    return sorted(left)


def _ended(thread: threading.Thread, deadline: float) -> bool:
    """Return whether a thread ends before `deadline`; it may not even have started yet."""
    pause = threading.Event()
    while thread.ident is None and time.monotonic() < deadline:
        pause.wait(0.001)
    if thread.ident is not None:
        thread.join(max(0.0, deadline - time.monotonic()))
    return thread.ident is not None and not thread.is_alive()


def open_descriptors() -> dict[int, str]:
    """Return the open descriptors and what they refer to, except those that no test owns."""
    found: dict[int, str] = {}
    if not os.path.isdir(_FD_DIR):  # not Linux: threads are still watched
        return found
    for name in os.listdir(_FD_DIR):
        try:
            target = os.readlink(f"{_FD_DIR}/{name}")
        except OSError:
            continue  # the descriptor of the listing itself
        if not any(harmless in target for harmless in _HARMLESS):
            found[int(name)] = target
    return found


def _descriptors_left(before: dict[int, str], deadline: float) -> list[str]:
    pause = threading.Event()
    while True:
        now = open_descriptors()
        left = [f"{fd} {what}" for fd, what in now.items() if before.get(fd) != what]
        if not left:
            return []
        gc.collect()  # an unreachable socket that warns about itself is reported by pytest
        if time.monotonic() >= deadline:
            return left
        pause.wait(0.01)  # the server's end of a connection closes on another thread


@pytest.fixture
def manual_clock() -> Any:
    """Provide a clock that only the test moves."""
    from tests.waiting import ManualClock

    return ManualClock()


@pytest.fixture
def raw_peer() -> Iterator[Any]:
    """Provide a plain `ws://` server that sends what the test sends."""
    from tests.peers import RawPeer

    with RawPeer() as peer:
        yield peer


@pytest.fixture
def closing_peer() -> Iterator[Any]:
    """Provide a plain `ws://` server that receives everything and answers close frames."""
    from tests.peers import RawPeer

    with RawPeer(answers_close=True) as peer:
        yield peer


@pytest.fixture(scope="session")
def authority() -> Any:
    """Provide a throw-away certificate authority, as server and client contexts."""
    from tests.peers import Authority

    return Authority()


@pytest.fixture
def tls_peer(authority: Any) -> Iterator[Any]:
    """Provide a `wss://localhost` server that sends what the test sends."""
    from tests.peers import RawPeer

    with RawPeer(tls=authority.server) as peer:
        yield peer
