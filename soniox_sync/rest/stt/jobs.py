"""Jobs: created, waited for, and deleted together with the files uploaded for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ..._support.checks import boolean, function, positive_seconds, refuse_unknown, text, timeout
from ...cancel import CancelToken
from ...config._values import EXTRA_HINT, field_names
from ...config.constants import DEFAULT_ASYNC_MODEL
from ...errors import (
    ConfigurationError,
    SonioxError,
    SonioxHttpError,
    SonioxTimeoutError,
    is_retriable,
)
from ...runtime.log import harmless
from ...transport.deadline import Deadline
from ..arguments import check_id, reference_field
from ..collection import Collection
from ..files import FilesApi
from ..http import Call, Http
from ..multipart import OnProgress, Upload
from .config import TranscriptionConfig, merge_config, web_url
from .types import JobTranscript, TranscriptionJob, TranscriptionPage

_log = logging.getLogger("soniox_sync")

OnJob = Callable[[TranscriptionJob], object]

# seconds before the second poll, and by what factor each pause is longer than the previous: short
# files are done in a second, long ones need not be polled every second
_FIRST_PAUSE_SEC, _GROWTH = 0.5, 1.5
# consecutive polls that may fail: with pauses of 5 s, half a minute without the service
_TOLERATED_FAILURES = 6

_check_model = text(32)
_check_url = web_url(4096)


@dataclass(frozen=True)
class Source:
    """Audio to transcribe: a file to upload, an uploaded file, or a URL."""

    file: Optional[Upload] = None
    filename: Optional[str] = None
    file_id: Optional[str] = None
    audio_url: Optional[str] = None
    on_upload_progress: Optional[OnProgress] = None

    def __post_init__(self) -> None:
        given = [self.file is not None, self.file_id is not None, self.audio_url is not None]
        if sum(given) != 1:
            raise ConfigurationError("give exactly one of file, file_id and audio_url")
        if self.file_id is not None:
            check_id("file_id", self.file_id)
        if self.audio_url is not None:
            _check_url("audio_url", self.audio_url)
        if self.on_upload_progress is not None:
            function("on_upload_progress", self.on_upload_progress)


@dataclass(frozen=True)
class JobOptions:
    """Options of a job. Checked on construction, before a file is uploaded."""

    model: str
    client_reference_id: Optional[str]
    config: TranscriptionConfig

    def __post_init__(self) -> None:
        _check_model("model", self.model)
        reference_field(self.client_reference_id)

    def fields(self) -> dict[str, Any]:
        """Return the fields to send."""
        reference = reference_field(self.client_reference_id)
        return {"model": self.model, **reference, **self.config.to_wire()}


@dataclass(frozen=True)
class Waiting:
    """How to wait for the end of a job, and whether to delete it afterwards."""

    delete_after: bool = False
    wait_interval_sec: float = 5.0
    wait_timeout_sec: Optional[float] = None
    on_progress: Optional[OnJob] = None

    def __post_init__(self) -> None:
        boolean("delete_after", self.delete_after)
        check_wait(self.wait_interval_sec, self.wait_timeout_sec, self.on_progress, "wait_")


_UPLOAD = ("file", "filename", "on_upload_progress")
_WAIT = field_names(Waiting)
_OWN = ("file_id", "audio_url", "model", "client_reference_id", "config", "cancel")
_JOB = (*_OWN, *field_names(TranscriptionConfig))


@dataclass(frozen=True)
class JobRequest:
    """Keywords of a call, checked and grouped."""

    source: Source
    options: JobOptions
    waiting: Waiting
    cancel: Optional[CancelToken]

    @classmethod
    def read(
        cls, given: Mapping[str, Any], *, uploads: bool = True, waits: bool = False
    ) -> JobRequest:
        """Return the request for keywords; `uploads` and `waits`: what the call supports.

        Raises
            ConfigurationError: an unknown name, not exactly one source, or an invalid value.
            InputTypeError: a value of the wrong type.
        """
        known = (*_JOB, *(_UPLOAD if uploads else ()), *(_WAIT if waits else ()))
        refuse_unknown(given, known, "a transcription", EXTRA_HINT)

        def taken(names: Sequence[str]) -> dict[str, Any]:
            return {name: given[name] for name in names if name in given}

        fields = taken(field_names(TranscriptionConfig))
        config = merge_config(given.get("config"), **fields)
        model = given.get("model", DEFAULT_ASYNC_MODEL)
        return cls(
            Source(**taken(("file_id", "audio_url", *_UPLOAD))),
            JobOptions(model, given.get("client_reference_id"), config),
            Waiting(**taken(_WAIT)),
            given.get("cancel"),
        )


def check_wait(
    interval_sec: float,
    timeout_sec: Optional[float],
    on_progress: Optional[OnJob],
    prefix: str = "",
) -> None:
    """Check the options of a wait; `prefix` is the prefix of their names.

    Raises
        ConfigurationError: not finite, or negative; an interval of 0.
        InputTypeError: not a number, or not callable.
    """
    positive_seconds(f"{prefix}interval_sec", interval_sec)
    timeout(f"{prefix}timeout_sec", timeout_sec)
    if on_progress is not None:
        function("on_progress", on_progress)


class Jobs(Collection[TranscriptionJob, TranscriptionPage]):
    """Calls about jobs, and about their files. Thread-safe."""

    _name = "stt"
    _path, _id_name = "/transcriptions", "transcription_id"
    _item, _page = TranscriptionJob, TranscriptionPage

    def __init__(self, http: Http, files: FilesApi) -> None:
        super().__init__(http)
        self._files = files

    def create(
        self, source: Mapping[str, str], options: JobOptions, cancel: Optional[CancelToken]
    ) -> TranscriptionJob:
        """Create the job for a source, a `file_id` or an `audio_url`."""
        call = Call("POST", "/transcriptions", body={**source, **options.fields()})
        return self._http.json(call, TranscriptionJob.from_raw, cancel)

    def get(
        self,
        job_id: str,
        cancel: Optional[CancelToken] = None,
        within_sec: Optional[float] = None,
    ) -> TranscriptionJob:
        """Return a job in its current state."""
        call = Call("GET", self._item_path(job_id), within=within_sec)
        return self._http.json(call, TranscriptionJob.from_raw, cancel)

    def get_transcript(self, job_id: str) -> JobTranscript:
        """Return the transcript of a completed job."""
        call = Call("GET", f"{self._item_path(job_id)}/transcript")
        return self._http.json(call, JobTranscript.from_raw)

    def start(self, request: JobRequest) -> TranscriptionJob:
        """Upload a file if there is one, and create the job.

        If the job was refused, the uploaded file is deleted. If it is unknown whether the job was
        created, the file is kept, unless `delete_after` is set.
        """
        source, options, cancel = request.source, request.options, request.cancel
        if source.file_id is not None:
            return self.create({"file_id": source.file_id}, options, cancel)
        if source.audio_url is not None:
            return self.create({"audio_url": source.audio_url}, options, cancel)
        assert source.file is not None
        uploaded = self._files.upload(
            source.file,
            filename=source.filename,
            client_reference_id=options.client_reference_id,
            on_progress=source.on_upload_progress,
            cancel=cancel,
        )
        try:
            return self.create({"file_id": uploaded.id}, options, cancel)
        except BaseException as error:
            if request.waiting.delete_after or _was_refused(error):
                self._delete_quietly("file", uploaded.id, self._files.delete_if_exists)
            raise

    @contextmanager
    def ended(self, request: JobRequest) -> Iterator[TranscriptionJob]:
        """Start a job and yield it when it is over.

        With `delete_after`, job and file are deleted after the block, or if waiting fails.
        """
        waiting = request.waiting
        job = self.start(request)
        try:
            yield self.wait(
                job.id,
                waiting.wait_interval_sec,
                waiting.wait_timeout_sec,
                waiting.on_progress,
                request.cancel,
            )
        except BaseException:
            if waiting.delete_after:
                # not with the caller's token, which may have ended the block
                self._delete_quietly("transcription", job.id, self.delete_if_exists)
                if job.file_id is not None:
                    self._delete_quietly("file", job.file_id, self._files.delete_if_exists)
            raise
        if waiting.delete_after:
            self.destroy(job)

    def destroy(self, job: TranscriptionJob) -> None:
        """Delete a job's file, then the job: if that fails, the transcript still exists."""
        if job.file_id is not None:
            if not job.is_over:  # a running job would lose its file and could not be deleted
                self.delete_if_exists(job.id)
            self._files.delete_if_exists(job.file_id)
        self.delete_if_exists(job.id)

    def _delete_quietly(self, kind: str, its_id: str, delete: Callable[[str], None]) -> None:
        """Delete while an error is being raised, which must not be replaced by another."""
        try:
            delete(its_id)
        except SonioxError as error:
            _log.warning("! the %s %s could not be deleted: %s", kind, its_id, harmless(str(error)))

    def wait(
        self,
        job_id: str,
        interval_sec: float,
        timeout_sec: Optional[float],
        on_progress: Optional[OnJob],
        cancel: Optional[CancelToken],
    ) -> TranscriptionJob:
        """Poll a job until it is over; see `SttApi.wait`."""
        deadline = Deadline(timeout_sec)
        pause, failures = min(_FIRST_PAUSE_SEC, interval_sec), 0
        while True:
            job: Optional[TranscriptionJob] = None
            try:
                # past the deadline: make one last complete poll
                job = self.get(job_id, cancel, deadline.remaining() or None)
                failures = 0
            except SonioxHttpError as error:
                failures += 1
                if not is_retriable(error) or failures > _TOLERATED_FAILURES:
                    raise
            if job is not None:
                if on_progress is not None:
                    on_progress(job)
                if job.is_over:
                    return job
            if deadline.passed:
                raise SonioxTimeoutError(
                    f"the transcription did not end within {timeout_sec:g} s and goes on: wait "
                    "again"
                )
            self._http.pause(deadline.at_most(pause), cancel)
            if cancel is not None:
                cancel.raise_if_cancelled()
            pause = min(pause * _GROWTH, interval_sec)


def _was_refused(error: BaseException) -> bool:
    """Return whether it is certain that no job was created: it was refused, or nothing was sent."""
    if not isinstance(error, SonioxHttpError):
        return False
    if error.status_code is not None:
        return error.code == "http_error" and error.status_code < 500
    return error.nothing_sent
