"""The native dialect's tests of many threads on one object, run on the gateway's routes."""

from __future__ import annotations

import test_e2e_threads
from gateway_wire import BOTH, run_on_gateway
from test_e2e_threads import *  # noqa: F403 - every test there is a test here

gateway = run_on_gateway(test_e2e_threads, BOTH)
