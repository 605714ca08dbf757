"""Keep files at the service, to be transcribed by jobs.

  soniox-sync files upload meeting.mp3
  soniox-sync files list
  soniox-sync files delete ID...

Each action tells its options with --help. Sizes are in bytes, times in UTC.
"""

from __future__ import annotations

import argparse
from functools import partial

from ..actions import Actions, Progress, run_action, write_record, write_records
from ..console import Console, UsageError
from ..services import open_client

HELP = "upload, list and delete files"

run = run_action

_FIELDS = ("id", "size", "created_at", "filename")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = Actions(parser)
    upload = actions.add("upload", "upload files", _upload)
    upload.add_argument("files", nargs="+", metavar="FILE", help="audio")
    upload.add_argument("--reference", metavar="TEXT", help="a reference of your own")
    actions.add("list", "list all files", _list)
    actions.add("count", "count the files", _count)
    get = actions.add("get", "show a file's facts", _get)
    get.add_argument("id", metavar="ID", help="the file")
    delete = actions.add("delete", "delete files", _delete)
    delete.add_argument("ids", nargs="*", metavar="ID", help="the files")
    delete.add_argument("--all", action="store_true", help="every file there is")


def _upload(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        for path in args.files:
            with Progress(console) as progress:
                file = client.files.upload(
                    path,
                    client_reference_id=args.reference,
                    on_progress=partial(progress.share, "uploading"),
                )
            write_records(args, console, [file], _FIELDS)


def _list(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_records(args, console, client.files.list_all(), _FIELDS)


def _count(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.files.count())


def _get(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.files.get(args.id))


def _delete(args: argparse.Namespace, console: Console) -> None:
    if bool(args.ids) == args.all:
        raise UsageError("say which files to delete: their IDs, or --all")
    with open_client(args) as client:
        if args.all:
            client.files.delete_all()
        for file_id in args.ids:
            client.files.delete(file_id)
