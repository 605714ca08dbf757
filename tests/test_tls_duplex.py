"""TLS carries both directions at once, on several lines, without a torn or missing message."""

from __future__ import annotations

import pytest
from duplex import Load, run
from peers import Authority


@pytest.mark.parametrize("rate", [None, 50.0], ids=["saturated", "paced"])
def test_tls_lines_talk_both_ways_at_once(rate: float, authority: Authority) -> None:
    """Four wss lines full in both directions lose nothing, keep order, and close in order."""
    run(Load(rate), 4, 1.5, authority.server, authority.client)


def test_large_messages_both_ways(authority: Authority) -> None:
    """Messages larger than a TLS record and than any buffer cross each other whole."""
    load = Load(None, up_bytes=200_000, down_bytes=300_000)
    run(load, 2, 1.0, authority.server, authority.client)


def test_plain_lines_talk_both_ways_at_once() -> None:
    """The same holds without TLS."""
    run(Load(None), 4, 1.0, None, None)
