"""The native tests of streams, run on the gateway's speech route."""

from tests.realtime.tts.test_streams import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import SPEECH, run_on_gateway

gateway = run_on_gateway(SPEECH)
