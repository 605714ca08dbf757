"""One input of a run, and how far it has come."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Optional

from ..inputs import is_url

__all__ = ["COMPLETED", "FAILED", "NEW", "SENDING", "STATUSES", "SUBMITTED", "Item", "key_of"]

# Status of an item, in the order of its life: `failed` is the service's own and final answer. An
# item whose upload or request failed is `new` or `sending` again, with its `error`.
NEW, SENDING, SUBMITTED, COMPLETED, FAILED = "new", "sending", "submitted", "completed", "failed"
STATUSES = (NEW, SENDING, SUBMITTED, COMPLETED, FAILED)


@dataclass
class Item:
    """One input and how far it has come.

    `key`: what it is known by, an absolute path, a URL, or `id:` and the id of an uploaded file.
    `reference`: sent as `client_reference_id`; `is_named`: it is this item's alone. `since`: when
    it was sent, in seconds since 1970. `folder`: where it is below a folder that was named.
    `output`, `format`: where its transcript is written, or was written last, and as what.
    `is_deleted`: job and file have been deleted at the service.
    """

    key: str
    reference: Optional[str] = None
    is_named: bool = False
    status: str = NEW
    size: Optional[int] = None
    file_id: Optional[str] = None
    job_id: Optional[str] = None
    since: Optional[float] = None
    folder: Optional[str] = None
    output: Optional[str] = None
    format: Optional[str] = None
    is_deleted: bool = False
    error: Optional[str] = None

    @property
    def is_over(self) -> bool:
        """Whether the service has nothing left to do."""
        return self.status in (COMPLETED, FAILED)

    @property
    def name(self) -> str:
        """Name for messages: a URL, an id, or a path, relative to this folder if it is in there."""
        if self.key.startswith("id:") or is_url(self.key):
            return self.key[len("id:") :] if self.key.startswith("id:") else self.key
        try:
            relative = os.path.relpath(self.key)
        except ValueError:  # another drive on Windows
            return self.key
        return self.key if relative.startswith(os.pardir) else relative


def key_of(source: str) -> str:
    """Return what an input is known by."""
    return source if is_url(source) or source.startswith("id:") else os.path.realpath(source)
