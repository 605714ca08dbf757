"""The native dialect's tests of failures, late frames, lost lines, run on the gateway's."""

from __future__ import annotations

import pytest
import test_e2e_tts_faults
from gateway_wire import speak_gateway
from test_e2e_tts_faults import *  # noqa: F403 - every test there is a test here


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the gateway's dialect between the tests and the wire."""
    speak_gateway(monkeypatch, test_e2e_tts_faults)
