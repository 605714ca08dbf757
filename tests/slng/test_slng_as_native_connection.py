"""The native dialect's tests of a connection's life, run on the gateway's.

Left out is what the gateway does not have: keepalives on the speech route, other ways of
authenticating.
"""

from __future__ import annotations

import pytest
import test_e2e_tts_connection
from gateway_wire import speak_gateway
from test_e2e_tts_connection import (  # noqa: F401 - tests there are tests here
    test_a_connection_closed_while_idle_is_opened_again_on_demand,
    test_a_key_callable_is_asked_once_per_connection,
    test_a_lost_line_is_told_to_its_connection,
    test_closing_says_goodbye_and_fails_live_streams,
    test_closing_wakes_a_thread_that_connects,
    test_connect_is_idempotent_and_reopens,
    test_defaults_of_the_client_lie_under_each_stream,
    test_the_connect_deadline_holds_for_a_silent_server,
    test_two_threads_that_connect_at_once_open_one_line,
)


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the gateway's dialect between the tests and the wire."""
    speak_gateway(monkeypatch, test_e2e_tts_connection)
