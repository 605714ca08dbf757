"""The one client of the process: made when it is first needed, shared by all threads."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from soniox_sync import SonioxClient


@cache
def client() -> SonioxClient:
    """Give the client that `settings.SONIOX` describes."""
    return SonioxClient(**settings.SONIOX)
