"""`python manage.py runserver --sandbox`: the site without a key; and WebSockets."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands import runserver
from django.core.management.base import CommandParser
from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer

from soniox_sync.sandbox import Sandbox


class RequestHandler(WSGIRequestHandler):
    """Django's own handler, with the connection where simple-websocket looks for it."""

    def get_environ(self) -> dict[str, Any]:
        """Return the WSGI environment of a request."""
        return {**super().get_environ(), "werkzeug.socket": self.connection}


class Server(WSGIServer):
    """Django's own server, with our handler."""

    def __init__(self, address: Any, handler: object, **options: Any) -> None:
        super().__init__(address, RequestHandler, **options)


class Command(runserver.Command):
    """Django's own command, with an option to use a sandbox."""

    server_cls = Server

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the option."""
        super().add_arguments(parser)
        parser.add_argument("--sandbox", action="store_true", help="use a sandbox; needs no key")

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Serve until Ctrl-C."""
        command: Any = super()  # stubs of Django do not know `inner_run`
        with Sandbox() if options["sandbox"] else nullcontext() as sandbox:
            if sandbox:
                urls = sandbox.urls
                settings.SONIOX = {
                    "api_key": sandbox.api_key,
                    "api_url": urls.api,
                    "stt_ws_url": urls.stt,
                    "tts_api_url": urls.tts_api,
                    "tts_ws_url": urls.tts,
                }
            command.inner_run(*args, **options)
