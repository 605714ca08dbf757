"""The same speech and transcription through the SLNG gateway (PROTOCOL 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import lazy_names

if TYPE_CHECKING:
    from .client import SlngClient

__all__ = ["SlngClient"]

lazy_names(globals(), {"client": "SlngClient"})
