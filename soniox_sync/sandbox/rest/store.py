"""Stored files, transcriptions and voices of an account. In memory, bounded by the limits."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Generic, Optional, TypeVar

from ..._support.locks import new_lock
from ..problems import Problem
from .common import iso

__all__ = ["Job", "Shelf", "Store", "StoredFile", "StoredVoice"]

_numbers = itertools.count(1)


@dataclass
class Item:
    """Stored item; `number` is its position in the order of creation."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()), init=False)
    number: int = field(default_factory=lambda: next(_numbers), init=False)
    created_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc), init=False)

    def body(self) -> dict[str, Any]:
        """Return its JSON, as the service returns it. Called with the store's lock held."""
        raise NotImplementedError


@dataclass
class StoredFile(Item):
    """Uploaded file."""

    filename: str
    content: bytes = field(repr=False)
    client_reference_id: Optional[str] = None

    def body(self) -> dict[str, Any]:
        """Return the body of `GET /files/{id}` (PROTOCOL 5.2)."""
        return {
            "id": self.id,
            "filename": self.filename,
            "size": len(self.content),
            "created_at": iso(self.created_at),
            "client_reference_id": self.client_reference_id,
        }


@dataclass
class Job(Item):
    """Transcription. `order` is the checked request; the rest changes under the store's lock.

    `settings` are for the transcriber; `audio` is kept until it has been transcribed.
    """

    order: Mapping[str, Any]
    filename: str
    settings: Any = field(repr=False)
    audio: Optional[bytes] = field(default=None, repr=False)
    status: str = "queued"
    audio_duration_ms: Optional[int] = None
    error_type: Optional[str] = None
    error_message: Optional[str] = None
    webhook_status_code: Optional[int] = None
    tokens: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def body(self) -> dict[str, Any]:
        """Return the body of `GET /transcriptions/{id}` (PROTOCOL 5.3)."""
        order = dict(self.order)
        secret = order.pop("webhook_auth_header_value", None)
        if secret is not None:
            order["webhook_auth_header_value"] = "*" * 8
        order.setdefault("enable_speaker_diarization", False)
        order.setdefault("enable_language_identification", False)
        facts = {
            "audio_duration_ms": self.audio_duration_ms,
            "error_type": self.error_type,
            "error_message": self.error_message,
            "webhook_status_code": self.webhook_status_code,
        }
        return {
            "id": self.id,
            "status": self.status,
            "created_at": iso(self.created_at),
            "filename": self.filename,
            **order,
            **{name: value for name, value in facts.items() if value is not None},
        }

    def transcript(self) -> dict[str, Any]:
        """Return the body of `GET /transcriptions/{id}/transcript`: text and tokens."""
        spoken = (each for each in self.tokens if each.get("translation_status") != "translation")
        text = "".join(each["text"] for each in spoken)
        return {"id": self.id, "text": text, "tokens": self.tokens}


@dataclass
class StoredVoice(Item):
    """Cloned voice; `models` maps each model to status, error type and error message."""

    name: str
    filename: str
    audio_ms: int
    models: dict[str, tuple[str, Optional[str], Optional[str]]] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return the body of `GET /voices/{id}` (PROTOCOL 5.6)."""
        return {
            "id": self.id,
            "name": self.name,
            "filename": self.filename,
            "created_at": iso(self.created_at),
            "models": [
                {"model": model, "status": status, "error_type": kind, "error_message": message}
                for model, (status, kind, message) in self.models.items()
            ],
        }


T = TypeVar("T", bound=Item)


class Shelf(Generic[T]):
    """Items of one kind, by id. Its methods are called under the store's lock."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._items: dict[str, T] = {}

    def get(self, item_id: str) -> T:
        """Return an item.

        Raises
            Problem: 404.
        """
        if item_id not in self._items:
            raise Problem(
                f"{self._kind.lower()}_not_found",
                f"{self._kind} {item_id[:50]} not found.",
                code=404,
            )
        return self._items[item_id]

    def add(self, item: T) -> None:
        """Add an item."""
        self._items[item.id] = item

    def remove(self, item_id: str) -> T:
        """Remove an item and return it.

        Raises
            Problem: 404.
        """
        item = self.get(item_id)
        del self._items[item_id]
        return item

    def all(self) -> list[T]:
        """Return all items, oldest first."""
        return list(self._items.values())

    def __len__(self) -> int:
        return len(self._items)


class Store:
    """All stored items. `lock` guards them and their shelves."""

    def __init__(self) -> None:
        # Guards the shelves and their items. Never held across anything that blocks. Leaf.
        self.lock: threading.Lock = new_lock()
        self.files: Shelf[StoredFile] = Shelf("File")
        self.jobs: Shelf[Job] = Shelf("Transcription")
        self.voices: Shelf[StoredVoice] = Shelf("Voice")

    @property
    def stored_bytes(self) -> int:
        """Bytes of all files; under the lock."""
        return sum(len(file.content) for file in self.files.all())

    @property
    def pending(self) -> int:
        """Number of jobs that have not ended; under the lock."""
        return sum(job.status in ("queued", "processing") for job in self.jobs.all())
