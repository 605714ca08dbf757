"""List the models for speech to text and for text to speech.

  soniox-sync models
  soniox-sync models --tts --json

Columns: id, name and, for an alias, the id of the model that it stands for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..console import Console
from ..services import open_client
from ..tables import Column, write_records

if TYPE_CHECKING:
    from ...client import SonioxClient

USAGE = ""
HELP = "list the available models"


_TABLE = (Column("id"), Column("name"), Column("aliased_model_id", "alias of"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--stt", action="store_true", help="only speech to text")
    kind.add_argument("--tts", action="store_true", help="only text to speech")


def run(args: argparse.Namespace, console: Console) -> None:
    """List the models."""
    with open_client(args) as client:
        write_records(args, console, _models(client, args), _TABLE)


def _models(client: SonioxClient, args: argparse.Namespace) -> Iterator[Any]:
    if not args.tts:
        yield from client.models.list()
    if not args.stt:
        yield from client.tts_models.list()
