"""What holds for every test: nothing may be left behind, and nothing may hang for ever."""

from __future__ import annotations

import faulthandler
import gc
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# a loaded machine is no failure; a failing example prints how to repeat it
settings.register_profile("soniox", deadline=None, print_blob=True)
settings.register_profile("thorough", settings.get_profile("soniox"), max_examples=2000)
settings.load_profile("soniox")

# what a thread or descriptor may take to go after the test; on a loaded machine it does take some
GRACE_SEC = 5.0
# a test that takes this long hangs: all stacks are shown and the run ends
HANG_SEC = 180.0
_FD_DIR = "/proc/self/fd"
# descriptors of the process rather than of a test: caches, devices, what an import opened
_HARMLESS = (".hypothesis", "/dev/", "/proc/", "site-packages", "__pycache__", ".pytest_cache")

_stderr: list[int] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    config.addinivalue_line("markers", "leaks(reason): leaves threads or descriptors on purpose")
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        _stderr.append(os.dup(2))
        return
    with capture.global_and_fixture_disabled():
        _stderr.append(os.dup(2))


@pytest.fixture(autouse=True)
def nothing_hangs() -> Iterator[None]:
    """End the run with all stacks when one test hangs: a bounded failure beats a stuck pipeline."""
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


def _threads_left(before: set[threading.Thread], deadline: float) -> list[str]:
    left = []
    # a sandbox that serves many tests starts its own clock during one of them
    shared = any(thread.name == "soniox-sandbox-accept" for thread in before)
    for thread in set(threading.enumerate()) - before:
        if thread is threading.current_thread() or not thread.name.startswith("soniox-"):
            continue
        if shared and thread.name == "soniox-sandbox-clock":
            continue
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            left.append(thread.name)
    return sorted(left)


def open_descriptors() -> dict[int, str]:
    """Give the process' descriptors and what they are, leaving out what no test owns."""
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
        pause.wait(0.01)  # the far end of a line closes on a thread of its own


@pytest.fixture
def manual_clock() -> Any:
    """Give a clock that the test moves by hand."""
    from peers import ManualClock

    return ManualClock()


@pytest.fixture
def raw_peer() -> Iterator[Any]:
    """Give a plain `ws://` server with the wire in the test's hands."""
    from peers import RawPeer

    with RawPeer() as peer:
        yield peer


@pytest.fixture(scope="session")
def authority() -> Any:
    """Give a throw-away certificate authority, as server and client contexts."""
    from peers import Authority

    return Authority()


@pytest.fixture
def tls_peer(authority: Any) -> Iterator[Any]:
    """Give a `wss://localhost` server with the wire in the test's hands."""
    from peers import RawPeer

    with RawPeer(tls=authority.server) as peer:
        yield peer
