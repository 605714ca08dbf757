"""The `/v1` endpoints and the table of everything the sandbox serves."""

from __future__ import annotations

from . import catalog
from .rest_common import admit
from .rest_files import add_file_routes
from .rest_jobs import add_job_routes
from .rest_keys import add_key_routes
from .rest_usage import add_usage_routes
from .rest_voices import add_voice_routes
from .routes import Answer, Request, Routes
from .slng import add_gateway_routes
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
    add_gateway_routes(routes)
    routes.add("POST", "/tts", generate_speech)
    routes.add("GET", "/v1/models", list_models)
    routes.add("GET", "/v1/tts-models", list_tts_models)
    add_file_routes(routes)
    add_job_routes(routes)
    add_voice_routes(routes)
    add_key_routes(routes)
    add_usage_routes(routes)
    return routes


def list_models(world: World, request: Request) -> Answer:
    """Serve `GET /models` (PROTOCOL 5.4)."""
    admit(world, request)
    return Answer.json(catalog.stt_models())


def list_tts_models(world: World, request: Request) -> Answer:
    """Serve `GET /tts-models` (PROTOCOL 5.5)."""
    admit(world, request)
    return Answer.json(catalog.tts_models())
