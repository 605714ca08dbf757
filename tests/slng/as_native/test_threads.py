"""The native tests of many threads on one object, run on the gateway's routes."""

from tests.realtime.test_threads import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import SPEECH, TRANSCRIPTION, run_on_gateway

gateway = run_on_gateway(SPEECH | TRANSCRIPTION)
