"""The native tests that keys are shown nowhere, run on the gateway's routes."""

from tests.realtime.test_secrets import *  # noqa: F403 - every test there is a test here
from tests.slng.as_native.gateway import SPEECH, TRANSCRIPTION, run_on_gateway

gateway = run_on_gateway(SPEECH | TRANSCRIPTION)
