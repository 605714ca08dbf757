"""What a worker tells about an item: it was submitted, it is over, or it went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

if TYPE_CHECKING:
    from ...rest.stt.types import JobTranscript, TranscriptionJob
    from .items import Item

__all__ = ["Event", "Failed", "Finished", "Removed", "Submitted"]


@dataclass(frozen=True)
class Submitted:
    """The job has been made. `last`: nothing else is to be done for it."""

    item: Item
    job: TranscriptionJob
    last: bool


@dataclass(frozen=True)
class Finished:
    """The job is over; `transcript` is `None` if it failed."""

    item: Item
    job: TranscriptionJob
    transcript: Optional[JobTranscript]


@dataclass(frozen=True)
class Removed:
    """Job and file have been deleted at the service."""

    item: Item


@dataclass(frozen=True)
class Failed:
    """A call failed; nothing else is done for the item in this run."""

    item: Item
    error: BaseException


Event = Union[Failed, Finished, Removed, Submitted]
