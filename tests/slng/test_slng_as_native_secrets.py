"""The native dialect's tests of keys that show nowhere, run on the gateway's routes."""

from __future__ import annotations

import test_e2e_secrets
from gateway_wire import BOTH, run_on_gateway
from test_e2e_secrets import *  # noqa: F403 - every test there is a test here

gateway = run_on_gateway(test_e2e_secrets, BOTH)
