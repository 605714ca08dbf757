"""The native tests of `utterances()`, `read()` and `next_event()`, run on rt-v4."""

from tests.realtime.stt.test_consuming import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import TRANSCRIPTION, run_on_gateway

gateway = run_on_gateway(TRANSCRIPTION)
