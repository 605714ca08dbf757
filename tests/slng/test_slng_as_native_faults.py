"""The native dialect's tests of failures, late frames, lost lines, run on the gateway's."""

from __future__ import annotations

import test_e2e_tts_faults
from gateway_wire import SPEECH, run_on_gateway
from test_e2e_tts_faults import *  # noqa: F403 - every test there is a test here

gateway = run_on_gateway(test_e2e_tts_faults, SPEECH)
