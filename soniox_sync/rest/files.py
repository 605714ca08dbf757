"""`client.files`: files uploaded for transcription (PROTOCOL 5.2)."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from .._support.reprs import byte_size
from ..cancel import CancelToken
from .arguments import reference_field
from .collection import Collection
from .http import Call
from .multipart import FilePart, Multipart, OnProgress, Upload
from .records import Entity, Page, integer, moment, needed, optional, record, text, tuple_of


@dataclass(frozen=True, repr=False)
class File(Entity):
    """Uploaded file. `size` is in bytes, `created_at` in UTC.

    The service keeps it until you delete it, or for 30 days: its documentation says both.
    Source: PROTOCOL 5.2.
    """

    id: str = needed(text)
    filename: str = needed(text)
    size: int = needed(integer)
    created_at: datetime = needed(moment)
    client_reference_id: Optional[str] = optional(text)

    def _shown(self, name: str, value: Any) -> str:
        return byte_size(value) if name == "size" else super()._shown(name, value)


@dataclass(frozen=True, repr=False)
class FilePage(Page[File]):
    """One page of files; iterate over it, or use `files`."""

    files: tuple[File, ...] = needed(tuple_of(record(File)))
    next_page_cursor: Optional[str] = optional(text)


class FilesApi(Collection[File, FilePage]):
    """Uploaded files: `client.files`. Thread-safe.

    `file_id`: as the service returned it.

    Raises
        SonioxHttpError: the call failed.
        ConfigurationError: a wrong argument, before anything is sent.
    """

    _name = "files"
    _path, _id_name, _item, _page = "/files", "file_id", File, FilePage

    def upload(
        self,
        file: Upload,
        *,
        filename: Optional[str] = None,
        client_reference_id: Optional[str] = None,
        on_progress: Optional[OnProgress] = None,
        cancel: Optional[CancelToken] = None,
    ) -> File:
        """Upload a file: a path, bytes, or a binary file object from its current position.

        Streamed from disk, at most 1 GiB. `on_progress(sent, total)` is called with bytes, in this
        thread; an exception of it ends the upload. The client's `timeout_sec` limits each wait, not
        the whole upload. It is retried only if no connection could be opened.

        Raises
            ConfigurationError: an empty or too large file.
            OSError: as `open()` raises it.
            SonioxHttpError: the upload failed.
            AbortError: after a cancel.
        """
        fields = reference_field(client_reference_id)
        with FilePart(file, filename, cancel=cancel) as part:
            body = Multipart(fields, part, on_progress)
            return self._http.json(upload_call("/files", body), File.from_raw, cancel)

    def get(self, file_id: str) -> File:
        """Return an uploaded file: its name, size and times.

        Raises
            NotFoundError: there is no such file.
            SonioxHttpError: the call failed otherwise.
        """
        return super().get(file_id)

    def get_or_none(self, file_id: str) -> Optional[File]:
        """Return an uploaded file, `None` if there is no such file.

        Raises
            SonioxHttpError: the call failed.
        """
        return super().get_or_none(file_id)

    def delete(self, file_id: str) -> None:
        """Delete a file.

        Raises
            NotFoundError: there is no such file.
            SonioxHttpError: the call failed otherwise.
        """
        super().delete(file_id)

    def delete_if_exists(self, file_id: str) -> None:
        """Delete a file, if there is one.

        Raises
            SonioxHttpError: the call failed.
        """
        super().delete_if_exists(file_id)


def upload_call(path: str, body: Multipart) -> Call:
    """Return the call that sends a multipart body."""
    headers = {"Content-Type": body.content_type}
    return Call("POST", path, body=body, headers=headers, timed=False)
