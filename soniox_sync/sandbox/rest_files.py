"""The `/v1/files` endpoints (PROTOCOL 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .problems import Problem
from .rest_common import admit, check_text, page
from .rest_form import read_form
from .rest_store import StoredFile
from .routes import Answer, Request, Routes

if TYPE_CHECKING:
    from .world import World

__all__ = ["add_file_routes"]


def add_file_routes(routes: Routes) -> None:
    """Add the endpoints."""
    routes.add("POST", "/v1/files", upload)
    routes.add("GET", "/v1/files", list_files)
    routes.add("GET", "/v1/files/count", count_files)
    routes.add("GET", "/v1/files/{id}", get_file)
    routes.add("DELETE", "/v1/files/{id}", delete_file)


def upload(world: World, request: Request) -> Answer:
    """Serve `POST /files`."""
    admit(world, request)
    form = read_form(request)
    limits = world.limits
    if len(form.content) > limits.rest_max_upload_bytes:
        raise Problem("invalid_request", "The file is too large.")
    reference = check_text(form.fields.get("client_reference_id"), "client_reference_id", 256)
    file = StoredFile(form.filename or "", form.content, reference)
    store = world.store
    with store.lock:
        if len(store.files) >= limits.rest_max_files:
            raise Problem("limit_exceeded", "The limit of stored files has been exceeded.")
        if store.stored_bytes + len(file.content) > limits.rest_max_stored_bytes:
            raise Problem("limit_exceeded", "The limit of file storage has been exceeded.")
        store.files.add(file)
    return Answer.json(file.body(), 201)


def list_files(world: World, request: Request) -> Answer:
    """Serve `GET /files`."""
    admit(world, request)
    with world.store.lock:
        files = world.store.files.all()
    chosen, cursor = page(request, files)
    return Answer.json({"files": [each.body() for each in chosen], "next_page_cursor": cursor})


def count_files(world: World, request: Request) -> Answer:
    """Serve `GET /files/count`."""
    admit(world, request)
    return Answer.json(counts(len(world.store.files)))


def get_file(world: World, request: Request) -> Answer:
    """Serve `GET /files/{id}`."""
    admit(world, request)
    with world.store.lock:
        return Answer.json(world.store.files.get(request.params["id"]).body())


def delete_file(world: World, request: Request) -> Answer:
    """Serve `DELETE /files/{id}`."""
    admit(world, request)
    with world.store.lock:
        world.store.files.remove(request.params["id"])
    return Answer(204)


def counts(total: int) -> dict[str, Any]:
    """Give a count as the service does; nothing here comes from its playground."""
    return {"total": total, "public_api": total, "playground": 0}
