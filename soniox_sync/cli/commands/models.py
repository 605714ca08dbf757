"""List the models that transcribe and those that speak.

  soniox-sync models
  soniox-sync models --tts --json

Columns: id, name, and the id of the model that it is another name of.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..actions import write_records
from ..console import Console
from ..services import open_client

if TYPE_CHECKING:
    from ...client import SonioxClient

HELP = "list the models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--stt", action="store_true", help="only those that transcribe")
    kind.add_argument("--tts", action="store_true", help="only those that speak")


def run(args: argparse.Namespace, console: Console) -> None:
    """List them."""
    with open_client(args) as client:
        write_records(args, console, _models(client, args), ("id", "name", "aliased_model_id"))


def _models(client: SonioxClient, args: argparse.Namespace) -> Iterator[Any]:
    if not args.tts:
        yield from client.models.list()
    if not args.stt:
        yield from client.tts_models.list()
