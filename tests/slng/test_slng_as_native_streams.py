"""The native dialect's tests of streams, five at once, cancel, run as they are on the gateway's."""

from __future__ import annotations

import pytest
import test_e2e_tts_streams
from gateway_wire import speak_gateway
from test_e2e_tts_streams import *  # noqa: F403 - every test there is a test here


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the gateway's dialect between the tests and the wire."""
    speak_gateway(monkeypatch, test_e2e_tts_streams)
