"""A stand-in for the Soniox service on loopback: for demos, tests, and work without a key.

Begin with::

    from soniox_sync.sandbox import Sandbox

    with Sandbox() as sandbox:
        client = sandbox.client()

Importing this package loads nothing but a few names; the server comes with their first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engines.base import Engines, HeardWord
    from .faults import Fault, Faults
    from .keys import KeyRule
    from .limits import Limits
    from .log import Entry, TrafficLog
    from .numbered import NumberedRecognizer, numbered_audio
    from .sandbox import Sandbox, Urls
    from .scripted import Script

__all__ = [
    "Engines",
    "Entry",
    "Fault",
    "Faults",
    "HeardWord",
    "KeyRule",
    "Limits",
    "NumberedRecognizer",
    "Sandbox",
    "Script",
    "TrafficLog",
    "Urls",
    "numbered_audio",
]

_HOME = {
    "Engines": "engines.base",
    "Entry": "log",
    "Fault": "faults",
    "Faults": "faults",
    "HeardWord": "engines.base",
    "KeyRule": "keys",
    "Limits": "limits",
    "NumberedRecognizer": "numbered",
    "Sandbox": "sandbox",
    "Script": "scripted",
    "TrafficLog": "log",
    "Urls": "sandbox",
    "numbered_audio": "numbered",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
