"""TLS carries both directions at once, on several connections, without losing a message."""

from __future__ import annotations

import pytest

from tests.peers import Authority
from tests.transport.duplex import Load, run


@pytest.mark.parametrize("rate", [None, 50.0], ids=["saturated", "paced"])
def test_tls_connections_carry_both_directions_at_once(rate: float, authority: Authority) -> None:
    """Four wss connections, full in both directions, lose nothing, keep order, close cleanly."""
    run(Load(rate), 4, 1.5, authority.server, authority.client)


def test_large_messages_both_ways(authority: Authority) -> None:
    """Messages larger than a TLS record and than any buffer arrive whole, both ways."""
    load = Load(None, up_bytes=200_000, down_bytes=300_000)
    run(load, 2, 1.0, authority.server, authority.client)


def test_plain_connections_carry_both_directions_at_once() -> None:
    """The same holds without TLS."""
    run(Load(None), 4, 1.0, None, None)
