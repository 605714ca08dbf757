"""The `/v1/files` endpoints (PROTOCOL 5.2)."""

from __future__ import annotations

from ..problems import Problem
from ..server.routes import Answer, Request
from .api import RestApi
from .collection import add_collection
from .common import check_text
from .form import read_form
from .store import StoredFile

__all__ = ["add_file_routes"]


def add_file_routes(api: RestApi) -> None:
    """Add the endpoints."""
    api.route("POST", "/v1/files", upload)
    add_collection(api, "/v1/files", "files", api.store.files)
    api.route("DELETE", "/v1/files/{id}", delete_file)


def upload(api: RestApi, request: Request) -> Answer:
    """Serve `POST /files`."""
    api.admit(request)
    form = read_form(request)
    limits = api.world.limits
    if len(form.content) > limits.rest_max_upload_bytes:
        raise Problem("invalid_request", "The file is too large.")
    reference = check_text(form.fields.get("client_reference_id"), "client_reference_id", 256)
    file = StoredFile(form.filename or "", form.content, reference)
    store = api.store
    with store.lock:
        if len(store.files) >= limits.rest_max_files:
            raise Problem("limit_exceeded", "The limit of stored files has been exceeded.")
        if store.stored_bytes + len(file.content) > limits.rest_max_stored_bytes:
            raise Problem("limit_exceeded", "The limit of file storage has been exceeded.")
        store.files.add(file)
    return Answer.json(file.body(), 201)


def delete_file(api: RestApi, request: Request) -> Answer:
    """Serve `DELETE /files/{id}`."""
    api.admit(request)
    with api.store.lock:
        api.store.files.remove(request.params["id"])
    return Answer(204)
