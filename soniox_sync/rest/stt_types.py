"""What `client.stt` gives: jobs, transcripts, and the error of a job that failed."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ..errors import ConflictError
from ..protocol.tokens import Token
from .records import (
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
    """Says how far a transcription is; the last two are final."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True)
class TranscriptionJob(Record):
    """Is a transcription of a file, as far as it is; `status` as in `TranscriptionStatus`.

    `audio_duration_ms` is known once it is processed. With the status `error`, `error_type` and
    `error_message` say why. `webhook_auth_header_value` is masked; `webhook_status_code` is what
    your server answered last. `created_at` is UTC; the service keeps jobs for 30 days.
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
    webhook_auth_header_value: Optional[str] = optional(text)
    webhook_status_code: Optional[int] = optional(integer)
    client_reference_id: Optional[str] = optional(text)

    @property
    def is_over(self) -> bool:
        """Tell whether nothing will change any more."""
        return self.status not in (TranscriptionStatus.QUEUED, TranscriptionStatus.PROCESSING)


@dataclass(frozen=True)
class TranscriptionPage(Page):
    """Is one page of jobs; iterate it, or look at `transcriptions`."""

    transcriptions: tuple[TranscriptionJob, ...] = needed(tuple_of(record(TranscriptionJob)))
    next_page_cursor: Optional[str] = optional(text)


def _token(value: Any) -> Token:
    if not isinstance(value, Mapping):
        raise Unreadable(f"expected an object, not {type(value).__name__}")
    # whatever a finished job holds is final, though the service does not say so
    return Token.from_wire({**value, "is_final": True}, text(value.get("text")))


@dataclass(frozen=True)
class JobTranscript(Record):
    """Is the transcript of a completed job; its tokens are all final.

    The tools of `soniox_sync.transcript` take `tokens`: segments, captions, translations.
    """

    id: str = needed(text)
    text: str = needed(text)
    tokens: tuple[Token, ...] = needed(tuple_of(_token))


class TranscriptionFailedError(ConflictError):
    """Reports a job that ended with the status `error`; `job` says why."""

    code = "transcription_failed"
    job: Optional[TranscriptionJob] = None


def job_failure(job: TranscriptionJob) -> TranscriptionFailedError:
    """Make the error for a job that failed."""
    kind = f" ({job.error_type})" if job.error_type else ""
    error = TranscriptionFailedError(
        f"transcription {job.id} failed: {job.error_message or 'no reason was given'}{kind}",
        code="transcription_failed",
        error_type=job.error_type,
    )
    error.job = job
    return error
