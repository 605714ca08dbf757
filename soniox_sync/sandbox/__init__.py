"""Local stand-in for the Soniox service: for demos, tests, and work without a key.

Start with::

    from soniox_sync.sandbox import Sandbox

    with Sandbox() as sandbox:
        client = sandbox.client()

Importing this package does not load the server: each name loads its module on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import lazy_names

if TYPE_CHECKING:
    from .caller.caller import Caller
    from .caller.lines import HangUp, Key, Line, Quiet
    from .engines.base import Engines, HeardWord
    from .engines.numbered import NumberedRecognizer, numbered_audio
    from .engines.scripted import Script
    from .faults import Faults
    from .keys import KeyRule
    from .limits import Limits
    from .log import Entry, TrafficLog
    from .replay.differences import Difference, Replay
    from .sandbox import Sandbox, Urls
    from .schedule import Fault

__all__ = [
    "Caller",
    "Difference",
    "Engines",
    "Entry",
    "Fault",
    "Faults",
    "HangUp",
    "HeardWord",
    "Key",
    "KeyRule",
    "Limits",
    "Line",
    "NumberedRecognizer",
    "Quiet",
    "Replay",
    "Sandbox",
    "Script",
    "TrafficLog",
    "Urls",
    "numbered_audio",
]

lazy_names(
    globals(),
    {
        "caller.caller": "Caller",
        "caller.lines": "HangUp Key Line Quiet",
        "engines.base": "Engines HeardWord",
        "engines.numbered": "NumberedRecognizer numbered_audio",
        "engines.scripted": "Script",
        "faults": "Faults",
        "keys": "KeyRule",
        "limits": "Limits",
        "log": "Entry TrafficLog",
        "replay.differences": "Difference Replay",
        "sandbox": "Sandbox Urls",
        "schedule": "Fault",
    },
)
