"""Manage the files stored at the service, which jobs can transcribe.

  soniox-sync files upload meeting.mp3
  soniox-sync files list
  soniox-sync files delete ID...

Run an action with --help for its options. Sizes are in bytes, times in UTC.
"""

from __future__ import annotations

import argparse
from functools import partial

from ..actions import (
    Actions,
    add_delete,
    check_deletion,
    delete_chosen,
    run_action,
)
from ..console import Console
from ..progress import Progress
from ..services import open_client
from ..tables import Column, TableWriter, write_record, write_records

USAGE = "ACTION"
HELP = "upload, list and delete files"

run = run_action

_TABLE = (
    Column("id"),
    Column("size", right=True),
    Column("created_at", "created", spare=True),
    Column("filename", "file"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command."""
    actions = Actions(parser)
    upload = actions.add(
        "upload", "upload files", _upload, "FILE...", "meeting.mp3 talk.mp3", more="files"
    )
    upload.add_argument("files", nargs="+", metavar="FILE", help="audio files")
    upload.add_argument("--reference", metavar="TEXT", help="your own reference for the files")
    actions.add("list", "list all files", _list)
    actions.add("count", "count the files", _count)
    get = actions.add("get", "show the details of a file", _get, "ID", "ID")
    get.add_argument("id", metavar="ID", help="id of the file")
    add_delete(actions, "file", _delete, "delete files", "file")


def _upload(args: argparse.Namespace, console: Console) -> None:
    table = TableWriter(args, console, _TABLE)
    with open_client(args) as client:
        try:
            for path in args.files:
                with Progress(console) as progress:
                    file = client.files.upload(
                        path,
                        client_reference_id=args.reference,
                        on_progress=partial(progress.set_bar, "uploading"),
                    )
                table.add(file)
        finally:
            table.close()  # also what was uploaded before an error


def _list(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_records(args, console, client.files.list_all(), _TABLE)


def _count(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.files.count())


def _get(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        write_record(args, console, client.files.get(args.id))


def _delete(args: argparse.Namespace, console: Console) -> None:
    check_deletion(args, "file")
    with open_client(args) as client:
        api = client.files
        delete_chosen(args, console, "file", api.list_all, api.delete, api.delete_all)
