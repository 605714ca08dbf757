"""Endpoints that files, transcriptions and voices have in common."""

from __future__ import annotations

from typing import Any

from ..server.routes import Answer, Request
from .api import RestApi
from .common import page
from .store import Shelf

__all__ = ["add_collection"]


def add_collection(
    api: RestApi, path: str, name: str, shelf: Shelf[Any], *, by_origin: bool = True
) -> None:
    """Serve the list, the count and each item of a shelf at `path`.

    `name` is the field of the list. With `by_origin` the count also has the numbers of items that
    were created through the API and in the service's playground: here, none.
    """

    def list_items(api: RestApi, request: Request) -> Answer:
        api.admit(request)
        with api.store.lock:
            chosen, cursor = page(request, shelf.all())
            bodies = [item.body() for item in chosen]
        return Answer.json({name: bodies, "next_page_cursor": cursor})

    def count_items(api: RestApi, request: Request) -> Answer:
        api.admit(request)
        total = len(shelf)
        origins = {"public_api": total, "playground": 0} if by_origin else {}
        return Answer.json({"total": total, **origins})

    def get_item(api: RestApi, request: Request) -> Answer:
        api.admit(request)
        with api.store.lock:
            return Answer.json(shelf.get(request.params["id"]).body())

    api.route("GET", path, list_items)
    api.route("GET", f"{path}/count", count_items)  # before the items: the first match is used
    api.route("GET", f"{path}/{{id}}", get_item)
