"""Threads that upload, submit, wait and delete: each does one item at a time."""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ...cancel import CancelToken
from ...errors import NotFoundError, RateLimitError, SonioxError, SonioxHttpError, is_retriable
from ...transport.deadline import Deadline
from ..inputs import is_url
from .events import Event, Failed, Finished, Removed, Submitted

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...rest.stt.types import TranscriptionJob
    from .items import Item

__all__ = ["Lookup", "Plan", "Workers"]

log: logging.Logger = logging.getLogger("soniox_sync.cli")

# A service that does not answer for a minute is not waiting for us alone.
_OUTAGE_SEC = 60.0
# Too many pending jobs become fewer as they end, which may take their own length.
_BUSY_SEC = 900.0
_FIRST_DELAY_SEC, _MAX_DELAY_SEC = 0.5, 30.0


@dataclass(frozen=True)
class Plan:
    """What is done with every item.

    `fields`: of the jobs. `unique`: whether each item has a reference of its own. `wait`: until
    they are over, each for at most `timeout_sec`. `on_upload`: called with the bytes sent and their
    number, `on_status` with each polled job; both on the thread of a worker.
    """

    fields: Mapping[str, Any]
    unique: bool
    wait: bool
    timeout_sec: Optional[float]
    on_upload: Optional[Callable[[int, int], object]] = None
    on_status: Optional[Callable[[TranscriptionJob], object]] = None


class Lookup:
    """What the service has of items that were sent; listed once, when needed.

    `unique`: whether each item has a reference of its own, by which it can be found.
    """

    def __init__(self, client: SonioxClient, *, unique: bool) -> None:
        self._client = client
        self._unique = unique
        self._files: Optional[dict[str, str]] = None
        self._jobs: Optional[list[TranscriptionJob]] = None

    def job_of(self, item: Item) -> Optional[TranscriptionJob]:
        """Return the job that was made for an item, `None` if there is none."""
        if self._jobs is None:
            self._jobs = list(self._client.stt.list_all(1000))
        for job in self._jobs:
            if self._unique and job.client_reference_id == item.reference:
                return job
            if item.file_id is not None and job.file_id == item.file_id:
                return job
        return None

    def file_of(self, item: Item) -> Optional[str]:
        """Return the id of the file that was uploaded for an item, `None` if there is none."""
        if not self._unique:
            return None
        if self._files is None:
            self._files = {
                each.client_reference_id: each.id
                for each in self._client.files.list_all(1000)
                if each.client_reference_id is not None
            }
        return self._files.get(item.reference or "")


Task = Callable[[], Event]


class Workers:
    """A bounded number of threads, and the events they report. A context manager.

    Leaving it cancels what still runs and waits for the threads.
    """

    def __init__(self, client: SonioxClient, plan: Plan, number: int) -> None:
        self._client = client
        self._plan = plan
        self._cancel = CancelToken()
        self._tasks: queue.SimpleQueue[Optional[tuple[Item, Task]]] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"soniox-job-{each + 1}", daemon=True)
            for each in range(number)
        ]

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._cancel.cancel("the command ends")
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, item: Item, *, is_new: bool) -> None:
        """Do an item; `is_new`: nothing of it has been sent before."""
        self._tasks.put((item, partial(self._do, item, is_new)))

    def remove(self, item: Item) -> None:
        """Delete job and file of an item at the service."""
        self._tasks.put((item, partial(self._remove, item)))

    # --- the threads

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            item, call = task
            try:
                self.events.put(call())
            except Exception as error:  # noqa: BLE001 - top of a thread; it is reported as one line
                self.events.put(Failed(item, error))

    def _do(self, item: Item, is_new: bool) -> Event:
        job_id = item.job_id
        if job_id is None:
            job = self._submitted(item, is_new)
            job_id = item.job_id = job.id
            if not self._plan.wait:
                return Submitted(item, job, last=True)
            self.events.put(Submitted(item, job, last=False))
        job = self._client.stt.wait(
            job_id,
            timeout_sec=self._plan.timeout_sec,
            on_progress=self._plan.on_status,
            cancel=self._cancel,
        )
        transcript = self._client.stt.get_transcript(job.id) if job.status != "error" else None
        return Finished(item, job, transcript)

    def _remove(self, item: Item) -> Event:
        assert item.job_id is not None
        with suppress(NotFoundError):  # a run that was cut has done so
            self._client.stt.destroy(item.job_id)
        return Removed(item)

    def _submitted(self, item: Item, is_new: bool) -> TranscriptionJob:
        """Make the job, again if the service was away or busy; never a second one."""
        outage, busy, delay = Deadline(_OUTAGE_SEC), Deadline(_BUSY_SEC), _FIRST_DELAY_SEC
        # whether a request was sent whose answer is not known: then the service is asked first
        in_doubt = not is_new
        while True:
            lookup = Lookup(self._client, unique=self._plan.unique) if in_doubt else None
            try:
                job = None if lookup is None else lookup.job_of(item)
                return job or self._create(item, self._uploaded(item, lookup))
            except SonioxHttpError as error:
                is_busy = isinstance(error, RateLimitError)
                in_doubt = in_doubt or not (error.nothing_sent or is_busy)
                may_repeat = self._plan.unique or not in_doubt or item.file_id is not None
                patience = busy if is_busy else outage
                if not is_retriable(error) or patience.passed or not may_repeat:
                    self._discard(item, error)
                    raise
                log.info("%s: trying again: %s", item.name, error)
                told = getattr(error, "retry_after_sec", None)
                self._pause(max(told or 0.0, delay * random.uniform(0.5, 1.0)))
                delay = min(delay * 2, _MAX_DELAY_SEC)

    def _pause(self, seconds: float) -> None:
        self._cancel.wait(seconds)
        self._cancel.raise_if_cancelled()

    def _uploaded(self, item: Item, lookup: Optional[Lookup]) -> Optional[str]:
        """Upload the file of an item if it is not there; return its id, `None` for a URL."""
        if is_url(item.key) or item.file_id is not None:
            return item.file_id
        file_id = None if lookup is None else lookup.file_of(item)
        if file_id is None:
            file_id = self._client.files.upload(
                item.key,
                client_reference_id=item.reference,
                on_progress=self._plan.on_upload,
                cancel=self._cancel,
            ).id
        item.file_id = file_id  # this thread owns the item until its last event
        return file_id

    def _create(self, item: Item, file_id: Optional[str]) -> TranscriptionJob:
        audio: dict[str, Any] = {"file_id": file_id} if file_id else {"audio_url": item.key}
        return self._client.stt.create(
            **audio,
            **self._plan.fields,
            client_reference_id=item.reference,
            cancel=self._cancel,
        )

    def _discard(self, item: Item, error: SonioxHttpError) -> None:
        """Delete what was uploaded for a job that the service refused."""
        refused = error.code == "http_error" and 400 <= (error.status_code or 0) < 500
        if item.file_id is None or item.key.startswith("id:") or not refused:
            return
        try:
            self._client.files.delete_if_exists(item.file_id)
            item.file_id = None
        except SonioxError as failure:
            log.info("the file %s could not be deleted: %s", item.file_id, failure)
