"""The native dialect's tests of a connection's life, run on the gateway's."""

from __future__ import annotations

import test_e2e_tts_connection
from gateway_wire import SPEECH, run_on_gateway
from test_e2e_tts_connection import *  # noqa: F403 - every test there is a test here

# the speech route has no keepalives
del (
    test_keepalives_go_out_when_nothing_else_did,  # noqa: F821
    test_a_keepalive_interval_is_at_least_a_second,  # noqa: F821
)

# the gateway's key travels in a header only
del (
    test_no_keepalive_precedes_a_key_in_the_message,  # noqa: F821
    test_a_subprotocol_the_server_does_not_choose_leaks_no_key,  # noqa: F821
)

gateway = run_on_gateway(test_e2e_tts_connection, SPEECH)
