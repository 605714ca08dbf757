"""Clone voices from short clips, and list those that everybody may use.

  soniox-sync voices create Grandma clip.wav
  soniox-sync voices shared --gender female
  soniox-sync voices list

Each action tells its options with --help.
"""

from __future__ import annotations

import argparse

from ...config.constants import DEFAULT_TTS_MODEL
from ..actions import Actions, run_action, write_record, write_records
from ..console import Console
from ..services import open_client

HELP = "clone, list and delete voices"

run = run_action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = Actions(parser)
    actions.add("list", "list the cloned voices", _list)
    shared = actions.add("shared", "list the voices built into a model", _shared)
    shared.add_argument("--model", default=DEFAULT_TTS_MODEL, help="(%(default)s)")
    shared.add_argument("--gender", help="male, female or neutral")
    shared.add_argument("--age", help="young, middle_aged or old")
    shared.add_argument("--accent", help="such as american or british")
    shared.add_argument("--use-case", action="append", metavar="TAG", help="repeatable")
    shared.add_argument("--style", action="append", metavar="TAG", help="repeatable")
    create = actions.add("create", "clone a voice from a clip of up to 20 s", _create)
    create.add_argument("name", metavar="NAME", help="how to call the voice")
    create.add_argument("file", metavar="FILE", help="the clip")
    get = actions.add("get", "show a cloned voice", _get)
    get.add_argument("id", metavar="ID", help="the voice")
    recompute = actions.add("recompute", "prepare a cloned voice for models", _recompute)
    recompute.add_argument("id", metavar="ID", help="the voice")
    recompute.add_argument("--model", help="all that it is not ready for, unless said")
    delete = actions.add("delete", "delete cloned voices", _delete)
    delete.add_argument("ids", nargs="+", metavar="ID", help="the voices")


def _list(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_records(args, console, client.voices.list_all(), ("id", "created_at", "name"))


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
        write_records(args, console, voices, ("id", "gender", "age", "accent", "description"))


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
    with open_client(args) as client:
        for voice_id in args.ids:
            client.voices.delete(voice_id)
