"""Tests of the webhook example: it accepts only genuine calls, and fetches the text."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.serving import EXAMPLES, ServerProcess

pytestmark = pytest.mark.needs("flask")

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 60.0
SECRET = "only the two of us know"


@pytest.fixture
def receiver(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the receiver with a secret."""
    environment["SONIOX_API_WEBHOOK_SECRET"] = SECRET
    app = str(EXAMPLES / "webhook_receiver.py")
    with ServerProcess([app, "--port", "0"], environment) as server:
        yield server


@pytest.mark.parametrize("headers", [{}, {"X-Soniox-Webhook-Secret": "wrong"}])
def test_a_forged_webhook_is_refused(
    headers: dict[str, str], receiver: ServerProcess, web: Any
) -> None:
    """Without the secret, or with a wrong one, the answer is 401."""
    body = {"id": "1", "status": "completed"}
    answer = web.post(f"{receiver.url}/soniox", json=body, headers=headers, timeout=TIMEOUT_SEC)
    assert answer.status_code == 401
    assert SECRET not in receiver.output


@pytest.mark.parametrize(
    ("body", "status"), [(b"hello", 503), (b'{"id": "1"}', 503), (b"x" * 20_000, 413)]
)
def test_a_malformed_webhook_is_refused(
    body: bytes, status: int, receiver: ServerProcess, web: Any
) -> None:
    """A body that is not a webhook, or is too long, is refused despite the secret."""
    answer = web.post(
        f"{receiver.url}/soniox",
        data=body,
        headers={"X-Soniox-Webhook-Secret": SECRET},
        timeout=TIMEOUT_SEC,
    )
    assert answer.status_code == status


def test_the_text_of_a_finished_job_is_fetched(
    receiver: ServerProcess,
    recording: bytes,
    text: str,
    soniox_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service calls the receiver, which then fetches the text."""
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", SECRET)
    path = tmp_path / "call.wav"
    path.write_bytes(recording)
    with soniox_sandbox.client() as client:
        fields = client.webhooks.fields(f"{receiver.url}/soniox")
        job = client.stt.transcribe(file=path, **fields)
    receiver.wait_for(f"{job.id}: {text}")


def test_a_text_that_cannot_be_fetched_is_fetched_later(
    receiver: ServerProcess,
    recording: bytes,
    text: str,
    soniox_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service repeats a call that failed, so no text is lost."""
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", SECRET)
    # more failures than the client's own retries
    soniox_sandbox.faults.refuse(500, path="/transcript", skip=1, times=3)
    with soniox_sandbox.client() as client:
        fields = client.webhooks.fields(f"{receiver.url}/soniox")
        job = client.stt.transcribe(file=recording, **fields)
    receiver.wait_for(f"{job.id}: {text}")
    assert "refused: " in receiver.output


def test_it_can_be_tried_without_a_key() -> None:
    """With `--sandbox` it starts a job and receives its webhook."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")
    keyless = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    app = str(EXAMPLES / "webhook_receiver.py")
    with ServerProcess([app, "--sandbox", "--port", "0"], keyless) as server:
        server.wait_for("Your parcel has arrived.")
        server.close(signal.SIGINT)
    assert not server.was_killed
    assert "Traceback" not in server.output
