"""Types that `client.stt` returns: jobs, transcripts, and the error of a job that failed."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ...errors import ConflictError
from ...protocol.tokens import Token
from ..records import (
    Entity,
    Page,
    Record,
    Unreadable,
    Word,
    flag,
    integer,
    moment,
    needed,
    one_of,
    optional,
    record,
    text,
    tuple_of,
)


class TranscriptionStatus(Word):
    """State of a transcription; the last two are final."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True, repr=False)
class TranscriptionJob(Entity):
    """Transcription of a file in its current state; `status` as in `TranscriptionStatus`.

    `model` is the one that the service runs, which may be another than you asked for: the name of a
    retired model is an alias of a newer one. `audio_duration_ms` is known once the file was
    processed. `error_type` and `error_message` are the reason for the status `error`.
    `webhook_auth_header_value` is masked; `webhook_status_code` is the last response of your
    server. `created_at` is in UTC; the service keeps jobs for 30 days.
    Source: PROTOCOL 5.3.
    """

    id: str = needed(text)
    status: str = needed(one_of(TranscriptionStatus))
    created_at: datetime = needed(moment)
    model: str = needed(text)
    filename: str = optional(text, "")
    audio_url: Optional[str] = optional(text)
    file_id: Optional[str] = optional(text)
    language_hints: Optional[tuple[str, ...]] = optional(tuple_of(text))
    enable_speaker_diarization: bool = optional(flag, False)
    enable_language_identification: bool = optional(flag, False)
    audio_duration_ms: Optional[int] = optional(integer)
    error_type: Optional[str] = optional(text)
    error_message: Optional[str] = optional(text)
    webhook_url: Optional[str] = optional(text)
    webhook_auth_header_name: Optional[str] = optional(text)
    webhook_auth_header_value: Optional[str] = optional(text, shown=False)
    webhook_status_code: Optional[int] = optional(integer)
    client_reference_id: Optional[str] = optional(text)

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, completed or failed."""
        return self.status not in (TranscriptionStatus.QUEUED, TranscriptionStatus.PROCESSING)


@dataclass(frozen=True, repr=False)
class TranscriptionPage(Page[TranscriptionJob]):
    """One page of jobs; iterate over it, or use `transcriptions`."""

    transcriptions: tuple[TranscriptionJob, ...] = needed(tuple_of(record(TranscriptionJob)))
    next_page_cursor: Optional[str] = optional(text)


def _token(value: Any) -> Token:
    if not isinstance(value, Mapping):
        raise Unreadable(f"expected an object, not {type(value).__name__}")
    # all tokens of a finished job are final, although the service does not mark them
    return Token.from_wire({**value, "is_final": True}, text(value.get("text")))


@dataclass(frozen=True, repr=False)
class JobTranscript(Record):
    """Transcript of a completed job; its tokens are all final.

    The functions of `soniox_sync.transcript` accept `tokens`: segments, captions, translations.
    """

    id: str = needed(text)
    text: str = needed(text)
    tokens: tuple[Token, ...] = needed(tuple_of(_token))


class TranscriptionFailedError(ConflictError):
    """Job that ended with the status `error`; the reason is in `job`."""

    code = "transcription_failed"
    job: Optional[TranscriptionJob] = None


def job_failure(job: TranscriptionJob) -> TranscriptionFailedError:
    """Return the error for a job that failed."""
    kind = f" ({job.error_type})" if job.error_type else ""
    error = TranscriptionFailedError(
        f"transcription {job.id} failed: {job.error_message or 'no reason was given'}{kind}",
        code="transcription_failed",
        error_type=job.error_type,
    )
    error.job = job
    return error
