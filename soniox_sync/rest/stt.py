"""`client.stt`: transcription of files, as jobs (PROTOCOL 5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

from ..cancel import CancelToken
from ..config import DEFAULT_ASYNC_MODEL, MAX_ASYNC_MODEL_CHARS, MAX_LIST_LIMIT
from ..config._values import text as text_check
from ..errors import ConfigurationError, InputTypeError, NotFoundError
from .files import FilesApi
from .http import Call, Http
from .jobs import Keeper, OnJob, Source, watch
from .multipart import OnProgress, Upload
from .records import Count, all_items, check_id, check_limit
from .stt_types import JobTranscript, TranscriptionJob, TranscriptionPage, job_failure
from .transcription_config import ConfigLike, check_reference, merge_config
from .translation import translated
from .webhooks import WebhooksApi

_check_model = text_check(MAX_ASYNC_MODEL_CHARS)
_check_url = text_check(4096)

WebhookAuth = Union[tuple[str, str], Mapping[str, str], None]


class SttApi:
    """Is `client.stt`. Thread-safe. All methods raise a `SonioxHttpError` when a call fails.

    What is to be transcribed is one of `file` (path, bytes, binary file object: it is uploaded),
    `file_id` (uploaded before) and `audio_url` (http or https, at most 4096 characters). How, is
    said by the fields of `TranscriptionConfig`, as keywords or as `config` (object or mapping).
    `client_reference_id`: at most 256 characters. `cancel` ends a call from elsewhere with
    `AbortError`. Wrong arguments raise `ConfigurationError` before anything is sent. A request
    that makes something is repeated only when no connection could be made.
    """

    def __init__(self, http: Http, files: FilesApi, webhooks: WebhooksApi) -> None:
        self._http = http
        self._webhooks = webhooks
        self._keeper = Keeper(self, files)

    # -- jobs ------------------------------------------------------------------------------------

    def create(
        self,
        *,
        model: str = DEFAULT_ASYNC_MODEL,
        file_id: Optional[str] = None,
        audio_url: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        config: ConfigLike = None,
        cancel: Optional[CancelToken] = None,
        **fields: Any,
    ) -> TranscriptionJob:
        """Start the transcription of an uploaded file or a URL; gives the job, queued."""
        body = _source(file_id, audio_url)
        _check_model("model", model)
        body["model"] = model
        if client_reference_id is not None:
            check_reference("client_reference_id", client_reference_id)
            body["client_reference_id"] = client_reference_id
        body.update(merge_config(config, **fields).to_wire())
        call = Call("POST", "/transcriptions", body=body)
        return self._http.json(call, TranscriptionJob.from_raw, cancel)

    def get(self, transcription_id: str) -> TranscriptionJob:
        """Give a job as far as it is. Raises `NotFoundError`."""
        return self._http.json(Call("GET", _path(transcription_id)), TranscriptionJob.from_raw)

    def get_or_none(self, transcription_id: str) -> Optional[TranscriptionJob]:
        """Give a job as far as it is, `None` if there is no such job."""
        try:
            return self.get(transcription_id)
        except NotFoundError:
            return None

    def list(self, limit: int = 100, cursor: Optional[str] = None) -> TranscriptionPage:
        """Give one page of at most `limit` (1 to 1000) jobs, from `cursor` on."""
        params = {"limit": check_limit(limit, MAX_LIST_LIMIT), "cursor": cursor}
        call = Call("GET", "/transcriptions", params=params)
        return self._http.json(call, TranscriptionPage.from_raw)

    def list_all(self, limit: int = 100) -> Iterator[TranscriptionJob]:
        """Yield all jobs, asking for `limit` at a time."""
        check_limit(limit, MAX_LIST_LIMIT)
        return all_items(lambda cursor: self.list(limit, cursor))

    def count(self) -> Count:
        """Tell how many jobs there are."""
        return self._http.json(Call("GET", "/transcriptions/count"), Count.from_raw)

    def get_transcript(self, transcription_id: str) -> JobTranscript:
        """Give the transcript of a completed job. Raises `ConflictError` while there is none."""
        call = Call("GET", f"{_path(transcription_id)}/transcript")
        return self._http.json(call, JobTranscript.from_raw)

    def delete(self, transcription_id: str) -> None:
        """Delete a job. Raises `NotFoundError`, and `ConflictError` while it is processed."""
        self._http.done(Call("DELETE", _path(transcription_id)))

    def delete_if_exists(self, transcription_id: str) -> None:
        """Delete a job, if there is one."""
        try:
            self.delete(transcription_id)
        except NotFoundError:
            return

    def delete_all(self, limit: int = 100) -> None:
        """Delete all jobs, not their files; stops at the first that cannot be deleted."""
        # listed first: deleting would move what a cursor points to
        for job_id in [job.id for job in self.list_all(limit)]:
            self.delete_if_exists(job_id)

    def destroy(self, transcription_id: str) -> None:
        """Delete a job and the file it was made from. Raises as `delete`."""
        self._keeper.destroy(self.get(transcription_id))

    def destroy_all(self, limit: int = 100) -> None:
        """Delete all jobs and their files; stops at the first that cannot be deleted."""
        for job in list(self.list_all(limit)):
            self._keeper.destroy(job)

    def wait(
        self,
        transcription_id: str,
        *,
        interval_sec: float = 5.0,
        timeout_sec: Optional[float] = None,
        on_progress: Optional[OnJob] = None,
        cancel: Optional[CancelToken] = None,
    ) -> TranscriptionJob:
        """Wait until a job is completed or failed, and give it.

        Looks soon at first, then less and less often, every `interval_sec` in the end.
        `timeout_sec`: `None` waits for ever, `0` looks once. `on_progress(job)` is called after
        each look, in this thread. A service that cannot be reached for a while is borne.

        Raises `SonioxTimeoutError` at the deadline, the job goes on; `AbortError` after a cancel.
        """
        path = _path(transcription_id)

        def look(within: Optional[float]) -> TranscriptionJob:
            call = Call("GET", path, within=within)
            return self._http.json(call, TranscriptionJob.from_raw, cancel)

        return watch(self._http, look, interval_sec, timeout_sec, on_progress, cancel)

    # -- in one go -------------------------------------------------------------------------------

    def transcribe(
        self,
        *,
        model: str = DEFAULT_ASYNC_MODEL,
        audio_url: Optional[str] = None,
        file_id: Optional[str] = None,
        file: Optional[Upload] = None,
        filename: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        config: ConfigLike = None,
        on_upload_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
        **fields: Any,
    ) -> TranscriptionJob:
        """Upload if need be, and start the transcription; gives the job, queued.

        A file that was uploaded here is deleted again when the service refuses the job.
        """
        source = Source(file, filename, file_id, audio_url, on_upload_progress)
        order = self._order(model, client_reference_id, config, fields, source)
        return self._keeper.start(source, order, cancel, forget=False)

    def transcribe_and_wait(
        self,
        *,
        model: str = DEFAULT_ASYNC_MODEL,
        audio_url: Optional[str] = None,
        file_id: Optional[str] = None,
        file: Optional[Upload] = None,
        filename: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        delete_after: bool = False,
        wait_interval_sec: float = 5.0,
        wait_timeout_sec: Optional[float] = None,
        config: ConfigLike = None,
        on_progress: Optional[OnJob] = None,
        on_upload_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
        **fields: Any,
    ) -> TranscriptionJob:
        """Transcribe, wait for the end, and give the job, completed or failed (see `status`).

        `delete_after` deletes the job and its file afterwards, also when waiting fails; what could
        not be deleted then is logged as a warning. The rest as in `transcribe` and `wait`.
        """
        source = Source(file, filename, file_id, audio_url, on_upload_progress)
        order = self._order(model, client_reference_id, config, fields, source)
        with self._keeper.job(source, order, cancel, forget=delete_after) as started:
            return self.wait(
                started.id,
                interval_sec=wait_interval_sec,
                timeout_sec=wait_timeout_sec,
                on_progress=on_progress,
                cancel=cancel,
            )

    def transcribe_and_wait_with_tokens(
        self,
        *,
        model: str = DEFAULT_ASYNC_MODEL,
        audio_url: Optional[str] = None,
        file_id: Optional[str] = None,
        file: Optional[Upload] = None,
        filename: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        delete_after: bool = False,
        wait_interval_sec: float = 5.0,
        wait_timeout_sec: Optional[float] = None,
        config: ConfigLike = None,
        on_progress: Optional[OnJob] = None,
        on_upload_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
        **fields: Any,
    ) -> JobTranscript:
        """Transcribe, wait for the end, and give the transcript.

        As `transcribe_and_wait`, but a job that failed raises `TranscriptionFailedError`, a kind of
        `ConflictError`, with the service's reason.
        """
        source = Source(file, filename, file_id, audio_url, on_upload_progress)
        order = self._order(model, client_reference_id, config, fields, source)
        with self._keeper.job(source, order, cancel, forget=delete_after) as started:
            job = self.wait(
                started.id,
                interval_sec=wait_interval_sec,
                timeout_sec=wait_timeout_sec,
                on_progress=on_progress,
                cancel=cancel,
            )
            if job.status == "error":
                raise job_failure(job)
            return self.get_transcript(job.id)

    def transcribe_file_with_webhook(
        self,
        *,
        file: Upload,
        webhook_url: str,
        model: str = DEFAULT_ASYNC_MODEL,
        filename: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        webhook_auth: WebhookAuth = None,
        config: ConfigLike = None,
        on_upload_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
        **fields: Any,
    ) -> TranscriptionJob:
        """Upload a file and start its transcription; `webhook_url` is called at the end.

        `webhook_auth`: name and value of the header that proves the call, as a pair or a mapping
        with `name` and `value`; by default what `client.webhooks` checks. The rest as in
        `transcribe`.
        """
        name, value = _webhook_auth(webhook_auth)
        webhook = self._webhooks.fields(webhook_url, header=name, secret=value)
        return self.transcribe(
            file=file,
            model=model,
            filename=filename,
            client_reference_id=client_reference_id,
            config=config,
            on_upload_progress=on_upload_progress,
            cancel=cancel,
            **{**fields, **webhook},
        )

    def translate(
        self,
        *,
        to: Optional[str] = None,
        source: Optional[str] = None,
        between: Optional[tuple[str, str]] = None,
        config: ConfigLike = None,
        **options: Any,
    ) -> TranscriptionJob:
        """Transcribe and translate; gives the job, queued.

        Into the language `to`, from the language `source` if that is known, or both ways `between`
        two languages. `options`: those of `transcribe`.
        """
        return self.transcribe(config=translated(config, options, to, source, between), **options)

    def translate_and_wait(
        self,
        *,
        to: Optional[str] = None,
        source: Optional[str] = None,
        between: Optional[tuple[str, str]] = None,
        config: ConfigLike = None,
        **options: Any,
    ) -> TranscriptionJob:
        """Translate as `translate`, wait as `transcribe_and_wait`, whose options it takes."""
        chosen = translated(config, options, to, source, between)
        return self.transcribe_and_wait(config=chosen, **options)

    def translate_and_wait_with_tokens(
        self,
        *,
        to: Optional[str] = None,
        source: Optional[str] = None,
        between: Optional[tuple[str, str]] = None,
        config: ConfigLike = None,
        **options: Any,
    ) -> JobTranscript:
        """Translate as `translate`, and give the transcript with its translations.

        Takes the options of `transcribe_and_wait_with_tokens`.
        """
        chosen = translated(config, options, to, source, between)
        return self.transcribe_and_wait_with_tokens(config=chosen, **options)

    def _order(
        self,
        model: str,
        client_reference_id: Optional[str],
        config: ConfigLike,
        fields: Mapping[str, Any],
        source: Source,
    ) -> Mapping[str, Any]:
        """Check everything that can be checked before a file is uploaded in vain."""
        _check_model("model", model)
        if client_reference_id is not None:
            check_reference("client_reference_id", client_reference_id)
        merged = merge_config(config, **fields)
        merged.to_wire()
        if source.file is None:
            _source(source.file_id, source.audio_url)
        return {"model": model, "client_reference_id": client_reference_id, "config": merged}


def _source(file_id: Optional[str], audio_url: Optional[str]) -> dict[str, Any]:
    if (file_id is None) == (audio_url is None):
        raise ConfigurationError("give exactly one of file, file_id and audio_url")
    if file_id is not None:
        return {"file_id": check_id("file_id", file_id)}
    _check_url("audio_url", audio_url)
    assert audio_url is not None
    if not audio_url.lower().startswith(("http://", "https://")):
        raise ConfigurationError("audio_url must be an http:// or https:// URL")
    return {"audio_url": audio_url}


def _webhook_auth(auth: WebhookAuth) -> tuple[Optional[str], Optional[str]]:
    if auth is None:
        return None, None
    pair: Any = (auth.get("name"), auth.get("value")) if isinstance(auth, Mapping) else auth
    if isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(x, str) and x for x in pair):
        return pair
    raise InputTypeError("webhook_auth must be a pair (name, value) or a mapping of these names")


def _path(transcription_id: str) -> str:
    return f"/transcriptions/{check_id('transcription_id', transcription_id)}"
