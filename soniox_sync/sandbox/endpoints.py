"""All endpoints of the sandbox."""

from __future__ import annotations

from functools import partial

from .rest.api import RestApi
from .rest.files import add_file_routes
from .rest.jobs import add_job_routes
from .rest.keys import add_key_routes
from .rest.models import add_model_routes
from .rest.usage import add_usage_routes
from .rest.voices import add_voice_routes
from .server.routes import Routes
from .slng.routes import add_gateway_routes
from .stt.session import SttService
from .tts.connection import TtsService
from .tts.rest import generate_speech
from .world import World

__all__ = ["add_endpoints"]


def add_endpoints(routes: Routes, world: World, api: RestApi) -> None:
    """Add the service's and the gateway's endpoints."""
    routes.add_socket("/transcribe-websocket", "stt", partial(SttService, world))
    routes.add_socket("/tts-websocket", "tts", partial(TtsService, world))
    routes.add("POST", "/tts", partial(generate_speech, world))
    add_gateway_routes(routes, world)
    add_model_routes(api)
    add_file_routes(api)
    add_job_routes(api)
    add_voice_routes(api)
    add_key_routes(api)
    add_usage_routes(api)
