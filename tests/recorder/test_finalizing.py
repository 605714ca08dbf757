"""A finalize is sent where it was requested."""

from __future__ import annotations

import pytest

from soniox_sync.recorder.actions import Finalize, Send
from tests.recorder.driver import Driver
from tests.recorder.world import BYTES_PER_MS


@pytest.mark.parametrize("after", [30, 100, 250, 600, 1249])
def test_a_finalize_is_sent_where_it_was_requested(after: int) -> None:
    """Audio captured since is sent after the finalize, which would otherwise cut a later word."""
    driver = Driver(auto_reconnect=True, catch_up_speed=None)
    driver.go()
    driver.capture(after)
    driver.recorder.finalize()
    driver.capture(2000)
    session = driver.open()
    request = driver.done.index(Finalize(session))
    before = [each for each in driver.done[:request] if isinstance(each, Send)]
    assert sum(len(each.data) for each in before) == after * BYTES_PER_MS
    assert driver.sent(session) == after + 2000
