"""The `/v1` endpoints and the table of everything the sandbox serves."""

from __future__ import annotations

from . import catalog
from .routes import Answer, Request, Routes
from .stt import SttService
from .tts import TtsService
from .tts_rest import generate_speech
from .world import World

__all__ = ["build_routes"]


def build_routes() -> Routes:
    """Make the table. A new endpoint is one line here and one function."""
    routes = Routes()
    routes.add_socket("/transcribe-websocket", "stt", SttService)
    routes.add_socket("/tts-websocket", "tts", TtsService)
    routes.add("POST", "/tts", generate_speech)
    routes.add("GET", "/v1/models", list_models)
    routes.add("GET", "/v1/tts-models", list_tts_models)
    return routes


def list_models(world: World, request: Request) -> Answer:
    """Serve `GET /models` (PROTOCOL 5.4)."""
    world.keys.use(world.keys.check(request.key, "rest"))
    return Answer.json(catalog.stt_models())


def list_tts_models(world: World, request: Request) -> Answer:
    """Serve `GET /tts-models` (PROTOCOL 5.5)."""
    world.keys.use(world.keys.check(request.key, "rest"))
    return Answer.json(catalog.tts_models())
