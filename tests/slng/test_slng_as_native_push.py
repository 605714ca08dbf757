"""The native dialect's tests of handlers run on the gateway's."""

from __future__ import annotations

import pytest
import test_e2e_tts_push
from gateway_wire import speak_gateway
from test_e2e_tts_push import *  # noqa: F403 - every test there is a test here

# it sends a keepalive by hand, and this route has none
del test_a_blocked_handler_delays_neither_line_nor_neighbours  # noqa: F821


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the gateway's dialect between the tests and the wire."""
    speak_gateway(monkeypatch, test_e2e_tts_push)
