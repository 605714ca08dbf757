"""The native dialect's tests of a transcription, from its start to its good end, run on rt-v4."""

from __future__ import annotations

import test_e2e_stt_session
from gateway_wire import TRANSCRIPTION, run_on_gateway
from test_e2e_stt_session import *  # noqa: F403 - every test there is a test here

# the gateway's key has one place only
del test_the_key_can_travel_in_the_start_message  # noqa: F821

gateway = run_on_gateway(test_e2e_stt_session, TRANSCRIPTION)
