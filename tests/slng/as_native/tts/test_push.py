"""The native tests of a stream's handlers, run on the gateway's speech route."""

from tests.realtime.tts.test_push import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import SENDS_KEEPALIVE, SPEECH, run_on_gateway

gateway = run_on_gateway(SPEECH)
LEFT_OUT = {
    "test_a_blocked_handler_delays_no_other_work": SENDS_KEEPALIVE,
}
