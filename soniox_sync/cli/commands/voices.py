"""Clone voices from short clips, and list the built-in voices.

  soniox-sync voices create Grandma clip.wav
  soniox-sync voices shared --gender female
  soniox-sync voices list

Run an action with --help for its options.
"""

from __future__ import annotations

import argparse

from ...config.constants import DEFAULT_TTS_MODEL
from ..actions import (
    Actions,
    add_delete,
    check_deletion,
    delete_chosen,
    run_action,
)
from ..console import Console
from ..services import open_client
from ..tables import Column, write_record, write_records

USAGE = "ACTION"
HELP = "clone, list and delete voices"

run = run_action

_CLONED = (Column("id"), Column("created_at", "created"), Column("name"))
_SHARED = (
    Column("id"),
    Column("gender"),
    Column("age"),
    Column("accent"),
    Column("description"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = Actions(parser)
    actions.add("list", "list the cloned voices", _list)
    shared = actions.add(
        "shared", "list the voices built into a model", _shared, example="--gender female"
    )
    shared.add_argument(
        "--model",
        metavar="NAME",
        default=DEFAULT_TTS_MODEL,
        help="speech model (default: %(default)s)",
    )
    shared.add_argument("--gender", choices=("male", "female", "neutral"), help="only these")
    shared.add_argument("--age", choices=("young", "middle_aged", "old"), help="only these")
    shared.add_argument("--accent", metavar="NAME", help="such as american or british")
    shared.add_argument(
        "--use-case", action="append", metavar="TAG", help="such as narration; repeatable"
    )
    shared.add_argument("--style", action="append", metavar="TAG", help="style tag; repeatable")
    create = actions.add(
        "create",
        "clone a voice from a clip of up to 20 s",
        _create,
        "NAME FILE",
        "Grandma clip.wav",
    )
    create.add_argument("name", metavar="NAME", help="name for the voice")
    create.add_argument("file", metavar="FILE", help="audio file with the clip")
    get = actions.add("get", "show a cloned voice", _get, "ID", "ID")
    get.add_argument("id", metavar="ID", help="id of the voice")
    recompute = actions.add(
        "recompute", "prepare a cloned voice for models", _recompute, "ID", "ID"
    )
    recompute.add_argument("id", metavar="ID", help="id of the voice")
    recompute.add_argument(
        "--model", metavar="NAME", help="model (default: all that it is not ready for)"
    )
    add_delete(actions, "voice", _delete, "delete cloned voices", "cloned voice")


def _list(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_records(args, console, client.voices.list_all(), _CLONED)


def _shared(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        voices = client.voices.list_all_shared(
            args.model,
            gender=args.gender,
            age=args.age,
            accent=args.accent,
            use_case=args.use_case,
            style=args.style,
        )
        write_records(args, console, voices, _SHARED)


def _create(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.voices.create(args.file, name=args.name))


def _get(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.voices.get(args.id))


def _recompute(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.voices.recompute(args.id, model=args.model))


def _delete(args: argparse.Namespace, console: Console) -> None:
    check_deletion(args, "voice")
    with open_client(args) as client:
        api = client.voices
        delete_chosen(args, console, "voice", api.list_all, api.delete, api.delete_all)
