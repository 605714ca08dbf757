"""The native dialect's tests of what a transcription sends, run on rt-v4."""

from __future__ import annotations

import test_e2e_stt_sending
from gateway_wire import TRANSCRIPTION, run_on_gateway
from test_e2e_stt_sending import *  # noqa: F403 - every test there is a test here

gateway = run_on_gateway(test_e2e_stt_sending, TRANSCRIPTION)
