"""`client.stt`: transcription of files, as jobs (PROTOCOL 5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ..._support.checks import by_name, text, wrong_type
from ...cancel import CancelToken
from ...errors import ConfigurationError
from ..arguments import check_id
from ..files import FilesApi
from ..http import Http
from ..records import Count
from ..webhooks import WebhooksApi
from .config import WebhookAuth
from .jobs import JobRequest, Jobs, OnJob, check_wait
from .translation import with_translation
from .types import JobTranscript, TranscriptionJob, TranscriptionPage, job_failure

if TYPE_CHECKING:
    from typing_extensions import Never, Unpack

    from ..keywords import (
        CreateKeywords,
        TranscribeAndWaitKeywords,
        TranscribeKeywords,
        WebhookKeywords,
    )


class SttApi:
    """Transcription of files: `client.stt`. Thread-safe.

    The audio is one of `file` (path, bytes, binary file object: it is uploaded), `file_id`
    (uploaded before) and `audio_url` (http or https, at most 4096 characters). The options are the
    fields of `TranscriptionConfig`, as keywords or as `config` (object or mapping). `model`
    defaults to `"stt-async-v6"`. `client_reference_id`: at most 256 characters. `filename`: the
    name of the uploaded file. `on_upload_progress(sent, total)`: called in this thread, with bytes.
    `cancel`: a token that ends a call with `AbortError`. A request that creates something is
    retried only if no connection could be opened.

    Raises
        SonioxHttpError: the call failed.
        ConfigurationError: a wrong argument, before anything is sent.
        AbortError: after a cancel.
    """

    def __init__(self, http: Http, files: FilesApi, webhooks: WebhooksApi) -> None:
        self._webhooks = webhooks
        self._jobs = Jobs(http, files)

    def __repr__(self) -> str:
        return repr(self._jobs)

    # -- jobs ------------------------------------------------------------------------------------

    def create(self, *positional: Never, **options: Unpack[CreateKeywords]) -> TranscriptionJob:
        """Start the transcription of an uploaded file or a URL; return the queued job.

        Keywords, with their defaults; None: the service's default.

        - `file_id` (None), `audio_url` (None), exactly one of them: the id of an uploaded file; a
          URL that the service downloads, http or https, at most 4096 characters.
        - `model` ("stt-async-v6").
        - `language_hints` (None): at most 100 language codes. `language_hints_strict` (None): True
          restricts the transcription to them.
        - `enable_speaker_diarization` (None), `enable_language_identification` (None): True labels
          speakers, languages.
        - `translation` (None): a `OneWayTranslation`, a `TwoWayTranslation` or a mapping.
        - `context` (None): a `Context`, a mapping, or a `str`.
        - `webhook_url` (None): requested by the service when the job is over, with the header
          `webhook_auth_header_name` (None) and its value `webhook_auth_header_value` (None); at
          most 256 characters each.
        - `client_reference_id` (None): your own reference, at most 256 characters.
        - `extra` (None): a mapping of further fields for the service.
        - `config` (None): a `TranscriptionConfig` or mapping, which keywords override.
        - `cancel` (None): a token that ends the call with `AbortError`.

        Raises
            ConfigurationError: a wrong argument.
            SonioxHttpError: the call failed.
            AbortError: after a cancel.
        """
        by_name("file_id", positional)
        if (options.get("file_id") is None) == (options.get("audio_url") is None):
            raise ConfigurationError("give exactly one of file_id and audio_url")
        return self._jobs.start(JobRequest.read(options, uploads=False))

    def get(self, transcription_id: str) -> TranscriptionJob:
        """Return a job in its current state.

        Raises
            NotFoundError: there is no such job.
            SonioxHttpError: the call failed otherwise.
        """
        return self._jobs.get(transcription_id)

    def get_or_none(self, transcription_id: str) -> Optional[TranscriptionJob]:
        """Return a job in its current state, `None` if there is no such job.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._jobs.get_or_none(transcription_id)

    def list(self, limit: int = 100, cursor: Optional[str] = None) -> TranscriptionPage:
        """Return one page of at most `limit` (1 to 1000) jobs, from `cursor` on.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._jobs.list(limit, cursor)

    def list_all(self, limit: int = 100) -> Iterator[TranscriptionJob]:
        """Yield all jobs, requesting `limit` at a time.

        Raises
            SonioxHttpError: a call failed.
        """
        return self._jobs.list_all(limit)

    def count(self) -> Count:
        """Return how many jobs there are.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._jobs.count()

    def get_transcript(self, transcription_id: str) -> JobTranscript:
        """Return the transcript of a completed job.

        Raises
            ConflictError: the job is not completed.
            NotFoundError: there is no such job.
            SonioxHttpError: the call failed otherwise.
        """
        return self._jobs.get_transcript(transcription_id)

    def delete(self, transcription_id: str) -> None:
        """Delete a job.

        Raises
            NotFoundError: there is no such job.
            ConflictError: it is being processed.
            SonioxHttpError: the call failed otherwise.
        """
        self._jobs.delete(transcription_id)

    def delete_if_exists(self, transcription_id: str) -> None:
        """Delete a job, if there is one.

        Raises
            ConflictError: it is being processed.
            SonioxHttpError: the call failed otherwise.
        """
        self._jobs.delete_if_exists(transcription_id)

    def delete_all(self, limit: int = 100) -> None:
        """Delete all jobs, however many, but not their files; stops at the first failure.

        `limit` (1 to 1000) is the size of the pages that they are listed in, not of what is
        deleted.

        Raises
            ConflictError: a job is being processed.
            SonioxHttpError: a call failed otherwise.
        """
        self._jobs.delete_all(limit)

    def destroy(self, transcription_id: str) -> None:
        """Delete a job and its uploaded file.

        Raises
            NotFoundError: there is no such job.
            ConflictError: it is being processed.
            SonioxHttpError: a call failed otherwise.
        """
        self._jobs.destroy(self.get(transcription_id))

    def destroy_all(self, limit: int = 100) -> None:
        """Delete all jobs, however many, and their files; stops at the first failure.

        `limit` is as in `delete_all`.

        Raises
            ConflictError: a job is being processed.
            SonioxHttpError: a call failed otherwise.
        """
        for job in list(self.list_all(limit)):
            self._jobs.destroy(job)

    def wait(
        self,
        transcription_id: str,
        *,
        interval_sec: float = 5.0,
        timeout_sec: Optional[float] = None,
        on_progress: Optional[OnJob] = None,
        cancel: Optional[CancelToken] = None,
    ) -> TranscriptionJob:
        """Wait until a job is completed or failed, and return it.

        Polls often at first, then less and less, finally every `interval_sec` seconds.
        `timeout_sec`: `None` waits without limit, `0` polls once. `on_progress(job)` is called
        after each poll, in this thread. Several consecutive failed polls are tolerated.

        Raises
            SonioxTimeoutError: the deadline passed; the job goes on.
            NotFoundError: there is no such job.
            SonioxHttpError: a call failed otherwise, or too many polls did.
            AbortError: after a cancel.
        """
        check_id("transcription_id", transcription_id)
        check_wait(interval_sec, timeout_sec, on_progress)
        return self._jobs.wait(transcription_id, interval_sec, timeout_sec, on_progress, cancel)

    # -- in one call -----------------------------------------------------------------------------

    def transcribe(
        self, *positional: Never, **options: Unpack[TranscribeKeywords]
    ) -> TranscriptionJob:
        """Upload a file if one is given, and start the transcription; return the queued job.

        An uploaded file is deleted again if the service refuses the job. Keywords, with their
        defaults; None: the service's default.

        - `file` (None), `file_id` (None), `audio_url` (None), exactly one of them: a path, bytes or
          binary file object to upload; the id of a file uploaded before; a URL that the service
          downloads, http or https, at most 4096 characters.
        - `filename` (None): the name of the uploaded file; None: that of the path.
        - `on_upload_progress` (None): called in this thread with the bytes sent and their total.
        - `model` ("stt-async-v6").
        - `language_hints` (None): at most 100 language codes. `language_hints_strict` (None): True
          restricts the transcription to them.
        - `enable_speaker_diarization` (None), `enable_language_identification` (None): True labels
          speakers, languages.
        - `translation` (None): a `OneWayTranslation`, a `TwoWayTranslation` or a mapping.
        - `context` (None): a `Context`, a mapping, or a `str`.
        - `webhook_url` (None): requested by the service when the job is over, with the header
          `webhook_auth_header_name` (None) and its value `webhook_auth_header_value` (None); at
          most 256 characters each.
        - `client_reference_id` (None): your own reference, at most 256 characters.
        - `extra` (None): a mapping of further fields for the service.
        - `config` (None): a `TranscriptionConfig` or mapping, which keywords override.
        - `cancel` (None): a token that ends the call with `AbortError`.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        return self._jobs.start(JobRequest.read(options))

    def transcribe_and_wait(
        self, *positional: Never, **options: Unpack[TranscribeAndWaitKeywords]
    ) -> TranscriptionJob:
        """Transcribe, wait for the end, and return the job, completed or failed (see `status`).

        `delete_after` (False): delete the job and its file afterwards, even if waiting fails; a
        failed deletion is then logged as a warning. `wait_interval_sec` (5.0), `wait_timeout_sec`
        (None) and `on_progress`: as in `wait`. The rest as in `transcribe`.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            SonioxTimeoutError: the deadline passed; the job goes on.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        with self._jobs.ended(JobRequest.read(options, waits=True)) as job:
            return job

    def transcribe_and_wait_with_tokens(
        self, *positional: Never, **options: Unpack[TranscribeAndWaitKeywords]
    ) -> JobTranscript:
        """Transcribe, wait for the end, and return the transcript.

        Options as in `transcribe_and_wait`.

        Raises
            TranscriptionFailedError: the job failed; a `ConflictError` with the service's reason.
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            SonioxTimeoutError: the deadline passed; the job goes on.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        with self._jobs.ended(JobRequest.read(options, waits=True)) as job:
            if job.status == "error":
                raise job_failure(job)
            return self.get_transcript(job.id)

    def transcribe_file_with_webhook(
        self, *positional: Never, **options: Unpack[WebhookKeywords]
    ) -> TranscriptionJob:
        """Upload a file and start its transcription; the service calls `webhook_url` at the end.

        `webhook_auth`: name and value of the header that authenticates the call, as a pair or a
        mapping with `name` and `value`; by default those that `client.webhooks` checks. The rest as
        in `transcribe`.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        given: dict[str, Any] = {**options}
        name, value = _webhook_auth(given.pop("webhook_auth", None))
        url = given.pop("webhook_url", None)
        text()("webhook_url", url)
        given.update(self._webhooks.fields(url, header=name, secret=value))
        return self._jobs.start(JobRequest.read(given))

    def translate(
        self,
        *positional: Never,
        to: Optional[str] = None,
        source: Optional[str] = None,
        between: Optional[tuple[str, str]] = None,
        **options: Unpack[TranscribeKeywords],
    ) -> TranscriptionJob:
        """Transcribe and translate; return the queued job.

        Translates into the language `to`, optionally only from the language `source`, or in both
        directions `between` two languages. `options`: those of `transcribe`.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        return self.transcribe(**with_translation(options, to, source, between))

    def translate_and_wait(
        self,
        *positional: Never,
        to: Optional[str] = None,
        source: Optional[str] = None,
        between: Optional[tuple[str, str]] = None,
        **options: Unpack[TranscribeAndWaitKeywords],
    ) -> TranscriptionJob:
        """Translate as `translate`, wait as `transcribe_and_wait`, whose options it takes.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            SonioxTimeoutError: the deadline passed; the job goes on.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        return self.transcribe_and_wait(**with_translation(options, to, source, between))

    def translate_and_wait_with_tokens(
        self,
        *positional: Never,
        to: Optional[str] = None,
        source: Optional[str] = None,
        between: Optional[tuple[str, str]] = None,
        **options: Unpack[TranscribeAndWaitKeywords],
    ) -> JobTranscript:
        """Translate as `translate`, and return the transcript with its translations.

        Takes the options of `transcribe_and_wait_with_tokens`.

        Raises
            ConfigurationError: a wrong argument.
            OSError: the file cannot be read.
            TranscriptionFailedError: the job failed.
            SonioxTimeoutError: the deadline passed; the job goes on.
            SonioxHttpError: a call failed.
            AbortError: after a cancel.
        """
        by_name("file", positional)
        return self.transcribe_and_wait_with_tokens(
            **with_translation(options, to, source, between)
        )


def _webhook_auth(auth: WebhookAuth) -> tuple[Optional[str], Optional[str]]:
    if auth is None:
        return None, None
    pair: Any = (auth.get("name"), auth.get("value")) if isinstance(auth, Mapping) else auth
    if isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(x, str) and x for x in pair):
        return pair
    raise wrong_type("webhook_auth", "a pair (name, value) or a mapping of these names", auth)
