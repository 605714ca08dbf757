"""The native tests of a stream's audio, run on the gateway's speech route."""

from tests.realtime.tts.test_audio import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import SPEECH, run_on_gateway

gateway = run_on_gateway(SPEECH)
