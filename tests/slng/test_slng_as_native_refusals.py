"""The native dialect's tests of what is refused before it is sent, run on the gateway's routes."""

from __future__ import annotations

import test_e2e_refusals
from gateway_wire import BOTH, run_on_gateway
from test_e2e_refusals import *  # noqa: F403 - every test there is a test here

# they send a keepalive to see that nothing else came, and the speech route has none
del (
    test_a_refused_stream_leaves_its_connection_untouched,  # noqa: F821
    test_bad_text_is_refused_before_the_config_goes_out,  # noqa: F821
    test_a_sixth_stream_is_refused_without_a_message,  # noqa: F821
)

# they are about settings of the other client; test_slng_client.py has those of this one
del (
    test_a_missing_key_is_refused_before_connecting,  # noqa: F821
    test_a_client_refuses_bad_settings_when_made,  # noqa: F821
    test_a_colon_key_cannot_be_a_subprotocol,  # noqa: F821
)

gateway = run_on_gateway(test_e2e_refusals, BOTH)
