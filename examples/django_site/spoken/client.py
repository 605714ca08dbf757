"""The one client of the process: created on first use, shared by all threads."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from soniox_sync import SonioxClient


@cache
def client() -> SonioxClient:
    """Return the client configured by `settings.SONIOX`."""
    return SonioxClient(**settings.SONIOX)
