"""The main thread of a run: hands items to the workers, and is the only one to keep their state."""

from __future__ import annotations

import argparse
import os
import queue
import threading
from collections.abc import Sequence

from ..._support.queues import get_within
from ...errors import AuthError, NotFoundError, SonioxError, SonioxHttpError
from ..batch import SomeFailed
from ..console import Console
from ..progress import Progress
from ..reports import AboutInput, message_of, report_one_of_several
from .delivery import Delivery
from .events import Event, Failed, Finished, Removed, Submitted
from .items import COMPLETED, FAILED, SENDING, SUBMITTED, Item
from .state import State, now
from .work import Work
from .worker import Workers

__all__ = ["Runner"]

# How old a request must be before it counts as lost when the service knows nothing of it: one that
# the kill cut off may still be on its way into the service's list.
_SETTLE_SEC = 5.0
# How old the state on the disk may be; what is newer is found by asking the service.
_SAVE_SEC = 1.0


class Runner:
    """One run over the items of a state; `delivery` gets what comes of them, on the main thread."""

    def __init__(
        self,
        args: argparse.Namespace,
        console: Console,
        state: State,
        delivery: Delivery,
        work: Work,
    ) -> None:
        self._args = args
        self._console = console
        self._state = state
        self._delivery = delivery
        self._work = work
        self._errors: list[BaseException] = []
        self._failed: set[str] = set()
        self._total = work.total
        self._done = 0
        self._active = 0
        self._stop = False

    def run(self, workers: Workers, progress: Progress) -> None:
        """Do all items that are not over.

        Raises
            SomeFailed: some of several failed; of a single one its own error is raised.
        """
        items = self._work.items
        for each in self._work.unusable:
            self._tell(each.source, each.error)
        for item in items:
            if item.status == FAILED:
                self._report(item, SonioxError(item.error or "failed"))
        waiting = [item for item in items if not self._is_over(item) and not self._is_lost(item)]
        self._done = self._total - len(waiting)
        try:
            _settle(waiting, progress)
            with workers:
                self._loop(waiting, workers, progress)
        finally:
            for item in waiting:
                if item.status == SENDING and item.job_id is not None:
                    item.status = SUBMITTED  # its event was not taken any more
            self._state.save()
            self._delivery.close()  # also what was submitted before an error
        self._raise_failures()

    def _is_over(self, item: Item) -> bool:
        return self._work.is_over(item) or (item.status == SUBMITTED and not self._args.wait)

    def _is_lost(self, item: Item) -> bool:
        """Report a transcript that was written elsewhere and cannot be had again."""
        if not item.is_deleted or item.key not in self._work.again:
            return False
        target = self._work.targets.get(item.key, "stdout")
        text = f"its job was deleted after an earlier run, so {target} cannot be written"
        if item.output is not None and os.path.exists(item.output):
            text += f"; the transcript is in {item.output}"
        self._report(item, SonioxError(text))
        return True

    def _loop(self, waiting: list[Item], workers: Workers, progress: Progress) -> None:
        waiting = waiting[::-1]
        room = self._args.concurrency
        self._show(progress)
        while self._active or (waiting and not self._stop):
            chosen: list[Item] = []
            while waiting and not self._stop and self._active + len(chosen) < room:
                chosen.append(waiting.pop())
            self._send(chosen, workers)
            try:
                event = get_within(workers.events, _SAVE_SEC)
            except queue.Empty:
                self._state.save()
                continue
            self._take(event, workers)
            self._show(progress)

    def _send(self, chosen: Sequence[Item], workers: Workers) -> None:
        """Hand items to the workers; the state says so before anything is sent."""
        if not chosen:
            return
        new = {item.key for item in chosen if item.job_id is None and item.status != SENDING}
        for item in chosen:
            if item.key in new:
                item.status, item.since = SENDING, now()
            if not item.is_over:
                item.error = None
        self._state.save()
        for item in chosen:
            self._active += 1
            if item.key in self._work.undeleted:
                workers.remove(item)
            else:
                workers.submit(item, is_new=item.key in new)

    def _take(self, event: Event, workers: Workers) -> None:
        item = event.item
        if isinstance(event, Submitted):
            item.status, item.job_id = SUBMITTED, event.job.id
            self._delivery.add_job(event.job)
            if event.last:
                self._end()
        elif isinstance(event, Finished):
            self._finish(event)
            if self._args.delete_after:
                # on the disk first: a kill after the deletion must not submit it again
                self._state.save()
                workers.remove(item)
            else:
                self._end()
        elif isinstance(event, Failed):
            if not item.is_over:
                item.error = message_of(event.error)
            self._report(item, event.error)
            self._end()
        else:
            assert isinstance(event, Removed)
            item.is_deleted = True
            self._end()

    def _end(self) -> None:
        self._active -= 1
        self._done += 1

    def _finish(self, event: Finished) -> None:
        from ...rest.stt.types import job_failure

        item = event.item
        if event.transcript is None:
            failure = job_failure(event.job)
            item.status, item.error = FAILED, message_of(failure)
            self._report(item, failure)
        else:
            self._delivery.add_transcript(item, event.job, event.transcript)
            item.status = COMPLETED
            self._work.again.discard(item.key)

    def _report(self, item: Item, error: BaseException) -> None:
        if isinstance(error, NotFoundError) and item.job_id is not None:
            error = SonioxError(
                f"its job {item.job_id} is not there: it was deleted, or belongs to another project"
            )
        self._errors.append(error)
        self._failed.add(item.key)
        # the next one would fail in the same way
        self._stop = self._stop or _is_of_all(error)
        if self._total > 1:
            self._tell(item.name, error)

    def _tell(self, name: str, error: BaseException) -> None:
        args = self._args
        report_one_of_several(error, self._console, name, verbose=args.verbose, as_json=args.json)

    def _raise_failures(self) -> None:
        items = self._work.items
        if self._total == 1 and self._errors:
            error = self._errors[0]
            if _is_of_all(error):
                raise error
            raise AboutInput(items[0].name, error) from error
        good = sum(item.key not in self._failed and self._is_done(item) for item in items)
        ended = "transcribed" if self._args.wait else "submitted"
        left = self._total - good
        if left:
            were = "was" if left == 1 else "were"
            raise SomeFailed(f"{left} of {self._total} files {were} not {ended}")
        if self._total > 1:
            self._console.note(f"{good} of {self._total} files {ended}")

    def _is_done(self, item: Item) -> bool:
        if item.is_over:
            return item.key not in self._work.again
        return item.status == SUBMITTED and not self._args.wait

    def _show(self, progress: Progress) -> None:
        if self._total > 1:
            progress.set_bar(f"{self._done} of {self._total}", self._done, self._total)


def _settle(items: Sequence[Item], progress: Progress) -> None:
    """Wait until the service must know of everything that an earlier run has sent."""
    ages = [now() - item.since for item in items if item.status == SENDING and item.since]
    left = min(_SETTLE_SEC, _SETTLE_SEC - min(ages, default=_SETTLE_SEC))
    if left > 0:
        progress.set_text("looking for what was sent before the cut")
        threading.Event().wait(left)


def _is_of_all(error: BaseException) -> bool:
    """Return whether other calls would fail, too: no key, no network, no money, no room."""
    if isinstance(error, AuthError):
        return True
    if not isinstance(error, SonioxHttpError):
        return False
    return error.code in ("network_error", "timeout") or error.status_code in (402, 429)
