"""Fixtures of the tests of the runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soniox_sync.runtime.delivery import CallbackWorker
from tests.peers import Listener, open_pair
from tests.runtime.pairs import Pair
from tests.waiting import ManualClock


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Provide a connection without pings, its remote end, its receiver and its clock."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=None) as (connection, remote):
        yield connection, remote, listener, clock


@pytest.fixture
def pinging() -> Iterator[Pair]:
    """Provide the same with pings every 20 s and a ping timeout of 15 s."""
    listener, clock = Listener(), ManualClock()
    with open_pair(listener, clock=clock, ping_interval_sec=20.0, ping_timeout_sec=15.0) as (
        connection,
        remote,
    ):
        yield connection, remote, listener, clock


@pytest.fixture
def worker() -> Iterator[CallbackWorker]:
    made = CallbackWorker("soniox-callback-test")
    yield made
    made.stop()
