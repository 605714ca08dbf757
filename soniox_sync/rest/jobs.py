"""Starting jobs, waiting for them, and leaving nothing behind that should not stay."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..cancel import CancelToken
from ..config._values import positive_seconds
from ..errors import (
    ConfigurationError,
    SonioxError,
    SonioxHttpError,
    SonioxTimeoutError,
    is_retriable,
)
from ..transport.deadline import Deadline
from .http import Http
from .multipart import OnProgress, Upload
from .stt_types import TranscriptionJob

if TYPE_CHECKING:
    from .files import FilesApi
    from .stt import SttApi

_log = logging.getLogger("soniox_sync")

OnJob = Callable[[TranscriptionJob], object]

# seconds before the second look, and by how much each pause is longer than the one before
_FIRST_PAUSE_SEC, _GROWTH = 0.5, 1.5
# looks in a row that may fail before waiting does: with pauses of 5 s, half a minute of no service
_BORNE_FAILURES = 6


@dataclass(frozen=True)
class Source:
    """Is what to transcribe: one of three."""

    file: Optional[Upload]
    filename: Optional[str]
    file_id: Optional[str]
    audio_url: Optional[str]
    on_progress: Optional[OnProgress]

    def __post_init__(self) -> None:
        given = [self.file is not None, self.file_id is not None, self.audio_url is not None]
        if sum(given) != 1:
            raise ConfigurationError("give exactly one of file, file_id and audio_url")


class Keeper:
    """Starts jobs, and deletes them and their files where that was asked for."""

    def __init__(self, stt: SttApi, files: FilesApi) -> None:
        self._stt = stt
        self._files = files

    def start(
        self,
        source: Source,
        order: Mapping[str, Any],
        cancel: Optional[CancelToken],
        *,
        forget: bool,
    ) -> TranscriptionJob:
        """Upload if need be, and create the job; a file uploaded in vain is deleted.

        When it is not known whether the job was created the file stays, unless `forget`.
        """
        if source.file is None:
            return self._stt.create(
                file_id=source.file_id, audio_url=source.audio_url, cancel=cancel, **order
            )
        uploaded = self._files.upload(
            source.file,
            filename=source.filename,
            client_reference_id=order["client_reference_id"],
            on_progress=source.on_progress,
            cancel=cancel,
        )
        try:
            return self._stt.create(file_id=uploaded.id, cancel=cancel, **order)
        except BaseException as error:
            if forget or _was_refused(error):
                self._quietly("file", uploaded.id, self._files.delete_if_exists)
            raise

    @contextmanager
    def job(
        self,
        source: Source,
        order: Mapping[str, Any],
        cancel: Optional[CancelToken],
        *,
        forget: bool,
    ) -> Iterator[TranscriptionJob]:
        """Start a job for the time of a block; with `forget` it and its file are deleted after."""
        job = self.start(source, order, cancel, forget=forget)
        try:
            yield job
        except BaseException:
            if forget:
                self._destroy_quietly(job)
            raise
        if forget:
            self.destroy(job)

    def destroy(self, job: TranscriptionJob) -> None:
        """Delete a job's file, then the job: if that fails, the transcript is still there."""
        if job.file_id is None:
            self._stt.delete_if_exists(job.id)
            return
        if not job.is_over:  # a running job would lose its file and could not be deleted
            self._stt.delete_if_exists(job.id)
        self._files.delete_if_exists(job.file_id)
        self._stt.delete_if_exists(job.id)

    def _destroy_quietly(self, job: TranscriptionJob) -> None:
        # not with the caller's token: that may be what ended the block
        self._quietly("transcription", job.id, self._stt.delete_if_exists)
        if job.file_id is not None:
            self._quietly("file", job.file_id, self._files.delete_if_exists)

    def _quietly(self, kind: str, its_id: str, delete: Callable[[str], None]) -> None:
        """Delete on the way out of an error, which must not be replaced by another."""
        try:
            delete(its_id)
        except SonioxError as error:
            _log.warning("! the %s %s could not be deleted: %s", kind, its_id, error)


def watch(
    http: Http,
    look: Callable[[Optional[float]], TranscriptionJob],
    interval_sec: float,
    timeout_sec: Optional[float],
    on_progress: Optional[OnJob],
    cancel: Optional[CancelToken],
) -> TranscriptionJob:
    """Look at a job until it is over; see `SttApi.wait`. `look(within_sec)` asks once."""
    positive_seconds("interval_sec", interval_sec)
    deadline = Deadline(timeout_sec)
    pause, failures = min(_FIRST_PAUSE_SEC, interval_sec), 0
    while True:
        try:
            job = look(deadline.remaining() or None)  # past it: one full look is still due
            failures = 0
        except SonioxHttpError as error:
            failures += 1
            if not is_retriable(error) or failures > _BORNE_FAILURES:
                raise
            job = None
        if job is not None:
            if on_progress is not None:
                on_progress(job)
            if job.is_over:
                return job
        if deadline.passed:
            raise SonioxTimeoutError(
                f"the transcription was not over within {timeout_sec:g} s; it goes on: wait again"
            )
        http.pause(deadline.at_most(pause), cancel)
        if cancel is not None:
            cancel.raise_if_cancelled()
        pause = min(pause * _GROWTH, interval_sec)


def _was_refused(error: BaseException) -> bool:
    """Tell whether the service, or nobody, got the order: then no job was made."""
    if not isinstance(error, SonioxHttpError):
        return False
    if error.status_code is not None:
        return error.code == "http_error" and error.status_code < 500
    return bool(getattr(error, "nothing_sent", False))
