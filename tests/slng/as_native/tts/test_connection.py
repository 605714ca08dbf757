"""The native tests of a TTS connection, run on the gateway's speech route."""

from tests.realtime.tts.test_connection import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import KEY_IN_HEADER, NO_KEEPALIVES, SPEECH, run_on_gateway

gateway = run_on_gateway(SPEECH)
LEFT_OUT = {
    "test_keepalives_are_sent_when_nothing_else_was": NO_KEEPALIVES,
    "test_a_keepalive_interval_is_at_least_a_second": NO_KEEPALIVES,
    "test_no_keepalive_precedes_a_key_in_the_message": KEY_IN_HEADER,
    "test_a_subprotocol_the_server_does_not_choose_leaks_no_key": KEY_IN_HEADER,
}
