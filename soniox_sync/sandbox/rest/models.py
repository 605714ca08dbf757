"""The `/v1/models` and `/v1/tts-models` endpoints (PROTOCOL 5.4, 5.5)."""

from __future__ import annotations

from .. import catalog
from ..server.routes import Answer, Request
from .api import RestApi

__all__ = ["add_model_routes"]


def add_model_routes(api: RestApi) -> None:
    """Add the endpoints."""
    api.route("GET", "/v1/models", list_models)
    api.route("GET", "/v1/tts-models", list_tts_models)


def list_models(api: RestApi, request: Request) -> Answer:
    """Serve `GET /models`."""
    api.admit(request)
    return Answer.json(catalog.stt_models())


def list_tts_models(api: RestApi, request: Request) -> Answer:
    """Serve `GET /tts-models`."""
    api.admit(request)
    return Answer.json(catalog.tts_models())
