"""The native dialect's tests of handlers run on the gateway's."""

from __future__ import annotations

import test_e2e_tts_push
from gateway_wire import SPEECH, run_on_gateway
from test_e2e_tts_push import *  # noqa: F403 - every test there is a test here

# it sends a keepalive by hand, and this route has none
del test_a_blocked_handler_delays_neither_line_nor_neighbours  # noqa: F821

gateway = run_on_gateway(test_e2e_tts_push, SPEECH)
