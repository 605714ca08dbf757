"""Fixtures of the pool's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soniox_sync import TtsPool
from tests.realtime.pool.service import Service, leave


@pytest.fixture
def service() -> Iterator[Service]:
    """Serve until the test is over."""
    service = Service()
    yield service
    service.close()


@pytest.fixture
def pool(service: Service) -> Iterator[TtsPool]:
    """Make a pool, and close it without waiting."""
    pool = service.pool()
    yield pool
    service.may_connect.set()
    leave(pool)
