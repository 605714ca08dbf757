"""The webhook receiver believes only the service, and fetches what it tells of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import EXAMPLES, ServerProcess

from soniox_sync.sandbox import Sandbox

pytestmark = pytest.mark.needs("flask")

# for engines on a loaded machine; what takes longer hangs
PATIENCE_SEC = 60.0
SECRET = "only the two of us know"


@pytest.fixture
def receiver(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the receiver with a secret."""
    environment["SONIOX_API_WEBHOOK_SECRET"] = SECRET
    app = str(EXAMPLES / "webhook_receiver.py")
    with ServerProcess([app, "--port", "0"], environment) as server:
        yield server


@pytest.mark.parametrize("headers", [{}, {"X-Soniox-Webhook-Secret": "a guess"}])
def test_a_stranger_is_turned_away(
    headers: dict[str, str], receiver: ServerProcess, web: Any
) -> None:
    """Without the secret, or with a wrong one, the answer is 401."""
    body = {"id": "1", "status": "completed"}
    answer = web.post(f"{receiver.url}/soniox", json=body, headers=headers, timeout=PATIENCE_SEC)
    assert answer.status_code == 401
    assert SECRET not in receiver.output


def test_a_webhook_that_is_none_is_refused(receiver: ServerProcess, web: Any) -> None:
    """The secret alone does not make a webhook."""
    answer = web.post(
        f"{receiver.url}/soniox",
        data=b"hello",
        headers={"X-Soniox-Webhook-Secret": SECRET},
        timeout=PATIENCE_SEC,
    )
    assert answer.status_code == 400


def test_the_text_of_a_finished_job_is_fetched(
    receiver: ServerProcess,
    recording: bytes,
    text: str,
    soniox_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service calls the receiver, which then knows the text."""
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", SECRET)
    path = tmp_path / "call.wav"
    path.write_bytes(recording)
    with soniox_sandbox.client() as client:
        fields = client.webhooks.fields(f"{receiver.url}/soniox")
        job = client.stt.transcribe(file=path, **fields)
    receiver.wait_for(f"{job.id}: {text}")
