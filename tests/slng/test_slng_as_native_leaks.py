"""The native dialect's tests of what sessions leave behind, run on the gateway's routes."""

from __future__ import annotations

import test_e2e_leaks
from gateway_wire import BOTH, run_on_gateway
from test_e2e_leaks import *  # noqa: F403 - every test there is a test here

gateway = run_on_gateway(test_e2e_leaks, BOTH)
