"""The native tests of local refusals, run on the gateway's routes."""

from tests.realtime.test_refusals import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import (
    OTHER_CLIENT,
    SENDS_KEEPALIVE,
    SPEECH,
    TRANSCRIPTION,
    run_on_gateway,
)

gateway = run_on_gateway(SPEECH | TRANSCRIPTION)
LEFT_OUT = {
    "test_a_refused_stream_leaves_its_connection_untouched": SENDS_KEEPALIVE,
    "test_bad_text_is_refused_before_the_config_is_sent": SENDS_KEEPALIVE,
    "test_a_sixth_stream_is_refused_without_a_message": SENDS_KEEPALIVE,
    "test_a_missing_key_is_refused_before_connecting": OTHER_CLIENT,
    "test_a_client_refuses_bad_settings_at_construction": OTHER_CLIENT,
    "test_a_colon_key_cannot_be_a_subprotocol": OTHER_CLIENT,
}
