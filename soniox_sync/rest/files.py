"""`client.files`: what was uploaded for transcription (PROTOCOL 5.2)."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ..cancel import CancelToken
from ..config import MAX_CLIENT_REFERENCE_ID_CHARS, MAX_LIST_LIMIT
from ..config._values import text as text_check
from ..errors import NotFoundError
from .http import Call, Http
from .multipart import FilePart, Multipart, OnProgress, Upload
from .records import (
    Count,
    Page,
    Record,
    all_items,
    check_id,
    check_limit,
    integer,
    moment,
    needed,
    optional,
    record,
    text,
    tuple_of,
)

_check_reference = text_check(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True)


@dataclass(frozen=True)
class File(Record):
    """Is an uploaded file. `size` is bytes, `created_at` UTC.

    The service keeps it until you delete it, or for 30 days: it says both. Source: PROTOCOL 5.2.
    """

    id: str = needed(text)
    filename: str = needed(text)
    size: int = needed(integer)
    created_at: datetime = needed(moment)
    client_reference_id: Optional[str] = optional(text)


@dataclass(frozen=True)
class FilePage(Page):
    """Is one page of files; iterate it, or look at `files`."""

    files: tuple[File, ...] = needed(tuple_of(record(File)))
    next_page_cursor: Optional[str] = optional(text)


class FilesApi:
    """Is `client.files`. Thread-safe. All methods raise a `SonioxHttpError` when a call fails.

    `file_id` is as the service gave it; anything else raises `ConfigurationError`.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def upload(
        self,
        file: Upload,
        *,
        filename: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        on_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
    ) -> File:
        """Upload a file: a path, bytes, or a binary file object from its present position.

        Streamed from disk, at most 1 GiB. `on_progress(sent, total)` is called with bytes, in this
        thread; what it raises ends the upload. The client's `timeout_sec` bounds each wait, not
        the whole upload. It is repeated only when no connection could be made.

        Raises `ConfigurationError` for an empty or too large file, `OSError` as `open()` does,
        `AbortError` after a cancel.
        """
        fields = {}
        if client_reference_id is not None:
            _check_reference("client_reference_id", client_reference_id)
            fields["client_reference_id"] = client_reference_id
        with FilePart(file, filename) as part:
            body = Multipart(fields, part, on_progress)
            return self._http.json(upload_call("/files", body), File.from_raw, cancel)

    def get(self, file_id: str) -> File:
        """Give a file's facts. Raises `NotFoundError`."""
        return self._http.json(Call("GET", _path(file_id)), File.from_raw)

    def get_or_none(self, file_id: str) -> Optional[File]:
        """Give a file's facts, `None` if there is no such file."""
        try:
            return self.get(file_id)
        except NotFoundError:
            return None

    def list(self, limit: int = 100, cursor: Optional[str] = None) -> FilePage:
        """Give one page of at most `limit` (1 to 1000) files, from `cursor` on."""
        params = {"limit": check_limit(limit, MAX_LIST_LIMIT), "cursor": cursor}
        return self._http.json(Call("GET", "/files", params=params), FilePage.from_raw)

    def list_all(self, limit: int = 100) -> Iterator[File]:
        """Yield all files, asking for `limit` at a time."""
        check_limit(limit, MAX_LIST_LIMIT)
        return all_items(lambda cursor: self.list(limit, cursor))

    def count(self) -> Count:
        """Tell how many files there are."""
        return self._http.json(Call("GET", "/files/count"), Count.from_raw)

    def delete(self, file_id: str) -> None:
        """Delete a file. Raises `NotFoundError`."""
        self._http.done(Call("DELETE", _path(file_id)))

    def delete_if_exists(self, file_id: str) -> None:
        """Delete a file, if there is one."""
        try:
            self.delete(file_id)
        except NotFoundError:
            return

    def delete_all(self, limit: int = 100) -> None:
        """Delete all files; stops at the first that cannot be deleted."""
        # listed first: deleting would move what a cursor points to
        for file_id in [file.id for file in self.list_all(limit)]:
            self.delete_if_exists(file_id)


def upload_call(path: str, body: Multipart) -> Call:
    """Make the call that sends a multipart body."""
    headers = {"Content-Type": body.content_type}
    return Call("POST", path, body=body, headers=headers, timed=False)


def _path(file_id: str) -> str:
    return f"/files/{check_id('file_id', file_id)}"
