"""The state file of `soniox-sync jobs submit`, which an editor or a full disk may have changed."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

from soniox_sync.cli.console import UsageError
from soniox_sync.cli.submission.state import StateFile

IS_TEXT = True
TOKENS = (
    *(b'{"version":1,"options":{},"items":[', b"]}", b'{"key":"/a"}', b'"status":"submitted"'),
    *(
        b'"status":"completed"',
        b'"key":"id:x"',
        b'"key":"https://a/b"',
        b'"job_id":"j"',
        b'"size":5',
    ),
    *(b'"since":1.5', b'"is_named":true', b'"reference":"r"', b'"output":"o.srt"', b'"error":"e"'),
)
_OPTIONS: dict[str, object] = {}
_folders: list[Path] = []


def _folder() -> Path:
    if not _folders:
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        _folders.append(Path(tempfile.mkdtemp(prefix="fuzz-state-", dir=memory)))
        atexit.register(shutil.rmtree, _folders[0], ignore_errors=True)
    return _folders[0]


def check(data: bytes) -> None:
    """Open a state file: its items, as far as they say what they must, or one clear error."""
    path = _folder() / "jobs.json"
    path.write_bytes(data)
    try:
        state = StateFile(str(path), _OPTIONS, "https://api.soniox.com/v1")
    except UsageError as error:
        assert "jobs.json" in str(error)
        return
    try:
        for item in state.items.values():
            assert isinstance(item.name, str)
            assert item.is_over == (item.status in ("completed", "failed"))
            for value in (item.reference, item.file_id, item.job_id, item.output, item.error):
                assert value is None or isinstance(value, str)
            assert item.since is None or isinstance(item.since, (int, float))
            repr(item)
        state.save()
        again = json.loads(path.read_text(encoding="utf-8"))
        assert [each["key"] for each in again["items"]] == list(state.items)
    finally:
        state.close()
