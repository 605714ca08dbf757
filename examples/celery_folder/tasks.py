"""Transcribe files in Celery workers: each task is one file, and writes its captions next to it.

SONIOX_API_KEY=... celery --app tasks worker
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery

from soniox_sync import SonioxClient, SonioxError, is_retriable
from soniox_sync.transcript import tokens_to_srt

BROKER = os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0")

app = Celery("tasks", broker=BROKER, backend=os.environ.get("CELERY_RESULT_BACKEND", BROKER))
app.conf.update(
    # if a worker dies, another one takes its file
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,  # tasks are long: none should wait behind another
    broker_connection_retry_on_startup=True,
)
client = SonioxClient()  # created before the workers fork; opens nothing until it is used


@app.task(bind=True, max_retries=5)  # type: ignore[untyped-decorator]
def transcribe(self: Any, path: str, language: str) -> str:
    """Write the captions as .srt and return the text; running it twice does no harm."""
    try:
        transcript = client.stt.transcribe_and_wait_with_tokens(
            file=path, language_hints=[language], delete_after=True, wait_interval_sec=1
        )
    except SonioxError as error:
        if is_retriable(error):
            # the service is busy or cannot be reached: wait 2, 4, 8, 16, 32 s
            raise self.retry(exc=error, countdown=2 ** (self.request.retries + 1)) from error
        raise
    Path(path).with_suffix(".srt").write_text(tokens_to_srt(transcript.tokens), encoding="utf-8")
    return transcript.text.strip()
