"""The native dialect's tests of streams, five at once, cancel, run as they are on the gateway's."""

from __future__ import annotations

import test_e2e_tts_streams
from gateway_wire import SPEECH, run_on_gateway
from test_e2e_tts_streams import *  # noqa: F403 - every test there is a test here

gateway = run_on_gateway(test_e2e_tts_streams, SPEECH)
