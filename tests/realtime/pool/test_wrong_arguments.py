"""A pool refuses a wrong argument at the call that got it, by its name, and opens nothing."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.realtime.pool.pool import TtsPool

VOICE: dict[str, Any] = {"voice": "v", "language": "en", "audio_format": "pcm_s16le"}


@pytest.mark.parametrize(
    ("name", "value", "call"),
    [
        ("n", 0, lambda pool, n: pool.warm(n)),
        ("n", -1, lambda pool, n: pool.warm(n)),
        ("wait_sec", -1, lambda pool, sec: pool.speak("Hi.", wait_sec=sec, **VOICE)),
        ("wait_sec", -1, lambda pool, sec: pool.stream(wait_sec=sec, **VOICE)),
        ("timeout_sec", -1, lambda pool, sec: pool.close(sec)),
    ],
)
def test_a_wrong_value_is_named(
    pool: TtsPool, name: str, value: Any, call: Callable[[TtsPool, Any], object]
) -> None:
    """The error begins with the name of the argument; a word in its place is a wrong type."""
    with pytest.raises(ConfigurationError, match=f"^{name}: expected"):
        call(pool, value)
    with pytest.raises(InputTypeError, match=f"^{name}: expected"):
        call(pool, "one")
    assert pool.connections == 0
