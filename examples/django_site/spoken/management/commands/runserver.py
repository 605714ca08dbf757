"""`python manage.py runserver --sandbox`: the site without a key."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from typing import Any

from django.conf import settings
from django.core.management.commands import runserver

from soniox_sync.sandbox import Sandbox


class Command(runserver.Command):
    """Django's own command, with an option to use a sandbox."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option."""
        super().add_arguments(parser)
        parser.add_argument("--sandbox", action="store_true", help="use a sandbox; needs no key")

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Serve until Ctrl-C."""
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
            super().inner_run(*args, **options)
