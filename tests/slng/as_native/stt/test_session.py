"""The native tests of a transcription from start to end, run on rt-v4."""

from tests.realtime.stt.test_session import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import KEY_IN_HEADER, TRANSCRIPTION, run_on_gateway

gateway = run_on_gateway(TRANSCRIPTION)
LEFT_OUT = {
    "test_the_key_can_be_sent_in_the_start_message": KEY_IN_HEADER,
}
