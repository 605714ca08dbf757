"""Transcribe files in Celery workers: each task is one file, and writes its captions next to it.

SONIOX_API_KEY=... celery --app tasks worker
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery, Task

from soniox_sync import SonioxClient, SonioxError, is_retriable
from soniox_sync.transcript import tokens_to_srt

BROKER = os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0")
app = Celery("tasks", broker=BROKER, backend=os.environ.get("CELERY_RESULT_BACKEND", BROKER))
app.conf.update(
    # another process takes the file of one that died; if all did, after 1 h (`visibility_timeout`)
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,  # tasks are long: none should wait behind another
    broker_connection_retry_on_startup=True,
)
client = SonioxClient()  # created before the workers fork; opens nothing until it is used


class Transcription(Task):  # type: ignore[misc]
    """Task whose job stays at the service until the outcome is stored: nothing is paid twice."""

    def after_return(self, status: str, *args: Any, **kwargs: Any) -> None:
        """Delete the job, unless the task is tried again."""
        if status != "RETRY" and self.request.get("job"):
            client.stt.destroy(self.request.job.id)


@app.task(bind=True, base=Transcription, max_retries=5)  # type: ignore[untyped-decorator]
def transcribe(self: Any, path: str, language: str) -> str:
    """Write the captions as .srt and return the text; go on with what a dead worker began."""
    task = self.request
    try:
        if task.retries or task.delivery_info.get("redelivered"):
            mine = (job for job in client.stt.list_all() if job.client_reference_id == task.id)
            task.job = next(mine, None)
            if task.job is None and self.AsyncResult(task.id).successful():
                return str(self.AsyncResult(task.id).result)  # it died when all was done
        task.job = task.get("job") or client.stt.transcribe(
            file=path, language_hints=[language], client_reference_id=task.id
        )
        if (job := client.stt.wait(task.job.id, interval_sec=1)).status == "error":
            raise SonioxError(job.error_message or "the transcription failed")
        transcript = client.stt.get_transcript(job.id)
    except SonioxError as error:
        if not is_retriable(error):
            raise
        raise self.retry(exc=error, countdown=2 ** (task.retries + 1)) from error  # 2, 4 ... 32 s
    Path(path).with_suffix(".srt").write_text(tokens_to_srt(transcript.tokens), encoding="utf-8")
    return transcript.text.strip()
