"""The native tests of connections lost in a transcription, run on rt-v4."""

from tests.realtime.stt.test_faults import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import TRANSCRIPTION, run_on_gateway

gateway = run_on_gateway(TRANSCRIPTION)
